"""Inpainting by diffusers' pipelines: whatever `AutoPipelineForInpainting` knows, and text-to-image models by masked latents.

Source: diffusers, `StableDiffusionInpaintPipeline` and its kin. A U-Net with four input channels is held on the noised picture outside the
mask at every step; one with nine sees mask and picture.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from llmgen.artifacts.schedulers import OWN
from llmgen.diffusion.failures import as_model_errors
from llmgen.diffusion.latents import sides_multiple
from llmgen.diffusion.progress import Steps, telling
from llmgen.diffusion.schedulers import quiet_steps, with_scheduler
from llmgen.errors import ModelError
from llmgen.paint.inpainter import Cost, Patch

_MOST_SHOWN: Final = 40
"""Characters of what is painted, in a line about it."""


class DiffusersInpainter:
    """Implements `llmgen.paint.inpainter.Inpainter` with a pipeline.

    Args:
        pipe: An inpainting pipeline.
        num_inference_steps: Steps of a full run; `strength` times as many are executed.
        guidance_scale: Classifier-free guidance; 1 switches it off.
        scheduler: A name of `llmgen.diffusion.schedulers`, or `own` for the pipeline's.
        progress: Told about each step.
    """

    def __init__(
        self,
        pipe: Any,
        *,
        num_inference_steps: int,
        guidance_scale: float,
        scheduler: str = OWN,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.pipe, self.cost, self._progress = with_scheduler(pipe, scheduler), Cost(), progress
        self._steps, self._guidance = num_inference_steps, guidance_scale

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
        given: dict[str, Any] = {
            "prompt": patch.prompt,
            "negative_prompt": patch.negative,
            "image": patch.image,
            "mask_image": Image.fromarray(patch.mask.astype(np.uint8) * 255),
            "width": patch.image.width,
            "height": patch.image.height,
            # The pipeline cuts the product off, so that a strength of nearly nothing would be no step at all.
            "strength": max(patch.strength, self.steps_at(patch.strength) / self._steps),
            "num_inference_steps": self._steps,
            "guidance_scale": self._guidance,
            "generator": torch.Generator("cpu").manual_seed(patch.seed),
            "output_type": "np",
            "callback_on_step_end": telling(told),
        }
        with quiet_steps():
            values = self.pipe(**{name: value for name, value in given.items() if name in known}).images[0]
        if not np.isfinite(values).all():
            raise ModelError("inpainting: the model returned numbers that are not finite; use --dtype float32")
        return Image.fromarray((values * 255).round().astype(np.uint8))
