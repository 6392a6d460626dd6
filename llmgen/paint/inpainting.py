"""Inpainting by diffusers' pipelines: whatever `AutoPipelineForInpainting` knows, and text-to-image models by masked latents.

Source: diffusers, `StableDiffusionInpaintPipeline` and its kin. A U-Net with four input channels is held on the noised picture outside the
mask at every step; one with nine sees mask and picture.

A U-Net with GLIGEN's layers can be told the boxes of all objects besides, so that what is painted keeps its place and its kind.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from llmgen.artifacts.schedulers import OWN
from llmgen.diffusion.blended import PLAIN
from llmgen.diffusion.failures import as_model_errors
from llmgen.diffusion.grounding import GroundedPhrase, grounding_slots, make_grounding
from llmgen.diffusion.latents import latent_factor, sides_multiple
from llmgen.diffusion.progress import Steps, telling
from llmgen.diffusion.prompts import join_negatives
from llmgen.diffusion.schedulers import quiet_steps, with_scheduler
from llmgen.diffusion.text import TextEncoder, pipeline_texts
from llmgen.errors import ModelError
from llmgen.paint.inpainter import Cost, Patch
from llmgen.vision.boxes import to_unit
from llmgen.vision.masks import BoolMask

_MOST_SHOWN: Final = 40
"""Characters of what is painted, in a line about it."""


class DiffusersInpainter:
    """Implements `llmgen.paint.inpainter.Inpainter` with a pipeline.

    Args:
        pipe: An inpainting pipeline.
        num_inference_steps: Steps of a full run; `strength` times as many are executed.
        guidance_scale: Classifier-free guidance; 1 switches it off.
        scheduler: A name of `llmgen.diffusion.schedulers`, or `own` for the pipeline's.
        text: Encodes the phrases of boxes; None for a model that takes none, or to paint from text alone.
        encoder: The pipeline's own, which remembers what it has encoded; None for a pipeline that takes texts as they are.
        grounding_fraction: Share of the executed steps, from the first, during which boxes steer.
        whole_cells: Free every latent cell that the mask touches, instead of those whose first pixel lies in it; of a model that has no
            channels for a mask.
        progress: Told about each step.
    """

    def __init__(
        self,
        pipe: Any,
        *,
        num_inference_steps: int,
        guidance_scale: float,
        scheduler: str = OWN,
        text: TextEncoder | None = None,
        encoder: TextEncoder | None = None,
        grounding_fraction: float = 1.0,
        whole_cells: bool = False,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.pipe, self.cost, self._progress = with_scheduler(pipe, scheduler), Cost(), progress
        self._steps, self._guidance = num_inference_steps, guidance_scale
        self._encoder = encoder
        self._text, self._grounding_fraction, self._whole_cells = text, grounding_fraction, whole_cells

    @property
    def multiple(self) -> int:
        """As many pixels as the model can halve."""
        return sides_multiple(self.pipe)

    def steps_at(self, strength: float) -> int:
        """Steps that the pipeline executes: the share of the noise, cut off. At least one, at which nothing much happens."""
        return max(1, min(int(self._steps * strength), self._steps))

    def paint(self, patches: Sequence[Patch]) -> list[Image.Image]:
        """See `Inpainter.paint`. Each patch has a call of its own: who shares a call changes the last bits of a picture."""
        painted = []
        for number, patch in enumerate(patches, start=1):
            of_several = f" ({number} of {len(patches)})" if len(patches) > 1 else ""
            words = f"inpainting {(patch.phrase or patch.scene or 'a scene')[:_MOST_SHOWN]}{of_several}"
            told = Steps(self._progress, words, self.steps_at(patch.strength))
            with as_model_errors("inpainting"), torch.no_grad():
                painted.append(self._one(patch, told))
            self.cost.add(patch, self.steps_at(patch.strength))
        return painted

    def _one(self, patch: Patch, told: Steps) -> Image.Image:
        known = inspect.signature(type(self.pipe).__call__).parameters
        mask = self._on_cells(patch.mask) if self._whole_cells and self._blends else patch.mask
        grounded = self._grounded(patch, told)
        given: dict[str, Any] = {
            **self._told(patch, grounded=bool(grounded)),
            "image": patch.image,
            "mask_image": Image.fromarray(mask.astype(np.uint8) * 255),
            "width": patch.image.width,
            "height": patch.image.height,
            # The pipeline cuts the product off, so that a strength of nearly nothing would be no step at all.
            "strength": max(patch.strength, self.steps_at(patch.strength) / self._steps),
            "num_inference_steps": self._steps,
            "guidance_scale": self._guidance,
            "generator": torch.Generator("cpu").manual_seed(patch.seed),
            "output_type": "np",
            "callback_on_step_end": telling(told),
            **grounded,
        }
        with quiet_steps():
            values = self.pipe(**{name: value for name, value in given.items() if name in known}).images[0]
        if not np.isfinite(values).all():
            raise ModelError("inpainting: the model returned numbers that are not finite; use --dtype float32")
        return Image.fromarray((values * 255).round().astype(np.uint8))

    def _told(self, patch: Patch, *, grounded: bool) -> dict[str, Any]:
        """The texts; each is encoded once where the pipeline lets us."""
        prompt = patch.full_prompt if grounded else patch.prompt
        negative = join_negatives(patch.negative, patch.prompt_before) if grounded else patch.negative
        if self._encoder is None:
            return {"prompt": prompt, "negative_prompt": negative}
        size = patch.image.size
        against = self._encoder.conditions([negative], size) if self._guidance > 1 else None
        return pipeline_texts(self._encoder.conditions([prompt], size), against)

    @property
    def _blends(self) -> bool:
        """Whether the model knows nothing of masks, so that its latents are blended with the picture's."""
        unet = getattr(self.pipe, "unet", None)
        return unet is not None and unet.config.in_channels == PLAIN

    def _on_cells(self, mask: BoolMask) -> BoolMask:
        """All pixels of the cells that a mask touches: the pipeline takes a cell's first pixel for the cell, and loses what is smaller."""
        side = latent_factor(self.pipe.vae)
        rows, columns = mask.shape[0] // side, mask.shape[1] // side
        cells = mask[: rows * side, : columns * side].reshape(rows, side, columns, side).any(axis=(1, 3))
        return cells.repeat(side, axis=0).repeat(side, axis=1)

    def _grounded(self, patch: Patch, done: Steps) -> dict[str, Any]:
        """What the pipeline is told of boxes; nothing where there are none to tell, or nobody to hear.

        Source: GLIGEN (Li et al. 2023), section 3; the unconditional half of the guidance has empty slots, or what was there before,
        so that the guidance pulls along the difference alone (composition by negation, Liu et al. 2022).
        """
        steps = round(self._grounding_fraction * self.steps_at(patch.strength))
        if self._text is None or not patch.objects or not steps:
            return {}
        size = (patch.image.width, patch.image.height)
        halves = [
            [GroundedPhrase(one.phrase, to_unit(one.box_xyxy, *size)) for one in objects]
            for objects in ((patch.before, patch.objects) if self._guidance > 1 else (patch.objects,))
        ]
        told = make_grounding(halves, self._text, slots=grounding_slots(self.pipe.unet)).conditional()

        def after_step(_: Any, step: int, __: Any, states: dict[str, Any]) -> dict[str, Any]:
            done()
            if step + 1 >= steps:
                told.clear()  # The pipeline hands this very dictionary to the U-Net at every step.
            return states

        return {"cross_attention_kwargs": told, "callback_on_step_end": after_step}
