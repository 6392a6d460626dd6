"""Models by role. Everything loads once per run, from safetensors only."""

import inspect
import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch

from llmgen.artifacts import ModelUse
from llmgen.artifacts.record import LoraUse
from llmgen.artifacts.schedulers import OWN
from llmgen.diffusion.drawing import has_unet
from llmgen.diffusion.families import FAMILIES
from llmgen.diffusion.offloading import Offload, Offloader
from llmgen.diffusion.schedulers import scheduler_of
from llmgen.diffusion.sources import Parts
from llmgen.diffusion.text import TextEncoder
from llmgen.diffusion.text_xl import XLTextEncoder
from llmgen.errors import MissingRequirementError, PresetError
from llmgen.printable import printable
from llmgen.vision.protocols import (
    InstanceDetector,
    PhraseDetector,
    PhraseScorer,
    PictureEncoder,
    PoseEstimator,
    Segmenter,
)

if TYPE_CHECKING:
    from llmgen.diffusion.answering.editor import LatentEditor, PictureEditor
    from llmgen.diffusion.answering.latents import LatentReader
    from llmgen.diffusion.instances.loading import InstanceDiffusion

logger = logging.getLogger(__name__)

#: Families whose models can wait in main memory. Detectors and segmenters are small and are not called as a whole.
OFFLOADED = (
    "stable-diffusion",
    "stable-diffusion-xl",
    "stable-diffusion-xl-refiner",
    "inpainting",
    "z-image",
    "instancediffusion",
    "instruct-pix2pix",
    "lgd",
)
_MOST_SAID = 300
"""Characters of what a library says."""

_TAKE_ENCODED = ("stable-diffusion", "stable-diffusion-xl")
"""Families whose pipelines, of whatever task, take texts as `TextEncoder` encodes them."""


class PresetLike(Protocol):
    """What the loader reads of a preset; `llmgen.presets.Preset` is one."""

    @property
    def width(self) -> int: ...  # noqa: D102

    def role(self, name: str) -> Any: ...  # noqa: D102


def quiet_libraries() -> None:
    """Keep the model libraries' progress bars and remarks off the terminal; what matters is raised as an error."""
    import diffusers
    import transformers

    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


