"""Whether a painted object is kept: it still has to be found, and to fit its tags no worse than before.

Asked are the role `clip` and the loop's own detector, never the judge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from llmgen.artifacts import Detection, RepaintEdit
from llmgen.llm.english.words import singularize
from llmgen.vision.blending import crop_around
from llmgen.vision.boxes import BoxTuple, iou
from llmgen.vision.protocols import PhraseScorer

ANY_FALL = 2.0
"""Tolerance of a test that lets everything pass: no cosine falls by more."""
MARGIN = 0.15
"""Of the longer side of an object's box: what of its surroundings is compared with its tags, too."""


@dataclass(frozen=True)
class Verdict:
    """What was measured of one painted object, and what follows."""

    reason: str | None
    """Why it is rolled back; None to keep it."""
    score_before: float | None = None
    score_after: float | None = None
    found_iou: float | None = None
    fit: float = 0.0
    """By how much its tags fit it better than its plain name: candidates are chosen by it."""


@dataclass(frozen=True)
class Acceptance:
    """The test of a painted object.

    Attributes:
        look: Finds objects in a picture, as the depth did; None to do without.
        scorer: Compares crops with phrases; None to do without.
        tolerance: By how much the fit may fall.
        keep_iou: Overlap with the old box from which an object counts as found again.
    """

    look: Callable[[Image.Image], Sequence[Detection]] | None
    scorer: PhraseScorer | None
    tolerance: float
    keep_iou: float

    def judge(self, edit: RepaintEdit, about_xyxy: BoxTuple, before: Image.Image, after: Image.Image) -> Verdict:
        """Whether an object is kept.

        Args:
            edit: What was painted.
            about_xyxy: What its tags tell of: its own box, or that of the thing whose part it is.
            before: The picture before, RGB.
            after: The picture after it, of the same size.
        """
        scores: tuple[float | None, float | None] = (None, None)
        fit = 0.0
        if self.scorer is not None:
            crops = [crop_around(picture, about_xyxy, MARGIN) for picture in (before, after)]
            rows = self.scorer.score_phrases(crops, [[edit.description, edit.phrase]] * 2)
            scores, fit = (round(rows[0][0], 4), round(rows[1][0], 4)), rows[1][0] - rows[1][1]
        overlap = None
        if self.look is not None:
            overlap = round(best_overlap(edit, self.look(after)), 4)
        reason = None
        if overlap is not None and overlap < self.keep_iou:
            reason = f"the detector finds no {edit.noun!r} there any more (overlap {overlap:.2f} < {self.keep_iou:g})"
        elif scores[0] is not None and scores[1] is not None and scores[1] < scores[0] - self.tolerance:
            reason = f"it fits its tags worse than before ({scores[0]:.3f} -> {scores[1]:.3f})"
        return Verdict(reason, scores[0], scores[1], overlap, fit)


def best_overlap(edit: RepaintEdit, found: Sequence[Detection]) -> float:
    """How well the best detection of its noun covers an object's box."""
    noun = singularize(edit.noun.lower())
    return max((iou(edit.box_xyxy, d.box_xyxy) for d in found if singularize(d.noun.lower()) == noun), default=0.0)
