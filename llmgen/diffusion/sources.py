"""Where the files of a role are, and how one component of a model repository is loaded: from safetensors only."""

import importlib
import inspect
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import torch

from llmgen.diffusion.checkpoints import (
    PACKAGE,
    SUFFIX,
    FileRole,
    checkpoint_faults,
    config_folder,
    cut_short,
    is_single_file,
    local_path,
)
from llmgen.diffusion.hub import download_command, fetch, hub_in_reach
from llmgen.diffusion.published import is_address, published_folder
from llmgen.errors import MissingRequirementError, PresetError


class RoleLike(FileRole, Protocol):
    """What the loader reads of a preset's role; `llmgen.presets.RoleSpec` is one."""

    @property
    def dtype(self) -> str | None: ...  # noqa: D102
    @property
    def scheduler(self) -> str: ...  # noqa: D102
    def model_copy(self, *, update: Mapping[str, Any]) -> Self: ...  # noqa: D102


def resolve_source(spec: RoleLike) -> tuple[str, bool]:
    """Where a role's files are.

    Args:
        spec: The role.

    Returns:
        A folder or a hub id, and whether it is a folder on this machine.

    Raises:
        MissingRequirementError: If a folder or a file that the role lists is not there.
    """
    if is_address(spec.source):
        return str(published_folder(spec)), True
    folder = local_path(spec.source)
    if spec.source.startswith(PACKAGE):
        remedy = "reinstall llmgen, or make the weights with `llmgen train toybox`"
    else:
        if not folder.is_dir():
            return spec.source, False
        remedy = f"complete the model folder {spec.source}"
    if not folder.is_dir():
        raise MissingRequirementError(f"model folder {spec.source!r} is missing; {remedy}")
    for name in spec.files:
        if not (folder / name).is_file():
            raise MissingRequirementError(f"model file {name!r} is missing in {spec.source!r}; {remedy}")
        if name.endswith(SUFFIX) and (fault := cut_short(folder / name)) is not None:
            raise MissingRequirementError(f"model file {name!r} of {spec.source!r} {fault}")
    return str(folder), True