@contextmanager
def _in_a_line(role: str) -> Iterator[None]:
    """Say in a line what diffusers says of an old configuration in twenty: it mends what it warns of, and prints all of it each time."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", FutureWarning)
        yield
    for warning in said:
        text = re.sub(r"\{.*?\n\}", "", str(warning.message), flags=re.DOTALL)
        logger.warning("role %s: %s", role, printable(text.partition(" Please ")[0], _MOST_SAID))


class ModelPool:
    """Models of one preset, each loaded once. Roles with the same specification share one object.

    Args:
        preset: Fills roles with models.
        device: `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: `float32`, `float16` or `bfloat16`; a role's own dtype wins. On the CPU it is always float32.
        offload: `model` or `sequential` keeps diffusion pipelines in main memory; they compute on the device all the same.
    """

    def __init__(self, preset: PresetLike, *, device: str, dtype: str, offload: Offload = "none") -> None:
        self.preset, self.device, self.dtype = preset, device, dtype
        self._loaded: dict[str, Any] = {}
        self._offloader = Offloader(offload, device)
        self._text: dict[int, TextEncoder] = {}

    def _get(self, role: str) -> Any:
        spec = self.preset.role(role)
        if spec.family not in FAMILIES:
            known = ", ".join(sorted(FAMILIES))
            raise PresetError(f"role {role!r} has the unknown family {spec.family!r}; known: {known}")
        key = self._key(spec)
        if key not in self._loaded:
            offloaded = self._offloader.how != "none" and spec.family in OFFLOADED
            try:
                made_of = Parts(spec, getattr(torch, self._dtype_of(spec)), "cpu" if offloaded else self.device)
                quiet_libraries()  # After the files are found: what is missing is said before the libraries' seconds are spent.
                with _in_a_line(role):
                    made = FAMILIES[spec.family](made_of)
            except (MissingRequirementError, PresetError) as error:
                # Whoever loads knows the model alone; what to change in a preset is the role.
                raise type(error)(f"role {role}: {error}") from error
            if offloaded:
                self._offloader.take(made.components.values())
            self._loaded[key] = made
        return self._loaded[key]

    def _dtype_of(self, spec: Any) -> str:
        return "float32" if self.device == "cpu" else (spec.dtype or self.dtype)

    def _key(self, spec: Any) -> str:
        """What tells models apart: all that changes what is loaded."""
        parts = [spec.family, spec.source, spec.revision, spec.base, spec.base_revision, spec.variant]
        parts += [dict(spec.classes), self._dtype_of(spec), spec.scheduler]
        parts += [[lora.source, lora.weight] for lora in spec.lora]
        return json.dumps(parts, sort_keys=True)

    def stepped_by(self, role: str, scheduler: str = OWN) -> str | None:
        """What a role's pipeline steps by.

        Args:
            role: A role.
            scheduler: What the settings name; `own` for the preset's or the model's.

        Returns:
            Its name, or the class of a scheduler without one; None for a model's own while nobody has loaded it.
        """
        spec = self.preset.role(role)
        if scheduler != OWN or spec.scheduler != OWN:
            return str(scheduler if scheduler != OWN else spec.scheduler)
        made = self._loaded.get(self._key(spec))
        return None if made is None else scheduler_of(made)

    def use(self, role: str, scheduler: str | None = None) -> ModelUse:
        """The role's model, for the provenance.

        Args:
            role: A role.
            scheduler: What the model draws by, where it draws.
        """
        spec = self.preset.role(role)
        lora = tuple(LoraUse(source=lora.source, weight=lora.weight) for lora in spec.lora) or None
        return ModelUse(role=role, source=spec.source, revision=spec.revision, scheduler=scheduler, lora=lora)

    def text_to_image(self) -> Any:
        """A pipeline of diffusers that draws from text, whatever its backbone.

        Raises:
            PresetError: If the role is of a family that does not.
        """
        pipe = self._get("text_to_image")
        if not hasattr(pipe, "tokenizer") or "image" in inspect.signature(type(pipe).__call__).parameters:
            family = self.preset.role("text_to_image").family
            raise PresetError(
                f"the role 'text_to_image' is of the family {family!r}, which does not draw from text alone"
            )
        return pipe

    def stable_diffusion(self, role: str) -> Any:
        """A `diffusers.StableDiffusionPipeline`, or a `StableDiffusionXLPipeline` where the preset says so.

        Args:
            role: `text_to_image` or `layout_to_image`.

        Raises:
            MissingRequirementError: If weights are missing, or if `layout_to_image` has no grounding weights.
        """
        pipe = self._get(role)
        if not has_unet(pipe):
            raise PresetError(
                f"the model of the role {role!r}, {type(pipe).__name__}, has no U-Net, which this method steers; it draws by "
                "`generate sd` and refines and inpaints"
            )
        if role == "layout_to_image" and getattr(pipe.unet, "position_net", None) is None:
            source = self.preset.role(role).source
            raise MissingRequirementError(
                f"the U-Net of {source!r} has no `position_net`, so it cannot be grounded by boxes; "
                "use a GLIGEN checkpoint for the role layout_to_image"
            )
        return pipe

    def instance_diffusion(self, role: str = "instances_to_image") -> "InstanceDiffusion":
        """A pipeline with UniFusion, for a role of the family `instancediffusion`.

        Raises:
            PresetError: If the role is of another family.
            MissingRequirementError: If weights are missing.
        """
        from llmgen.diffusion.instances.loading import InstanceDiffusion

        made = self._get(role)
        if not isinstance(made, InstanceDiffusion):
            family = self.preset.role(role).family
            raise PresetError(f"the role {role!r} must be of the family 'instancediffusion', not {family!r}")
        # It runs once for a picture and is the smallest part: it stays where it computes when the others are offloaded.
        made.unifusion.to(torch.device(self.device))
        return made

    def answerer(self) -> "LatentReader":
        """What reads questions about pictures: the role `answerer`, of the family `blip2`.

        Raises:
            PresetError: If it is of another family.
        """
        from llmgen.diffusion.answering.latents import LatentReader

        return cast("LatentReader", self._of("answerer", LatentReader, "blip2"))

    def picture_editor(self) -> "PictureEditor":
        """What edits pictures by instruction: the role `edit`, of the family `instruct-pix2pix`.

        Raises:
            PresetError: If it is of another family.
        """
        from diffusers import StableDiffusionInstructPix2PixPipeline

        from llmgen.diffusion.answering.loading import editor_of

        return editor_of(self._of("edit", StableDiffusionInstructPix2PixPipeline, "instruct-pix2pix"))

    def latent_editor(self) -> "tuple[LatentEditor, LatentReader]":
        """What draws answers: the role `answer_to_image`, of the family `lgd`; and the answerer with what was trained of it.

        Raises:
            PresetError: If a role is of another family.
            MissingRequirementError: If the two do not fit each other.
        """
        from llmgen.diffusion.answering.editor import LatentEditor
        from llmgen.diffusion.answering.loading import reader_for

        editor = cast("LatentEditor", self._of("answer_to_image", LatentEditor, "lgd"))
        key = f"reader:{id(editor)}"
        if key not in self._loaded:
            self._loaded[key] = reader_for(editor, self.answerer())
        # It is small, and no hook brings it when the U-Net is offloaded.
        editor.bridge.to(torch.device(self.device))
        return editor, self._loaded[key]

    def _of(self, role: str, kind: type, family: str) -> Any:
        made = self._get(role)
        if not isinstance(made, kind):
            found = self.preset.role(role).family
            raise PresetError(f"the role {role!r} must be of the family {family!r}, not {found!r}")
        return made

    def text(self, role: str) -> TextEncoder:
        """The text encoder of a role that draws; it remembers what it has encoded."""
        instances = self.preset.role(role).family == "instancediffusion"
        pipe = self.instance_diffusion(role).pipe if instances else self.stable_diffusion(role)
        if id(pipe) not in self._text:
            if hasattr(pipe, "text_encoder_2"):
                made: TextEncoder = XLTextEncoder(
                    pipe.tokenizer, pipe.text_encoder, pipe.tokenizer_2, pipe.text_encoder_2
                )
            else:
                made = TextEncoder(pipe.tokenizer, pipe.text_encoder)
            self._text[id(pipe)] = made
        return self._text[id(pipe)]

    def text_for_pipeline(self, role: str) -> TextEncoder | None:
        """The text encoder of a role, where its pipeline takes encoded texts; None for a pipeline that does it by its own models."""
        return self.text(role) if self.preset.role(role).family in _TAKE_ENCODED else None

    def image_to_image(self, role: str) -> Any:
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

    def inpainting(self, role: str) -> Any:
        """An inpainting pipeline made of the role's components, whatever its family."""
        from diffusers import AutoPipelineForInpainting, StableDiffusionInpaintPipeline, StableDiffusionPipeline

        from llmgen.diffusion.blended import PLAIN, BlendedDenoiser

        pipe = self._get(role)
        key = f"inpainting:{id(pipe)}"
        if key not in self._loaded:
            if isinstance(pipe, StableDiffusionPipeline):
                parts = {k: v for k, v in pipe.components.items() if k != "image_encoder"}
                made = StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False)
                if made.unet.config.in_channels == made.vae.config.latent_channels != PLAIN:
                    made.unet = BlendedDenoiser(made.unet)
            elif "Inpaint" in type(pipe).__name__ or type(pipe).__name__.endswith("FillPipeline"):
                made = pipe
            else:
                made = AutoPipelineForInpainting.from_pipe(pipe)
            made.set_progress_bar_config(disable=True)
            self._loaded[key] = made
        return self._loaded[key]

    def phrase_detector(self, role: str = "detector") -> PhraseDetector:
        """The open-vocabulary detector of a role, `detector` or `judge`."""
        return cast(PhraseDetector, self._able(role, "detect_phrases", "looks for phrases"))

    def instance_detector(self, role: str) -> InstanceDetector:
        """The detector with classes and masks of its own of a role, `detector_objects` or `detector_parts`."""
        return cast(InstanceDetector, self._able(role, "detect_instances", "finds instances of classes of its own"))

    def phrase_scorer(self, role: str) -> PhraseScorer:
        """What compares crops with phrases; where a detector fills the role, its best hits do."""
        from llmgen.diffusion.phrase_scoring import DetectorPhraseScorer

        model = self._get(role)
        if hasattr(model, "score_phrases"):
            return cast(PhraseScorer, model)
        if not hasattr(model, "detect_phrases"):
            raise PresetError(
                f"the model of the role {role!r} neither compares crops with phrases nor looks for phrases"
            )
        return DetectorPhraseScorer(cast(PhraseDetector, model))

    def picture_encoder(self, role: str) -> PictureEncoder:
        """What turns pictures into vectors that can be compared."""
        return cast(PictureEncoder, self._able(role, "picture_features", "turns pictures into vectors"))

    def world_judge(self, role: str) -> Any:
        """A judge that names all that a picture of the toybox world shows."""
        return self._able(role, "look", "says what a picture of the toybox world shows")

    def autoencoder(self, role: str) -> Any:
        """The autoencoder of a role that draws.

        Raises:
            PresetError: If it has none.
        """
        model = self._get(role)
        vae = getattr(getattr(model, "pipe", model), "vae", None)
        if vae is None:
            raise PresetError(f"the model of the role {role!r}, {type(model).__name__}, has no autoencoder")
        return vae

    def pose_estimator(self) -> PoseEstimator:
        """The model that finds the joints of figures in boxes."""
        return cast(PoseEstimator, self._able("pose", "estimate_poses", "finds the joints of figures"))

    def segmenter(self) -> Segmenter:
        """The model that turns boxes into masks."""
        return cast(Segmenter, self._able("segmenter", "segment", "turns boxes into masks"))

    def _able(self, role: str, method: str, what: str) -> Any:
        """The model of a role, which must have a method.

        Raises:
            PresetError: If it does not.
        """
        model = self._get(role)
        if not hasattr(model, method):
            raise PresetError(f"the model of the role {role!r}, {type(model).__name__}, is none that {what}")
        return model
