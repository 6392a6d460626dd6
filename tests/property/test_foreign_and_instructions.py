"""Whatever foreign files and instructions hold: records, edits, or one clear error."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from llmgen.artifacts import Detection
from llmgen.errors import InputError, LlmgenError, ModelError
from llmgen.formats.instancediffusion import read_instancediffusion, write_instancediffusion
from llmgen.formats.lmd import read_lmd
from llmgen.formats.sld import read_sld
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.edit import EditQuestion
from llmgen.llm.questions.instances import layout_of_instances, read_instances_reply
from llmgen.llm.questions.parse import ParseQuestion

NUMBER = st.one_of(st.floats(-2, 2), st.integers(-600, 600), st.none(), st.just(float("nan")), st.booleans())
BOX = st.one_of(st.lists(NUMBER, min_size=4, max_size=4), st.lists(NUMBER, max_size=5), st.none())
NAME = st.sampled_from(["dog #1", "a red car", "", "two cats", "palm tree #2", "#", "x" * 50, "'\"\\", "é\n🐶"])
BOXES = st.one_of(
    st.lists(st.one_of(st.tuples(NAME, BOX).map(list), st.integers()), max_size=4), st.none(), st.integers()
)
PARSED = st.one_of(
    st.none(),
    st.integers(),
    st.fixed_dictionaries(
        {
            "objects": st.lists(
                st.one_of(st.tuples(NAME, st.lists(st.one_of(st.none(), NAME), max_size=3)).map(list), NAME)
            )
        },
        optional={"bg_prompt": st.one_of(st.none(), NAME), "neg_prompt": st.one_of(st.none(), NAME, st.integers())},
    ),
)
TASK = st.one_of(
    st.integers(),
    st.fixed_dictionaries(
        {},
        optional={
            "input_fname": st.sampled_from(["a", "b", "../a", "", "/", "a\0", 3, None, "a.png"]),
            "output_dir": st.one_of(NAME, st.none(), st.integers()),
            "prompt": st.one_of(NAME, st.integers()),
            "generator": st.one_of(st.none(), NAME, st.integers()),
            "llm_parsed_prompt": PARSED,
            "llm_layout_suggestions": BOXES,
        },
    ),
)
REPLY = st.one_of(
    st.text(max_size=40),
    BOXES.map(lambda boxes: f"{boxes!r}\nBackground prompt: a\nNegative prompt: None"),
)
ENTRY = st.one_of(
    st.integers(),
    st.fixed_dictionaries(
        {"objects": BOXES},
        optional={
            "prompt": st.one_of(NAME, st.none()),
            "index": NUMBER,
            "background_prompt": NAME,
            "negative_prompt": NAME,
        },
    ),
)


ANNO = st.one_of(
    st.integers(),
    st.fixed_dictionaries(
        {},
        optional={
            "bbox": BOX,
            "caption": st.one_of(NAME, st.none()),
            "category_name": st.one_of(NAME, st.integers()),
            "point": st.one_of(st.lists(NUMBER, max_size=3), st.none(), NAME),
            "scribble": st.one_of(st.lists(st.one_of(st.lists(NUMBER, max_size=2), NUMBER), max_size=4), st.none()),
            "mask": st.one_of(
                st.lists(st.lists(NUMBER, max_size=8), max_size=2),
                st.fixed_dictionaries(
                    {
                        "size": st.sampled_from([[4, 4], [8, 4], 3]),
                        "counts": st.one_of(NAME, st.lists(NUMBER, max_size=3)),
                    }
                ),
            ),
        },
    ),
)
SCENE = st.one_of(
    st.integers(),
    st.fixed_dictionaries(
        {"annos": st.one_of(st.lists(ANNO, max_size=3), st.integers())},
        optional={
            "caption": NAME,
            "width": st.sampled_from([4, 500, 0, None]),
            "height": st.sampled_from([4, 500, "4"]),
        },
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / "b.png").write_text("no picture")
    return folder


def check(found: Any, entries: int) -> None:
    assert len(found.records) + len(found.dropped) == entries
    assert len({record.id for record in found.records}) == len(found.records)
    assert sum(record.error is not None for record in found.records) == len(found.invalid)


@settings(max_examples=200, deadline=None)
@given(scenes=st.lists(SCENE, max_size=3), bbox_format=st.sampled_from(["auto", "xywh", "xyxy"]))
def test_any_scenes_read(scenes: list[Any], bbox_format: Any) -> None:
    scenes = [*json.loads(json.dumps(scenes)), {"annos": []}]
    found = read_instancediffusion(scenes, "data.json", bbox_format)
    check(found, len(scenes))
    for record in found.records:
        if record.error is None:
            written = write_instancediffusion(record)
            (again,) = read_instancediffusion(written, f"{record.id}.json", "xywh").records
            assert again.error is None and write_instancediffusion(again) == written


PLANNED = st.one_of(
    st.integers(),
    st.fixed_dictionaries({}, optional={"phrase": NAME, "noun": NAME, "box": BOX, "caption": NAME, "bbox": BOX}),
)


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(["instances", "annos"]), things=st.one_of(st.lists(PLANNED, max_size=4), NAME), width=NUMBER)
def test_any_plan_of_instances_reads(key: str, things: Any, width: Any) -> None:
    text = json.dumps({key: things, "width": width, "description": "a", "negative": "cars"})
    try:
        plan = read_instances_reply(text, width=128, height=96, most=3)
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert len(layout_of_instances(plan, width=128, height=96).instances) == len(plan.instances) <= 3


@settings(max_examples=150, deadline=None)
@given(tasks=st.lists(TASK, max_size=4))
def test_any_tasks_read(folder: Path, tasks: list[Any]) -> None:
    # Through JSON, as they come from a file.
    check(read_sld(json.loads(json.dumps(tasks)), "data.json", folder), len(tasks))


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.one_of(NAME, st.text(max_size=20)), st.one_of(REPLY, st.lists(REPLY, max_size=3)), min_size=1)
)
def test_any_cache_reads(cache: dict[str, Any]) -> None:
    found, _ = read_lmd(cache, "cache.json")
    check(found, sum(1 if isinstance(v, str) else len(v) for v in cache.values()))


@settings(max_examples=100, deadline=None)
@given(st.lists(ENTRY, min_size=1, max_size=4))
def test_any_layouts_read(entries: list[Any]) -> None:
    try:
        found, _ = read_lmd(entries, "layouts.json")
    except InputError:
        assert not any(isinstance(entry, dict) for entry in entries)
    else:
        check(found, len(entries))


SCENE = tuple(
    Detection(id=f"{p} #1", phrase=p, noun=p.split()[-1], attributes=tuple(p.split()[:-1]), box_xyxy=b, score=0.5)
    for p, b in (
        ("red ball", (2.0, 80.0, 40.0, 120.0)),
        ("tree", (60.0, 5.0, 100.0, 50.0)),
        ("house", (80.0, 70.0, 127.0, 127.0)),
    )
)
WORDS = st.sampled_from(
    "make move remove add swap replace turn put keep enlarge shrink the a all two left right up down ball tree house star "
    "red blue larger smaller slightly and , . with by to of it them above below next between into 3 times twice half % "
    "pixels top corner on in one 1.25 until image size 's change color both".split()
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(max_size=40)), st.integers(0, 3))
def test_any_instruction_is_carried_out_or_refused(said: str, seed: int) -> None:
    rules = Rules()
    try:
        plan = rules.ask(EditQuestion(said, tuple(SCENE), 128, 128, seed)).value
    except LlmgenError as error:
        assert "\n" not in str(error) or "\n" in said
        return
    rules.ask(ParseQuestion(said, instruction=True))
    for edit in plan.edits:
        assert all(-0.01 <= value <= 128.01 for value in edit.box_xyxy)
    assert len({instance.id for instance in plan.target}) == len(plan.target)
    known = {d.id for d in SCENE}
    assert all(edit.target in known for edit in plan.edits if edit.op != "add")
