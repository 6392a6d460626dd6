"""Points from masks are those of the original, to the last bit and in its order."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parity.conftest import DATA, golden_folder
from safetensors import safe_open

from llmgen.vision.mask_points import polygon_from_mask, scribble_from_mask, unit_points


def cases_of(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Every case in a folder's golden files, with its file. A file may leave tensors out that its sidecar tells of."""
    found = []
    for path in sorted(folder.glob("instancediffusion*.safetensors")):
        sidecar = path.with_suffix(".json")
        if sidecar.is_file():
            cases = json.loads(sidecar.read_text(encoding="utf-8")).get("point_sampling_cases", [])
            with safe_open(path, "np") as goldens:
                names = frozenset(goldens.keys())
            found += [(path, case) for case in cases if f"in.prep.{case['case']}.mask_u8" in names]
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "point_case" in metafunc.fixturenames:
        folder = golden_folder(metafunc.config)
        cases = cases_of(folder) or cases_of(DATA)
        metafunc.parametrize("point_case", cases, ids=[f"{path.stem}-{case['case']}" for path, case in cases])


def test_scribble_and_polygon(point_case):
    path, case = point_case
    with safe_open(path, "np") as goldens:
        mask = goldens.get_tensor(f"in.prep.{case['case']}.mask_u8").astype(bool)
        wanted = {
            name: goldens.get_tensor(f"out.prep.{case['case']}.{name}")
            for name in ("scribble_px", "scribble_norm", "polygon_px", "polygon_norm")
        }
    height, width = mask.shape
    assert (height, width, int(mask.sum())) == (case["h"], case["w"], case["foreground"])
    scribble = scribble_from_mask(mask, np.random.RandomState(case["numpy_seed"]), wanted["scribble_px"].size // 2)
    polygon = polygon_from_mask(mask, random.Random(case["python_seed"]), wanted["polygon_px"].size // 2)
    assert np.array_equal(scribble.ravel(), wanted["scribble_px"])
    assert np.array_equal(polygon.ravel(), wanted["polygon_px"])
    assert np.array_equal(unit_points(scribble, width, height).ravel(), wanted["scribble_norm"])
    assert np.array_equal(unit_points(polygon, width, height).ravel(), wanted["polygon_norm"])
    assert polygon.any() != case["polygon_is_none"]


def test_demo_masks(request: pytest.FixtureRequest) -> None:
    """The masks of the original's demos, whose files are not ours to ship."""
    from llmgen.artifacts import Mask
    from llmgen.vision.masks import decode_mask, mask_bounds

    folder = golden_folder(request.config)
    path = folder / "instancediffusion_inputs.json"
    demos = folder.parent / "data" / "instancediffusion"
    if not path.is_file() or not demos.is_dir():
        pytest.skip(
            "needs --goldens DIR with instancediffusion_inputs.json, and the demos in ../data/instancediffusion"
        )
    seen = 0
    for demo in json.loads(path.read_text(encoding="utf-8"))["demos"]:
        annos = json.loads((demos / demo["file"]).read_text(encoding="utf-8"))["annos"]
        for case in demo.get("rle_masks_if_honoured", ()):
            stored = annos[case["instance"]]["mask"]
            mask = decode_mask(Mask(size=tuple(stored["size"]), counts=stored["counts"]))
            assert [*mask.shape] == case["shape"] and mask.sum() == case["area"]
            assert mask_bounds(mask) == (case["xmin"], case["ymin"], case["xmax"] + 1, case["ymax"] + 1)
            assert polygon_from_mask(mask, random.Random(7)).ravel().tolist() == case["polygon_px"]
            assert scribble_from_mask(mask, np.random.RandomState(7)).ravel().tolist() == case["scribble_px_seed7"]
            seen += 1
    assert seen
