"""LMD's files: reply caches, lists of layouts, and the prompts of its benchmark.

Source:
    LMD (Lian et al. 2023), https://github.com/TonyLianLong/LLM-groundedDiffusion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmgen.artifacts import Instance, Kind, Layout, Record, Reply
from llmgen.artifacts.foreign_prompts import holds_boxes, plain_id
from llmgen.errors import InputError, LlmgenError
from llmgen.formats.collected import Collected, as_list, named_boxes, texts
from llmgen.formats.objects import in_pixels, objects_of, on_canvas
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.legacy import LMD_CANVAS_PX, filter_boxes, parse_layout_reply
from llmgen.llm.reading import nouns_of

_FIELDS = frozenset(
    ("prompt", "objects", "background_prompt", "negative_prompt", "index", "id", "type", "width", "height")
    + ("queries", "ground_truth")
)
"""What LMD's layouts and prompts have."""
_BACKGROUND = "background prompt"
_CUT_PX = 0.5
PixelBox = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Asked:
    """A prompt of the benchmark, in its order."""

    id: str | None
    prompt: str
    type: str | None


def read_lmd(value: Any, name: str, prompts: Any = None) -> tuple[Collected, Kind]:
    """Turn one of LMD's files into records.

    Args:
        value: The JSON value: a cache `{prompt: [reply, ...]}`; a list of layouts `{prompt, objects, background_prompt,
            negative_prompt}`; or a list of prompts.
        name: The file, for messages.
        prompts: The JSON value of a list of prompts, which gives order, ids and types; the n-th occurrence of a prompt
            takes its n-th reply. The cache's own order by default.

    Returns:
        The records and their kind: `layouts`, or `prompts` for a list of prompts.

    Raises:
        InputError: If it is none of these.
    """
    found = Collected(name)
    if is_cache(value):
        _read_cache(value, None if prompts is None else _asked(prompts, "the list of prompts"), found)
        return found, "layouts"
    if prompts is not None:
        raise InputError(f"{name}: --prompts orders a cache {{prompt: [reply, ...]}}; this file has its own order")
    if is_layouts(value):
        _read_layouts(value if isinstance(value, list) else [value], found)
        return found, "layouts"
    for position, asked in enumerate(_asked(value, name), start=1):
        _keep(found, "prompts", asked, position)
    found.unused.update(key for entry in value if isinstance(entry, dict) for key in set(entry) - _FIELDS)
    return found, "prompts"


def is_cache(value: Any) -> bool:
    """Whether a JSON value is LMD's reply cache."""
    return isinstance(value, dict) and bool(value) and all(
        isinstance(v, str) or (isinstance(v, list) and texts(v)) for v in value.values()
    )  # fmt: skip


def is_cache_of_replies(value: Any) -> bool:
    """Whether a JSON value is surely LMD's cache, and not an object that happens to hold texts."""
    return is_cache(value) and any(_BACKGROUND in str(reply).casefold() for v in value.values() for reply in as_list(v))


def is_layouts(value: Any) -> bool:
    """Whether a JSON value is a list of LMD's layouts, or of layouts of another program: prompts with boxes in any field."""
    entries = value if isinstance(value, list) else [value] if isinstance(value, dict) and "prompt" in value else []
    return any(
        isinstance(entry, dict)
        and ("objects" in entry or ("prompt" in entry and any(map(holds_boxes, entry.values()))))
        for entry in entries
    )


def layout_of_named_boxes(
    boxes: Sequence[tuple[str, PixelBox]], background: str, negative: str, notes: list[str], what: str
) -> Layout:
    """A layout of LMD's named boxes.

    Args:
        boxes: Names with their article and `x, y, w, h` in pixels of the 512 canvas. Degenerate boxes and those that
            fill the canvas are dropped; layouts that leave it are scaled into it, as LMD does.
        background: Its background prompt.
        negative: Its negative prompt.
        notes: Gets a line for each change.
        what: Whose, for the notes.

    Raises:
        InputError: If an object has no name, or nothing is left of any object.
    """
    boxes, read_as = in_pixels(boxes, LMD_CANVAS_PX)
    notes += [f"{what}: {line}" for line in read_as]
    plain = [(name, list(box)) for name, box in boxes]
    # Only pixels are LMD's own, and only those it rounds and scales.
    kept = filter_boxes(plain) if not read_as else [
        (name.rstrip("."), box) for name, box in plain if 0 < min(box[2:]) < LMD_CANVAS_PX
    ]  # fmt: skip
    if not kept and not any(min(w, h) >= LMD_CANVAS_PX for _, (_, _, w, h) in boxes) and boxes:
        raise InputError(f"nothing is left of its {len(boxes)} objects: their boxes are empty or outside the picture")
    if len(kept) != len(boxes):
        notes.append(f"{what}: dropped {len(boxes) - len(kept)} boxes that are empty, outside, or the whole canvas")
    elif [round(v) for _, box in boxes for v in box] != [round(v) for _, box in kept for v in box]:
        notes.append(f"{what}: scaled the boxes into the canvas")
    instances, numbers = [], dict[str, int]()
    for name, (x, y, w, h) in kept:
        if not name.strip():
            raise InputError("an object has no name")
        x0, y0 = max(x, 0.0), max(y, 0.0)
        x1, y1 = min(x + w, float(LMD_CANVAS_PX)), min(y + h, float(LMD_CANVAS_PX))
        if x1 <= x0 or y1 <= y0:
            notes.append(f"{what}: dropped {name!r}, of which nothing is left in the canvas")
            continue
        if x1 - x0 < w - _CUT_PX or y1 - y0 < h - _CUT_PX:
            notes.append(f"{what}: cut {name!r} at the border of the canvas")
        noun, attributes = read_phrase(name)
        numbers[noun] = numbers.get(noun, 0) + 1
        instances.append(
            Instance(
                id=f"{noun}-{numbers[noun]}", phrase=name.strip(), noun=noun, attributes=attributes,
                box_xyxy=(x0, y0, x1, y1),
            )
        )  # fmt: skip
    if kept and not instances:
        raise InputError(f"nothing is left of its {len(boxes)} objects: their boxes are empty or outside the picture")
    return Layout(
        width=LMD_CANVAS_PX,
        height=LMD_CANVAS_PX,
        background_prompt=background,
        negative_prompt=negative,
        absent=tuple(nouns_of(negative)),
        instances=tuple(instances),
    )


