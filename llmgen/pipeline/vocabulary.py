"""One warning, before the work, about what a preset's models have never heard of."""

from collections.abc import Sequence

from llmgen.artifacts import Record
from llmgen.llm.planning.vocabulary import nouns_asked_for, unknown_nouns
from llmgen.presets import Preset

_MOST = 8
"""Words named in the warning."""


def warning_of(records: Sequence[Record], preset: Preset) -> str | None:
    """What the records ask for and the preset's models cannot draw.

    Records that a stage has worked on before are left out: whoever worked on them first has said it.

    Args:
        records: What comes into a stage or a run.
        preset: Says the words its models know, if these are few.

    Returns:
        A line, or None when there is nothing to say.
    """
    if not preset.words:
        return None
    found: dict[str, int] = {}
    concerned = 0
    for record in records:
        if record.error is not None or record.provenance:
            continue
        unknown = unknown_nouns(nouns_asked_for(record.prompt, record.layout), preset.words)
        concerned += bool(unknown)
        for noun in unknown:
            found[noun] = found.get(noun, 0) + 1
    if not found:
        return None
    words = sorted(found, key=lambda noun: -found[noun])
    named = ", ".join(repr(word) for word in words[:_MOST]) + (
        f" and {len(words) - _MOST} more" if words[_MOST:] else ""
    )
    return (
        f"preset {preset.name!r} does not know {named} ({concerned} of {len(records)} records); it draws and sees "
        f"{', '.join(preset.words)}, and paints something else for other words. --preset names other models"
    )
