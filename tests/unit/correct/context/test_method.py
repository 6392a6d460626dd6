"""The loop: plans, depths, memory, stop rules, interruption. Detector and planner follow a script, the painter is a tiny pipeline."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import BoxSegmenter, noise_image, tiny_context

from llmgen.artifacts import Detection, EditPlan, HistoryEntry, Layout, Record, RepaintEdit, Reply
from llmgen.correct.context.method import ContextCorrection
from llmgen.correct.context.settings import PUBLISHED, ContextConfig, DepthSettings
from llmgen.engine.config import build_config
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.llm.providers.provider import Answer
from llmgen.llm.questions.context import ContextQuestion
from llmgen.llm.questions.question import Question
from llmgen.vision.masks import encode_mask


def seen(name: str, box: tuple[int, int, int, int], score: float = 0.9, masked: bool = True) -> Detection:
    mask = np.zeros((64, 64), dtype=bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    x0, y0, x1, y1 = map(float, box)
    return Detection(
        id=f"{name} #1",
        phrase=name,
        noun=name.split()[-1],
        box_xyxy=(x0, y0, x1, y1),
        score=score,
        mask=encode_mask(mask) if masked else None,
    )


HOUSE, BALL, WINDOW = (
    seen("red house", (4, 4, 44, 44)),
    seen("ball", (48, 48, 60, 60)),
    seen("window", (10, 10, 20, 20)),
)


class Planner:
    """Answers by a script; the last entry is repeated."""

    provider, model = "script", None

    def __init__(self, *replies: str) -> None:
        self.replies, self.asked = list(replies), list[ContextQuestion]()

    def ask(self, question: Question[Any]) -> Answer[Any]:
        assert isinstance(question, ContextQuestion)
        text = self.replies[min(len(self.asked), len(self.replies) - 1)]
        self.asked.append(question)
        return Answer.read_from(question, Reply(call="context", provider="script", text=text))


class Detector:
    """Sees the same at every look, whatever is asked."""

    def __init__(self, *found: Detection) -> None:
        self.found, self.looks = found, list[Record]()

    models = ()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        self.looks += records
        return [record.grown(detections=self.found) for record in records]


def told(*tags: Any, story: str = "A quiet day.") -> str:
    objects = [
        {"object_id": f"o{n}", "tags": [tag] if tag else [], "negative_tags": ["rust"], "skip": not tag}
        for n, tag in enumerate(tags)
    ]
    return json.dumps({"story": story, "objects": objects})


def stage(
    folder: Path, planner: Planner, detector: Detector, **settings: object
) -> tuple[ContextCorrection, StageContext]:
    context = tiny_context(folder)
    context._planner = planner  # type: ignore[assignment]
    context._methods["detect"] = detector  # type: ignore[assignment]
    context.models.segmenter = lambda role="segmenter": BoxSegmenter()  # type: ignore[method-assign, assignment]
    given = {"num_inference_steps": 2, "depths": 1, "crop_share": 0.0, "mask_dilation_px": 1, **settings}
    return ContextCorrection(context, ContextConfig(**given)), context  # type: ignore[arg-type]


def record(context: StageContext, *found: Detection, **sections: object) -> Record:
    image = context.images.save("r0", "generate", noise_image())
    layout = Layout(width=64, height=64, background_prompt="a meadow")
    start = Record(
        id="r0", prompt="a house and a ball", seed=1, image=image, layout=layout, detections=found or (HOUSE, BALL)
    )
    return start.grown(history=(HistoryEntry(stage="generate", round=0, image=image),)).grown(**sections)


def test_a_depth_paints_every_object_and_says_what_became_of_it(tmp_path: Path) -> None:
    planner, detector = Planner(told("old brick", None)), Detector(HOUSE, BALL)
    method, context = stage(tmp_path, planner, detector)
    before = record(context)
    (after,) = method([before])
    (depth,) = after.history[1:]
    assert depth.edits is not None and depth.outcomes is not None and after.edits == depth.edits
    (edit,) = depth.edits.edits
    assert isinstance(edit, RepaintEdit)
    assert (edit.target, edit.phrase, edit.tags, edit.negative_tags, edit.strength) == (
        "red house #1", "a red house", ("old brick",), ("rust",), 0.6,
    )  # fmt: skip
    assert edit.mask is not None and edit.box_xyxy == HOUSE.box_xyxy
    assert [(o.target, o.status, o.reason) for o in depth.outcomes] == [
        ("red house #1", "painted", None),
        ("ball #1", "skipped", "nothing was planned for it"),
    ]
    assert depth.outcomes[0].before == before.image and depth.outcomes[0].after == after.image == depth.image
    assert depth.edits.reasoning == "A quiet day." and [i.id for i in depth.edits.target] == ["red house #1", "ball #1"]
    assert depth.region is not None and after.detections == (HOUSE, BALL)
    old, new = (np.asarray(context.images.load(ref)) for ref in (before.image, after.image) if ref is not None)
    outside = np.asarray(context.images.load(depth.region).convert("L")) == 0
    assert (old != new).any() and not (old != new)[outside].any()
    assert [reply.call for reply in after.replies] == ["context"] and after.layout == before.layout


def test_the_second_depth_is_told_the_first(tmp_path: Path) -> None:
    planner = Planner(told("old brick", None), told("lit", "new", story="Evening comes."))
    method, context = stage(tmp_path, planner, Detector(HOUSE, BALL), depths=2)
    (after,) = method([record(context)])
    first, second = planner.asked
    assert first.earlier == () and (first.depth, second.depth, second.depths) == (1, 2, 2)
    (told_before,) = second.earlier
    assert told_before.story == "A quiet day."
    assert [(one.phrase, one.tags) for one in told_before.painted] == [("a red house", ("old brick",)), ("a ball", ())]
    assert [entry.round for entry in after.history] == [0, 1, 2] and after.edits == after.history[2].edits
    forgetful, context = stage(tmp_path / "b", planner, Detector(HOUSE, BALL), depths=2, memory=False)
    forgetful([record(context)])
    assert planner.asked[-1].earlier == ()


def test_a_schedule_says_what_each_depth_looks_for(tmp_path: Path) -> None:
    schedule = (
        DepthSettings(goal="large", max_area=0.9, min_area=0.1),
        DepthSettings(goal="parts", classes=("window",), strength=0.3, max_area=0.1, details={"window": ("lit",)}),
    )
    planner, detector = Planner(told("old brick"), told("lit")), Detector(HOUSE, BALL, WINDOW)
    method, context = stage(tmp_path, planner, detector, depths=2, schedule=schedule)
    (after,) = method([record(context)])
    assert [d.id for d in planner.asked[0].detections] == ["red house #1"]
    assert [d.id for d in planner.asked[1].detections] == ["window #1"]
    assert (planner.asked[1].goal, planner.asked[1].offered) == ("parts", (("window", ("lit",)),))
    assert [e.strength for entry in after.history[1:] for e in entry.edits.edits] == [0.6, 0.3]  # type: ignore[union-attr]
    asked = [look.layout.absent for look in detector.looks if look.layout is not None and look.layout.absent]
    assert asked and set(asked) == {("window",)}


def test_the_second_depth_looks_by_the_role_of_parts(tmp_path: Path) -> None:
    """A preset that has a detector of parts is asked for it, by the method that is made for one; the first depth looks as ever."""
    method, context = stage(tmp_path, Planner(told("old brick", "new")), first := Detector(HOUSE, BALL), depths=2)
    role = next(iter(context.preset.roles.values()))
    context.preset = context.preset.model_copy(update={"roles": {**context.preset.roles, "detector_parts": role}})
    asked, parts = list[tuple[str | None, dict[str, Any]]](), Detector(WINDOW)

    def collaborator(name: str, by: str | None = None, given: Any = None) -> Detector:
        asked.append((by, dict(given or {})))
        return first if by is None else parts

    context.collaborator = collaborator  # type: ignore[method-assign, assignment]
    (after,) = method([record(context).grown(detections=None)])
    assert [entry.round for entry in after.history] == [0, 1, 2]
    assert (None, {}) in asked and ("mask-rcnn", {"role": "detector_parts"}) in asked
    assert first.looks and [view.image for view in parts.looks][0] == after.history[1].image
    edits = after.history[2].edits
    assert edits is not None and [edit.target for edit in edits.edits] == ["window #1"]


def test_plan_only_is_of_the_next_depth_and_is_carried_out_as_it_is(tmp_path: Path) -> None:
    planner = Planner(told("old brick", "shiny"))
    method, context = stage(tmp_path, planner, Detector(HOUSE, BALL), plan_only=True, depths=2)
    (planned,) = method([record(context)])
    assert planned.edits is not None and [e.target for e in planned.edits.edits] == ["red house #1", "ball #1"]
    assert planned.image == record(context).image and len(planned.history) == 1
    assert not (tmp_path / ".llmgen").exists() and method._inpainter is None
    by_hand = planned.edits.model_copy(update={"edits": planned.edits.edits[1:]})
    carry_out, context = stage(tmp_path, planner, Detector(HOUSE, BALL), depths=1)
    (once,) = carry_out([planned.grown(edits=by_hand)])
    assert once.history[1].edits == by_hand and len(planner.asked) == 1
    (next_plan,) = method([once])
    assert planner.asked[-1].depth == 2 and next_plan.edits != by_hand
    done, context = stage(tmp_path, planner, Detector(HOUSE, BALL), depths=1)
    (same,) = done([once])
    assert same == once


def test_nothing_found_leaves_the_picture_and_says_so(tmp_path: Path) -> None:
    planner = Planner(told())
    method, context = stage(tmp_path, planner, Detector(), depths=3)
    said: list[str] = []
    context.remark_on = lambda _, text: said.append(text)
    before = record(context).grown(detections=())
    (after,) = method([before])
    assert after.image == before.image and planner.asked == []
    assert after.history[1].outcomes == () and len(after.history) == 2 and after.edits == EditPlan()
    assert said == ["depth 1 is the last: nothing to paint was found"]


def test_the_loop_ends_when_nothing_was_kept(tmp_path: Path) -> None:
    method, context = stage(tmp_path, Planner(told("a", "b")), Detector(), depths=3)
    before = record(context)
    (after,) = method([before])
    assert after.history[1].outcomes is not None
    assert {o.status for o in after.history[1].outcomes} == {"rolled_back"} and len(after.history) == 2
    assert after.image == before.image and after.detections == before.detections


def test_a_budget_holds_for_all_depths_together(tmp_path: Path) -> None:
    method, context = stage(tmp_path, Planner(told("a", "b")), Detector(HOUSE, BALL), depths=3, most_edits=3)
    (after,) = method([record(context)])
    counted = [[o.status for o in entry.outcomes or ()] for entry in after.history[1:]]
    assert counted == [["painted", "painted"], ["painted", "skipped"]]


def test_a_planner_without_a_usable_reply_costs_no_record(tmp_path: Path) -> None:
    said: list[str] = []
    method, context = stage(tmp_path, Planner("I'm sorry, I can't."), Detector(HOUSE, BALL))
    context.remark_on = lambda _, text: said.append(text)
    (after,) = method([record(context)])
    assert after.history[1].edits is not None
    assert [e.tags for e in after.history[1].edits.edits if isinstance(e, RepaintEdit)] == [(), ()]
    assert any("objects are painted by their names: unusable reply: the model refused" in line for line in said)
    assert after.replies == ()


def test_detections_without_masks_get_the_segmenter_s(tmp_path: Path) -> None:
    bare = seen("ball", (48, 48, 60, 60), masked=False)
    method, context = stage(tmp_path, Planner(told("a")), Detector(bare))
    (after,) = method([record(context, bare)])
    assert after.history[1].edits is not None and after.history[1].edits.target[0].mask is not None


class Interrupted(Exception):
    """A kill between two objects."""


def test_an_interruption_costs_the_depth_it_fell_into_and_no_byte(tmp_path: Path) -> None:
    replies = told("a", "b"), told("c", "d")

    def run(folder: Path, stop_after: int | None = None, **settings: object) -> tuple[Record, int, list[str]]:
        method, context = stage(folder, Planner(*replies), Detector(HOUSE, BALL), depths=2, **settings)
        start, painted, said = record(context), 0, list[str]()
        context.remark_on = lambda _, text: said.append(text)
        from llmgen.correct.painters import load_inpainter

        method._inpainter = load_inpainter(context, "inpaint", method._config)
        paint = method._inpainter.paint

        def counted(patches: Any) -> Any:
            nonlocal painted
            if painted == stop_after:
                raise Interrupted
            painted += 1
            return paint(patches)

        method._inpainter.paint = counted  # type: ignore[method-assign]
        if settings.get("depths") is None and stop_after is not None:
            with pytest.raises(Interrupted):
                method([start])
            return start, painted, said
        (after,) = method([start])
        for forget in context.when_saved:
            forget()
        return after, painted, said

    whole, count, _ = run(tmp_path / "a")
    run(tmp_path / "b", stop_after=3)
    kept = list((tmp_path / "b" / ".llmgen" / "depths").iterdir())
    assert len(kept) == 1
    # The planner's script begins anew, so the second depth is planned by its first reply unless the first depth is not asked about again.
    replies = (replies[1],)
    resumed, again, _ = run(tmp_path / "b")
    assert count == 4 and again == 2
    assert resumed.image is not None and whole.image is not None and resumed.image.sha256 == whole.image.sha256
    assert resumed == whole
    assert list((tmp_path / "b" / ".llmgen" / "depths").iterdir()) == []


def test_a_damaged_depth_is_made_anew(tmp_path: Path) -> None:
    method, context = stage(tmp_path, Planner(told("a", "b")), Detector(HOUSE, BALL), depths=1)
    (once,) = method([record(context)])
    (path,) = (tmp_path / ".llmgen" / "depths").iterdir()
    for text in ("", "{}", "[1]", '{"record": {}, "remarks": [], "ended": true}'):
        path.write_text(text)
        (again,) = method([record(context)])
        assert again == once
    assert once.image is not None
    (tmp_path / once.image.path).write_bytes(b"another picture")
    (again,) = method([record(context)])
    assert again == once and context.images.load(once.image).size == (64, 64)


def test_the_reference_has_the_published_constants_and_refuses_others(tmp_path: Path) -> None:
    config = build_config(ContextCorrection, {}, {"profile": "reference"})
    published = {
        "merge": "class", "order": "score", "strength": 0.6, "num_inference_steps": 40, "guidance_scale": 7.0, "mask_blur_px": 20.0,
        "mask_dilation_px": 0, "crop_share": 0.0, "scheduler": "dpm++-2m-karras", "accept": False, "memory": False,
        "fill_holes": False, "subtract_front": False, "scene_in_prompt": False, "negative_prompt": "",
        "grounding_fraction": 0.0, "whole_cells": False, "candidates": 1,
    }  # fmt: skip
    assert published == PUBLISHED
    assert {name: getattr(config, name) for name in published} == published
    with pytest.raises(InputError, match="profile 'reference' means order='score'"):
        build_config(ContextCorrection, {}, {"profile": "reference", "order": "area"})
    with pytest.raises(InputError, match="crop_most_side_px=100 is less than crop_side_px=512"):
        build_config(ContextCorrection, {}, {"crop_most_side_px": 100})


def test_the_reference_paints_classes_by_score_without_a_test(tmp_path: Path) -> None:
    twin = seen("house", (46, 4, 60, 18), 0.95)
    settings = {**PUBLISHED, "profile": "reference", "num_inference_steps": 4, "mask_blur_px": 2.0}
    method, context = stage(tmp_path, Planner(told("a", "b")), Detector(), **settings)
    (after,) = method([record(context, HOUSE, twin.model_copy(update={"id": "house #2"}), BALL)])
    depth = after.history[1]
    assert depth.edits is not None and depth.outcomes is not None
    assert [e.target for e in depth.edits.edits] == ["house #2", "ball #1"]
    assert depth.edits.edits[0].box_xyxy == (4, 4, 60, 44)
    assert [o.status for o in depth.outcomes] == ["painted", "painted"] and depth.outcomes[0].score_before is None


def test_the_latent_painter_does_it_too(tmp_path: Path) -> None:
    method, context = stage(tmp_path, Planner(told("a", None)), Detector(HOUSE, BALL), painter="latents")
    context.preset = context.preset.model_copy(
        update={"defaults": {"correct.self_correction": {"num_inference_steps": 2, "energy_scale": 0.0}}}
    )
    before = record(context)
    (after,) = method([before])
    assert after.history[1].outcomes is not None and after.history[1].outcomes[0].status == "painted"
    assert after.image != before.image


def test_a_picture_is_needed(tmp_path: Path) -> None:
    method, _ = stage(tmp_path, Planner(told()), Detector())
    with pytest.raises(InputError, match="llmgen generate"):
        method([Record(id="r1", prompt="a ball")])


def test_who_says_whether_an_object_is_still_there_can_be_another_than_who_found_it(tmp_path: Path) -> None:
    depth = DepthSettings(keep_role="detector_objects")
    method, context = stage(tmp_path, Planner(told("a striped red house")), Detector(), schedule=(depth,))
    keeper = Detector(seen("house", (4, 4, 44, 44)))
    context._methods['detect mask-rcnn {"role": "detector_objects"}'] = keeper  # type: ignore[assignment]
    (after,) = method([record(context, HOUSE)])
    (outcome,) = after.history[1].outcomes or ()
    assert (outcome.status, outcome.found_iou, len(keeper.looks)) == ("painted", 1.0, 1)
    assert keeper.looks[0].image == outcome.after


@pytest.mark.parametrize("url", ["nix", "ftp://host", "http://"])
def test_what_is_no_address_is_refused_with_the_settings(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a server"):
        ContextConfig(api_url=url)
