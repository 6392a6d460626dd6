"""What is drawn over a picture: boxes, arrows and labels in the picture's own pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Detection, Edit, EditPlan, MoveEdit, RepaintEdit

MarkKind = Literal["found", "judge", "add", "delete", "from", "move", "change"]
XYXY = tuple[float, float, float, float]

FONT_SHARE: Final = 0.052
"""Height of a label's letters as a share of the picture's longer side."""
_LETTER: Final = 0.62
"""Mean width of a letter in ems, by which room is kept for a label."""
GROWN: Final = 1.2
"""How much the style sheet may grow labels in small pictures."""
SHRUNK: Final = 0.9
"""The same for plans with more than boxes, whose pictures are larger; a little more than it takes."""
LONGEST_LABEL: Final = 30
"""Letters of a label before it is cut; the whole text stays in the title."""


@dataclass(frozen=True, slots=True)
class Label:
    """Text at its baseline, pixels of the picture."""

    text: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line with a head, as SVG path data in pixels of the picture."""

    line: str
    head: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One box over a picture, pixels of the picture."""

    kind: MarkKind
    x: str
    y: str
    width: str
    height: str
    title: str
    label: Label | None = None
    arrow: Arrow | None = None
    badge: Label | None = None
    """Number of an edit, centred at the upper right corner."""


@dataclass(frozen=True, slots=True)
class EditWords:
    """One edit in words. `number` is also written into its mark."""

    number: int
    op: Literal["add", "delete", "move", "change"]
    text: str


def number(value: float) -> str:
    """A coordinate with at most two decimals and no tail of zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def font_size(width: int, height: int) -> float:
    """Size of labels in pixels of the picture, so that they read alike on large and small pictures."""
    return max(width, height) * FONT_SHARE


class Labels:
    """Finds room for labels, one after another, so that they do not cover each other."""

    def __init__(self, width: int, height: int, size: float = GROWN) -> None:
        """All room is free.

        Args:
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.
            size: Of the letters as shown, relative to `font_size`.
        """
        self._letter = _LETTER * size * font_size(width, height)
        self._width, self._height = width, height
        self._em = font_size(width, height)
        self._taken: list[XYXY] = []

    def place(self, text: str, box: XYXY, longest: int = LONGEST_LABEL) -> Label:
        """Put a label above its box, or inside, or below, wherever the first free place is.

        Args:
            text: What it says.
            box: Pixels of the picture.
            longest: Letters that are left of a longer text.
        """
        text = text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
        em = self._em
        room = len(text) * self._letter
        x0, y0, x1, y1 = box
        x = max(0.25 * em, min(x0, self._width - room - 0.25 * em))
        inside = max(0.25 * em, min(x0 + 0.3 * em, self._width - room - 0.25 * em))
        spots = [(x, y0 - 0.35 * em), (inside, y0 + 1.05 * em), (x, y1 + 1.05 * em), (inside, y1 - 0.4 * em)]
        fits = [s for s in spots if s[1] - 0.9 * em >= 0 and s[1] + 0.2 * em <= self._height]
        for left, base in fits or spots[1:2]:
            place = (left, base - 0.85 * em, left + room, base + 0.25 * em)
            if not any(_overlap(place, other) for other in self._taken):
                break
        self._taken.append(place)
        return Label(text, number(left), number(base))


def _overlap(a: XYXY, b: XYXY) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _centre(box: XYXY) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _arrow(start: tuple[float, float], end: tuple[float, float], size: float) -> Arrow:
    length = math.dist(start, end)
    along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    size = min(1.3 * size, length)
    base = (end[0] - size * along[0], end[1] - size * along[1])
    wings = [(base[0] - side * along[1], base[1] + side * along[0]) for side in (size / 2, -size / 2)]
    points = [f"{number(x)} {number(y)}" for x, y in (start, base, end, *wings)]
    return Arrow(f"M{points[0]}L{points[1]}", f"M{points[2]}L{points[3]} {points[4]}z")


