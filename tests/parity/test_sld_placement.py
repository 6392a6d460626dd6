"""Placement of objects drawn alone, their composition and BoxDiff's energy give what LMD's repository gave."""

from collections.abc import Callable
from typing import Any

import torch
from compared import check
from parity.goldens import Case

from llmgen.diffusion.box_energies import boxdiff_loss, smoothing_kernel
from llmgen.diffusion.guidance import GuidedPhrase
from llmgen.diffusion.placement import align_offset, center_box, compose_objects, enclosing_box, mass_center, shift

FAMILY = "sld"


def _rectangle(numbers: list[int], side: int) -> torch.Tensor:
    mask = torch.zeros(side, side, dtype=torch.bool)
    y0, y1, x0, x1 = numbers
    mask[y0:y1, x0:x1] = True
    return mask


def _shift(x: Any) -> Any:
    return shift(torch.arange(64.0).reshape(8, 8), x["x_offset"], x["y_offset"]).tolist()


def _mask_center(x: Any) -> Any:
    (top, bottom), (left, right) = x["rows"], x["columns"]
    mask = _rectangle([top, bottom + 1, left, right + 1], 8)
    mask[tuple(x["extra"])] = True
    center = list(mass_center(mask))
    return {"center": center, "center_normalised": [value / 8 for value in center], "box": list(enclosing_box(mask))}


def _centered(x: Any) -> Any:
    ways: list[dict[str, Any]] = [{"horizontal_only": True}, {}, {"floor_padding": 0.2}]
    return [list(center_box(tuple(x), **way)) for way in ways]


def _boxdiff(x: Any) -> Any:
    phrases = [
        GuidedPhrase(tuple(map(tuple, boxes)), tuple(tokens), tokens[-1])
        for boxes, tokens in zip(x["boxes_per_object"], x["token_positions"], strict=True)
    ]
    return boxdiff_loss(torch.tensor(x["attention"]), phrases, (8, 8)).item()


def _kernel(x: Any) -> Any:
    return smoothing_kernel(x["size"], x["sigma"]).tolist()


def _compose(x: Any) -> Any:
    layers = [(torch.full((4, 4, 16, 16), float(value)), _rectangle(box, 16)) for value, box in x["layers"]]
    composed, shown = compose_objects(layers, torch.full((4, 16, 16), 9.0), 4)
    return {
        "values": [composed[t, 0, y, x_].item() for t, y, x_ in x["probes"]],
        "index": [int(shown[y, x_]) for y, x_ in x["index_probes"]],
    }


def _align(x: Any) -> Any:
    mask = _rectangle(x["mask"], 64)
    offset = align_offset(mask, tuple(x["box"]), horizontal_only=x["horizontal_only"])
    x0, y0, x1, y1 = enclosing_box(shift(mask, *offset), margin=0)
    return {"offset": list(offset), "bbox": [x0, y0, x1 - 1, y1 - 1]}


CASES: dict[str, Callable[[Any], Any]] = {
    "shift_": _shift,
    "mask_center": _mask_center,
    "centered_": _centered,
    "boxdiff_total": _boxdiff,
    "boxdiff_kernel": _kernel,
    "lmd_compose": _compose,
    "lmd_align": _align,
}


def test_case(case: Case) -> None:
    check(CASES[case.group](case.input), case.expected, case.tolerance)
