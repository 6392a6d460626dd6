"""SLD's latent painter as one that paints inside masks: invert, denoise the mask with other words, hold the rest, sample once more.

Source: SLD (Wu et al. 2024), attribute changes.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from llmgen.artifacts import ChangeAttributeEdit, Detection, EditPlan, Instance
from llmgen.correct.jobs import Job
from llmgen.correct.painting import LatentPainter
from llmgen.paint.inpainter import Cost, Patch
from llmgen.vision.masks import encode_mask, mask_bounds

_NAME = "object"


class LatentInpainter:
    """Implements `llmgen.paint.inpainter.Inpainter` with a `LatentPainter`; its boxes ground what is painted.

    Args:
        painter: Its `change_strength` is set for each patch.
    """

    def __init__(self, painter: LatentPainter) -> None:
        self._painter, self.cost = painter, Cost()

    @property
    def multiple(self) -> int:
        """As many pixels as the U-Net can halve."""
        return self._painter.multiple

    def steps_at(self, strength: float) -> int:
        """Steps of one patch: an inversion, the change down to the level that is let go, and the last sampling from there."""
        steps = self._painter.levels.steps
        changed = int(steps * strength)
        frozen = self._painter.frozen_steps
        return steps + max(changed - (steps - frozen), min(changed, 1)) + steps - frozen

    def paint(self, patches: Sequence[Patch]) -> list[Image.Image]:
        """See `Inpainter.paint`; one after another, so that a picture does not depend on its neighbours."""
        painted = []
        for patch in patches:
            self._painter.config = self._painter.config.model_copy(update={"change_strength": patch.strength})
            (drawn,) = self._painter.paint([_job(patch)])
            self.cost.add(patch, self.steps_at(patch.strength))
            painted.append(drawn.image)
        return painted


def _job(patch: Patch) -> Job:
    bounds = mask_bounds(patch.mask)
    if bounds is None:
        raise ValueError("an empty mask cannot be painted")
    x0, y0, x1, y1 = map(float, bounds)
    box = (x0, y0, x1, y1)
    phrase = patch.phrase or patch.scene or "a scene"
    edit = ChangeAttributeEdit(target=_NAME, phrase=phrase, noun=_NAME, attributes=(), box_xyxy=box)
    mask = encode_mask(np.asarray(patch.mask, dtype=bool))
    return Job(
        image=patch.image,
        plan=EditPlan(edits=(edit,), target=(Instance(id=_NAME, phrase=phrase, noun=_NAME, box_xyxy=box),)),
        detections=(Detection(id=_NAME, phrase=_NAME, noun=_NAME, box_xyxy=box, score=1.0, mask=mask),),
        background=patch.scene,
        negative=patch.negative,
        seed=patch.seed,
    )
