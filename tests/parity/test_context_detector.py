"""The pure parts of the published context loop's detector give what the original gave: goldens of its own functions, run on a CPU."""

from typing import Any

import numpy as np
from parity.goldens import Case

from llmgen.artifacts import Mask
from llmgen.detect.mask_rcnn import MaskRcnnDetectConfig
from llmgen.detect.original import CLASSES, SETTINGS, Square, annotated, square_of, union_by_class, unmold, unmold_mask
from llmgen.engine.config import build_config
from llmgen.registry import resolve
from llmgen.vision.masks import BoolMask, decode_mask

FAMILY = "context"


def mask_of(golden: dict[str, Any]) -> BoolMask:
    return decode_mask(Mask(size=(golden["size"][0], golden["size"][1]), counts=golden["counts"]))


def same(ours: list[BoolMask], goldens: list[dict[str, Any]]) -> bool:
    return len(ours) == len(goldens) and all((a == mask_of(b)).all() for a, b in zip(ours, goldens, strict=True))


def test_detector_settings(golden_group: dict[str, Any]) -> None:
    assert {name: SETTINGS[name] for name in golden_group} == golden_group
    # What of them is a setting of our method, the profile sets.
    reference: MaskRcnnDetectConfig = build_config(resolve("detect", "mask-rcnn"), {}, {"profile": "reference"})
    assert reference.score_threshold == golden_group["detection_min_confidence"]
    assert reference.nms_threshold == golden_group["detection_nms_threshold"]
    assert reference.most == golden_group["detection_max_instances"]


def test_union_by_class(golden_case: Case) -> None:
    given = golden_case.raw
    class_ids, masks = union_by_class(given["class_ids"], [mask_of(mask) for mask in given["masks"]])
    assert class_ids == given["out_class_ids"]
    assert [CLASSES[number - 1] for number in class_ids] == given["out_class_names"]
    assert same(masks, given["out_masks"])
    assert [int(mask.sum()) for mask in masks] == given["out_areas"]


def test_detector_input_geometry(golden_case: Case) -> None:
    given = golden_case.raw
    square = square_of(*given["image_wh"])
    assert [square.side, square.side] == given["out_hw"]
    assert list(square.window) == given["window_y1x1y2x2"]
    assert square.scale == given["scale"]
    assert list(square.padding) == given["padding_top_bottom_left_right"]
    top, left, bottom, right = square.window
    assert [top, bottom - 1] == given["nonzero_rows"] and [left, right - 1] == given["nonzero_columns"]


def test_head_mask_to_image(golden_case: Case) -> None:
    given = golden_case.raw
    values = np.array(given["head_mask_28x28_x1000"], dtype=np.float32) / 1000
    mask = unmold_mask(values, given["box_y1x1y2x2"], *given["image_hw"])
    assert (mask == mask_of(given["mask"])).all() and int(mask.sum()) == given["area"]


def test_unmold(golden_group: dict[str, Any]) -> None:
    rows, columns, value = _said_head_mask(golden_group["head_mask"])
    head = np.zeros((28, 28), dtype=np.float32)
    head[rows, columns] = value
    boxes = np.array(golden_group["normalised_boxes"], dtype=np.float64)
    y1, x1, y2, x2 = golden_group["window_y1x1y2x2"]
    square = Square(golden_group["square"], (y1, x1, y2, x2), 1.0, (0, 0, 0, 0))
    found, class_ids, masks = unmold(
        boxes, golden_group["class_ids"], [head] * len(boxes), square, *golden_group["image_hw"]
    )
    assert found == golden_group["boxes"] and class_ids == golden_group["out_class_ids"]
    assert same(masks, golden_group["masks"])


def _said_head_mask(words: str) -> tuple[slice, slice, float]:
    """`value 0.9 in rows 6..21, columns 4..23, else 0`."""
    value, rest = words.removeprefix("value ").split(" in rows ")
    rows, columns = rest.removesuffix(", else 0").split(", columns ")
    first, last = (slice(int(span.split("..")[0]), int(span.split("..")[1]) + 1) for span in (rows, columns))
    return first, last, float(value)


def test_annotator(golden_case: Case) -> None:
    """With its faults: a polygon of one point is an object, and an unknown label shifts the classes of later polygons."""
    given = golden_case.raw
    height, width = given["image_hw"]
    if given.get("exception") == "AttributeError":
        # It takes regions for an object only; ours reads lists as well, see tests/unit/formats/test_vgg.py.
        assert annotated(given["regions"], height, width) is not None
        return
    try:
        found = annotated(given["regions"], height, width)
    except IndexError as error:
        assert given["exception"] == type(error).__name__
        return
    assert "exception" not in given
    assert (found is not None) == bool(given["images"])
    if found is not None:
        assert found[0] == given["class_ids"] and same(found[1], given["masks"])
        assert [int(mask.sum()) for mask in found[1]] == given["areas"]
