"""Carrying out a depth: order, seeds, acceptance, rollback, budget, edits that cannot be carried out."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from tiny_models import noise_image

from llmgen.artifacts import DeleteEdit, Detection, Edit, EditPlan, Instance, Record, RepaintEdit
from llmgen.correct.context.acceptance import MARGIN, Acceptance, best_overlap
from llmgen.correct.context.carrying import Budget, Carried, carry_out
from llmgen.correct.context.settings import ContextConfig
from llmgen.correct.context.surroundings import Surroundings
from llmgen.errors import MissingRequirementError, ModelError
from llmgen.paint.inpainter import Cost, Patch
from llmgen.vision.blending import crop_around
from llmgen.vision.masks import encode_mask


class Painter:
    """Paints one colour, or fails."""

    multiple = 16

    def __init__(self, error: Exception | None = None) -> None:
        self.cost, self.seen, self.error = Cost(), list[Patch](), error

    def steps_at(self, strength: float) -> int:
        return int(10 * strength)

    def paint(self, patches: Sequence[Patch]) -> list[Image.Image]:
        self.seen += patches
        if self.error is not None:
            raise self.error
        return [Image.new("RGB", patch.image.size, "white") for patch in patches]


class Scorer:
    """Scores by a script: before, after, before, after ..."""

    measure = "cosine"
    plain = 0.2

    def __init__(self, *scores: float) -> None:
        self.scores, self.asked = list(scores), list[str]()

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return []

    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        self.asked += [phrase for asked in phrases for phrase in asked]
        return [[self.scores.pop(0), self.plain] for _ in crops]


def edit(name: str, x: int, tags: tuple[str, ...] = ("shiny",), **more: object) -> RepaintEdit:
    mask = np.zeros((64, 64), dtype=bool)
    mask[10:26, x : x + 16] = True
    values = {"mask": encode_mask(mask), "strength": 0.5, **more}
    return RepaintEdit(target=name, phrase="a ball", noun="ball", tags=tags, box_xyxy=(x, 10, x + 16, 26), **values)  # type: ignore[arg-type]


ONE, TWO = edit("ball #1", 4), edit("ball #2", 40)
NO_TEST = Acceptance(None, None, 0.02, 0.5)


def carried(
    *edits: Edit,
    painter: Painter | None = None,
    acceptance: Acceptance = NO_TEST,
    budget: Budget | None = None,
    target: tuple[Instance, ...] = (),
    **settings: object,
) -> tuple[Carried, Painter]:
    painter = painter or Painter()
    config = ContextConfig(**{"mask_dilation_px": 0, "mask_blur_px": 1.0, **settings})  # type: ignore[arg-type]
    done = carry_out(
        noise_image(),
        EditPlan(edits=edits, target=target),
        painter,
        acceptance,
        config,
        surroundings=Surroundings(Record(id="a", prompt="a ball"), target),
        scene="a meadow",
        seed=5,
        number=1,
        budget=budget or Budget(None, None),
    )
    return done, painter


def test_each_object_is_painted_on_what_the_one_before_left_with_a_seed_of_its_own() -> None:
    done, painter = carried(ONE, TWO)
    first, second = painter.seen
    assert first.seed != second.seed and first.prompt == "a meadow with a ball, shiny"
    assert np.asarray(second.image)[18, 12].tolist() == [255, 255, 255]
    assert [step.outcome.status for step in done.steps] == ["painted", "painted"]
    again, repeated = carried(TWO)
    assert repeated.seen[0].seed == second.seed  # neither order nor number matters
    assert done.region is not None and done.region[18, 12] == done.region[18, 48] == 1
    changed = (np.asarray(done.image) != np.asarray(noise_image())).any(axis=-1)
    assert not (changed & (done.region == 0)).any()
    assert done.steps[0].outcome.steps == 5 and done.steps[0].outcome.painted_width == 64


def test_a_score_that_falls_brings_the_original_back() -> None:
    done, painter = carried(ONE, TWO, acceptance=Acceptance(None, Scorer(0.3, 0.27, 0.3, 0.29), 0.02, 0.5))
    assert [step.outcome.status for step in done.steps] == ["rolled_back", "painted"]
    assert done.steps[0].outcome.reason == "it fits its tags worse than before (0.300 -> 0.270)"
    assert done.steps[0].after is not None and (
        done.steps[0].outcome.score_before,
        done.steps[0].outcome.score_after,
    ) == (0.3, 0.27)
    assert painter.seen[1].image.tobytes() == noise_image().tobytes()
    assert done.region is not None and done.region[18, 12] == 0


def test_an_object_that_is_not_found_again_brings_the_original_back() -> None:
    def look(picture: Image.Image) -> list[Detection]:
        return [Detection(id="b", phrase="ball", noun="Balls", box_xyxy=(40, 10, 56, 26), score=0.4)]

    done, _ = carried(ONE, TWO, acceptance=Acceptance(look, None, 0.02, 0.5))
    assert [(s.outcome.status, s.outcome.found_iou) for s in done.steps] == [("rolled_back", 0.0), ("painted", 1.0)]
    assert done.steps[0].outcome.reason == "the detector finds no 'ball' there any more (overlap 0.00 < 0.5)"
    assert best_overlap(ONE, ()) == 0


def test_a_tag_that_names_the_object_stands_alone_and_both_are_scored() -> None:
    named, scorer = edit("ball #1", 4, ("a striped ball", "new")), Scorer(0.1, 0.2)
    _, painter = carried(named, acceptance=Acceptance(None, scorer, 0, 0))
    assert painter.seen[0].phrase == "a striped ball, new" and scorer.asked == ["a striped ball, new", "a ball"] * 2
    assert edit("x", 4, ()).description == "a ball"


def test_of_several_candidates_the_one_that_shows_its_tags_best_is_kept() -> None:
    # Before and after, each with the tags' score; beside the plain name (0.2) the second candidate shows them best.
    scorer = Scorer(0.3, 0.31, 0.3, 0.39, 0.3, 0.35)
    done, painter = carried(ONE, acceptance=Acceptance(None, scorer, 0.02, 0.5), candidates=3)
    assert len({patch.seed for patch in painter.seen}) == 3 and len(done.steps) == 1
    assert (done.steps[0].outcome.score_after, done.steps[0].outcome.steps) == (0.39, 15)
    assert carried(ONE)[1].seen[0].seed == painter.seen[0].seed  # the first candidate is the one that is painted alone
    # One that fails the test is not chosen, however well it fits.
    found = iter(((40, 10, 56, 26), (4, 10, 20, 26)))

    def look(picture: Image.Image) -> list[Detection]:
        return [Detection(id="b", phrase="ball", noun="ball", box_xyxy=next(found), score=0.4)]

    done, _ = carried(ONE, acceptance=Acceptance(look, Scorer(0.3, 0.9, 0.3, 0.35), 0.02, 0.5), candidates=2)
    assert (done.steps[0].outcome.status, done.steps[0].outcome.score_after) == ("painted", 0.35)


def test_a_painter_is_told_what_lies_where_and_what_became_of_it() -> None:
    boxes = {"ball #1": (4, 10, 20, 26), "ball #2": (40, 10, 56, 26)}
    target = tuple(Instance(id=name, phrase="a ball", noun="ball", box_xyxy=box) for name, box in boxes.items())
    _, painter = carried(ONE, TWO, target=target)
    told = [[(one.phrase, one.box_xyxy) for one in patch.objects] for patch in painter.seen]
    assert told[0] == [("a ball, shiny", boxes["ball #1"]), ("a ball", boxes["ball #2"])]
    assert told[1] == [("a ball, shiny", boxes["ball #1"]), ("a ball, shiny", boxes["ball #2"])]
    assert painter.seen[0].full_prompt == "a meadow with a ball, shiny, a ball"


def test_a_budget_stops_before_the_next_object() -> None:
    done, painter = carried(ONE, TWO, budget=Budget(1, None))
    assert [s.outcome.reason for s in done.steps] == [None, "the budget of edits is spent"]
    assert len(painter.seen) == 1 and done.steps[1].outcome.status == "skipped"
    late, painter = carried(ONE, budget=Budget(None, 0.0))
    assert late.steps[0].outcome.reason == "the budget of seconds is spent" and not painter.seen


def test_edits_that_cannot_be_carried_out_are_skipped_and_the_others_are_not() -> None:
    other = np.ones((10, 10), dtype=bool)
    done, painter = carried(
        DeleteEdit(target="x", box_xyxy=(0, 0, 9, 9)),
        edit("small", 4, mask=encode_mask(other)),
        edit("empty", 4, mask=encode_mask(np.zeros((64, 64), dtype=bool))),
        edit("far", 4, mask=None).model_copy(update={"box_xyxy": (70, 70, 90, 90)}),
        edit("boxed", 4, mask=None),
    )
    assert [s.outcome.reason for s in done.steps] == [
        "this mode carries out edits of kind repaint only",
        "its mask is 10x10, the picture 64x64",
        "its mask is empty",
        "its box lies outside the picture",
        None,
    ]
    assert len(painter.seen) == 1 and painter.seen[0].mask.sum() == 16 * 16


def test_a_painter_that_fails_costs_the_object_and_one_that_is_not_there_is_asked_once() -> None:
    done, _ = carried(ONE, painter=Painter(ModelError("HTTP 500: no")))
    assert (done.steps[0].outcome.status, done.steps[0].outcome.reason) == ("skipped", "HTTP 500: no")
    assert done.image.tobytes() == noise_image().tobytes() and done.region is None
    done, painter = carried(ONE, TWO, painter=Painter(MissingRequirementError("no server answers")))
    assert [(s.outcome.status, s.outcome.reason) for s in done.steps] == [("skipped", "no server answers")] * 2
    assert len(painter.seen) == 1


def test_a_soft_edge_does_not_reach_smaller_objects_of_the_plan() -> None:
    large, small = np.zeros((64, 64), dtype=bool), np.zeros((64, 64), dtype=bool)
    large[10:40, 4:40], small[20:30, 40:46] = True, True
    wide = edit("ball #1", 4, mask=encode_mask(large))
    target = (
        Instance(id="ball #1", phrase="a ball", box_xyxy=(4, 10, 40, 40), mask=encode_mask(large)),
        Instance(id="cup #1", phrase="a cup", box_xyxy=(40, 20, 46, 30), mask=encode_mask(small)),
    )
    done, _ = carried(wide, target=target, mask_blur_px=3.0)
    assert (np.asarray(done.image) == np.asarray(noise_image()))[small].all()
    assert not (np.asarray(done.image) == np.asarray(noise_image()))[30:36, 41].all()


def test_crops_hold_the_object_and_at_least_a_pixel() -> None:
    assert crop_around(noise_image(), (10, 10, 30, 20), MARGIN).size == (26, 16)
    assert crop_around(noise_image(), (63.5, 63.5, 64, 64), MARGIN).size == (1, 1)
