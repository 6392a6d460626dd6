"""SLD's `data.json`: pictures with prompts or instructions, and what a language model once said about them.

Source:
    SLD (Wu et al. 2024), https://github.com/tsunghan-wu/SLD, `demo/*/data.json`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmgen.artifacts import HistoryEntry, ImageRef, Record, Reply
from llmgen.artifacts.parsing import json_kind
from llmgen.errors import InputError, LlmgenError
from llmgen.formats.collected import Collected, named_boxes
from llmgen.formats.picture_files import SUFFIXES
from llmgen.llm.replies.bounds import Remark
from llmgen.llm.replies.parse_reply import read_parse_reply
from llmgen.llm.replies.raw_objects import RawBox
from llmgen.llm.replies.units import are_fractions, pixel_boxes
from llmgen.vision.images import ImageStore

DEFAULT_BACKGROUND = "A realistic image"
_LEAST_SIDE = 0.001
"""Boxes thinner than SLD's third decimal are empty."""

_SMALL_PX = 64

UnitBox = tuple[float, float, float, float]


def is_sld(value: Any) -> bool:
    """Whether a JSON value is a list of SLD's tasks (some of its entries may be broken)."""
    return isinstance(value, list) and any(isinstance(entry, dict) and "input_fname" in entry for entry in value)


def read_sld(value: list[Any], name: str, base: Path, images_from: Path | None = None) -> Collected:
    """Turn tasks into records of kind `images`.

    Parsed prompt and suggested layout become replies to the calls `parse` and `differences`, worded in SLD's own
    dialect; a correction takes them instead of asking. The generator becomes the record's type.

    Args:
        value: The list of tasks.
        name: The file, for messages.
        base: Its folder.
        images_from: Folder of the pictures; by default `src_image` in `base`, then `base`. The pictures' paths are
            relative to it when it is given, else to `base`.

    Returns:
        One record for each task that can be named; those that do not fit carry `error`.
    """
    found = Collected(name)
    for position, task in enumerate(value, start=1):
        if not isinstance(task, dict):
            found.dropped.append(f"{name}: task at position {position}: expected an object, found {json_kind(task)}")
            continue
        wished = next((v for k in ("output_dir", "input_fname") if isinstance(v := task.get(k), str) and v), "")
        record_id = found.free_id(wished or f"{position:04d}", given=True)
        prompt = task.get("prompt") if isinstance(task.get("prompt"), str) else ""
        try:
            found.records.append(_record(task, record_id, base, images_from, found))
        except ValidationError as error:
            reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
            found.fail("images", record_id, str(prompt), position, reason)
        except LlmgenError as error:
            found.fail("images", record_id, str(prompt), position, " ".join(str(error).split()))
    return found


def clamp_unit_box(box_xywh: UnitBox) -> UnitBox | None:
    """The part of a box that lies in the picture.

    Args:
        box_xywh: Left, top, width, height in fractions of the picture, as SLD writes them.

    Returns:
        The same four numbers of the part inside; None when nothing is left, or width or height is not positive.
    """
    x, y, w, h = box_xywh
    if w <= 0 or h <= 0:
        return None
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + w, 1.0), min(y + h, 1.0)
    if x1 - x0 < _LEAST_SIDE or y1 - y0 < _LEAST_SIDE:
        return None
    # A box that is inside stays as it was written; x + w - x would change its last digits.
    return (x0, y0, w if x0 == x and x1 == x + w else x1 - x0, h if y0 == y and y1 == y + h else y1 - y0)


def spot_reply(parsed: Any) -> str:
    """SLD's `llm_parsed_prompt` in the words of the reply it was taken from.

    Raises:
        InputError: If it is not `{objects, bg_prompt, neg_prompt}`.
    """
    if not isinstance(parsed, dict) or not isinstance(parsed.get("objects"), list):
        raise InputError("llm_parsed_prompt is not {objects, bg_prompt, neg_prompt}")
    objects = []
    for entry in parsed["objects"]:
        ok = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], list)
        if not ok or not all(a is None or isinstance(a, str) for a in entry[1]):
            raise InputError("llm_parsed_prompt: an object is not [noun, [attribute or null, ...]]")
        objects.append((entry[0], entry[1]))
    background = _line(parsed.get("bg_prompt"), "bg_prompt") or DEFAULT_BACKGROUND
    negative = _line(parsed.get("neg_prompt"), "neg_prompt")
    text = f"Objects: {objects!r}\nBackground: {background}\nNegation: {negative}\n"
    try:
        read_parse_reply(text)
    except LlmgenError as error:
        raise InputError(f"llm_parsed_prompt cannot be read: {error}") from error
    return text


