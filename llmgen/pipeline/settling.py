"""What a method leaves to the length of the run: decided once, before its journal is begun, and as the journal says when a run goes on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from llmgen.artifacts import Record
from llmgen.engine.fingerprint import run_settings
from llmgen.engine.journal import journal_path
from llmgen.engine.journal_lines import begun_with, difference
from llmgen.pipeline.options import Choice


def settled(
    choice: Choice,
    records: Iterator[Record],
    *,
    path: Path | None = None,
    anew: bool = False,
    may_wait: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Choice, Iterator[Record]]:
    """A choice with settings that hold for the whole run.

    Args:
        choice: What is going to be done.
        records: On which; so many are read as it takes to see that a run is long.
        path: The output, whose journal may say how the run was begun; None where nothing is kept.
        anew: Whether what was begun before is forgotten.
        may_wait: Whether so many records may be waited for; else the run counts as short.
        say: Told, in one line, what keeps a long run from what is meant for it.

    Returns:
        The choice, and all the records.
    """
    context, method, config = choice.context, choice.method_class, choice.config
    needed = method.long_from(config) if hasattr(method, "long_from") else None
    if needed is None:
        return choice, records
    begun = {} if path is None or anew else begun_with(journal_path(path))
    for is_long in (False, True) if begun else ():
        before = method.settled(context, config, is_long, lambda text: None)
        if difference(begun, run_settings(context, method, before)) is None:
            return replace(choice, config=before), records
    first = list(islice(records, needed)) if may_wait else []
    config = method.settled(context, config, len(first) >= needed, say)
    return replace(choice, config=config), chain(first, records)
