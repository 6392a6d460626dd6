"""The text dialects of LMD and SLD: replies with fixed markers and a Python list, and LMD's box filter.

Every reader is tolerant by default, because the originals asked again for ever (and paid for it) on replies that any
person can read. `reference=True` keeps the original rules.

Source:
    SLD (Wu et al. 2024), utils/llm.py; LMD (Lian et al. 2023), utils/parse.py.
"""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmgen.errors import ModelError

NamedBox = tuple[str, list[float]]

LMD_CANVAS_PX: Final = 512
_MAX_SCALE: Final = 3.0
_OPERATORS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CONSTANTS: Final[dict[str, Any]] = {"null": None, "none": None, "None": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class SpotReply:
    """What SLD's first call answers.

    Attributes:
        objects: Nouns with one attribute (or None) for each wanted instance.
        background: One line.
        negative: What to avoid, as text.
    """

    objects: tuple[tuple[str, tuple[str | None, ...]], ...]
    background: str
    negative: str


def parse_spot_reply(text: str, *, reference: bool = False) -> SpotReply:
    """Read a reply of SLD's "spot objects" call.

    Args:
        text: `Objects: [...]`, `Background: ...`, `Negation: ...`, each on its own line, reasoning before them.
        reference: Slice and evaluate as the original; otherwise take the last list, balanced brackets, JSON constants,
            a missing negation as empty and only its first line.

    Raises:
        ModelError: If the reply cannot be read (where the original asks again without limit).
    """
    value = _list_after(text, "Objects:", reference=reference)
    objects = []
    for entry in _entries(value):
        if len(entry) != 2 or not isinstance(entry[0], str) or not isinstance(entry[1], (list, tuple)):
            raise _unusable("an object is not (noun, [attributes])", text)
        objects.append((entry[0], tuple(None if a is None else str(a) for a in entry[1])))
    background = _after(text, "Background:", text)
    if reference:
        parts = text.split("Negation:")
        if len(parts) < 2:
            raise _unusable("'Negation:' is missing", text)
        negative = parts[1].strip()
    else:
        negative = text.rpartition("Negation:")[2].strip().split("\n")[0].strip() if "Negation:" in text else ""
    return SpotReply(tuple(objects), background, negative)


def parse_update_reply(text: str, *, reference: bool = False) -> list[NamedBox]:
    """Read a reply of SLD's "spot differences" or "edit" call.

    Args:
        text: Reasoning, then `Updated Objects: [("green car #1", [x, y, w, h]), ...]` in units of the picture.
        reference: Slice and evaluate as the original; otherwise balanced brackets, arithmetic and JSON constants.

    Returns:
        Names and boxes, not validated: boxes may leave the picture or miss a number, as in the original.

    Raises:
        ModelError: If the reply cannot be read.
    """
    return _named_boxes(_list_after(text, "Updated Objects:", reference=reference), text)


def parse_layout_reply(text: str, *, reference: bool = False) -> tuple[list[NamedBox] | None, str, str]:
    """Read a reply of LMD's layout call.

    Args:
        text: A list of named boxes in pixels of a 512 canvas, then `Background prompt: ...` and `Negative prompt: ...`.
        reference: Evaluate the list as the original; otherwise arithmetic and JSON constants pass, and "none" in any
            case is an empty negative prompt.

    Returns:
        Named boxes (None when the reply says `None` instead of a list), background prompt, negative prompt.

    Raises:
        ModelError: If there is not exactly one background prompt or the list cannot be read.
    """
    body = text
    if "Objects:" in body:
        body = body.split("Objects:", 1)[1] if reference else body.rpartition("Objects:")[2]
    parts = body.split("Background prompt:")
    if len(parts) != 2:
        raise _unusable(f"{len(parts) - 1} background prompts instead of one", text)
    head, tail = parts[0].strip(), parts[1]
    background, _, negative = tail.partition("Negative prompt:")
    negative = negative.strip() if reference else negative.strip().split("\n")[0].strip()
    if negative == "None" or (not reference and negative.lower() in ("none", "none.")):
        negative = ""
    if not head or head.lower().startswith("no objects"):
        return [], background.strip(), negative
    value = _literal(head if reference else _balanced(head, 0) or head, reference=reference, reply=text)
    return (None if value is None else _named_boxes(value, text)), background.strip(), negative


def filter_boxes(
    boxes: Sequence[NamedBox], *, scale: bool = False, size: int = LMD_CANVAS_PX, reference: bool = False
) -> list[NamedBox]:
    """Drop degenerate boxes and bring the rest into the canvas.

    Args:
        boxes: Names and `x, y, w, h` in pixels.
        scale: Spread the boxes over the canvas even when all are inside.
        size: Side of the square canvas in pixels.
        reference: Keep the original's double shift of layouts that are both too high and scaled to the full height.

    Returns:
        Kept boxes in whole pixels (rounded half to even), names without a trailing period.
    """
    kept = [
        (name, [float(v) for v in box])
        for name, box in boxes
        if box[2] > 0 and box[3] > 0 and not (box[2] >= size and box[3] >= size) and box[0] <= size and box[1] <= size
    ]
    if not kept:
        return []
    left, right = min(b[0] for _, b in kept), max(b[0] + b[2] for _, b in kept)
    top, bottom = min(b[1] for _, b in kept), max(b[1] + b[3] for _, b in kept)
    if scale or left < 0 or top < 0 or right > size or bottom > size:
        factor = min(size / (right - left), size / (bottom - top), _MAX_SCALE)
        shift = -top * factor if top < 0 else 0.0
        if bottom * factor + shift >= size:
            shift -= bottom * factor - size if reference else bottom * factor + shift - size
        kept = [
            (name, [(x - left) * factor, y * factor + shift, w * factor, h * factor]) for name, (x, y, w, h) in kept
        ]
    return [(name.rstrip("."), [float(round(v)) for v in box]) for name, box in kept]


def _list_after(text: str, marker: str, *, reference: bool) -> Any:
    parts = text.split(marker)
    if len(parts) < 2:
        raise _unusable(f"{marker!r} is missing", text)
    if reference:
        body = parts[1]
        first, last = body.find("["), body.rfind("]")
        if first < 0 or last < first:
            raise _unusable("there is no list", text)
        return _literal(body[first : last + 1], reference=True, reply=text)
    for body in reversed(parts[1:]):
        first = body.find("[")
        found = _balanced(body, first) if first >= 0 else None
        if found is not None:
            return _literal(found, reference=False, reply=text)
    raise _unusable("there is no list", text)


def _balanced(text: str, start: int) -> str | None:
    """The bracketed expression that begins at or after `start`, None when it never closes."""
    start = text.find("[", start)
    if start < 0:
        return None
    depth, quote, skip = 0, "", False
    for index in range(start, len(text)):
        mark = text[index]
        if skip:
            skip = False
        elif quote:
            skip = mark == "\\"
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in "[(":
            depth += 1
        elif mark in "])":
            depth -= 1
            if depth == 0:
                return text[start : index + 1]
    return None


def _literal(text: str, *, reference: bool, reply: str) -> Any:
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return ast.literal_eval(tree) if reference else _evaluate(tree.body)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, ZeroDivisionError) as error:
        raise _unusable(f"the list cannot be read ({type(error).__name__})", reply) from error


