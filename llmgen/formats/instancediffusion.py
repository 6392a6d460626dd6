"""InstanceDiffusion's inputs: a caption, a canvas, and instances with boxes, points, scribbles and masks.

Source:
    InstanceDiffusion (Wang et al. 2024), https://github.com/frank-xwang/InstanceDiffusion, `demos/*.json`. Its script loses
    masks and scribbles, and instances where only some have a point; here all are kept.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from llmgen.artifacts import Instance, Layout, Record
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.foreign_boxes import holds_boxes
from llmgen.artifacts.io import parse_json, read_bytes
from llmgen.errors import InputError
from llmgen.formats.collected import Collected, four_numbers
from llmgen.formats.instance_shapes import (
    TOLERANCE_PX,
    box_around,
    box_of,
    is_number,
    mask_of,
    points_of,
    scribble_inside,
)
from llmgen.llm.replies.raw_objects import Form, RawBox
from llmgen.llm.replies.units import are_corners, unit_of
from llmgen.vision.boxes import BoxTuple, xywh_to_xyxy, xyxy_to_xywh

BboxFormat = Literal["auto", "xywh", "xyxy"]

_MOST_SIDE_PX = 16384
_THIN_PX = 1e-7
"""Side of an empty box, of which one demo has an example: less than is written back, enough for a box."""

_LEAST_CANVAS_PX = 200
"""Shorter side from which hundredths and thousandths can be told from pixels that leave the canvas."""
_ENTRY = frozenset(("caption", "width", "height", "annos"))
_ANNO = frozenset(("bbox", "mask", "category_name", "caption", "point", "scribble"))
"""The fields of an input and of its instances."""


def is_instancediffusion(value: Any) -> bool:
    """Whether a JSON value is an input of InstanceDiffusion, or a list of them (some may be broken)."""
    return isinstance(value, list | dict) and any(
        isinstance(entry, dict) and isinstance(entry.get("annos"), list)
        for entry in (value if isinstance(value, list) else [value])
    )


def read_instancediffusion(value: Any, name: str, bbox_format: BboxFormat = "auto") -> Collected:
    """Turn inputs into records of kind `layouts`.

    Args:
        value: The JSON value: `{caption, width, height, annos}` or a list of them.
        name: The file, for messages and for the records' ids.
        bbox_format: What the four numbers of `bbox` are. `auto` takes them for left, top, width, height, as the original
            does, unless they would leave the canvas while every box fits it as corners; a warning says so.

    Returns:
        One record for each entry with a caption; those that do not fit carry `error`.

    Raises:
        InputError: If the value is no such input.
    """
    found = Collected(name)
    _read_into(found, value, name, bbox_format)
    return found


def read_instancediffusion_files(source: str | Path, bbox_format: BboxFormat = "auto") -> tuple[Collected, Path]:
    """Read one file, or every `*.json` of a folder.

    Args:
        source: A path, or `-` for stdin.
        bbox_format: As for `read_instancediffusion`.

    Returns:
        The records and the folder.

    Raises:
        InputError: If nothing can be read, or the one file is no such input.
    """
    folder = Path(source)
    if str(source) == "-" or not folder.is_dir():
        name, base, data = read_bytes(source)
        return read_instancediffusion(parse_json(data, name), name, bbox_format), base
    found = Collected(str(source))
    for path in sorted(folder.glob("*.json")):
        try:
            name, _, data = read_bytes(path)
            _read_into(found, parse_json(data, name), name, bbox_format)
        except InputError as error:
            found.dropped.append(" ".join(str(error).split()))
    return found, folder


def write_instancediffusion(record: Record, bbox_format: Literal["xywh", "xyxy"] = "xywh") -> dict[str, Any]:
    """The input that a record was read from, or would be.

    Args:
        record: A record with a layout.
        bbox_format: What to write as `bbox`; the original reads `xywh`.

    Returns:
        `{caption, width, height, annos}`. A box that only stands for a point or a scribble is left out.

    Raises:
        InputError: If the record has no layout.
    """
    layout = record.layout
    if layout is None:
        raise InputError(f"record {record.id!r} has no layout")
    annos = []
    for instance in layout.instances:
        anno: dict[str, Any] = {}
        points = instance.scribble_xy or ((instance.point_xy,) if instance.point_xy else ())
        stands_in = instance.mask is None and points and box_around(points, layout.width, layout.height)
        if instance.box_xyxy != stands_in:
            box = xyxy_to_xywh(instance.box_xyxy) if bbox_format == "xywh" else instance.box_xyxy
            anno["bbox"] = [_plain(v) for v in box]
            anno["mask"] = [] if instance.mask is None else instance.mask.model_dump(mode="json")
        anno["category_name"] = instance.noun or ""
        anno["caption"] = instance.phrase
        if instance.point_xy is not None:
            anno["point"] = [_plain(v) for v in instance.point_xy]
        if instance.scribble_xy is not None:
            anno["scribble"] = [_plain(v) for point in instance.scribble_xy for v in point]
        annos.append(anno)
    return {"caption": record.prompt, "width": layout.width, "height": layout.height, "annos": annos}


def _read_into(found: Collected, value: Any, name: str, bbox_format: BboxFormat) -> None:
    if not is_instancediffusion(value):
        raise InputError(f"{name}: no input of InstanceDiffusion: expected an object with `caption` and `annos`")
    stem = Path(name).stem if name.endswith((".json", ".jsonl")) else ""
    for position, entry in enumerate(value if isinstance(value, list) else [value], start=1):
        if not isinstance(entry, dict):
            found.dropped.append(f"{name}: entry at position {position}: expected an object with caption and annos")
            continue
        prompt = entry.get("caption")
        prompt = prompt if isinstance(prompt, str) else ""
        record_id = found.free_id((stem if not isinstance(value, list) else "") or f"{position:04d}")
        try:
            if not prompt.strip():
                raise InputError("caption is missing or no text")
            layout = _layout(entry, record_id, bbox_format, found)
            found.records.append(Record(kind="layouts", id=record_id, prompt=prompt, layout=layout))
        except ValidationError as error:
            found.fail("layouts", record_id, prompt, position, describe(error))
        except InputError as error:
            found.fail("layouts", record_id, prompt, position, " ".join(str(error).split()))


def _layout(entry: dict[str, Any], record_id: str, bbox_format: BboxFormat, found: Collected) -> Layout:
    width, height, annos = _pixels(entry.get("width")), _pixels(entry.get("height")), entry.get("annos")
    for side, what in ((width, "width"), (height, "height")):
        if not isinstance(side, int) or isinstance(side, bool) or not 0 < side <= _MOST_SIDE_PX:
            raise InputError(f"{what} is no number of pixels from 1 to {_MOST_SIDE_PX}")
    assert isinstance(width, int) and isinstance(height, int)
    if not isinstance(annos, list) or not all(isinstance(anno, dict) for anno in annos):
        raise InputError("annos is no list of objects")
    found.unused.update(set(entry) - _ENTRY)
    for k, anno in enumerate(annos):
        _check_fields(anno, f"annos[{k}]", found)
    annos = _in_pixels(annos, width, height, "guess" if bbox_format == "auto" else bbox_format, record_id, found)
    boxes = [_bbox(anno, f"annos[{k}]") for k, anno in enumerate(annos)]
    corners = _corners([box for box in boxes if box], width, height, bbox_format, record_id, found)
    instances, numbers, mended = [], dict[str, int](), partial(found.mended, record_id)
    for k, (anno, box) in enumerate(zip(annos, boxes, strict=True)):
        if box is not None and not corners:
            box = xywh_to_xyxy(box)
        instances.append(_instance(anno, box, (width, height), f"annos[{k}]", numbers, mended))
    without = sum(box is None and not anno.get("mask") for anno, box in zip(annos, boxes, strict=True))
    if without:
        mended(f"{without} instances without a bbox got one around their point or scribble")
    return Layout(width=width, height=height, background_prompt="", instances=tuple(instances))


def _pixels(value: Any) -> Any:
    """A whole number that was written as 512.0, as one; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_fields(anno: dict[str, Any], what: str, found: Collected) -> None:
    """Count the fields that nothing is made of; refuse one that holds a box where `bbox` has none."""
    others = sorted(set(anno) - _ANNO)
    boxes = [key for key in others if holds_boxes(anno[key])]
    if boxes and anno.get("bbox") in (None, []):
        raise InputError(f"{what}: its box is in {boxes[0][:40]!r}, and is read from `bbox`; rename it")
    found.unused.update(others)


