"""The correction at tiny sizes: the plan and who makes it, what is refused, the picture drawn again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_interactions import BOY, CUP, STEPS, SayingCritic, acting_context, acting_record, found

from llmgen.artifacts import AddEdit, DeleteEdit, EditPlan, ImageRef, MoveEdit, Record
from llmgen.correct.interaction import InteractionCorrection
from llmgen.correct.interaction.check import share_seen
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.generate.record import RecordGenerate
from llmgen.llm.planning.interactions import Figure


def run(method: Any, context: StageContext, *records: Record, **given: Any) -> list[Record]:
    given = {**STEPS, **given}
    config = context.settings_of(method, given)
    return run_stage(list(records), method_class=method, config=config, given=given, context=context).records


def candidates(context: StageContext, samples: int = 3, **given: Any) -> Record:
    (record,) = run(RecordGenerate, context, acting_record(**given), samples=samples)
    assert record.error is None, record.error
    return record


def correct(context: StageContext, *records: Record, **given: Any) -> list[Record]:
    return run(InteractionCorrection, context, *records, **given)


def pixels(context: StageContext, image: Any) -> np.ndarray:
    return np.asarray(context.images.load(image)).astype(int)


def said(choice: Any = 2, box: Any = None, relation: str = "in_front_of") -> tuple[str, str]:
    box = box or {"x": 40, "y": 40, "width": 16, "height": 20}
    place = {"relation": relation, "object_box": box, "reason": "at the foot"}
    return json.dumps({"choice": choice, "reason": "a leg is up"}), json.dumps(place)


def test_plan_and_picture(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    lines, steps = list[str](), STEPS["num_inference_steps"]
    context.progress = lines.append
    before = candidates(context)
    (record,) = correct(context, before)
    for words in ("generate record: 3 pictures", "correct interaction: 1 pictures"):
        assert any(line.startswith(f"{words}: step {steps} of {steps}, 0 s left") for line in lines)
    assert record.error is None, record.error
    assert record.edits is not None
    (edit,) = record.edits.edits
    assert isinstance(edit, MoveEdit) and edit.target == "cup #1" and edit.from_box_xyxy == CUP.box_xyxy
    # Before the foot, on the side where it was found: no joints say which way the boy looks.
    assert edit.box_xyxy[2] <= BOY.box_xyxy[0] + 12 and edit.box_xyxy[3] > 50
    assert [e.stage for e in record.history] == ["generate", "correct"]
    assert len(record.history[-1].energies) == 1 and record.history[-1].attention is not None
    assert record.chosen is not None and record.chosen.reason
    assert [reply.call for reply in record.replies] == ["pose_choice", "object_place"]
    assert np.abs(pixels(context, record.image) - pixels(context, record.chosen.image)).max() > 0


def test_the_plan_alone_can_be_changed_and_carried_out(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (planned,) = correct(context, candidates(context), plan_only=True)
    assert planned.edits is not None and planned.image == planned.samples[0].image
    (at_once,) = correct(context, planned)
    edit = planned.edits.edits[0].model_copy(update={"box_xyxy": (2.0, 2.0, 20.0, 20.0)})
    (by_hand,) = correct(context, planned.grown(edits=EditPlan(edits=(edit,))))
    assert by_hand.edits is not None and by_hand.edits.edits[0].box_xyxy == (2.0, 2.0, 20.0, 20.0)
    assert len(by_hand.replies) == len(planned.replies)
    assert np.abs(pixels(context, at_once.image) - pixels(context, by_hand.image)).max() > 0
    # A plan that was carried out is history: a second round plans anew, on the corrected picture, with the same candidate.
    (again,) = correct(context, by_hand)
    assert [e.round for e in again.history] == [0, 1, 2] and again.samples == by_hand.samples


def test_the_critic_chooses_and_places(tmp_path: Path) -> None:
    context, remarks = acting_context(tmp_path)
    critic = SayingCritic(*said())
    context.critic_name, context._critic = "openai", critic
    (record,) = correct(context, candidates(context))
    assert record.chosen is not None and (record.chosen.index, record.chosen.reason) == (1, "a leg is up")
    assert record.edits is not None and record.edits.edits[0].box_xyxy == (40.0, 40.0, 56.0, 60.0)
    assert record.edits.reasoning == "in front of: at the foot"
    assert [len(question.pictures) for question in critic.asked] == [3, 1]
    assert not remarks


def test_candidates_as_one_sheet(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    critic = SayingCritic(*said())
    context.critic_name, context._critic = "openai", critic
    correct(context, candidates(context), plan_only=True, shown_as="sheet")
    assert len(critic.asked[0].pictures) == 1 and "on one sheet" in critic.asked[0].text


@pytest.mark.parametrize(
    ("texts", "remark"),
    [
        (("I cannot say.",), "answer to pose_choice is of no use"),
        (said(choice=7), "choice 7 of 3 pictures"),
        (said(box={"x": 16, "y": 8, "width": 20, "height": 50}), "is the human's box"),
        (said(box={"x": 30, "y": 30, "width": -4, "height": 5}), "inverted or empty"),
        (said(box={"x": 300, "y": 30, "width": 40, "height": 50}), "outside the 64x64 picture"),
        (said(box={"x": 30, "y": 30, "width": 1, "height": 1}), "at least 0.2% is needed"),
    ],
)
def test_a_critic_that_is_of_no_use(tmp_path: Path, texts: tuple[str, ...], remark: str) -> None:
    context, _ = acting_context(tmp_path)
    context.critic_name, context._critic = "openai", SayingCritic(*texts)
    (record,) = correct(context, candidates(context))
    assert record.error is None
    assert any(remark in each.text and "the rules answer" in each.text for each in record.remarks)
    assert record.edits is not None and len(record.history) == 2


def test_a_candidate_that_somebody_chose_stays(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = correct(context, candidates(context).with_choice(2, "I like it"), plan_only=True)
    assert record.chosen is not None and (record.chosen.index, record.chosen.reason) == (2, "I like it")
    assert [reply.call for reply in record.replies] == ["object_place"]


def test_nobody_is_found(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path, (CUP,))
    (record,) = correct(context, candidates(context))
    assert record.error is None
    texts = [remark.text for remark in record.remarks]
    assert any("is found in none of 3 pictures" in text for text in texts)
    assert any("the cup stays where the detector found it" in text for text in texts)


def test_an_object_that_is_not_there_is_added(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path, (BOY,))
    (record,) = correct(context, candidates(context), plan_only=True)
    assert record.edits is not None
    (edit,) = record.edits.edits
    assert isinstance(edit, AddEdit) and edit.phrase == "a cup" and edit.target == "cup #1"
    assert {instance.noun for instance in record.edits.target} == {"boy", "cup"}


def test_the_candidate_with_the_object_found_by_seed(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path, (CUP,), (BOY, CUP), (found("dog", (0.0, 0.0, 9.0, 9.0)),))
    (record,) = correct(context, candidates(context), plan_only=True)
    assert record.chosen is not None and record.chosen.index == 1


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (EditPlan(edits=(DeleteEdit(target="cup #1", box_xyxy=(1.0, 1.0, 9.0, 9.0)),)), "its plan says delete"),
        (EditPlan(), "its plan says nothing"),
        (
            EditPlan(
                edits=(MoveEdit(op="move", target="c", from_box_xyxy=CUP.box_xyxy, box_xyxy=(80.0, 2.0, 99.0, 9.0)),)
            ),
            "lies outside its 64x64 picture",
        ),
        (
            EditPlan(
                edits=(MoveEdit(op="move", target="c", from_box_xyxy=CUP.box_xyxy, box_xyxy=(2.1, 2.1, 3.0, 3.0)),)
            ),
            "covers no cell",
        ),
    ],
)
def test_plans_that_cannot_be_carried_out(tmp_path: Path, plan: EditPlan, message: str) -> None:
    context, _ = acting_context(tmp_path)
    bad, good = candidates(context).grown(edits=plan), candidates(context, name="good")
    failed, done = correct(context, bad, good)
    assert failed.error is not None and message in failed.error.message
    assert done.error is None and len(done.history) == 2


def test_a_box_over_the_edge_is_cut(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    over = MoveEdit(op="move", target="c", from_box_xyxy=CUP.box_xyxy, box_xyxy=(40.0, 40.0, 80.0, 60.0))
    (record,) = correct(context, candidates(context).grown(edits=EditPlan(edits=(over,))))
    assert record.error is None
    assert any("reached over the edge" in remark.text for remark in record.remarks)


def test_an_object_in_its_place_is_left_there(tmp_path: Path) -> None:
    cup = found("cup", (38.0, 40.0, 54.0, 58.0))
    context, _ = acting_context(tmp_path, (BOY, cup))
    before = candidates(context)
    (left,) = correct(context, before, leave_fitting=True)
    assert left.error is None and left.chosen is not None and left.image == left.chosen.image
    assert left.history[-1].satisfied and left.history[-1].energies == ()
    assert left.edits is not None and "and is there" in (left.edits.reasoning or "")
    # As published it is drawn again all the same; a second round looks at what is there.
    (drawn,) = correct(context, before, profile="reference", num_inference_steps=8)
    assert drawn.error is None and drawn.history[-1].satisfied is None and len(drawn.history[-1].energies) == 2
    (again,) = correct(context, left, leave_fitting=True)
    assert [e.round for e in again.history] == [0, 1, 2] and again.samples == left.samples


def test_a_correction_that_loses_something_is_dropped(tmp_path: Path) -> None:
    # One candidate is looked at for the plan, then once more beside its correction, in which nobody is found.
    looks = ((BOY, CUP), (BOY, CUP), (CUP,))
    context, _ = acting_context(tmp_path, *looks)
    before = candidates(context, samples=1)
    (record,) = correct(context, before)
    assert record.error is None and record.image == before.image
    entry = record.history[-1]
    assert not entry.kept and entry.agreement == pytest.approx(1 / 3) and entry.image != before.image
    assert any("the candidate is kept" in remark.text for remark in record.remarks)
    context, _ = acting_context(tmp_path / "published", *looks)
    (record,) = correct(context, candidates(context, samples=1), keep_better=False)
    assert record.image != before.image and record.history[-1].agreement is None
    assert not any("the candidate is kept" in remark.text for remark in record.remarks)


def test_the_rules_choose_what_shows_most_of_the_prompt(tmp_path: Path) -> None:
    # The boy of the first two stands alone or with the cup elsewhere; the third kicks it.
    kicked = found("cup", (38.0, 40.0, 54.0, 58.0))
    looks = ((BOY,), (BOY, CUP), (BOY, kicked))
    context, _ = acting_context(tmp_path, *looks)
    (record,) = correct(context, candidates(context), plan_only=True)
    assert record.chosen is not None and record.chosen.index == 2
    assert "of the 1 that show most of what was asked" in (record.chosen.reason or "")
    context, _ = acting_context(tmp_path / "pose", *looks)
    (record,) = correct(context, candidates(context), plan_only=True, choose_by="pose")
    assert record.chosen is not None and record.chosen.index == 0
    assert InteractionCorrection.Config.profiles["reference"].settings["choose_by"] == "pose"


def test_colours_count_where_the_prompt_tells_them() -> None:
    record = acting_record("a boy is kicking a red cup")
    assert record.layout is not None and record.layout.interaction is not None
    shown = record.grown(image=ImageRef(path="r.png", sha256="0" * 64, width=64, height=64))
    cup = found("cup", (38.0, 40.0, 54.0, 58.0))
    for attributes, share in ((("red",), 1.0), ((), 2 / 3), (("blue",), 2 / 3)):
        seen = cup.model_copy(update={"attributes": attributes})
        figure = Figure(BOY.box_xyxy, {})
        assert share_seen(shown, record.layout.interaction, (BOY, seen), figure, seen) == pytest.approx(share)


@pytest.mark.parametrize(
    ("there", "share"),
    [
        ((BOY, found("cup", (38.0, 40.0, 54.0, 58.0))), 1),
        ((BOY, CUP), 2 / 3),
        ((BOY, found("boy", (40.0, 8.0, 60.0, 58.0), 2), CUP), 1 / 3),
        ((CUP,), 1 / 3),
        ((), 0),
    ],
)
def test_what_is_seen_of_a_prompt(there: tuple[Any, ...], share: float) -> None:
    record = acting_record()
    assert record.layout is not None and record.layout.interaction is not None
    shown = record.grown(image=ImageRef(path="r.png", sha256="0" * 64, width=64, height=64))
    figure = Figure(BOY.box_xyxy, {}) if BOY in there else None
    thing = next((found for found in there if found.noun == "cup"), None)
    planned = (2.0, 40.0, 10.0, 50.0)
    assert share_seen(shown, record.layout.interaction, there, figure, thing, planned) == pytest.approx(share)


def test_one_picture_without_candidates(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = correct(context, candidates(context, samples=1))
    assert record.error is None and record.samples == () and len(record.history) == 2


def test_a_record_without_an_interaction(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    record = candidates(context)
    assert record.layout is not None
    bare = record.grown(layout=record.layout.model_copy(update={"interaction": None}))
    (failed,) = correct(context, bare)
    assert failed.error is not None and "run `llmgen layout --method interaction` first" in failed.error.message


def test_pictures_need_not_be_square(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = correct(context, candidates(context, samples=2, width=96))
    assert record.error is None and record.image is not None and record.image.width == 96


def test_texts_that_the_model_does_not_read_whole_are_said(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = correct(context, candidates(context, samples=1), negative_prompt="a car and " * 99)
    assert record.error is None
    assert any(remark.text.startswith("its negative prompt has") for remark in record.remarks)
