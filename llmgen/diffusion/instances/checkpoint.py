"""The published checkpoint: read without running anything that is in it, and written as a folder of safetensors."""

import contextlib
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from llmgen.diffusion.instances.conversion import Architecture, Components, convert, empty_components
from llmgen.diffusion.instances.fusers import attach_grounding
from llmgen.errors import InputError, OutputError

PUBLISHED: Final = Architecture()
PUBLISHED_SHA256: Final = "b4de3f7877a1860b52837afe3a767ca92a2ef5084056048b503af80027cde1d1"
"""Of `instancediffusion_sd15.pth`, as the repository xudongw/InstanceDiffusion of the Hugging Face hub states it."""
SUFFIXES: Final = (".pth", ".pt", ".ckpt", ".safetensors")

_CHUNK: Final = 2**24
_WEIGHTS: Final = "diffusion_pytorch_model.safetensors"
_log = logging.getLogger(__name__)


class _Inert:
    """Stands for a class that a checkpoint names and that is none of ours: it takes everything and does nothing."""

    def __new__(cls, *_: Any) -> "_Inert":
        return object.__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


class _InertDict:
    """The same for dictionaries, which PyTorch fills after they are made."""

    def __new__(cls, *_: Any) -> Any:
        return {}


def load_checkpoint(path: Path, architecture: Architecture) -> tuple[Components, str]:
    """Read and translate a checkpoint.

    Args:
        path: A `.pth` of the original's training, or a safetensors file of its entry `model`.
        architecture: What it must fit.

    Returns:
        State dicts, and which entry of the file they are from: `ema` where it fits, as in the original, else `model`. The
        tensors of a `.pth` stay in the file until they are used.

    Raises:
        InputError: If the file cannot be read, or is no such checkpoint.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"checkpoint {str(path)!r} must end in one of {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"checkpoint {str(path)!r} does not exist")
    if path.suffix == ".safetensors":
        try:
            return convert(_tensors(load_file(path)), architecture), "model"
        except (SafetensorError, OSError) as error:
            raise InputError(f"checkpoint {str(path)!r} cannot be read: {_first_line(error)}") from error
    content = _read_pickle(path)
    if "ema" in content:
        try:
            return convert(_tensors(content["ema"]), architecture), "ema"
        except InputError as error:
            _log.warning("the entry 'ema' is left aside for 'model': %s", error)
    if "model" not in content:
        shown = ", ".join(sorted(map(str, content))[:5])
        raise InputError(f"checkpoint {str(path)!r} has no entry 'model'; it has: {shown}")
    return convert(_tensors(content["model"]), architecture), "model"


def _read_pickle(path: Path) -> dict[Any, Any]:
    """The dictionary in a `.pth`, read by PyTorch's restricted reader, everything but tensors replaced by stand-ins.

    The file also holds the configuration of the training as objects of another package. Their classes are not imported:
    what the file names and PyTorch does not know becomes `_Inert`, so nothing in the file can be run.
    """
    remedy = "save its entry 'model' as safetensors where you trust the file, and convert that"
    try:
        names = get_unsafe_globals_in_checkpoint(str(path))
        inert: list[Any] = [(_InertDict if name.endswith("efaultdict") else _Inert, name) for name in names]
        with safe_globals(inert):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a damaged or hostile file can trip the reader anywhere
        raise InputError(f"checkpoint {str(path)!r} cannot be read safely: {_first_line(error)} -- {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(f"checkpoint {str(path)!r} holds no dictionary -- {remedy}")
    return content


def _tensors(entry: Any) -> dict[str, Tensor]:
    """The entry, all of it ordinary tensors of numbers."""
    if not isinstance(entry, dict):
        raise InputError("this is no checkpoint of InstanceDiffusion: it has an entry that is no dictionary")
    for name, value in entry.items():
        usable = isinstance(value, Tensor) and value.layout is torch.strided and value.is_floating_point()
        if not (isinstance(name, str) and usable and value.device.type == "cpu"):
            raise InputError(f"this is no checkpoint of InstanceDiffusion: {str(name)[:100]} is no tensor of numbers")
    return {name: value.detach() for name, value in entry.items()}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def build_components(states: Components, dtype: torch.dtype, architecture: Architecture) -> Components:
    """The three modules with weights, ready to be joined.

    Args:
        states: Of `load_checkpoint`.
        dtype: Of the U-Net and ScaleU. UniFusion, which meets coordinates and runs once, keeps float32.
        architecture: Of the checkpoint.
    """
    made = empty_components(architecture)
    attach_grounding(made.unet)
    for name, module in made.items():
        own = torch.float32 if name == "unifusion" else dtype
        state = {key: value.to(own) for key, value in getattr(states, name).items()}
        module.load_state_dict(state, assign=True)
        module.eval().requires_grad_(False)
    return made


def sha256_of(path: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> str:
    """Hash a file.

    Args:
        path: Of any size; it is read piece by piece.
        progress: Called with the bytes so far and in all.
    """
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            done += len(piece)
            progress(done, total)
    return digest.hexdigest()


def write_folder(
    states: Components,
    folder: Path,
    texts: Mapping[str, str],
    *,
    architecture: Architecture,
    dtype: torch.dtype | None = None,
    progress: Callable[[str], None] = lambda part: None,
) -> None:
    """Write `unet/`, `unifusion/` and `scaleu/`, each a configuration and a safetensors file, texts beside them.

    Args:
        states: Of `load_checkpoint`.
        folder: Must not exist, or be empty. It appears when everything is written.
        texts: Name of a file to what it says.
        architecture: Of the checkpoint.
        dtype: Of the U-Net's weights; by default theirs. The others are small, and UniFusion runs in float32.
        progress: Called with the name of each part before it is written.

    Raises:
        OutputError: If the folder has something in it or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{str(folder)!r} exists already and is not overwritten; remove it or name another folder")
    modules = empty_components(architecture)
    try:
        with _appearing(folder) as work:
            for part, module in modules.items():
                progress(part)
                module.save_config(work / part)
                changed = dtype if part == "unet" else None
                state = {name: _own(value.to(changed or value.dtype)) for name, value in getattr(states, part).items()}
                save_file(state, work / part / _WEIGHTS, metadata={"format": "pt"})
            for name, text in texts.items():
                (work / name).write_text(text, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise OutputError(f"cannot write {str(folder)!r}: {_first_line(error)}") from error


def _own(value: Tensor) -> Tensor:
    """The tensor with memory to itself, which is what safetensors can write."""
    return (
        value
        if value.is_contiguous() and value.untyped_storage().nbytes() == value.nbytes
        else value.clone(memory_format=torch.contiguous_format)
    )


@contextlib.contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder beside, which takes the name at the end: a half-written one is never mistaken for a whole one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield work
        work.chmod(0o755)
        work.replace(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def model_card(name: str, digest: str, entry: str, states: Components) -> str:
    """The README of a converted checkpoint.

    Args:
        name: Of the file.
        digest: Its SHA-256.
        entry: Which entry of it was taken.
        states: What was converted.
    """
    published = digest == PUBLISHED_SHA256
    known = "the published file" if published else "not the file published at xudongw/InstanceDiffusion"
    rows = "\n".join(
        f"| `{part}/` | {len(state)} | {sum(value.numel() for value in state.values()):,} |"
        for part, state in states.items()
    )
    return f"""---
license: other
tags: [instancediffusion, layout-to-image, stable-diffusion]
---
# InstanceDiffusion on Stable Diffusion 1.5, for llmgen

Converted by `llmgen models convert` from the entry `{entry}` of `{name}`, {known}.
SHA-256 of that file: `{digest}`.

| folder | tensors | parameters |
| --- | ---: | ---: |
{rows}

`unet/` is a `UNet2DConditionModel` of diffusers, attention type "gated", without a position net: its grounding tokens come
from `unifusion/`. Autoencoder, text encoder and tokenizer are those of Stable Diffusion 1.5 and are not here.

Source: InstanceDiffusion, https://github.com/frank-xwang/InstanceDiffusion (Wang et al., CVPR 2024, arXiv 2402.03290),
Apache-2.0. The U-Net's other weights are Stable Diffusion 1.5's, under the CreativeML OpenRAIL-M licence, whose terms on use
pass on to whoever receives them.
"""
