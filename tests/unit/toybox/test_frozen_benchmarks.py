"""What the benchmarks ask for stays what it was, whatever the world becomes."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from llmgen.toybox.models.judged import JudgedObject
from llmgen.toybox.world.scenes import render
from llmgen.toybox.world.truth import is_right
from llmgen.toybox.world.truths_of_scenes import sightings_of_scene

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def frozen() -> ModuleType:
    spec = importlib.util.spec_from_file_location("toybox_frozen", BENCHMARKS / "toybox_frozen.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("file", "digest"),
    [
        ("toybox_prompts_200.json", "de6c6c05711e6eb6c1bbd2456dcf85c841649d530be5d174620bd3f6914bbec1"),
        ("toybox_edits_120.json", "206c0ad5d018659cc9b051c8b94b61e5a9d873502db79a0ecb40ac7d1ce525be"),
        ("judge_v1/model.safetensors", "d59b4fe2861494dc41cb830fa466527296df381cc23d02f2435c850d5bc5def0"),
    ],
)
def test_the_files_are_those_of_the_day(file: str, digest: str) -> None:
    # A figure of another day compares with today's only while these stay.
    data = (BENCHMARKS / "data" / file).read_bytes().replace(b"\r\n", b"\n" if file.endswith("json") else b"\r\n")
    assert hashlib.sha256(data).hexdigest() == digest


def test_two_hundred_prompts_that_their_scenes_obey(frozen: ModuleType) -> None:
    prompts = frozen.prompts(50)
    assert len(prompts) == 200
    assert [p.type for p in prompts.values()] == [t for t in frozen.PROMPT_TYPES for _ in range(50)]
    for prompt in prompts.values():
        assert is_right(prompt.truth, sightings_of_scene(prompt.scene))
        assert len(render(prompt.scene).boxes) == len(prompt.scene.objects)
    assert list(frozen.prompts(2)) == [f"{t}-{i:03d}" for t in frozen.PROMPT_TYPES for i in range(2)]
    with pytest.raises(SystemExit, match="holds 50 of each type, not 51"):
        frozen.prompts(51)


def _seen(task: object, **moved: tuple[float, float]) -> list[JudgedObject]:
    boxes = {(o.noun, o.color): o.box_xyxy for o in task.scene.objects}  # type: ignore[attr-defined]
    seen = []
    for noun, color in task.expected:  # type: ignore[attr-defined]
        x0, y0, x1, y1 = boxes.get((noun, color), (40, 40, 80, 80))
        dx, dy = moved.get(noun, (0, 0))
        seen.append(JudgedObject(noun, color, (x0 + dx, y0 + dy, x1 + dx, y1 + dy), 0.9))
    return seen


def test_an_edit_is_right_where_it_was_asked_for(frozen: ModuleType) -> None:
    tasks = frozen.edits(20)
    assert len(tasks) == 120
    recolor = tasks["recolor-000"]
    assert recolor.right(_seen(recolor)) and not recolor.right(_seen(recolor)[1:])
    removed = tasks["remove-000"]
    kept = removed.expected[0][0]
    assert removed.right(_seen(removed)) == (removed.scene.objects[0].color != removed.scene.objects[1].color)
    assert not removed.right(_seen(removed, **{kept: (300.0, 0.0)}))
    swapped = tasks["swap-000"]
    (ax, ay), (bx, by) = (o.center for o in swapped.scene.objects[:2])
    a, b = (o.noun for o in swapped.scene.objects[:2])
    assert swapped.right(_seen(swapped, **{a: (bx - ax, by - ay), b: (ax - bx, ay - by)}))
    assert not swapped.right(_seen(swapped))
    added = tasks["add-000"]
    new = added.expected[-1][0]
    side, line = added.checks[0]["beyond"]
    # The added object lies from 40 to 80 before it is moved.
    up, down = line - 90.0, line - 50.0
    assert added.right(_seen(added, **{new: (0.0, up if side == "above" else down)}))
    assert not added.right(_seen(added, **{new: (0.0, down if side == "above" else up)}))


def test_the_judge_of_the_eight_nouns_is_one_of_the_judges(frozen: ModuleType) -> None:
    shipped, earlier = frozen.load_judges().values()
    assert len(earlier.config.nouns) == 8
    assert set(earlier.config.nouns) <= set(shipped.config.nouns)
