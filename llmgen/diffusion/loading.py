"""Models by role. Everything loads once per run, from safetensors only."""

import importlib
import json
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, cast

import torch

from llmgen.artifacts import ModelUse
from llmgen.diffusion.text import TextEncoder
from llmgen.errors import InputError, MissingRequirementError
from llmgen.vision.protocols import PhraseDetector, Segmenter

_PACKAGE = "package:"


class RoleLike(Protocol):
    """What the loader reads of a preset's role; `llmgen.presets.RoleSpec` is one."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> str | None: ...  # noqa: D102
    @property
    def family(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def files(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> str | None: ...  # noqa: D102


class PresetLike(Protocol):
    """What the loader reads of a preset; `llmgen.presets.Preset` is one."""

    def role(self, name: str) -> Any: ...  # noqa: D102


def resolve_source(spec: RoleLike) -> tuple[str, bool]:
    """Where a role's files are.

    Args:
        spec: The role.

    Returns:
        A folder or a hub id, and whether it is a folder on this machine.

    Raises:
        MissingRequirementError: If a folder or a file that the role lists is not there.
    """
    if spec.source.startswith(_PACKAGE):
        folder = Path(str(files("llmgen"))) / spec.source.removeprefix(_PACKAGE)
        remedy = "reinstall llmgen, or make the weights with `llmgen train toybox`"
    else:
        folder = Path(spec.source).expanduser()
        if not folder.is_dir():
            return spec.source, False
        remedy = f"complete the model folder {spec.source}"
    if not folder.is_dir():
        raise MissingRequirementError(f"model folder {spec.source!r} is missing; {remedy}")
    for name in spec.files:
        if not (folder / name).is_file():
            raise MissingRequirementError(f"model file {name!r} is missing in {spec.source!r}; {remedy}")
    return str(folder), True


def import_class(path: str) -> Any:
    """A class from `module:Class`."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


class _Parts:
    """Loads the components of one model repository."""

    def __init__(self, spec: RoleLike, dtype: torch.dtype, device: str) -> None:
        self.spec, self.dtype, self.device = spec, dtype, device
        self.source, self.local = resolve_source(spec)

    def load(self, default: Any, name: str | None = None, **options: Any) -> Any:
        """Load one component by `from_pretrained`; the preset's class wins over the default one."""
        key = name or "model"
        cls = import_class(self.spec.classes[key]) if key in self.spec.classes else default
        if name is not None:
            options["subfolder"] = name
        if not self.local:
            options["revision"] = self.spec.revision
        try:
            with warnings.catch_warnings():  # the libraries' remarks about each other's deprecations
                warnings.simplefilter("ignore")
                return cls.from_pretrained(self.source, **options)
        except (OSError, ValueError) as error:
            if self.local:
                raise MissingRequirementError(
                    f"cannot load {key!r} from {self.spec.source!r}: {first_line(error)}"
                ) from error
            revision = f" --revision {self.spec.revision}" if self.spec.revision else ""
            raise MissingRequirementError(
                f"cannot load {key!r} of {self.spec.source}: {first_line(error)} -- run `hf download "
                f"{self.spec.source}{revision}` on a machine with network, then `llmgen doctor` says what is missing"
            ) from error

    def weights(self, default: Any, name: str | None = None, **options: Any) -> Any:
        """Load a component that has weights: safetensors only, moved to the device, ready to run."""
        keyword = "dtype" if getattr(default, "__module__", "").startswith("transformers") else "torch_dtype"
        model = self.load(default, name, use_safetensors=True, **{keyword: self.dtype}, **options)
        return model.to(self.device).eval().requires_grad_(False)


