"""LMD's files: reply caches, lists of layouts, and the prompts of its benchmark.

Source:
    LMD (Lian et al. 2023), https://github.com/TonyLianLong/LLM-groundedDiffusion.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmgen.artifacts import Instance, Kind, Layout, Record, Reply
from llmgen.artifacts.foreign_boxes import holds_boxes
from llmgen.artifacts.foreign_prompts import plain_id
from llmgen.errors import InputError, LlmgenError
from llmgen.formats.collected import Collected, as_list, record_id_of, texts
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.english.words import with_article
from llmgen.llm.replies.bounds import Remark, once
from llmgen.llm.replies.extract import plain_key
from llmgen.llm.replies.layout_reply import (
    BACKGROUND_KEYS,
    NEGATIVE_KEYS,
    RawLayout,
    layout_of_fields,
    lmd_boxes,
    raw_layout,
)
from llmgen.llm.replies.lmd_boxes import LMD_CANVAS_PX
from llmgen.llm.replies.object_fields import OBJECT_KEYS
from llmgen.llm.replies.raw_objects import entries_of, listed, looks_like_object

_FIELDS = frozenset("prompt index id type queries ground_truth".split())
"""What LMD's prompts have."""
_NOT_USED = frozenset("image_id num_object relation rel_type sub_type triplet_caption".split())
"""What NSR-1K says beside the layout; named once for a file."""
_BACKGROUND = "background prompt"


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
        isinstance(entry, dict) and ("objects" in entry or ("prompt" in entry and any(map(_is_layout, entry.items()))))
        for entry in entries
    )


def _is_layout(field: tuple[str, Any]) -> bool:
    """Whether a field holds boxes: numbers, or texts of numbers in a field that is known."""
    key, value = field
    if holds_boxes(value):
        return True
    entries = entries_of(value) if plain_key(key) in OBJECT_KEYS else None
    return isinstance(entries, list) and any(map(looks_like_object, entries))


def layout_of_raw(raw: RawLayout, remark: Remark) -> Layout:
    """A layout as LMD would draw it.

    Args:
        raw: As it was said: boxes in pixels of the 512 canvas, or in fractions of it. Those that are empty, outside or fill the canvas
            are dropped; layouts in pixels that leave it are scaled into it, as LMD does.
        remark: Told of each change.

    Raises:
        InputError: If an object has no name, or all objects are lost. Boxes that fill the canvas are none to LMD; a layout that has no
            others is kept without objects, for the benchmark counts it as a wrong answer.
    """
    placed = lmd_boxes(raw, remark)
    instances, numbers = [], dict[str, int]()
    for thing, box in zip(raw.things, placed.xywh, strict=True):
        name = thing.name.strip().rstrip(".")
        if not name:
            raise InputError("an object has no name")
        if box is None:
            continue
        said, attributes = read_phrase(name)
        noun, phrase = said, name
        if thing.attributes is not None:
            noun, attributes, phrase = name, thing.attributes, with_article(" ".join((*thing.attributes, name)))
        numbers[noun] = numbers.get(noun, 0) + 1
        x, y, w, h = box
        instances.append(
            Instance(
                id=f"{noun}-{numbers[noun]}", phrase=phrase, noun=noun, attributes=attributes, box_xyxy=(x, y, x + w, y + h),
            )
        )  # fmt: skip
    if raw.things and not instances and not all(placed.fills):
        raise InputError(f"no box is inside the {LMD_CANVAS_PX}x{LMD_CANVAS_PX} canvas")
    return Layout(
        width=LMD_CANVAS_PX,
        height=LMD_CANVAS_PX,
        background_prompt=raw.background,
        negative_prompt=raw.negative_words,
        absent=raw.negative,
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
            wished = found.free_id(entry.id or f"{position - 1:03d}", given=True)
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
        index = entry.get("index")
        number = (
            index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 10**6 else position - 1
        )
        found.unused.update(key for key in entry if plain_key(key) in _NOT_USED)
        prompt, type_ = entry.get("prompt"), entry.get("type")
        asked = _Asked(
            record_id_of(entry.get("id")) or f"{number:03d}",
            prompt if isinstance(prompt, str) else "",
            type_ if isinstance(type_, str) and type_ else None,
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
    record_id = found.free_id(asked.id or f"{position - 1:03d}", given=True)
    remark = once(partial(found.mended, record_id))
    try:
        layout: Layout | None = None
        replies: tuple[Reply, ...] = ()
        if reply is not None:
            layout = layout_of_raw(replace(raw_layout(reply, remark), lmd=True), remark)
            replies = (Reply(call="layout", provider="replay", text=reply),)
        elif entry is not None:
            layout = layout_of_raw(_raw_of_entry(entry, remark), remark)
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
                record_id_of(id_) or f"{position:03d}",
                entry["prompt"],
                type_ if isinstance(type_, str) and type_ else None,
            )
        )
    return found


def _raw_of_entry(entry: dict[str, Any], remark: Remark) -> RawLayout:
    """The layout in an entry of a file.

    Raises:
        InputError: If it holds none.
        ModelError: If its boxes are in a field that is not known, or cannot be read.
    """
    data = {plain_key(key): value for key, value in entry.items()}
    for name, keys in (("background_prompt", BACKGROUND_KEYS), ("negative_prompt", NEGATIVE_KEYS)):
        value = next((data[key] for key in keys if data.get(key) is not None), "")
        if not isinstance(value, str | list) or (name == "background_prompt" and not isinstance(value, str)):
            raise InputError(f"{name} is no text")
    wanted = {key: value for key, value in data.items() if key not in _FIELDS | _NOT_USED}
    if not any(key in wanted for key in OBJECT_KEYS) and not any(map(holds_boxes, wanted.values())):
        raise InputError(f"there are no objects; the entry has the fields {listed(data)}")
    return replace(layout_of_fields(wanted, str(entry.get("prompt", ""))[:200], remark), lmd=True)


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
