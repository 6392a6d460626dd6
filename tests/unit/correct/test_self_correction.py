"""The loop: rounds, early exit, keeping the best, plans given and plans only. Planner and detector follow a script."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import BoxSegmenter, noise_image, tiny_context

from llmgen.artifacts import (
    DeleteEdit,
    Detection,
    EditPlan,
    HistoryEntry,
    Instance,
    Layout,
    Record,
    Reply,
)
from llmgen.correct.goals import agreement
from llmgen.correct.self_correction import SelfCorrection
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.llm.providers.provider import Answer
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.question import Question

KEEP = Instance(id="ball #1", phrase="a ball", box_xyxy=(2, 2, 18, 18))
SURPLUS = [(24.0 + 8 * i, 24.0, 31.0 + 8 * i, 31.0) for i in range(4)]


def seen(surplus: int) -> tuple[Detection, ...]:
    boxes = [KEEP.box_xyxy, *SURPLUS[:surplus]]
    return tuple(
        Detection(id=f"ball #{i + 1}", phrase="ball", noun="ball", box_xyxy=b, score=0.9) for i, b in enumerate(boxes)
    )


class ScriptedPlanner:
    """Deletes every ball beyond the first."""

    provider, model = "script", None

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, question: Question[Any]) -> Answer[Any]:
        assert isinstance(question, DifferencesQuestion)
        self.asked += 1
        edits = tuple(DeleteEdit(target=d.id, box_xyxy=d.box_xyxy) for d in question.detections[1:])
        reply = Reply(call=question.name, provider="script", text="")
        return Answer(EditPlan(edits=edits, target=(KEEP,)), reply)


class ScriptedDetector:
    """Sees, look by look, as many surplus balls as it was told."""

    def __init__(self, *surplus: int) -> None:
        self.script = list(surplus)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        return [record.grown(detections=seen(self.script.pop(0))) for record in records]


def stage(tmp_path: Path, *surplus: int, **settings: object) -> tuple[SelfCorrection, StageContext]:
    context = tiny_context(tmp_path)
    context._planner = ScriptedPlanner()  # type: ignore[assignment]
    context._methods["detect"] = ScriptedDetector(*surplus)  # type: ignore[assignment]
    context.models.segmenter = lambda role="segmenter": BoxSegmenter()  # type: ignore[method-assign, assignment]
    config = SelfCorrectionConfig(**{"num_inference_steps": 2, **settings})  # type: ignore[arg-type]
    return SelfCorrection(context, config), context


def record(context: StageContext, surplus: int, **sections: object) -> Record:
    image = context.images.save("r0", "generate", noise_image())
    layout = Layout(width=64, height=64, background_prompt="a meadow", instances=(KEEP,))
    history = (HistoryEntry(stage="generate", round=0, image=image),)
    return Record(
        id="r0", prompt="one ball", seed=1, image=image, layout=layout, history=history, detections=seen(surplus)
    ).grown(**sections)


def test_a_picture_with_nothing_to_correct_passes_unchanged(tmp_path: Path) -> None:
    method, context = stage(tmp_path)
    before = record(context, 0)
    (after,) = method([before])
    assert after.image == before.image
    assert [(e.stage, e.satisfied, e.agreement) for e in after.history] == [("generate", True, 1.0)]
    assert after.edits == EditPlan(target=(KEEP,))
    assert after.history[0].detections == before.detections


def test_rounds_end_when_nothing_is_left(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 1, 0, rounds=5)
    (after,) = method([record(context, 2)])
    assert [(e.round, e.satisfied, e.kept) for e in after.history] == [
        (0, False, True),
        (1, False, True),
        (2, True, True),
    ]
    assert after.history[1].edits is not None
    assert [len(e.edits.edits) for e in after.history if e.edits] == [2, 1]
    assert after.image == after.history[2].image != after.history[0].image
    assert after.detections == seen(0)
    assert len(after.replies) == 3
    region = after.history[2].region
    assert region is not None
    old, new = (np.asarray(context.images.load(e.image)) for e in after.history[1:])
    assert not (old != new).any(axis=-1)[np.asarray(context.images.load(region).convert("L")) == 0].any()


def test_a_worse_picture_is_not_kept_and_the_next_round_starts_from_the_best(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 4, 1, rounds=2)
    (after,) = method([record(context, 2)])
    assert [e.kept for e in after.history] == [True, False, True]
    assert after.history[1].edits == after.history[2].edits
    assert after.image == after.history[2].image
    assert after.detections == seen(1)


def test_an_equal_picture_is_not_kept_either(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 2)
    before = record(context, 2)
    (after,) = method([before])
    assert after.image == before.image
    assert [e.kept for e in after.history] == [True, False]
    assert after.edits == after.history[1].edits


def test_plan_only_draws_nothing_and_its_plan_is_used_later(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 0, plan_only=True)
    (planned,) = method([record(context, 1)])
    assert planned.edits is not None
    assert len(planned.edits.edits) == 1
    assert [e.stage for e in planned.history] == ["generate"]
    assert method.models == ()
    by_hand = EditPlan(edits=(DeleteEdit(target="ball #2", box_xyxy=(40, 40, 60, 60)),), target=(KEEP,))
    carry_out, context = stage(tmp_path, 0)
    (after,) = carry_out([planned.grown(edits=by_hand)])
    assert after.history[1].edits == by_hand
    planner = context.planner
    assert isinstance(planner, ScriptedPlanner)
    assert planner.asked == 0  # the plan itself says what the picture should come to


def test_a_plan_by_hand_may_want_another_picture_than_the_prompt(tmp_path: Path) -> None:
    method, context = stage(tmp_path, rounds=2)
    before = record(context, 2)
    first, second, third = before.detections or ()
    context._methods["detect"] = lambda records: [r.grown(detections=(first, third)) for r in records]  # type: ignore[assignment]
    target = (KEEP, Instance(id=third.id, phrase="a ball", noun="ball", box_xyxy=third.box_xyxy))
    by_hand = EditPlan(edits=(DeleteEdit(target=second.id, box_xyxy=second.box_xyxy),), target=target)
    (after,) = method([before.grown(edits=by_hand)])
    # The prompt still says one ball; the plan, which left two, is what was asked for.
    assert [(e.kept, e.satisfied) for e in after.history] == [(True, False), (True, True)]
    assert after.image == after.history[1].image and after.layout == before.layout


def test_a_wrong_name_in_a_plan_by_hand_is_carried_out_on_what_lies_in_its_box(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 0)
    before = record(context, 1)
    _, surplus = before.detections or ()
    target = (KEEP, Instance(id=surplus.id, phrase="a ball", noun="ball", box_xyxy=surplus.box_xyxy))
    by_hand = EditPlan(edits=(DeleteEdit(target="ball #9", box_xyxy=surplus.box_xyxy),), target=target)
    (after,) = method([before.grown(edits=by_hand)])
    old, new = (np.asarray(context.images.load(entry.image)) for entry in after.history)
    x0, y0, x1, y1 = map(int, surplus.box_xyxy)
    assert (old != new)[
        y0:y1, x0:x1
    ].any()  # by a name that nobody knows, what lies there was protected from its own deletion
    # And the ball that was to go is not missed afterwards.
    assert after.history[1].satisfied and after.edits is not None and after.edits.target == (KEEP,)


def test_a_plan_that_was_carried_out_is_not_carried_out_again(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 1, 0)
    (once,) = method([record(context, 2)])
    (twice,) = method([once])
    assert twice.history[-1].edits != once.history[-1].edits
    assert twice.history[-1].satisfied


def test_records_of_a_batch_leave_the_loop_one_by_one(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 0, rounds=3)
    done, wrong = record(context, 0), record(context, 1, id="r1")
    results = method([done, wrong])
    assert [r.id for r in results] == ["r0", "r1"]
    assert [len(r.history) for r in results] == [1, 2]


def test_a_picture_that_nobody_looked_at_is_looked_at_first(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 0)
    (after,) = method([record(context, 0).grown(detections=None)])
    assert after.detections == seen(0)
    with pytest.raises(InputError, match="llmgen generate"):
        method([Record(id="r1", prompt="one ball")])


def test_replies_that_came_with_a_record_answer_instead_of_the_planner(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 0)
    text = "Updated Objects: [('ball #1', [0.03125, 0.03125, 0.25, 0.25])]"
    came = (
        Reply(call="parse", provider="replay", text="Objects: [('ball', [None])]\nBackground: a beach\nNegation: None"),
        Reply(call="differences", provider="replay", text=text),
    )
    (after,) = method([record(context, 2, layout=None, replies=came)])
    assert after.edits is not None
    assert [(e.op, e.target) for e in after.edits.edits] == [("delete", "ball #2"), ("delete", "ball #3")]
    assert after.replies == came
    assert context.planner.asked == 0  # type: ignore[attr-defined]
    assert after.history[-1].satisfied


def test_the_critic_compares_where_there_is_one(tmp_path: Path) -> None:
    method, context = stage(tmp_path, 0)
    context.critic_name, context._critic = "rules", ScriptedPlanner()  # type: ignore[assignment]
    (after,) = method([record(context, 1)])
    assert after.history[-1].satisfied
    assert (context.planner.asked, context.critic.asked) == (0, 2)  # type: ignore[attr-defined]
    context.critic_name = None
    assert context.critic is context.planner


def test_agreement_counts_wanted_objects_and_surplus_ones() -> None:
    delete = DeleteEdit(target="x", box_xyxy=(0, 0, 1, 1))
    assert agreement(EditPlan()) == 1
    assert agreement(EditPlan(edits=(delete,), target=(KEEP,))) == 0.5
    assert agreement(EditPlan(edits=(delete, delete), target=(KEEP,))) == pytest.approx(1 / 3)
    assert agreement(EditPlan(edits=(delete,))) == 0


def test_the_profile_decides_who_paints(tmp_path: Path) -> None:
    drawn = []
    for profile in ("llmgen", "reference"):
        method, context = stage(tmp_path / profile, 0, profile=profile)
        (after,) = method([record(context, 1)])
        assert method._painter is not None
        drawn.append((type(method._painter).__name__, after.history[1].region is not None, after.history[1].kept))
    assert drawn == [("LatentPainter", True, True), ("ReferencePainter", True, True)]


def test_pictures_of_what_no_model_knows_are_not_painted_over_unless_that_is_wanted(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    context.preset = context.preset.model_copy(update={"words": ("ball", "car")})
    with pytest.raises(InputError, match="knows nothing of 'giraffe', 'lion'.*--outside-vocabulary"):
        SelfCorrection(context, SelfCorrectionConfig())._check_words(Record(id="a", prompt="a giraffe and a lion"))
    with pytest.raises(InputError, match="knows nothing of 'giraffe', 'lion': it draws"):
        SelfCorrection(context, SelfCorrectionConfig())._check_words(
            Record(id="a", prompt="a giraffe, a lion and a ball")
        )
    SelfCorrection(context, SelfCorrectionConfig())._check_words(Record(id="a", prompt="a giraffe and a ball"))
    SelfCorrection(context, SelfCorrectionConfig(outside_vocabulary=True))._check_words(Record(id="a", prompt="a lion"))
