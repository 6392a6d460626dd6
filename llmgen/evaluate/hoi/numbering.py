"""What the numbers of files of interactions mean: declared by the user, checked against the file, never guessed."""

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, Literal

from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.evaluate.hoi.objects import COCO_80, COCO_91
from llmgen.formats.coco_entries import plain_id
from llmgen.vision.boxes import BoxTuple

Boxes = Literal["inclusive-0", "inclusive-1", "edges"]
"""Corners as pixel numbers from 0 or from 1, the last pixel included; or as edges between pixels."""
Verbs = Literal["verb-0", "verb-1"]
Classes = Literal["verb-0", "verb-1", "hoi-0", "hoi-1"]
"""Number of the verb, or of verb and object together, from 0 or from 1."""
Objects = Literal["coco80-0", "coco80-1", "coco91"]
ResultObjects = Literal["coco80-0", "coco80-1", "coco91", "file-0"]
"""`file-0`: place in the annotations' own list of objects."""

MOST_VERBS: Final = 117
"""Verbs of HICO-DET."""
_MOST_COORDINATE: Final = 1e7


class HicoFilesConfig(StageConfig):
    """Settings of `evaluate hoi --annotations`."""

    boxes: Boxes | None = None
    """What the corners of the annotations are: HICO-DET's `instances` files are `inclusive-1`, `trainval_hico` files `inclusive-0`."""
    verbs: Verbs | None = None
    """What `hoi_annotation.category_id` is; files with lists of their own say it themselves."""
    objects: Objects | None = None
    """What the objects' `category_id` is; files with lists of their own say it themselves."""
    result_boxes: Boxes | None = None
    """What the corners of the results are."""
    result_classes: Classes | None = None
    """What `hoi_prediction.category_id` is."""
    result_objects: ResultObjects | None = None
    """What `predictions.category_id` is; not asked for where results are numbered by verb and object together."""
    training: str | None = None
    """Annotations of the training pictures, numbered alike: an action that they have fewer than ten times is rare."""


class HicoFiles:
    """What settings are read for: `evaluate hoi` of files."""

    stage: ClassVar[str] = "evaluate"
    name: ClassVar[str] = "hoi --annotations"
    Config: ClassVar[type[HicoFilesConfig]] = HicoFilesConfig


def declared(value: Any, name: str, source: str, why: str, choices: Iterable[str]) -> Any:
    """A setting that must be given.

    Args:
        value: What was given, or None.
        name: Of the setting.
        source: The file that it is about.
        why: What the file shows, for whoever has to choose.
        choices: What can be given.

    Raises:
        InputError: If it was not.
    """
    if value is None:
        raise InputError(f"{source}: {why}; say what they are: --set {name}={'|'.join(choices)}")
    return value


def whole(value: Any) -> int | None:
    """A whole number in any writing (`7`, `7.0`, `"7"`), or None."""
    number = plain_id(value)
    return number if isinstance(number, int) else None


def corners(value: Any) -> tuple[float, float, float, float]:
    """Four numbers, which may be written as texts.

    Raises:
        ValueError: If it is anything else, or a number is not finite.
    """
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("a box is a list of four numbers x1, y1, x2, y2")
    read = []
    for number in value:
        if isinstance(number, bool) or not isinstance(number, int | float | str):
            raise ValueError("a box is a list of four numbers x1, y1, x2, y2")
        try:
            real = float(number if not isinstance(number, str) else number.strip()[:40])
        except (ValueError, OverflowError):
            raise ValueError("a box has something that is no number") from None
        if not math.isfinite(real) or abs(real) > _MOST_COORDINATE:
            raise ValueError("a box has a number that is not finite, or far beyond any picture")
        read.append(real)
    x1, y1, x2, y2 = read
    return x1, y1, x2, y2


def at_edges(box: tuple[float, float, float, float], boxes: Boxes) -> BoxTuple:
    """A box at pixel edges.

    Args:
        box: Corners as a file has them.
        boxes: What they are.

    Raises:
        ValueError: If nothing is left of it.
    """
    x1, y1, x2, y2 = box
    if boxes == "inclusive-1":
        x1, y1 = x1 - 1, y1 - 1
    elif boxes == "inclusive-0":
        x2, y2 = x2 + 1, y2 + 1
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"the box {list(box)} has no area")
    return x1, y1, x2, y2


def check_corners(
    box: tuple[float, float, float, float], boxes: Boxes, size: tuple[int, int] | None, where: str
) -> None:
    """Refuse a declaration that a box of the annotations contradicts.

    Raises:
        InputError: If a number from 1 is below 1, or one from 0 lies beyond the last pixel.
    """
    if boxes == "inclusive-1" and min(box) < 1:
        raise InputError(
            f"{where} has a corner at {min(box):g}, so its boxes do not count from 1: --set boxes=inclusive-0|edges"
        )
    if boxes == "inclusive-0" and size is not None and (box[2] >= size[0] or box[3] >= size[1]):
        raise InputError(
            f"{where} has a corner at {box[2]:g}, {box[3]:g} of a picture of {size[0]}x{size[1]}, so its boxes do not count from 0 "
            "with the last pixel included: --set boxes=inclusive-1|edges"
        )


def object_namer(objects: ResultObjects, own: tuple[str, ...] | None, where: str) -> Callable[[int], str | None]:
    """Number to name of an object, None for a number that is none.

    Args:
        objects: The numbering.
        own: The annotations' own list, for `file-0`.
        where: The file, for messages.

    Raises:
        InputError: If there is no such list.
    """
    if objects == "file-0":
        if own is None:
            raise InputError(f"{where}: --set result_objects=file-0 needs annotations with a list `objects`")
        names = dict(enumerate(own))
    elif objects == "coco91":
        names = COCO_91
    else:
        names = dict(enumerate(COCO_80, start=int(objects[-1])))
    return names.get


def check_base(numbers: Iterable[int], numbering: Classes, most: int | None, where: str, setting: str) -> None:
    """Refuse a numbering that the numbers of a file contradict.

    Args:
        numbers: All of them.
        numbering: What was declared.
        most: How many there are of what is numbered, if that is known.
        where: The file, for messages.
        setting: What was declared it by.

    Raises:
        InputError: If one is below the base, or beyond the last; or if numbers from 0 run from 1 to exactly the last of HICO-DET's.
    """
    found = set(numbers)
    if not found:
        return
    base = int(numbering[-1])
    span = f"{where}: its numbers run from {min(found)} to {max(found)}"
    if min(found) < base:
        raise InputError(f"{span}, so they are not {numbering}; --set {setting}=... must say what they are")
    if most is not None and max(found) >= most + base:
        raise InputError(f"{span}, and {numbering} has {most}; --set {setting}=... must say what they are")
    if numbering == "verb-0" and min(found) == 1 and max(found) == MOST_VERBS:
        raise InputError(f"{span}: those are HICO-DET's verbs counted from 1; --set {setting}=verb-1")