def _read_cache(cache: dict[str, Any], asked: Sequence[_Asked] | None, found: Collected) -> None:
    if asked is None:
        asked = [_Asked(None, prompt, None) for prompt, replies in cache.items() for _ in as_list(replies)]
    # LMD strips prompts and drops their last period before it asks; a list of prompts need not.
    replies_of = {_key(prompt): as_list(replies) for prompt, replies in cache.items()}
    used: dict[str, int] = {}
    for position, entry in enumerate(asked, start=1):
        key = _key(entry.prompt)
        number = used.get(key, 0)
        used[key] = number + 1
        replies = replies_of.get(key, [])
        if number >= len(replies):
            wished = found.free_id(entry.id or f"{position - 1:03d}")
            reason = f"the cache has {len(replies)} replies to {entry.prompt[:60]!r}; one more was asked for"
            found.fail("layouts", wished, entry.prompt, position, reason)
            continue
        _keep(found, "layouts", entry, position, reply=replies[number])


def _read_layouts(entries: list[Any], found: Collected) -> None:
    for position, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            found.dropped.append(
                f"{found.name}: entry at position {position}: expected an object with prompt and objects"
            )
            continue
        index, own = entry.get("index"), plain_id(entry.get("id"))
        number = (
            index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 10**6 else position - 1
        )
        name = own if "index" not in entry and isinstance(own, str) and own else f"{number:03d}"
        prompt, kind = entry.get("prompt"), entry.get("type")
        asked = _Asked(
            name, prompt if isinstance(prompt, str) else "", kind if isinstance(kind, str) and kind else None
        )
        _keep(found, "layouts", asked, position, entry=entry)


def _keep(
    found: Collected,
    kind: Kind,
    asked: _Asked,
    position: int,
    *,
    reply: str | None = None,
    entry: dict[str, Any] | None = None,
) -> None:
    record_id = found.free_id(asked.id or f"{position - 1:03d}")
    try:
        layout: Layout | None = None
        replies: tuple[Reply, ...] = ()
        if reply is not None:
            boxes, background, negative = parse_layout_reply(reply)
            named = named_boxes([list(pair) for pair in boxes or []], "the reply")
            layout = layout_of_named_boxes(named, background, negative, found.notes, record_id)
            replies = (Reply(call="layout", provider="replay", text=reply),)
        elif entry is not None:
            objects = objects_of(entry)
            named = named_boxes(entry.get("objects"), "objects") if objects is None else objects.boxes
            if objects is not None:
                named, scaled = on_canvas(entry, named, LMD_CANVAS_PX)
                found.notes += [f"{record_id}: {line}" for line in (*objects.notes, *scaled)]
                found.unused.update(set(entry) - _FIELDS - set(objects.fields))
            background, negative = _text(entry, "background_prompt"), _text(entry, "negative_prompt")
            layout = layout_of_named_boxes(named, background, negative, found.notes, record_id)
        if not asked.prompt.strip():
            raise InputError("prompt is missing or no text")
        found.records.append(
            Record(kind=kind, id=record_id, prompt=asked.prompt, type=asked.type, layout=layout, replies=replies)
        )
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        found.fail(kind, record_id, asked.prompt, position, reason)
    except LlmgenError as error:
        found.fail(kind, record_id, asked.prompt, position, " ".join(str(error).split()))


def _asked(value: Any, name: str) -> list[_Asked]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{name}: neither a cache {{prompt: [reply, ...]}}, nor a list of layouts or prompts")
    found = []
    for position, entry in enumerate(value):
        if isinstance(entry, str):
            entry = {"prompt": entry}
        if not isinstance(entry, dict) or not isinstance(entry.get("prompt"), str):
            raise InputError(f"{name}: the entry at position {position + 1} is no prompt")
        id_, type_ = plain_id(entry.get("id")), entry.get("type")
        found.append(
            _Asked(
                id_ if isinstance(id_, str) and id_ else f"{position:03d}",
                entry["prompt"],
                type_ if isinstance(type_, str) and type_ else None,
            )
        )
    return found


def _text(entry: dict[str, Any], field: str) -> str:
    value = entry.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{field} is no text")
    return value


def _key(prompt: str) -> str:
    return " ".join(prompt.split()).rstrip(".")


def read_lmd_file(source: Path | str, prompts: Path | None) -> tuple[Collected, Kind, Path]:
    """Read one of LMD's files.

    Args:
        source: A path, or `-`.
        prompts: A list of prompts that orders a cache.

    Returns:
        The records, their kind, the folder of the file.

    Raises:
        InputError: If it cannot be read.
    """
    from llmgen.artifacts.io import parse_entries, read_bytes

    name, base, data = read_bytes(source)
    order = None
    if prompts is not None:
        order_name, _, order_data = read_bytes(prompts)
        order = parse_entries(order_data, order_name)
    found, kind = read_lmd(parse_entries(data, name), name, order)
    return found, kind, base
