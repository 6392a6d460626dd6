"""Which pictures of a record are scored, and how new scores join old ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llmgen.artifacts import Detection, ImageRef, Layout, Record, Score
from llmgen.errors import InputError


@dataclass(frozen=True)
class Look:
    """Detections that are compared with a layout."""

    of: Literal["initial", "final", "detections"]
    layout: Layout
    detections: tuple[Detection, ...]
    size: tuple[int, int]
    """Width, height of the picture in pixels; of the layout where there is no picture."""


def looks_to_score(record: Record, what: str) -> list[Look]:
    """The detections of the current picture, and before them those of the first one when anything came after it.

    Args:
        record: A record with layout and detections.
        what: Who asks, for messages, such as `evaluate pim`.

    Returns:
        One or two looks; a first picture at which nobody looked is left out.

    Raises:
        InputError: If the record has no layout or no detections.
    """
    if record.layout is None:
        raise InputError(f"record {record.id!r} has no layout; `{what}` compares detections with a layout")
    if record.detections is None:
        raise InputError(f"record {record.id!r} has no detections; `{what}` needs them: run `llmgen detect` first")
    if record.image is None:
        return [Look("detections", record.layout, record.detections, (record.layout.width, record.layout.height))]
    looks = []
    for of, image in pictures_to_score(record):
        detections = record.history[0].detections if of == "initial" else record.detections
        if detections is not None:
            looks.append(Look(of, record.layout, detections, (image.width, image.height)))
    return looks


def pictures_to_score(record: Record) -> list[tuple[Literal["initial", "final"], ImageRef]]:
    """The current picture, and before it the first one when anything came after it.

    A record that correction looked at and left alone counts twice with the same picture, so that before and after are paired.
    """
    if record.image is None:
        return []
    went_on = record.edits is not None or any(entry.stage != "generate" for entry in record.history)
    if record.history and went_on:
        return [("initial", record.history[0].image), ("final", record.image)]
    return [("final", record.image)]


def merge_scores(old: Sequence[Score], new: Sequence[Score]) -> tuple[Score, ...]:
    """Old scores, then new ones; a new one replaces what was scored before in the same way."""
    replaced = {(score.metric, score.of, score.by) for score in new}
    return (*(score for score in old if (score.metric, score.of, score.by) not in replaced), *new)


def check_mask(record: Record, found: Detection, size: tuple[int, int]) -> None:
    """Refuse a detection's mask that does not fit the picture.

    Args:
        record: Whose detection it is, for messages.
        found: The detection, with a mask.
        size: Width, height of the picture in pixels.

    Raises:
        InputError: If the mask is of another size.
    """
    assert found.mask is not None
    try:
        found.mask.check_size(*size, f"record {record.id!r}: detection {found.id!r}")
    except ValueError as error:
        raise InputError(f"{error}; look at the picture again") from error
