"""The public inputs of InstanceDiffusion and of its extension, read as their own scripts read them, and written back.

The files are not ours to ship: `--goldens DIR` names the folder of the goldens, and `../data/instancediffusion` has the files.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from parity.conftest import golden_folder

from llmgen.artifacts import Record
from llmgen.formats.instancediffusion import read_instancediffusion, write_instancediffusion
from llmgen.vision.boxes import center, to_unit


@pytest.fixture(scope="module")
def goldens(request: pytest.FixtureRequest) -> Path:
    folder = golden_folder(request.config)
    if not (folder / "instancediffusion_inputs.json").is_file():
        pytest.skip("needs --goldens DIR with instancediffusion_inputs.json")
    return folder


@pytest.fixture(scope="module")
def inputs(goldens: Path) -> Path:
    folder = goldens.parent / "data" / "instancediffusion"
    if not folder.is_dir():
        pytest.skip("needs the public inputs in data/instancediffusion beside the folder of the goldens")
    return folder


def cut(numbers: list[float]) -> list[float]:
    return [min(max(v, 0.0), 1.0) for v in numbers]


def read(path: Path) -> tuple[dict[str, Any], Record, list[str], list[str]]:
    value = json.loads(path.read_text(encoding="utf-8"))
    found = read_instancediffusion(value, path.name)
    (record,) = found.records
    assert record.error is None, record.error
    return value, record, found.notes, found.warnings


def test_demos_are_what_the_script_makes_of_them(goldens: Path, inputs: Path) -> None:
    demos = json.loads((goldens / "instancediffusion_inputs.json").read_text(encoding="utf-8"))["demos"]
    assert len(demos) == len(list((inputs / "demos").glob("*.json")))
    for demo in demos:
        _, record, _, warnings = read(inputs / demo["file"])
        layout = record.layout
        assert layout is not None and not warnings
        assert record.prompt == demo["prompt"]
        assert [i.phrase for i in layout.instances] == demo["phrases"]
        for instance, box, point in zip(layout.instances, demo["boxes"], demo["points"], strict=True):
            found = to_unit(instance.box_xyxy, layout.width, layout.height)
            if any(box):  # else the file has points only
                assert found == pytest.approx(cut(box), abs=1e-9)
            x, y = instance.point_xy or center(instance.box_xyxy)
            if box == cut(box):
                assert (x / layout.width, y / layout.height) == pytest.approx(point, abs=1e-9)
        masks = [k for k, instance in enumerate(layout.instances) if instance.mask]
        assert masks == [case["instance"] for case in demo.get("rle_masks_if_honoured", ())]


def test_demos_are_written_back(inputs: Path) -> None:
    for path in sorted((inputs / "demos").glob("*.json")):
        value, record, notes, _ = read(path)
        again = write_instancediffusion(record)
        cuts = [note for note in notes if " cut annos[" in note]
        differ = [k for k, (a, b) in enumerate(zip(value["annos"], again["annos"], strict=True)) if a != b]
        assert [f"annos[{k}]" in note for k, note in zip(differ, cuts, strict=True)] == [True] * len(differ)
        assert {**value, "annos": []} == {**again, "annos": []}


def test_the_extensions_layouts_are_corners_and_written_back(inputs: Path) -> None:
    paths = sorted((inputs / "chatgpt").glob("*.json"))
    assert paths
    for path in paths:
        value, record, notes, warnings = read(path)
        assert len(warnings) == 1 and "read as corners (xyxy)" in warnings[0] and not notes
        assert write_instancediffusion(record, "xyxy") == value
