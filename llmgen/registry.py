"""Names to objects: literal tables in the stage packages, imported on first use."""

import importlib
from collections.abc import Iterable
from typing import Any, Final

from llmgen.errors import UnknownNameError

DEFAULT_PRESET: Final = "toybox"
"""Whose models are used where nobody names a preset."""
#: What a stage does where neither a preset nor anybody else says.
DEFAULT_METHODS = {
    "layout": "lmd",
    "generate": "sd",
    "detect": "owlv2",
    "correct": "self_correction",
    "refine": "sdxl",
    "evaluate": "lmd",
}
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
        method: Its name; by default the stage's own of `DEFAULT_METHODS`.

    Raises:
        UnknownNameError: If the stage has no method of that name; the message lists the nearest names.
    """
    table = methods(stage)
    method = default_method(stage) if method is None else method
    if method not in table:
        raise unknown(f"{stage} method", method, table)
    module, _, name = table[method].partition(":")
    return getattr(importlib.import_module(module), name)


def default_method(stage: str) -> str:
    """The method of a stage where nobody names one."""
    table = methods(stage)
    return DEFAULT_METHODS[stage] if DEFAULT_METHODS[stage] in table else next(iter(table))


def follows_layout(method: str) -> bool:
    """Whether a method of `generate` draws from the layout, told without importing it; of one that nobody knows it is assumed."""
    without: tuple[str, ...] = importlib.import_module("llmgen.generate").WITHOUT_LAYOUT
    return method not in without


def unknown(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """An error for a name in no table, with the nearest neighbours and the whole list."""
    import difflib  # Here, because hardly any command has one, and those that a server answers are over in milliseconds.

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return UnknownNameError(f"no {what} {name!r}.{hint} Available: {', '.join(names)}")
