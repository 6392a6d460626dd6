"""One-line messages about input that does not fit its schema."""

import difflib
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llmgen.printable import printable

_NAME = 80
"""Characters of a field name in a message."""


def _of_objects(problems: list[ErrorDetails]) -> list[ErrorDetails]:
    """The problems without those of what may be a text or an object and is no text: what is wrong with the object has to be mended."""
    places = {p["loc"][:-1] for p in problems if p["type"] == "string_type" and p["loc"][-1:] == ("str",)}
    kept: list[ErrorDetails] = []
    for problem in problems:
        place = next((place for place in places if problem["loc"][: len(place)] == place), None)
        if place is None:
            kept.append(problem)
        elif problem["loc"] != (*place, "str"):
            kept.append({**problem, "loc": (*place, *problem["loc"][len(place) + 1 :])})  # without the name of the kind
    return kept


def describe(error: ValidationError, fields: Iterable[str] = ()) -> str:
    """The first problem of a validation as `JSON pointer: reason`.

    Args:
        error: What pydantic says.
        fields: Names of the fields at the top, to suggest one for a name that is not among them.
    """
    problems = _of_objects(error.errors(include_url=False))
    # A misspelt field also makes a missing one; the misspelling is what has to be mended.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    pointer = "".join(f"/{printable(str(part), _NAME)}" for part in first["loc"])
    if first["type"] == "extra_forbidden":
        name = printable(str(first["loc"][-1]), _NAME)
        near = difflib.get_close_matches(name, list(fields), n=1, cutoff=0.6) if len(first["loc"]) == 1 else []
        reason = f"unknown field {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    elif first["type"] == "json_invalid":
        # All that pydantic is given was JSON before, to Python.
        reason = "holds half of a character (a lone surrogate), or is nested too deeply; write it anew"
    elif first["type"] in ("too_short", "too_long"):
        least, bounds = first["type"] == "too_short", first["ctx"]
        number = bounds["min_length" if least else "max_length"]
        reason = f"needs at {'least' if least else 'most'} {number} entr{'y' if number == 1 else 'ies'}, has {bounds['actual_length']}"
    else:
        reason = first["msg"].removeprefix("Value error, ")
        value = first.get("input")
        if first["type"] != "missing" and isinstance(value, str | int | float | bool):
            shown = repr(value)
            if shown not in reason:
                reason += f", got {shown if len(shown) <= 60 else shown[:57] + '...'}"
    more = len(problems) - 1
    return (f"{pointer}: " if pointer else "") + reason + (f" (and {more} more)" if more else "")
