"""Carry out SLD's edits by inpainting, one after another on the picture that the one before left.

    delete        the scene is painted over the object
    move, resize  the object's pixels are warped into the new box, the old place is painted as the scene, then the object is painted lightly
    change        the object is painted with its new words
    add           the object is painted in its box

What goes is painted first, what comes last, so that nothing new is painted over. Objects that no edit touches keep their very pixels.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Edit, MoveEdit, RepaintEdit
from llmgen.correct.context.masks import grown, growth_px, weight_of
from llmgen.correct.context.settings import ContextConfig
from llmgen.correct.jobs import Job, Painted
from llmgen.correct.moving import place, warp_image, warp_mask
from llmgen.correct.painters import framing
from llmgen.correct.regions import kept_ids, mask_of, object_masks, rectangle, union
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.prompts import join_negatives
from llmgen.engine.seeds import derive_seed
from llmgen.paint.compositing import Task, paint_tasks
from llmgen.paint.inpainter import Inpainter, Placed
from llmgen.vision.blending import paste_back, region_picture
from llmgen.vision.masks import BoolMask, decode_mask
from llmgen.vision.protocols import Segmenter

ANEW = 1.0
"""Strength of what is painted where something else was."""
TOUCHED_UP = 0.4
"""Strength of a moved object's new place: its seams go, it stays."""
_ORDER = {"delete": 0, "move": 1, "resize": 1, "change_attribute": 2, "repaint": 2, "add": 3}


class InpaintPainter:
    """Carries edit plans out by inpainting.

    Args:
        inpainter: Who paints.
        segmenter: Turns boxes into masks.
        config: Settings of the correction.
        settings: How it is painted.

    Attributes:
        unet_calls: Denoising steps so far, of all edits.
    """

    def __init__(
        self, inpainter: Inpainter, segmenter: Segmenter, config: SelfCorrectionConfig, settings: ContextConfig
    ) -> None:
        self._inpainter, self._segmenter, self._config, self._settings = inpainter, segmenter, config, settings

    @property
    def unet_calls(self) -> int:
        """Denoising steps so far."""
        return self._inpainter.cost.steps

    def paint(self, jobs: Sequence[Job]) -> list[Painted]:
        """One result per job, in order, each of the size of its picture."""
        return [self._one(job) for job in jobs]

    def _one(self, job: Job) -> Painted:
        shape = (job.image.height, job.image.width)
        masks = object_masks(job.image, job.detections, self._segmenter)
        protect = union([masks[i] for i in kept_ids(job.plan, job.detections)], np.zeros(shape, dtype=bool))
        image, region = job.image, np.zeros(shape, dtype=np.float32)
        wanted = tuple(Placed(one.phrase, one.box_xyxy) for one in job.plan.target)
        for edit in sorted(job.plan.edits, key=lambda edit: _ORDER[edit.op]):
            for mask, phrase, strength, warped in self._turns(edit, job, masks, shape):
                free = mask & ~protect
                if not free.any():
                    continue
                weight = weight_of(free, self._settings, protect)
                if warped is not None:
                    image = paste_back(image, warped, weight)
                task = Task(
                    image=image,
                    mask=free,
                    weight=weight,
                    phrase=phrase,
                    scene=job.background,
                    negative=join_negatives(job.negative, self._config.negative_prompt),
                    strength=strength,
                    seed=derive_seed(job.seed, f"inpaint {edit.op} {edit.target} {strength:g}"),
                    objects=wanted,
                )
                (painted,) = paint_tasks(self._inpainter, [task], framing(self._settings))
                image, region = painted.image, np.maximum(region, weight)
        return Painted(image, region_picture(region))

    def _turns(
        self, edit: Edit, job: Job, masks: dict[str, BoolMask], shape: tuple[int, int]
    ) -> list[tuple[BoolMask, str, float, Image.Image | None]]:
        """Mask, phrase, strength, and pixels that are pasted before, of each time that an edit paints."""
        by_px = growth_px(self._settings, shape)
        if isinstance(edit, AddEdit):
            return [(rectangle(edit.box_xyxy, *shape), edit.phrase, ANEW, None)]
        if isinstance(edit, RepaintEdit):
            own = decode_mask(edit.mask) if edit.mask is not None else rectangle(edit.box_xyxy, *shape)
            return [(own, edit.description, edit.strength, None)]
        if isinstance(edit, MoveEdit):
            mask = mask_of(edit.target, edit.from_box_xyxy, job.detections, masks, shape)
            placement = place(edit.from_box_xyxy, edit.box_xyxy)
            new, warped = warp_mask(mask, placement), warp_image(job.image, placement)
            phrase = next((one.phrase for one in job.plan.target if one.id == edit.target), edit.target.split(" #")[0])
            return [(grown(mask, by_px), "", ANEW, None), (grown(new, by_px), phrase, TOUCHED_UP, warped)]
        mask = grown(mask_of(edit.target, edit.box_xyxy, job.detections, masks, shape), by_px)
        if isinstance(edit, ChangeAttributeEdit):
            return [(mask, edit.phrase, self._config.change_strength, None)]
        assert isinstance(edit, DeleteEdit)
        return [(mask, "", ANEW, None)]
