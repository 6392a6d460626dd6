"""Names to objects: literal tables in the stage packages, imported on first use."""

import difflib
import importlib
from collections.abc import Iterable
from typing import Any

from llmgen.errors import UnknownNameError

STAGES = ("layout", "generate", "detect", "correct", "refine", "evaluate")


def methods(stage: str) -> dict[str, str]:
    """The table of one stage, method name to `module:Class`.

    Args:
        stage: One of `STAGES`.

    Raises:
        UnknownNameError: If there is no such stage.
    """
    if stage not in STAGES:
        raise unknown("stage", stage, STAGES)
    table: dict[str, str] = importlib.import_module(f"llmgen.{stage}").METHODS
    return table


def resolve(stage: str, method: str | None = None) -> Any:
    """The class of a method, imported now.

    Args:
        stage: One of `STAGES`.
        method: Its name; by default the first of the stage's table.

    Raises:
        UnknownNameError: If the stage has no method of that name; the message lists the nearest names.
    """
    table = methods(stage)
    method = next(iter(table)) if method is None else method
    if method not in table:
        raise unknown(f"{stage} method", method, table)
    module, _, name = table[method].partition(":")
    return getattr(importlib.import_module(module), name)


def unknown(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """An error for a name in no table, with the nearest neighbours and the whole list."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return UnknownNameError(f"no {what} {name!r}.{hint} Available: {', '.join(names)}")
