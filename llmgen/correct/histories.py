"""The pictures that a record has behind it when its correction begins."""

from llmgen.artifacts import HistoryEntry, Record


def begun_history(record: Record) -> tuple[list[HistoryEntry], int]:
    """A record's history, begun with its picture where nobody began it, and the place of that picture in it."""
    assert record.image is not None
    history = list(record.history) or [HistoryEntry(stage="generate", round=0, image=record.image)]
    return history, max((place for place, entry in enumerate(history) if entry.image == record.image), default=0)
