"""Which pictures of a record are scored, and how new scores join old ones."""

from collections.abc import Sequence
from typing import Literal

from llmgen.artifacts import ImageRef, Record, Score


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
