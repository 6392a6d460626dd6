"""A last pass of image-to-image over what was corrected.

Latent composition leaves seams and flat textures. The preset's refiner adds a little noise to the picture and takes it away again. Only the
regions that correction could change are taken over from the result unless `whole_image` says otherwise; a picture that was never corrected
passes unchanged. The refiner may be SDXL's, as in SLD, or any other image-to-image model; its model is loaded once.

Every picture has a seed of its own, also with the profiles `sld` and `instancediffusion`, whose originals drew from the global state.

Source: SLD (Wu et al. 2024) and LMD (Lian et al. 2023), SDXL refinement; InstanceDiffusion (Wang et al. 2024), its cascade. All three
refine the whole picture; none of their published numbers are of refined pictures.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_validator

from llmgen.artifacts import HistoryEntry, Kind, ModelUse, Record, Stage
from llmgen.artifacts.schedulers import OWN, SchedulerName
from llmgen.diffusion.drawing import cut_chats, has_unet
from llmgen.diffusion.failures import as_model_errors
from llmgen.diffusion.latents import sides_multiple
from llmgen.diffusion.progress import Steps, telling
from llmgen.diffusion.prompts import cut_texts, join_negatives, longest_tokenizer
from llmgen.diffusion.schedulers import quiet_steps, with_scheduler
from llmgen.diffusion.text import pipeline_texts
from llmgen.engine.seeds import derive_seed
from llmgen.engine.stage import Profile, StageConfig
from llmgen.errors import InputError, ModelError
from llmgen.vision.blending import feathered, paste_back, region_picture
from llmgen.vision.masks import BoolMask

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


_SLD = {
    "whole_image": True,
    "long_side_px": 1024,
    "num_inference_steps": 50,
    "strength": 0.3,
    "guidance_scale": 5.0,
    "aesthetic_score": 7.0,
    "layout_negative": False,
    "negative_prompt": "",
}
_LMD = {
    **_SLD,
    "aesthetic_score": 6.0,
    "layout_negative": True,
    "negative_prompt": "drawing, painting, crayon, sketch, graphite, impressionist, noisy, blurry, soft, deformed, ugly",
}
_INSTANCE_DIFFUSION = {**_SLD, "long_side_px": None, "num_inference_steps": 20, "strength": 0.4, "aesthetic_score": 6.0}


class ImageToImageRefineConfig(StageConfig):
    """Settings of `refine sdxl`."""

    profiles: ClassVar[Mapping[str, Profile]] = {
        "reference": Profile(_SLD),
        "sld": Profile(_SLD),
        "lmd": Profile(_LMD, free=("strength",)),
        "instancediffusion": Profile(_INSTANCE_DIFFUSION, free=("strength",)),
    }

    profile: Literal["llmgen", "reference", "sld", "lmd", "instancediffusion"] = "llmgen"
    """Settings of a publication: all of them at once, and none of them changed but the strength where its program had a flag for it.
    `reference` is SLD's, whose stage this is."""
    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Steps of a full run; `strength` times as many are executed."""
    strength: float = Field(default=0.3, gt=0, le=1)
    """How much noise is added, 0 to 1; 1 ignores the picture."""
    guidance_scale: float = Field(default=5.0, ge=0, le=50)
    """Classifier-free guidance; 1 switches it off."""
    scheduler: SchedulerName = OWN
    """What it steps by, for example `dpm++-2m-karras`; `own` is the preset's, else the model's."""
    negative_prompt: str = ""
    """What no picture should show."""
    layout_negative: bool = True
    """Put the layout's own negative prompt in front of it."""
    aesthetic_score: float = Field(default=7.0, ge=0, le=10)
    """Condition of SDXL's refiner; other models do not know it."""
    whole_image: bool = False
    """Refine the whole picture, also one that was not corrected."""
    long_side_px: int | None = Field(default=None, ge=64, le=8192)
    """Longer side of the refined picture in pixels; by default the picture keeps its size."""
    feather_px: int = Field(default=4, ge=0, le=256)
    """Pixels over which the refined region fades into the untouched picture, inside the region."""

    @model_validator(mode="after")
    def _at_least_one_step(self) -> "ImageToImageRefineConfig":
        if int(self.num_inference_steps * self.strength) < 1:
            raise ValueError(f"{self.num_inference_steps} steps at strength {self.strength:g} is no step; raise one")
        return self


