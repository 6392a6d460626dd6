"""One warning, before the work where all records are at hand, about what a preset's models have never heard of."""

from collections.abc import Iterable, Iterator, Sequence

from llmgen.artifacts import Record
from llmgen.presets import Preset

_MOST = 8
"""Words named in the warning."""


class VocabularyWatch:
    """Notices what records ask for and a preset's models cannot draw.

    Records that a stage has worked on before are left out: whoever worked on them first has said it.

    Args:
        preset: Says the words its models know, if these are few.
    """

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._found: dict[str, int] = {}
        self._concerned = self._count = 0

    def look_at(self, record: Record) -> None:
        """Notice what a record asks for."""
        self._count += 1
        if not self._preset.words or record.error is not None or record.provenance:
            return
        # Here, because a grammar takes its time to load, and most stages look at no new record.
        from llmgen.llm.planning.vocabulary import nouns_asked_for, unknown_nouns

        unknown = unknown_nouns(nouns_asked_for(record.prompt, record.layout), self._preset.words)
        self._concerned += bool(unknown)
        for noun in unknown:
            self._found[noun] = self._found.get(noun, 0) + 1

    def watched(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, looked at as they go by."""
        for record in records:
            self.look_at(record)
            yield record

    def line(self) -> str | None:
        """What there is to say of the records so far, or None."""
        if not self._found:
            return None
        words = sorted(self._found, key=lambda noun: -self._found[noun])
        named = ", ".join(repr(word) for word in words[:_MOST]) + (
            f" and {len(words) - _MOST} more" if words[_MOST:] else ""
        )
        return (
            f"preset {self._preset.name!r} does not know {named} ({self._concerned} of {self._count} records); it draws and sees "
            f"{', '.join(self._preset.words)}, and paints something else for other words. --preset names other models"
        )


def warning_of(records: Sequence[Record], preset: Preset) -> str | None:
    """What records ask for and the preset's models cannot draw.

    Args:
        records: What comes into a stage or a run.
        preset: Says the words its models know, if these are few.

    Returns:
        A line, or None when there is nothing to say.
    """
    watch = VocabularyWatch(preset)
    for record in records:
        watch.look_at(record)
    return watch.line()