def update_reply(suggestions: Any, note: Callable[[str], None], size: tuple[int, int] | None = None) -> str:
    """SLD's `llm_layout_suggestions` in the words of the reply it was taken from, boxes cut at the picture's border.

    Args:
        suggestions: `[[name, [x, y, w, h]], ...]` in fractions of the picture.
        note: Told of each box that was cut or dropped.
        size: Width and height of the picture, for boxes that are in no fractions after all.

    Raises:
        InputError: If it is anything else, or no box is left.
    """
    kept = []
    boxes = named_boxes(suggestions, "llm_layout_suggestions")
    for name, box in _in_fractions(boxes, size, note):
        clamped = clamp_unit_box(box)
        if clamped is None:
            note(f"dropped {name!r}, whose box {list(box)} is empty or outside the picture")
            continue
        if clamped != box:
            note(f"cut {name!r} at the border, its box {list(box)} leaves the picture")
        kept.append((name, [round(v, 6) for v in clamped]))
    if boxes and not kept:
        raise InputError("llm_layout_suggestions: no box is inside the picture")
    return f"Updated Objects: {kept!r}\n"


def _in_fractions(
    boxes: list[tuple[str, UnitBox]], size: tuple[int, int] | None, remark: Remark
) -> list[tuple[str, UnitBox]]:
    """Boxes in fractions as they are; in hundredths, thousandths or pixels as fractions."""
    # SLD asks for fractions, so what may be some is, however small the picture.
    if size is None or not boxes or are_fractions([box for _, box in boxes], max(size[0], _SMALL_PX), size[1]):
        return boxes
    width, height = size
    pixels = pixel_boxes([RawBox(box) for _, box in boxes], width, height, remark)
    if pixels.were_pixels:
        remark("boxes were in pixels of the picture")
    return [
        (name, (x / width, y / height, w / width, h / height))
        for (name, _), (x, y, w, h) in zip(boxes, pixels.xywh, strict=True)
    ]


def _record(task: dict[str, Any], record_id: str, base: Path, images_from: Path | None, found: Collected) -> Record:
    prompt = task.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError("prompt is missing or no text")
    image = _picture(task.get("input_fname"), base, images_from)
    replies = []
    if task.get("llm_parsed_prompt") is not None:
        replies.append(Reply(call="parse", provider="replay", text=spot_reply(task["llm_parsed_prompt"])))
    if task.get("llm_layout_suggestions") is not None:
        size = (image.width, image.height)
        text = update_reply(task["llm_layout_suggestions"], partial(found.mended, record_id), size)
        replies.append(Reply(call="differences", provider="replay", text=text))
    generator = task.get("generator")
    return Record(
        kind="images",
        id=record_id,
        prompt=prompt,
        type=generator if isinstance(generator, str) and generator else None,
        image=image,
        history=(HistoryEntry(stage="generate", round=0, image=image),),
        replies=tuple(replies),
    )


def _picture(stem: Any, base: Path, images_from: Path | None) -> ImageRef:
    if not isinstance(stem, str) or not stem.strip():
        raise InputError("input_fname is missing or no text")
    folders = [""] if images_from is not None else ["src_image/", ""]
    names = [stem, *(stem + suffix for suffix in SUFFIXES)] if stem.lower().endswith(SUFFIXES) else [
        stem + suffix for suffix in SUFFIXES
    ]  # fmt: skip
    store = ImageStore(images_from or base)
    for relative in (folder + name for folder in folders for name in names):
        try:
            here = (store.root / relative).is_file()
        except (OSError, ValueError) as error:  # a name too long or with a NUL, a closed folder
            raise InputError(f"input_fname {stem[:60]!r} cannot be a picture: {str(error)[:40]}") from None
        if here:
            return store.refer(relative)
    where = str(images_from) if images_from is not None else f"{base / 'src_image'} or {base}"
    raise InputError(f"there is no picture {stem[:60]}.png in {where}; name its folder with --images-from")


def _line(value: Any, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"llm_parsed_prompt: {field} is no text")
    return " ".join(value.split())