def _in_pixels(
    annos: list[dict[str, Any]], width: int, height: int, form: Form, record_id: str, found: Collected
) -> list[dict[str, Any]]:
    """The instances of an input with boxes, points and scribbles in pixels, from the unit that all of them are in.

    Only several boxes tell hundredths from pixels: one thing in a corner has small numbers, too, and so have all points of a scribble
    there. Fractions are never pixels.
    """
    boxes = [RawBox(box, form) for anno in annos if (box := four_numbers(anno.get("bbox"))) and any(box)]
    points = [_flat(anno.get(key)) for anno in annos for key in ("point", "scribble")]
    places = [RawBox((x, y, 0.0, 0.0), "xywh") for flat in points for x, y in zip(flat[::2], flat[1::2], strict=False)]
    unit = unit_of(boxes or places, width, height) if boxes or places else None
    if unit is None or unit.whole is None or (unit.whole > 1 and min(width, height) < _LEAST_CANVAS_PX):
        return annos
    if unit.whole > 1 and (not boxes or (len(boxes) == 1 and _fits(xywh_to_xyxy(boxes[0].numbers), width, height))):
        return annos
    scaled_keys = ["bbox", "point", "scribble"]
    if max((max(place.numbers) for place in places), default=0.0) > unit.whole * 1.05:
        if unit.whole > 1:
            return annos
        del scaled_keys[1:]  # fractions are no pixels, whatever the points are in
    found.decided(record_id, unit.line)
    across, down = unit.pixels(width, height)

    def scaled(value: Any) -> Any:
        if isinstance(value, list) and all(map(is_number, value)):
            return [v * (down if k % 2 else across) for k, v in enumerate(value)]
        return [scaled(item) for item in value] if isinstance(value, list) else value

    return [{k: scaled(v) if k in scaled_keys else v for k, v in anno.items()} for anno in annos]