def quiet_libraries() -> None:
    """Keep the model libraries' progress bars and remarks off the terminal; what matters is raised as an error."""
    import diffusers
    import transformers

    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def first_line(error: BaseException) -> str:
    """The first line of an error's text, not longer than 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _scheduler(parts: _Parts) -> Any:
    from diffusers import DDIMScheduler

    return parts.load(DDIMScheduler, "scheduler")


def _load_stable_diffusion(parts: _Parts) -> Any:
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    # GLIGEN repositories carry an old config key that diffusers ignores, which would drop the grounding weights silently.
    gated = {"attention_type": "gated"} if parts.spec.classes.get("grounding") == "gligen" else {}
    pipe = StableDiffusionPipeline(
        vae=parts.weights(AutoencoderKL, "vae"),
        text_encoder=parts.weights(CLIPTextModel, "text_encoder"),
        tokenizer=parts.load(CLIPTokenizer, "tokenizer"),
        unet=parts.weights(UNet2DConditionModel, "unet", **gated),
        scheduler=_scheduler(parts),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _load_sdxl_refiner(parts: _Parts) -> Any:
    from diffusers import StableDiffusionXLImg2ImgPipeline

    pipe = parts.load(StableDiffusionXLImg2ImgPipeline, use_safetensors=True, torch_dtype=parts.dtype).to(parts.device)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _load_owlv2(parts: _Parts) -> Any:
    from transformers import Owlv2ForObjectDetection, Owlv2Processor

    from llmgen.diffusion.phrase_detection import Owlv2PhraseDetector

    processor = parts.load(Owlv2Processor, "processor" if "processor" in parts.spec.classes else None)
    return Owlv2PhraseDetector(parts.weights(Owlv2ForObjectDetection), processor, parts.device)


def _load_phrase_detector(parts: _Parts) -> Any:
    if "model" not in parts.spec.classes:
        raise InputError(f"the role at {parts.spec.source!r} needs `classes.model`, the detector's `module:Class`")
    detector = parts.load(None)
    return detector.to(parts.device) if hasattr(detector, "to") else detector


def _load_sam(parts: _Parts) -> Any:
    from llmgen.diffusion.segmentation import SamSegmenter, TransformersSamSegmenter, build_sam_from_config

    if parts.local and not (Path(parts.source) / "preprocessor_config.json").is_file():
        return SamSegmenter(build_sam_from_config(parts.source).to(parts.device))
    from transformers import SamModel, SamProcessor

    return TransformersSamSegmenter(parts.weights(SamModel), parts.load(SamProcessor))


#: Family to loader.
FAMILIES: dict[str, Callable[[_Parts], Any]] = {
    "stable-diffusion": _load_stable_diffusion,
    "stable-diffusion-xl-refiner": _load_sdxl_refiner,
    "owlv2": _load_owlv2,
    "sam": _load_sam,
    "phrase-detector": _load_phrase_detector,
}


class ModelPool:
    """Models of one preset, each loaded once. Roles with the same specification share one object.

    Args:
        preset: Fills roles with models.
        device: `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: `float32`, `float16` or `bfloat16`; a role's own dtype wins. On the CPU it is always float32.
    """

    def __init__(self, preset: PresetLike, *, device: str, dtype: str) -> None:
        self.preset, self.device, self.dtype = preset, device, dtype
        self._loaded: dict[str, Any] = {}
        quiet_libraries()
        self._text: OrderedDict[int, TextEncoder] = OrderedDict()

    def _get(self, role: str) -> Any:
        spec = self.preset.role(role)
        if spec.family not in FAMILIES:
            known = ", ".join(sorted(FAMILIES))
            raise InputError(f"role {role!r} has the unknown family {spec.family!r}; known: {known}")
        dtype = "float32" if self.device == "cpu" else (spec.dtype or self.dtype)
        key = json.dumps([spec.family, spec.source, spec.revision, dict(spec.classes), dtype], sort_keys=True)
        if key not in self._loaded:
            self._loaded[key] = FAMILIES[spec.family](_Parts(spec, getattr(torch, dtype), self.device))
        return self._loaded[key]

    def use(self, role: str) -> ModelUse:
        """The role's model, for the provenance."""
        spec = self.preset.role(role)
        return ModelUse(role=role, source=spec.source, revision=spec.revision)

    def stable_diffusion(self, role: str) -> Any:
        """A `diffusers.StableDiffusionPipeline`.

        Args:
            role: `text_to_image` or `layout_to_image`.

        Raises:
            MissingRequirementError: If weights are missing, or if `layout_to_image` has no grounding weights.
        """
        pipe = self._get(role)
        if role == "layout_to_image" and getattr(pipe.unet, "position_net", None) is None:
            source = self.preset.role(role).source
            raise MissingRequirementError(
                f"the U-Net of {source!r} has no `position_net`, so it cannot be grounded by boxes; "
                "use a GLIGEN checkpoint for the role layout_to_image"
            )
        return pipe

    def text(self, role: str) -> TextEncoder:
        """The text encoder of a `stable_diffusion` role; it remembers what it has encoded."""
        pipe = self.stable_diffusion(role)
        if id(pipe) not in self._text:
            self._text[id(pipe)] = TextEncoder(pipe.tokenizer, pipe.text_encoder)
        return self._text[id(pipe)]

    def image_to_image(self, role: str = "refiner") -> Any:
        """An image-to-image pipeline made of the role's components, whatever its family."""
        from diffusers import AutoPipelineForImage2Image, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

        pipe = self._get(role)
        key = f"image-to-image:{id(pipe)}"
        if key not in self._loaded:
            if isinstance(pipe, StableDiffusionPipeline):
                parts = {k: v for k, v in pipe.components.items() if k != "image_encoder"}
                made = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)
            elif type(pipe).__name__.endswith("Img2ImgPipeline"):
                made = pipe
            else:
                made = AutoPipelineForImage2Image.from_pipe(pipe)
            made.set_progress_bar_config(disable=True)
            self._loaded[key] = made
        return self._loaded[key]

    def phrase_detector(self, role: str = "detector") -> PhraseDetector:
        """The open-vocabulary detector of a role, `detector` or `judge`."""
        return cast(PhraseDetector, self._get(role))

    def segmenter(self, role: str = "segmenter") -> Segmenter:
        """The model that turns boxes into masks."""
        return cast(Segmenter, self._get(role))