def _evaluate(node: ast.expr) -> Any:
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_evaluate(item) for item in node.elts]
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (str, int, float, bool))):
        return node.value
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = _number(_evaluate(node.operand))
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_number(_evaluate(node.left)), _number(_evaluate(node.right)))
    raise ValueError(f"unexpected {type(node).__name__}")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no number")
    return value


def _entries(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, (list, tuple)) for entry in value):
        raise ModelError("unusable reply: it holds no list of objects")
    return list(value)


def _named_boxes(value: Any, text: str) -> list[NamedBox]:
    found: list[NamedBox] = []
    for entry in _entries(value):
        if len(entry) != 2 or not isinstance(entry[0], str) or not isinstance(entry[1], (list, tuple)):
            raise _unusable("an entry is not (name, [x, y, w, h])", text)
        try:
            found.append((entry[0], [_number(v) for v in entry[1]]))
        except ValueError as error:
            raise _unusable("a box holds something that is no number", text) from error
    return found


def _after(text: str, marker: str, reply: str) -> str:
    found = re.search(re.escape(marker) + r"([^\n]*)", text)
    if found is None:
        raise _unusable(f"{marker!r} is missing", reply)
    return found.group(1).strip()


def _unusable(why: str, reply: str) -> ModelError:
    return ModelError(f"unusable reply: {why}: {' '.join(reply.split())[:160]!r}")
