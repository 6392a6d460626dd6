"""SLD's twenty demo tasks: read as they are, each comes to the operations that its boxes imply."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from llmgen.artifacts import Detection, Record
from llmgen.errors import ModelError
from llmgen.formats.sld import clamp_unit_box, read_sld
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.providers.provider import Provider
from llmgen.llm.providers.recorded import Recorded, replies_in_wait
from llmgen.llm.questions.edit import EditQuestion
from llmgen.vision.boxes import xywh_to_xyxy

DATA = json.loads((Path(__file__).parents[2] / "data" / "sld_demo_tasks.json").read_text(encoding="utf-8"))
EDITS = {task["output_dir"]: task for task in DATA["image_editing"]}
CORRECTIONS = {task["output_dir"]: task for task in DATA["self_correction"]}
SIDE = 1000
Named = tuple[str, Sequence[float]]

DOG, CAT = ("dog #1", (0.003, 0.309, 0.447, 0.62)), ("cat #1", (0.557, 0.342, 0.441, 0.595))
BOWL, CUP = ("bowl #1", (0.08, 0.415, 0.361, 0.18)), ("cup #1", (0.483, 0.447, 0.329, 0.255))
SCENE, TABLE = (DOG, CAT), (BOWL, CUP)
BLACK_AND_YELLOW = (("black dog #1", DOG[1]), ("yellow cat #1", CAT[1]))
BANANAS = tuple((name, box) for name, box in EDITS["dalle3_banana"]["llm_layout_suggestions"][2:])
APPLES = (("apple #1", (0.177, 0.567, 0.243, 0.246)), ("apple #2", (0.416, 0.579, 0.239, 0.256)))

#: What there is in the picture, and the operations in their order.
EXPECTED: dict[str, tuple[tuple[Named, ...], list[str]]] = {
    "dalle3_banana": ((*APPLES, *BANANAS), ["delete apple #1", "add pumpkin #1"]),
    "dalle3_dog": (
        (("dog #1", (0.172, 0.15, 0.761, 0.577)), ("shadow #1", (0.2, 0.7, 0.7, 0.2))),
        ["delete shadow #1", "change_attribute dog #1"],
    ),
    "indoor_scene_move": (SCENE, ["move dog #1", "move cat #1"]),
    "indoor_scene_swap": (BLACK_AND_YELLOW, ["move yellow cat #1", "move black dog #1"]),
    "indoor_scene_attr_mod": (SCENE, ["change_attribute dog #1", "change_attribute cat #1"]),
    "indoor_scene_resize": (SCENE, ["resize dog #1", "resize cat #1"]),
    "indoor_scene_replace": (SCENE, ["delete dog #1", "add houseplant #1"]),
    "indoor_table_swap": (TABLE, ["move bowl #1", "move cup #1"]),
    "indoor_table_resize": (TABLE, ["resize cup #1"]),
    "indoor_table_move": (TABLE, ["move cup #1"]),
    "indoor_table_attr_mod": (TABLE, ["change_attribute bowl #1", "change_attribute cup #1"]),
    "indoor_table_replace": (TABLE, ["delete bowl #1", "add apple #1", "add apple #2"]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blank picture for each task."""
    folder = tmp_path_factory.mktemp("demo")
    for task in (*EDITS.values(), *CORRECTIONS.values()):
        Image.new("RGB", (SIDE, SIDE)).save(folder / f"{task['input_fname']}.png")
    return folder


def record_of(task: dict[str, object], folder: Path) -> Record:
    (record,) = read_sld([task], "data.json", folder).records
    assert record.error is None and record.type == task["generator"] and record.prompt == task["prompt"]
    return record


def operations(record: Record, seen: Sequence[Named]) -> list[str]:
    """What the record's own replies make of what was seen, by the very planner that `correct` asks."""
    detections = []
    for name, box in seen:
        phrase = name.partition(" #")[0]
        noun, attributes = read_phrase(phrase)
        pixels = tuple(v * SIDE for v in xywh_to_xyxy(box))
        detections.append(
            Detection(id=name, phrase=phrase, noun=noun, attributes=attributes, box_xyxy=pixels, score=0.5)  # type: ignore[arg-type]
        )
    question = EditQuestion(record.prompt, tuple(detections), SIDE, SIDE, seed=0)
    plan = Recorded(replies_in_wait(record), nobody).ask(question).value
    assert len(plan.target) == len({instance.id for instance in plan.target})
    return [f"{edit.op} {edit.target}" for edit in plan.edits]


def nobody() -> Provider:
    raise ModelError("another planner was asked although the task brings its replies")


def suggested(task: dict[str, list[tuple[str, list[float]]]]) -> list[Named]:
    boxes = [(name, clamp_unit_box(tuple(box))) for name, box in task["llm_layout_suggestions"]]  # type: ignore[arg-type]
    return [(name, box) for name, box in boxes if box is not None]


def test_there_are_twenty() -> None:
    assert len(EDITS) + len(CORRECTIONS) == 20 and set(EDITS) == set(EXPECTED)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_comes_to_the_operations_of_its_boxes(name: str, folder: Path) -> None:
    seen, expected = EXPECTED[name]
    record = record_of(EDITS[name], folder)
    assert operations(record, seen) == expected
    # Once carried out there is nothing left to do.
    assert operations(record, suggested(EDITS[name])) == []


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_correction_comes_to_the_operations_of_its_boxes(name: str, folder: Path) -> None:
    """The pictures' detections are not published, so what is seen is the suggestion itself, changed in one known way at a time."""
    record, whole = record_of(CORRECTIONS[name], folder), suggested(CORRECTIONS[name])
    assert operations(record, whole) == []
    *rest, (last, box) = whole
    (kept,) = operations(record, rest)
    assert kept.partition(" #")[0] == f"add {last.partition(' #')[0]}"
    assert operations(record, [*whole, ("zebra #1", (0.4, 0.4, 0.2, 0.2))]) == ["delete zebra #1"]
    x, y, w, h = box
    aside = (x - 0.3 if x > 0.3 else x + 0.3, y, w, h)
    assert operations(record, [*rest, (last, aside)]) == [f"move {last}"]
    smaller = (x, y, 0.7 * w, 0.7 * h)
    assert operations(record, [*rest, (last, smaller)]) == [f"resize {last}"]