def import_class(path: str) -> Any:
    """A class from `module:Class`; presets have checked the package.

    Raises:
        PresetError: If there is no such class, or nothing that can be loaded.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PresetError(f"the preset names the class {path!r}, which does not exist: {first_line(error)}") from error
    if not hasattr(found, "from_pretrained"):
        raise PresetError(f"the preset names the class {path!r}, which has no `from_pretrained` to be loaded by")
    return found


class Parts:
    """Loads the components of one model repository."""

    def __init__(self, spec: RoleLike, dtype: torch.dtype, device: str) -> None:
        self.spec, self.dtype, self.device = spec, dtype, device
        self.single_file = is_single_file(spec.source)
        self.source, self.local = (spec.source, True) if self.single_file else resolve_source(spec)
        if faults := checkpoint_faults("", spec):
            raise PresetError(f"the role at {spec.source!r} cannot be loaded: {'; '.join(faults)}")
        self._config = str(config_folder(spec)) if self.single_file else None
        if not self.local:
            self.source, self.local = fetch(spec)
        self._hub: dict[str, Any] = {}
        if not self.local:
            # Without this the packages would retry for half a minute before they say that there is no network.
            self._hub = {"revision": spec.revision, "local_files_only": not hub_in_reach()}

    def load(self, default: Any, name: str | None = None, **options: Any) -> Any:
        """Load one component by `from_pretrained`; the preset's class wins over the default one."""
        key = name or "model"
        cls = import_class(self.spec.classes[key]) if key in self.spec.classes else default
        if name is not None:
            options["subfolder"] = name
        options |= self._hub
        if inspect.getfullargspec(cls.from_pretrained).varkw:
            # No file of a repository is ever run, and nobody is asked on the terminal whether it should be.
            options["trust_remote_code"] = False
        try:
            with warnings.catch_warnings():  # the libraries' remarks about each other's deprecations
                warnings.simplefilter("ignore")
                return cls.from_pretrained(self.source, **options)
        except TypeError as error:
            raise PresetError(
                f"{cls.__name__} does not fit the part {key!r} of {self.spec.source!r}: {first_line(error)}"
            ) from error
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            if self.local:
                raise MissingRequirementError(
                    f"cannot load {key!r} from {self.spec.source!r}: {first_line(error)}"
                ) from error
            raise MissingRequirementError(
                f"cannot load {key!r} of {self.spec.source}: {first_line(error)} -- run `{download_command(self.spec)}` on a "
                "machine with network, then `llmgen doctor` says what is missing"
            ) from error

    def weights(self, default: Any, name: str | None = None, **options: Any) -> Any:
        """Load a component that has weights: safetensors only, moved to the device, ready to run."""
        return self._ready(self.load(default, name, **self.files(), dtype=self.dtype, **options))

    def checkpoint(self, pipeline: Any, **given: Any) -> Any:
        """A pipeline of a single file, with the configurations of the role's base: never from the network.

        Args:
            pipeline: Its class.
            given: Components that do not come from the file; None for those that it shall not have.

        Raises:
            MissingRequirementError: If the file lacks weights, or the base something.
        """
        from diffusers.loaders.single_file_utils import SingleFileComponentError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = pipeline.from_single_file(
                    str(Path(self.source).expanduser()),
                    config=self._config,
                    local_files_only=True,
                    dtype=self.dtype,
                    **given,
                )
        except NotImplementedError as error:  # of torch, for a weight that nothing has filled
            raise MissingRequirementError(
                f"{self.spec.source!r} lacks weights that the configurations of {self.spec.base!r} speak of; name the base that it "
                "was made from"
            ) from error
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, SingleFileComponentError) as error:
            raise MissingRequirementError(
                f"cannot load {self.spec.source!r} with the configurations of {self.spec.base!r}: {first_line(error)}"
            ) from error
        for name, part in made.components.items():
            if isinstance(part, torch.nn.Module):
                lost = [key for key, value in part.state_dict().items() if value.is_meta]
                if lost:
                    raise MissingRequirementError(f"{self.spec.source!r} lacks the weights {name}.{one_of(lost)}")
                self._ready(part)
        return made

    def complete(self, default: Any, name: str, *, spare: str | None = None, **options: Any) -> Any:
        """Load a diffusers model as `weights` does, but refuse a file that lacks weights.

        The library would go on with random numbers in their place.

        Args:
            default: Class, unless the preset names another.
            name: Of the component.
            spare: A part of the model that is not wanted, so that it may be missing; the model comes without it.
            options: For `from_pretrained`, such as entries of the configuration.

        Raises:
            MissingRequirementError: Also if the file lacks weights.
        """
        model, info = self.load(default, name, **self.files(), dtype=self.dtype, output_loading_info=True, **options)
        lost = [key for key in info["missing_keys"] if spare is None or not key.startswith(f"{spare}.")]
        if lost:
            raise MissingRequirementError(f"{name!r} of {self.spec.source!r} lacks the weights {one_of(lost)}")
        if spare is not None:
            setattr(model, spare, None)
        return self._ready(model)

    def files(self) -> dict[str, Any]:
        """Which weight files `from_pretrained` may read: safetensors, in the role's variant."""
        return {"use_safetensors": True} | ({"variant": self.spec.variant} if self.spec.variant else {})

    def _ready(self, model: Any) -> Any:
        return model.to(self.device).eval().requires_grad_(False)

    def base(self) -> "Parts":
        """The repository that has what this one lacks; its files are not listed by the role."""
        # Of a single file, all that its base is asked for is here already.
        where = {
            "source": self._config or self.spec.base,
            "revision": None if self._config else self.spec.base_revision,
        }
        update = {**where, "files": (), "variant": None, "lora": ()}
        return Parts(self.spec.model_copy(update=update), self.dtype, self.device)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, not longer than 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def one_of(names: Sequence[str]) -> str:
    """One of several names, and how many there are beside it."""
    others = len(names) - 1
    return min(names) + (f" and {others} other{'s' * (others > 1)}" if others else "")
