"""What the right answer to a question of the before/after pairs shows, and the rules that say whether a picture is one.

Like the rule for prompts (`truth.py`) these see only what a judge found, so that drawn pictures and renders are measured alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from llmgen.toybox.world.scenes import Scene
from llmgen.toybox.world.truth import Sighting
from llmgen.toybox.world.truths_of_scenes import sightings_of_scene
from llmgen.vision.boxes import iou

Fate = Literal["stays", "changes", "moves", "comes"]

MOVED_OVERLAP: Final = 0.3
"""Least overlap (IoU) of what moved with where it should be: a question says where to, not to the pixel."""
STAYED_OVERLAP: Final = 0.5
"""Least overlap of what should not have changed with where it was: the judge's own boxes reach 0.8 on renders."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One object of the right answer.

    Attributes:
        sighting: What a perfect judge would find.
        fate: Whether it is as before, looks different, is elsewhere, or is new; what is new may be anywhere.
    """

    sighting: Sighting
    fate: Fate


@dataclass(frozen=True, slots=True)
class RightAnswer:
    """The state of the world after the question.

    Attributes:
        objects: All that is there, and nothing else is.
        background: Its name.
        background_stays: Whether it is the one of before.
    """

    objects: tuple[Expected, ...]
    background: str
    background_stays: bool


def answer_of(before: Scene, after: Scene) -> RightAnswer:
    """The right answer of a pair.

    Args:
        before: What was asked about.
        after: The same, changed.
    """
    old = sightings_of_scene(before)
    objects = []
    for new in sightings_of_scene(after):
        if new in old:
            fate: Fate = "stays"
        elif any(new._replace(box_xyxy=item.box_xyxy) == item for item in old):
            fate = "moves"
        elif any(new.noun == item.noun and iou(new.box_xyxy, item.box_xyxy) > STAYED_OVERLAP for item in old):
            fate = "changes"
        else:
            fate = "comes"
        objects.append(Expected(new, fate))
    return RightAnswer(tuple(objects), after.background, before.background == after.background)


def is_right_answer(answer: RightAnswer, found: Iterable[Sighting], background: str | None = None) -> bool:
    """Whether a picture is the right answer: all that should be there as it should look, nothing else, and what moved in its new place.

    Args:
        answer: What is right.
        found: What was found in the picture.
        background: What the background was taken for; None when nobody looked, and then it is not asked for.
    """
    seen = list(found)
    if background not in (None, answer.background) or len(seen) != len(answer.objects):
        return False
    least = {"moves": MOVED_OVERLAP}
    return _all_found([(item, least.get(item.fate, 0.0)) for item in answer.objects], seen)


def rest_stayed(answer: RightAnswer, found: Iterable[Sighting], background: str | None = None) -> bool:
    """Whether what the question does not touch is as it was and where it was, whatever else the picture shows.

    Args:
        answer: What is right.
        found: What was found in the picture.
        background: As for `is_right_answer`.
    """
    if answer.background_stays and background not in (None, answer.background):
        return False
    return _all_found([(item, STAYED_OVERLAP) for item in answer.objects if item.fate == "stays"], list(found))


def _all_found(wanted: Sequence[tuple[Expected, float]], seen: Sequence[Sighting]) -> bool:
    # Whether every wanted object can have a sighting of its own that looks alike and overlaps enough.
    if not wanted:
        return True
    (first, least), rest = wanted[0], wanted[1:]
    return any(
        _alike(first.sighting, item)
        and iou(first.sighting.box_xyxy, item.box_xyxy) >= least
        and _all_found(rest, [*seen[:i], *seen[i + 1 :]])
        for i, item in enumerate(seen)
    )


def _alike(wanted: Sighting, seen: Sighting) -> bool:
    return (wanted.noun, wanted.color) == (seen.noun, seen.color) and all(
        given is None or given == asked
        for asked, given in (
            (wanted.pattern, seen.pattern),
            (wanted.mood, seen.mood),
            (wanted.verb, seen.verb),
            (set(wanted.states), set(seen.states) if seen.states else None),
        )
    )


def sighting_to_json(sighting: Sighting) -> list[Any]:
    """A sighting as a JSON list of its fields, without the score."""
    s = sighting
    return [s.noun, s.color, list(s.box_xyxy), s.pattern, s.mood, s.verb, [list(pair) for pair in s.states]]


def sighting_from_json(value: Sequence[Any]) -> Sighting:
    """The inverse of `sighting_to_json`.

    Raises:
        ValueError: If it is anything else.
        TypeError: Likewise.
    """
    noun, color, box, pattern, mood, verb, states = value
    x0, y0, x1, y1 = (float(edge) for edge in box)
    pairs = tuple((str(part), str(state)) for part, state in states)
    return Sighting(str(noun), str(color), (x0, y0, x1, y1), 1.0, pattern, mood, verb, pairs)


def answer_to_json(answer: RightAnswer) -> dict[str, Any]:
    """An answer as JSON."""
    return {
        "objects": [[item.fate, sighting_to_json(item.sighting)] for item in answer.objects],
        "background": answer.background,
        "background_stays": answer.background_stays,
    }


def answer_from_json(value: Mapping[str, Any]) -> RightAnswer:
    """The inverse of `answer_to_json`.

    Raises:
        ValueError: If it is anything else.
        TypeError: Likewise.
        KeyError: Likewise.
    """
    objects = []
    for fate, sighting in value["objects"]:
        if fate not in get_args(Fate):
            raise ValueError(f"no fate {fate!r}")
        objects.append(Expected(sighting_from_json(sighting), fate))
    return RightAnswer(tuple(objects), str(value["background"]), bool(value["background_stays"]))
