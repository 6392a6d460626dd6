"""What a layout asks for, drawn: boxes, points, scribbles and masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from llmgen.artifacts import Instance, Layout
from llmgen.report.contours import outline
from llmgen.report.overlay import LONGEST_LABEL, XYXY, Label, Labels, number
from llmgen.vision.boxes import area

Format = Literal["masks", "boxes", "scribbles", "points"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
"""In the order they are drawn: a point lies on top."""
HUES: Final = 8
"""Colours of the style sheet. Of more instances than that the pictures show numbers, and the legend the phrases."""
_MOST_DOTS: Final = 24
"""Dots on one scribble; a stroke of many points would be nothing but dots."""
_LONGEST_NAME: Final = 18
"""Letters of a name over the picture where a legend has the whole."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One input of one instance, in pixels of the picture.

    Attributes:
        hue: Name of the instance's colour: its number, or `plain` where boxes are all there is.
        title: What it is.
        line: Path data of the line or outline; empty for a point.
        dots: Path data that consists of dots; empty for boxes and masks.
    """

    hue: str
    title: str
    line: str = ""
    dots: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """An instance's phrase or number beside its box."""

    hue: str
    label: Label


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the legend."""

    hue: str
    phrase: str
    inputs: str
    """What it has besides its box, for example `scribble, mask`."""
    number: int | None = None
    """What stands for the phrase in the picture."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A layout over a picture or on paper.

    Attributes:
        shapes: By format, those that occur, in the order they are drawn.
        names: The phrases.
        legend: Empty where the picture says it all: boxes alone, with short phrases.
        rich: Whether any instance has more than a box.
    """

    shapes: tuple[tuple[Format, tuple[Shape, ...]], ...]
    names: tuple[Name, ...]
    legend: tuple[Entry, ...]
    rich: bool


def has_inputs(layout: Layout) -> bool:
    """Whether any instance has more than a box."""
    return any(_inputs(instance) for instance in layout.instances)


def draw_layout(layout: Layout, width: int, height: int, labels: Labels) -> Drawing:
    """Draw a layout.

    Args:
        layout: The plan.
        width: Width of the picture in pixels, which need not be the layout's.
        height: Height of the picture in pixels.
        labels: Where the picture still has room for text.
    """
    scale = width / layout.width, height / layout.height
    shapes: dict[Format, list[Shape]] = {format_: [] for format_ in FORMATS}
    rich = has_inputs(layout)
    many = len(layout.instances) > HUES
    wordy = any(len(instance.phrase) > LONGEST_LABEL for instance in layout.instances)
    # Colours tell whose scribble it is. A plan of a few boxes does without: a red ball framed in blue asks a question for nothing.
    hues = [str(index % HUES) if rich or many else "plain" for index in range(len(layout.instances))]
    legend = tuple(
        Entry(hues[index], instance.phrase, ", ".join(_inputs(instance)), index + 1 if many else None)
        for index, instance in enumerate(layout.instances)
        if rich or many or wordy
    )
    longest = _LONGEST_NAME if legend else LONGEST_LABEL
    names = []
    # Large ones first, so that small ones can be pointed at.
    order = sorted(enumerate(layout.instances), key=lambda item: -area(item[1].box_xyxy))
    for index, instance in order:
        hue = hues[index]
        box = _scaled_box(instance.box_xyxy, scale)
        text = str(index + 1) if many else instance.phrase
        names.append(Name(hue, labels.place(text, box, longest)))
        x0, y0, x1, y1 = map(number, box)
        shapes["boxes"].append(Shape(hue, instance.phrase, f"M{x0} {y0}H{x1}V{y1}H{x0}z"))
        if instance.mask is not None:
            shapes["masks"].append(Shape(hue, f"{instance.phrase}, mask", outline(instance.mask, scale)))
        if instance.scribble_xy is not None:
            stroke = _scaled(instance.scribble_xy, scale)
            every = -(-len(stroke) // _MOST_DOTS)
            line = "M" + "L".join(f"{x} {y}" for x, y in stroke)
            shapes["scribbles"].append(Shape(hue, f"{instance.phrase}, scribble", line, _dots(stroke[::every])))
        if instance.point_xy is not None:
            dot = _dots(_scaled((instance.point_xy,), scale))
            shapes["points"].append(Shape(hue, f"{instance.phrase}, point", dots=dot))
    return Drawing(
        tuple((format_, tuple(shapes[format_])) for format_ in FORMATS if shapes[format_]),
        tuple(names),
        legend,
        rich,
    )


def in_words(layout: Layout) -> str:
    """The instances as text, for those who do not see the drawing."""
    words = []
    for instance in layout.instances:
        inputs = _inputs(instance)
        words.append(f"{instance.phrase} ({', '.join(inputs)})" if inputs else instance.phrase)
    return ", ".join(words) or "no objects"


def _inputs(instance: Instance) -> tuple[str, ...]:
    given = {"point": instance.point_xy, "scribble": instance.scribble_xy, "mask": instance.mask}
    return tuple(name for name, value in given.items() if value is not None)


def _scaled_box(box: XYXY, scale: tuple[float, float]) -> XYXY:
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


def _scaled(points: Sequence[tuple[float, float]], scale: tuple[float, float]) -> list[tuple[str, str]]:
    return [(number(x * scale[0]), number(y * scale[1])) for x, y in points]


def _dots(points: Sequence[tuple[str, str]]) -> str:
    # A line of no length with round ends is a dot of the line's width, whatever the picture's scale.
    return "".join(f"M{x} {y}h0" for x, y in points)
