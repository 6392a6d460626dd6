"""Editing by instruction on tiny models: the picture at the edge, what is looked for, the goal of all rounds, replays."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny_models import BoxSegmenter, noise_image, tiny_context

from llmgen.artifacts import Detection, Instance, Layout, Record, Reply
from llmgen.correct.image_editing import ImageEditing, ImageEditingConfig
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.llm.providers.rules import Rules
from llmgen.llm.replies.parse_reply import read_parse_reply

BALL, TREE = (4.0, 34.0, 24.0, 54.0), (36.0, 6.0, 60.0, 30.0)


def seen(*found: tuple[str, tuple[float, float, float, float]]) -> tuple[Detection, ...]:
    return tuple(
        Detection(
            id=f"{phrase} #1", phrase=phrase, noun=phrase.split()[-1], attributes=tuple(phrase.split()[:-1]), box_xyxy=box,
            score=0.9,
        )
        for phrase, box in found
    )  # fmt: skip


class ScriptedDetector:
    """Sees what the script says, look by look, and keeps what it was asked."""

    def __init__(self, *script: tuple[Detection, ...]) -> None:
        self.script, self.asked = list(script), list[Record]()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        self.asked += records
        return [record.grown(detections=self.script.pop(0)) for record in records]


def stage(
    tmp_path: Path, *script: tuple[Detection, ...], **settings: object
) -> tuple[ImageEditing, StageContext, ScriptedDetector]:
    context, detector = tiny_context(tmp_path), ScriptedDetector(*script)
    context._planner = Rules()
    context._methods["detect"] = detector  # type: ignore[assignment]
    context.models.segmenter = lambda role="segmenter": BoxSegmenter()  # type: ignore[method-assign, assignment]
    config = ImageEditingConfig(**{"num_inference_steps": 2, **settings})  # type: ignore[arg-type]
    return ImageEditing(context, config), context, detector


def source(tmp_path: Path, instruction: str, **sections: object) -> Record:
    noise_image().save(tmp_path / "mine.png")
    return Record(
        id="r0", prompt="a meadow with a red ball and a tree", instruction=instruction, seed=1, source_image="mine.png"
    ).grown(**sections)


def test_a_picture_of_ones_own_is_edited_and_checked(tmp_path: Path) -> None:
    first = seen(("red ball", BALL), ("tree", TREE))
    method, context, detector = stage(tmp_path, first, seen(("blue ball", BALL), ("tree", TREE)), rounds=3)
    (after,) = method([source(tmp_path, "make the red ball blue")])
    assert [(e.stage, e.round, e.satisfied, e.kept) for e in after.history] == [
        ("generate", 0, False, True),
        ("correct", 1, True, True),
    ]
    original, edited = after.history
    assert (original.image.path, original.image.width) == ("mine.png", 64)
    assert after.image == edited.image != original.image
    assert after.edits is not None and [e.op for e in after.edits.edits] == ["change_attribute"]
    assert after.layout is None
    assert [reply.call for reply in after.replies] == ["parse", "edit"]
    # The first look asks for all that prompt and instruction name, the second for the goal.
    (asked,) = detector.asked[0].replies
    assert [(o.noun, [i.attributes for i in o.instances]) for o in read_parse_reply(asked.text).objects] == [
        ("ball", [["red"]]),
        ("tree", [[]]),
    ]
    goal = detector.asked[1].layout
    assert goal is not None and [i.phrase for i in goal.instances] == ["a blue ball", "a tree"]
    assert goal.background_prompt == "a meadow"
    # Nothing outside the region changed.
    assert edited.region is not None
    old, new = (np.asarray(context.images.load(e.image)) for e in after.history)
    assert not (old != new).any(axis=-1)[np.asarray(context.images.load(edited.region).convert("L")) == 0].any()


def test_an_instruction_and_a_picture_are_enough(tmp_path: Path) -> None:
    method, _, detector = stage(tmp_path, seen(("red ball", BALL)), seen(("blue ball", BALL)))
    asked = source(tmp_path, "make the red ball blue")
    (after,) = method([Record.model_validate({**asked.model_dump(), "prompt": ""})])
    assert [(e.stage, e.kept) for e in after.history] == [("generate", True), ("correct", True)]
    assert [reply.call for reply in detector.asked[0].replies] == ["parse"]


def test_a_second_round_works_on_what_is_left_and_never_repeats_the_instruction(tmp_path: Path) -> None:
    scene = seen(("red ball", BALL), ("tree", TREE))
    method, _, _ = stage(
        tmp_path, scene, seen(("red ball", BALL)), seen(("red ball", (17.0, 34.0, 37.0, 54.0))), rounds=3
    )
    (after,) = method([source(tmp_path, "remove the tree and move the ball right")])
    plans = [e.edits for e in after.history if e.edits is not None]
    assert [[e.op for e in plan.edits] for plan in plans] == [["delete", "move"], ["move"]]
    assert plans[0].edits[1].box_xyxy == plans[1].edits[0].box_xyxy
    assert [e.agreement for e in after.history] == [0.0, 0.5, 1.0]


def test_what_is_not_better_is_not_kept(tmp_path: Path) -> None:
    scene = seen(("red ball", BALL), ("tree", TREE))
    method, _, _ = stage(tmp_path, scene, scene)
    (after,) = method([source(tmp_path, "remove the tree")])
    assert [e.kept for e in after.history] == [True, False]
    assert after.image == after.history[0].image


def test_what_cannot_be_verified_is_kept_on_request(tmp_path: Path) -> None:
    scene = seen(("red ball", BALL), ("tree", TREE))
    fewer = seen(("tree", TREE))
    method, _, _ = stage(tmp_path, scene, scene, fewer, keep_unverified=True, rounds=2)
    (after,) = method([source(tmp_path, "add a zeppelin and make the red ball blue")])
    assert [e.agreement for e in after.history] == [0.0, 0.0, 0.0]
    assert all(e.kept for e in after.history) and after.image == after.history[-1].image


def test_what_the_detector_never_finds_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="llmgen")
    scene = seen(("red ball", BALL), ("tree", TREE))
    method, _, _ = stage(tmp_path, scene, scene, scene, rounds=2)
    (after,) = method([source(tmp_path, "add a zeppelin and make the red ball blue")])
    assert after.image == after.history[0].image
    (said,) = [text for record in caplog.records if "zeppelin" in (text := record.getMessage())]
    assert said.startswith("record 'r0': a 'zeppelin' was drawn, but the detector found none in 3 pictures")


def test_plans_are_made_first_and_carried_out_later(tmp_path: Path) -> None:
    scene = seen(("red ball", BALL), ("tree", TREE))
    method, _, _ = stage(tmp_path, scene, plan_only=True)
    (planned,) = method([source(tmp_path, "remove the tree")])
    assert planned.edits is not None and planned.image == planned.history[0].image
    method, _, _ = stage(tmp_path, seen(("red ball", BALL)))
    (after,) = method([planned])
    assert after.edits == planned.edits and after.history[-1].satisfied


def test_detections_that_are_given_are_taken(tmp_path: Path) -> None:
    method, _, detector = stage(tmp_path, plan_only=True)
    layout = Layout(
        width=64, height=64, background_prompt="b", instances=(Instance(id="x", phrase="x", box_xyxy=BALL),)
    )
    given = source(tmp_path, "remove the tree", detections=seen(("tree", TREE)), layout=layout)
    (after,) = method([given])
    assert detector.asked == []
    assert after.layout == layout


def test_replies_that_came_with_a_task_of_sld_answer(tmp_path: Path) -> None:
    method, context, detector = stage(tmp_path, seen(("ball", BALL), ("tree", TREE)), plan_only=True)
    context._planner = None  # nobody to ask: a planner that has to be loaded would fail
    context.planner_name = "no such planner"
    came = (
        Reply(call="parse", provider="replay", text="Objects: [('ball', [None])]\nBackground: a beach\nNegation: tree"),
        Reply(
            call="differences",
            provider="replay",
            text="Updated Objects: [('golden ball #1', [0.0625, 0.53125, 0.3125, 0.3125])]",
        ),
    )
    task = Record(
        id="r0",
        prompt="Turn the ball into gold, please no tree",
        seed=1,
        image=context.images.save("r0", "x", noise_image()),
        replies=came,
    )
    (after,) = method([task])
    assert after.edits is not None
    assert [(e.op, e.target) for e in after.edits.edits] == [("delete", "tree #1"), ("change_attribute", "ball #1")]
    assert after.replies == came


@pytest.mark.parametrize(
    ("instruction", "words"),
    [("remove the castle", "nothing in the picture matches 'castle'"), ("what a nice picture", "begin with a verb")],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, instruction: str, words: str) -> None:
    method, _, _ = stage(tmp_path, seen(("tree", TREE)))
    with pytest.raises(InputError, match=words):
        method([source(tmp_path, instruction)])


def test_a_picture_is_needed(tmp_path: Path) -> None:
    method, _, _ = stage(tmp_path)
    with pytest.raises(InputError, match="no picture to edit"):
        method([Record(id="r0", prompt="x", instruction="remove the tree")])
    with pytest.raises(InputError, match="missing"):
        method([Record(id="r0", prompt="x", instruction="remove the tree", source_image="gone.png")])


def test_settings_of_the_preset_for_self_correction_hold(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    expected = context.preset.defaults.get("correct.self_correction", {})
    config = context.config_for("correct", "image_editing", {"rounds": 4})
    assert config.rounds == 4
    assert all(getattr(config, name) == value for name, value in expected.items() if name != "rounds")