class ImageToImageRefine:
    """Refine pictures."""

    stage: ClassVar[Stage] = "refine"
    name: ClassVar[str] = "sdxl"
    makes: ClassVar[Kind] = "refinements"
    needs: ClassVar[tuple[str, ...]] = ("image",)
    Config = ImageToImageRefineConfig

    def __init__(self, context: "StageContext", config: ImageToImageRefineConfig) -> None:
        self._context, self._config = context, config
        self._pipe = with_scheduler(context.models.image_to_image("refiner"), config.scheduler)
        self._encoder = context.models.text_for_pipeline("refiner")

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The model in use."""
        models = self._context.models
        return (models.use("refiner", models.stepped_by("refiner", self._config.scheduler)),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Refine each record's picture where it was edited."""
        result = list(records)
        waiting: dict[tuple[int, int], list[tuple[int, Image.Image, BoolMask]]] = {}
        for i, record in enumerate(records):
            if record.image is None:
                raise InputError(f"record {record.id!r} has no image; run `llmgen generate` first")
            region = self._region(record)
            if region is not None:
                image = self._resized(self._context.images.load(record.image))
                waiting.setdefault(image.size, []).append((i, image, region))
        # Texts of one call of a transformer are padded to the longest, which changes the others' pictures.
        step = self._context.batch_size if has_unet(self._pipe) else 1
        for group in waiting.values():
            for start in range(0, len(group), step):
                batch = group[start : start + step]
                with as_model_errors("refine sdxl"), torch.no_grad():
                    drawn = self._refine([records[i] for i, _, _ in batch], [image for _, image, _ in batch])
                for (i, image, region), new in zip(batch, drawn, strict=True):
                    result[i] = self._grown(records[i], image, new, region)
        return result

    def _region(self, record: Record) -> BoolMask | None:
        """Where the picture may change, at its own size; None to leave it alone."""
        assert record.image is not None
        shape = (record.image.height, record.image.width)
        if self._config.whole_image:
            return np.ones(shape, dtype=bool)
        union = np.zeros(shape, dtype=bool)
        for entry in record.history:
            if entry.stage == "correct" and entry.kept and entry.region is not None:
                mask = np.asarray(self._context.images.load(entry.region).convert("L")) > 0
                if mask.shape == shape:
                    union |= mask
        return union if union.any() else None

    def _resized(self, image: Image.Image) -> Image.Image:
        config = self._config
        scale = (config.long_side_px or max(image.size)) / max(image.size)
        multiple = sides_multiple(self._pipe)
        width, height = (max(multiple, round(side * scale / multiple) * multiple) for side in image.size)
        return image if (width, height) == image.size else image.resize((width, height), Image.Resampling.LANCZOS)

    def _refine(self, records: Sequence[Record], images: Sequence[Image.Image]) -> list[Image.Image]:
        config = self._config
        negatives = [
            join_negatives(
                r.layout.negative_prompt if r.layout and config.layout_negative else "", config.negative_prompt
            )
            for r in records
        ]
        prompts = [(r.layout and r.layout.description) or r.prompt for r in records]
        for record, prompt, negative in zip(records, prompts, negatives, strict=True):
            texts, unet = {"prompt": prompt, "negative prompt": negative}, has_unet(self._pipe)
            for line in cut_texts(longest_tokenizer(self._pipe), texts) if unet else cut_chats(self._pipe, texts):
                self._context.remark_on(record.id, line)
        extra: dict[str, Any] = {}
        if "aesthetic_score" in inspect.signature(type(self._pipe).__call__).parameters:
            extra["aesthetic_score"] = config.aesthetic_score
        total = max(1, int(config.num_inference_steps * config.strength))
        steps = Steps(self._context.progress, f"refine sdxl: {len(records)} pictures", total)
        with quiet_steps():
            values = self._pipe(
                **self._texts(prompts, negatives, images[0].size),
                image=list(images),
                strength=config.strength,
                num_inference_steps=config.num_inference_steps,
                guidance_scale=config.guidance_scale,
                generator=[torch.Generator("cpu").manual_seed(derive_seed(r.seed or 0, "refine")) for r in records],
                output_type="np",
                callback_on_step_end=telling(steps),
                **extra,
            ).images
        if not np.isfinite(values).all():
            raise ModelError("refine sdxl: the model returned numbers that are not finite; use --dtype float32")
        return [Image.fromarray(v) for v in (values * 255).round().astype("uint8")]

    def _texts(self, prompts: list[str], negatives: list[str], size: tuple[int, int]) -> dict[str, Any]:
        """What the pipeline is told; each text is encoded once where it lets us."""
        if self._encoder is None:
            return {"prompt": prompts, "negative_prompt": negatives}
        guided = self._config.guidance_scale > 1
        told = self._encoder.conditions(negatives, size) if guided else None
        return pipeline_texts(self._encoder.conditions(prompts, size), told)

    def _grown(self, record: Record, image: Image.Image, drawn: Image.Image, region: BoolMask) -> Record:
        # The fade lies inside the region: what correction left alone stays the very same here, too.
        width_px = 0 if self._config.whole_image else self._config.feather_px
        weight = 1 - feathered(~_scaled(region, image.size), width_px)
        picture = paste_back(image, drawn, weight)
        ref = self._context.images.save(record.id, "refine", picture)
        region_ref = self._context.images.save(record.id, "refine-region", region_picture(weight))
        rounds = max((entry.round for entry in record.history), default=0)
        entry = HistoryEntry(stage="refine", round=rounds, image=ref, region=region_ref)
        return record.grown(image=ref, detections=None, scores=None, history=(*record.history, entry))


def _scaled(mask: BoolMask, size: tuple[int, int]) -> NDArray[np.bool_]:
    if mask.shape == size[::-1]:
        return mask
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)) > 0
