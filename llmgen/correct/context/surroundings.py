"""What a picture shows while its objects are painted one after another: phrases and boxes, for painters that can be told of them.

A part is told as the thing it lies on, `a red house with lit windows` in the box of the house, because that is how captions name parts.
"""

from collections.abc import Sequence

from llmgen.artifacts import Instance, Record, RepaintEdit
from llmgen.correct.context.planning import depths_behind
from llmgen.llm.planning.contexts import OWNED_SHARE, SAME_IOU
from llmgen.paint.inpainter import Placed
from llmgen.vision.boxes import BoxTuple, area, clip, iou


class Surroundings:
    """All objects of a picture as they are now.

    Args:
        record: Its history says what earlier depths saw and painted.
        seen: What this depth found.
    """

    def __init__(self, record: Record, seen: Sequence[Instance]) -> None:
        self._nouns, self._objects = list[str](), list[Placed]()
        for entry in depths_behind(record):
            plan, kept = entry.edits, {one.target for one in entry.outcomes or () if one.status == "painted"}
            if plan is None:
                continue
            self._see(plan.target)
            for edit in plan.edits:
                if isinstance(edit, RepaintEdit) and edit.target in kept:
                    self.paint(edit)
        self._see(seen)

    @property
    def now(self) -> tuple[Placed, ...]:
        """All objects as they are."""
        return tuple(self._objects)

    def after(self, edit: RepaintEdit) -> tuple[Placed, ...]:
        """All objects as they are once an edit is painted."""
        row, objects = self._row(edit), list(self._objects)
        if row is None:
            return (*objects, Placed(edit.description, edit.box_xyxy))
        objects[row] = Placed(edit.description, objects[row].box_xyxy)
        return tuple(objects)

    def about(self, edit: RepaintEdit) -> BoxTuple:
        """The box of what an edit tells of: its own, or that of the thing whose part it paints."""
        row = self._row(edit)
        return edit.box_xyxy if row is None else self._objects[row].box_xyxy

    def paint(self, edit: RepaintEdit) -> None:
        """Remember an edit that was kept."""
        if self._row(edit) is not None:
            self._objects = list(self.after(edit))

    def _see(self, found: Sequence[Instance]) -> None:
        """What is new: from the second depth on, what lies on something known is it, or a part of it."""
        known = tuple(self._objects)
        for one in found:
            if not any(holds(other.box_xyxy, one.box_xyxy) for other in known):
                self._objects.append(Placed(one.phrase, one.box_xyxy))
                self._nouns.append(one.noun or one.phrase)

    def _row(self, edit: RepaintEdit) -> int | None:
        """Which object an edit tells of: the one in its box, or the smallest that it lies on and names."""
        same = [iou(one.box_xyxy, edit.box_xyxy) for one in self._objects]
        if same and max(same) >= SAME_IOU:
            return same.index(max(same))
        words = edit.description.lower()
        rows = [
            row
            for row, (noun, one) in enumerate(zip(self._nouns, self._objects, strict=True))
            if noun.lower() in words and holds(one.box_xyxy, edit.box_xyxy)
        ]
        return min(rows, key=lambda row: area(self._objects[row].box_xyxy), default=None)


def holds(outer: BoxTuple, inner: BoxTuple) -> bool:
    """Whether a box is about another one, or most of that lies in it."""
    x0, y0, x1, y1 = outer
    inside = clip((inner[0] - x0, inner[1] - y0, inner[2] - x0, inner[3] - y0), x1 - x0, y1 - y0)
    return iou(outer, inner) >= SAME_IOU or area(inside) >= OWNED_SHARE * area(inner)
