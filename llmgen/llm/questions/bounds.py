"""Limits in the schemas of answers, so that a small model under a grammar ends.

Servers that enforce a schema write nothing else, and go on for as long as it lets them: a model of 135 million parameters
fills a free string until its context is full. Numbers have no bounds on such servers, integers do.
"""

from collections.abc import Mapping
from typing import Any, Final

from llmgen.errors import InputError
from llmgen.llm.english.grammar import read_prompt
from llmgen.llm.schemas import WireBox, WireModel

MOST_LETTERS: Final = {
    "reasoning": 200,
    "description": 300,
    "background": 160,
    "phrase": 120,
    "attributes": 24,
    "answer": 200,
    "edit_instruction": 200,
    "story": 300,
}
"""By the name of the key; of others `_LETTERS`."""
MOST_ITEMS: Final = {"attributes": 4, "negative": 12}
"""By the name of the key; of others `_ITEMS`."""
_LETTERS: Final = 48
_ITEMS: Final = 16
_CORNER: Final = 16
"""A box begins at least this part of the canvas before its end."""
_THINGS: Final = 12
_MOST_THINGS: Final = 64
BOUNDS: Final = ("maxLength", "maxItems", "minimum", "maximum")
"""The keywords that are added here."""


def bounded_schema(
    model: type[WireModel], *, canvas: tuple[int, int] | None = None, items: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """The schema of a wire form with a limit on everything that could run on; its keys in the order they are written.

    Args:
        model: The wire form.
        canvas: Width and height in pixels; boxes are whole pixels on it.
        items: Most entries of a list by its key, where they are not the usual ones.
    """
    schema: dict[str, Any] = _bounded(model.model_json_schema(), "", {**MOST_ITEMS, **(items or {})})
    if canvas is not None:
        width, height = canvas
        # Small models like to write the largest number that they may: a box that begins there still shows a little of itself.
        right, bottom = width - max(1, width // _CORNER), height - max(1, height // _CORNER)
        sides = {"x": (0, right), "y": (0, bottom), "width": (1, width), "height": (1, height)}
        box = schema["$defs"][WireBox.__name__]
        box["properties"] = {
            name: {"type": "integer", "minimum": least, "maximum": most} for name, (least, most) in sides.items()
        }
    return schema


def most_things(text: str) -> int:
    """How many things an answer about a text may list: room for twice those that the grammar counts, and never few.

    A small model goes on listing until a schema ends it.
    """
    try:
        counted = sum(wanted.count for wanted in read_prompt(text).objects)
    except InputError:
        counted = 0
    return min(max(_THINGS, 2 * counted), _MOST_THINGS)


def unbounded(schema: Any) -> Any:
    """A schema without the limits, for servers that do not know them."""
    if isinstance(schema, dict):
        return {
            key: unbounded(value)
            for key, value in schema.items()
            # A key of this name that holds a schema is a property.
            if key not in BOUNDS or isinstance(value, dict)
        }
    return [unbounded(value) for value in schema] if isinstance(schema, list) else schema


def _bounded(schema: Any, key: str, items: Mapping[str, int]) -> Any:
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name in ("properties", "$defs"):
            made[name] = {inner: _bounded(part, inner, items) for inner, part in value.items()}
        elif name == "items":
            made[name] = _bounded(value, key, items)
        elif name != "title":  # pydantic's titles repeat the keys
            made[name] = value
    if made.get("type") == "string" and "enum" not in made:
        made.setdefault("maxLength", MOST_LETTERS.get(key, _LETTERS))
    if made.get("type") == "array":
        made.setdefault("maxItems", items.get(key, _ITEMS))
    return made