def _flat(value: Any) -> list[float]:
    if isinstance(value, list):
        return [v for item in value for v in _flat(item)]
    return [value] if is_number(value) else []


def _bbox(anno: dict[str, Any], what: str) -> BoxTuple | None:
    """The four numbers as they stand; None where there is no box, or the zeros that the original takes for none."""
    if anno.get("bbox") in (None, []):
        return None
    box = four_numbers(anno["bbox"])
    if box is None:
        raise InputError(f"{what}: bbox is not four numbers")
    return box if any(box) else None


def _corners(
    boxes: Sequence[BoxTuple], width: int, height: int, bbox_format: BboxFormat, record_id: str, found: Collected
) -> bool:
    """Whether to read boxes as corners; says so where that was not asked for."""
    only_corners = are_corners(boxes, ["guess"] * len(boxes), width, height)
    if only_corners and bbox_format != "xyxy":
        leaving = sum(not _fits(xywh_to_xyxy(box), width, height) for box in boxes)
        done = "read as corners (xyxy)" if bbox_format == "auto" else "are they corners? use --bbox-format xyxy"
        found.decided(
            record_id,
            f"{leaving} of {len(boxes)} boxes leave the canvas as x, y, width, height, and all fit it as corners: {done}",
        )
    return bbox_format == "xyxy" or (bbox_format == "auto" and only_corners)


def _fits(box: BoxTuple, width: int, height: int) -> bool:
    x0, y0, x1, y1 = box
    return (
        x0 <= x1
        and y0 <= y1
        and min(x0, y0) >= -TOLERANCE_PX
        and x1 <= width + TOLERANCE_PX
        and y1 <= height + TOLERANCE_PX
    )


def _instance(
    anno: dict[str, Any],
    box: BoxTuple | None,
    size: tuple[int, int],
    what: str,
    numbers: dict[str, int],
    mended: Callable[[str], None],
) -> Instance:
    width, height = size
    phrase, noun = anno.get("caption"), anno.get("category_name") or ""
    if not isinstance(phrase, str) or not phrase.strip():
        raise InputError(f"{what}: caption is empty or no text")
    if not isinstance(noun, str):
        raise InputError(f"{what}: category_name is no text")
    point = None if anno.get("point") is None else points_of([anno["point"]], f"{what}: point")[0]
    scribble = None if anno.get("scribble") in (None, []) else points_of(anno["scribble"], f"{what}: scribble")
    if scribble is not None:
        scribble = scribble_inside(scribble, size, what, mended)
    mask = mask_of(anno.get("mask"), width, height, what, mended)
    if box is not None:
        box = _clipped(box, width, height, what, mended)
    elif mask is not None:
        box = box_of(mask, what)
    elif scribble or point:
        box = box_around(scribble or ((point,) if point else ()), width, height)
    if box is None:
        raise InputError(f"{what} has no bbox, point, scribble or mask that says where it is")
    stem = "-".join(noun.split()).lower() or "instance"
    numbers[stem] = numbers.get(stem, 0) + 1
    return Instance(
        id=f"{stem}-{numbers[stem]}",
        phrase=phrase,
        noun=noun if noun.strip() else None,
        box_xyxy=box,
        point_xy=point,
        scribble_xy=scribble,
        mask=mask,
    )


def _clipped(box: BoxTuple, width: int, height: int, what: str, mended: Callable[[str], None]) -> BoxTuple:
    x0, y0, x1, y1 = box
    shown = ", ".join(f"{v:g}" for v in box)
    if x1 < x0 or y1 < y0:
        raise InputError(f"{what}: bbox is inverted: corners [{shown}]; is --bbox-format right?")
    if x1 == x0 or y1 == y0:
        mended(f"{what} has an empty bbox: corners [{shown}]")
        box = x0, y0, x1, y1 = (x0, y0, max(x1, x0 + _THIN_PX), max(y1, y0 + _THIN_PX))
    if _fits(box, width, height):
        return box
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        raise InputError(f"{what}: bbox with corners [{shown}] lies outside the {width}x{height} canvas")
    mended(f"cut {what} at the border: its corners [{shown}] leave the {width}x{height} canvas")
    return inside


def _plain(value: float) -> float | int:
    rounded = round(value, 6)
    return int(rounded) if rounded.is_integer() else rounded