def _mark(
    kind: MarkKind,
    box: XYXY,
    title: str,
    label: Label | None = None,
    arrow: Arrow | None = None,
    badge: Label | None = None,
) -> Mark:
    x0, y0, x1, y1 = box
    return Mark(kind, number(x0), number(y0), number(x1 - x0), number(y1 - y0), title, label, arrow, badge)


def found_marks(
    detections: Sequence[Detection], labels: Labels, kind: Literal["found", "judge"] = "found"
) -> tuple[Mark, ...]:
    """Found objects with their phrase; the title adds the score.

    Args:
        detections: What was found.
        labels: Where the picture still has room for text.
        kind: Whose eyes they were.
    """
    # Small boxes are drawn last, so that their titles can be pointed at.
    order = sorted(detections, key=lambda d: -(d.box_xyxy[2] - d.box_xyxy[0]) * (d.box_xyxy[3] - d.box_xyxy[1]))
    return tuple(
        _mark(kind, d.box_xyxy, f"{d.id}, score {d.score:.2f}", labels.place(d.phrase, d.box_xyxy)) for d in order
    )


def edit_marks(plan: EditPlan, width: int, height: int) -> tuple[Mark, ...]:
    """The edits: where something comes, goes, moves (with an arrow) or changes. Badges are the numbers of `edit_words`."""
    radius = 0.7 * font_size(width, height)
    marks: list[Mark] = []
    for index, edit in enumerate(plan.edits, start=1):
        title = f"{index}. {_words(edit)}"
        x, y = (
            min(max(v, radius), side - radius) for v, side in ((edit.box_xyxy[2], width), (edit.box_xyxy[1], height))
        )
        badge = Label(str(index), number(x), number(y))
        match edit:
            case AddEdit():
                marks.append(_mark("add", edit.box_xyxy, title, badge=badge))
            case DeleteEdit():
                marks.append(_mark("delete", edit.box_xyxy, title, badge=badge))
            case MoveEdit():
                start, end = _centre(edit.from_box_xyxy), _centre(edit.box_xyxy)
                far = abs(start[0] - end[0]) + abs(start[1] - end[1]) >= 1
                arrow = _arrow(start, end, radius) if far else None
                marks.append(_mark("from", edit.from_box_xyxy, f"{title} (from here)"))
                marks.append(_mark("move", edit.box_xyxy, title, arrow=arrow, badge=badge))
            case ChangeAttributeEdit() | RepaintEdit():
                marks.append(_mark("change", edit.box_xyxy, title, badge=badge))
    return tuple(marks)


def edit_words(plan: EditPlan) -> tuple[EditWords, ...]:
    """The edits in words, numbered as they are drawn."""
    ops: dict[str, Literal["add", "delete", "move", "change"]] = {
        "add": "add",
        "delete": "delete",
        "move": "move",
        "resize": "move",
        "change_attribute": "change",
        "repaint": "change",
    }
    return tuple(EditWords(i, ops[edit.op], _words(edit)) for i, edit in enumerate(plan.edits, start=1))


def _words(edit: Edit) -> str:
    match edit:
        case AddEdit():
            return f"add {edit.phrase}"
        case DeleteEdit():
            return f"delete {edit.target}"
        case RepaintEdit():
            return f"repaint {edit.target}: {', '.join(edit.tags) or edit.phrase}"
        case ChangeAttributeEdit():
            return f"turn {edit.target} into {edit.phrase}"
        case MoveEdit():
            start, end = _centre(edit.from_box_xyxy), _centre(edit.box_xyxy)
            right, down = round(end[0] - start[0]), round(end[1] - start[1])
            ways = [f"{abs(right)} px {'right' if right > 0 else 'left'}"] if right else []
            ways += [f"{abs(down)} px {'down' if down > 0 else 'up'}"] if down else []
            moved = f"move {edit.target} {' and '.join(ways)}" if ways else ""
            old, new = (f"{round(b[2] - b[0])}×{round(b[3] - b[1])}" for b in (edit.from_box_xyxy, edit.box_xyxy))
            if old == new:
                return moved or f"leave {edit.target} in place"
            size = f"from {old} to {new} px"
            return f"{moved}, resize {size}" if moved else f"resize {edit.target} {size}"
