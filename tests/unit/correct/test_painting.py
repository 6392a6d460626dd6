"""Every operation on a tiny pipeline: it changes its own region and not one pixel outside."""

import numpy as np
import pytest
from PIL import Image
from tiny_models import BoxSegmenter, noise_image, tiny_pipeline

from llmgen.artifacts import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Detection,
    Edit,
    EditPlan,
    Instance,
    MoveEdit,
)
from llmgen.correct.jobs import Job, Painted
from llmgen.correct.painting import LatentPainter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.text import TextEncoder

BOXES = {"ball #1": (2.0, 2.0, 18.0, 18.0), "ball #2": (24.0, 2.0, 40.0, 18.0), "ball #3": (2.0, 30.0, 18.0, 46.0)}
DETECTIONS = [Detection(id=i, phrase="ball", noun="ball", box_xyxy=b, score=0.9) for i, b in BOXES.items()]
ADD = AddEdit(target="star #1", phrase="red star", noun="star", attributes=("red",), box_xyxy=(42, 36, 62, 60))
DELETE = DeleteEdit(target="ball #1", box_xyxy=BOXES["ball #1"])
MOVE = MoveEdit(op="move", target="ball #2", from_box_xyxy=BOXES["ball #2"], box_xyxy=(30, 40, 46, 56))
CHANGE = ChangeAttributeEdit(
    target="ball #3", phrase="a blue ball", noun="ball", attributes=("blue",), box_xyxy=BOXES["ball #3"]
)


def plan(*edits: Edit) -> EditPlan:
    return EditPlan(edits=edits, target=tuple(Instance(id=i, phrase="a ball", box_xyxy=b) for i, b in BOXES.items()))


def job(*edits: Edit, image: Image.Image | None = None, seed: int = 5) -> Job:
    return Job(image or noise_image(), plan(*edits), DETECTIONS, "a meadow", "cars", seed)


def painter(prediction_type: str = "v_prediction", vae: str = "tiny", **settings: object) -> LatentPainter:
    pipe = tiny_pipeline(prediction_type, vae)
    config = SelfCorrectionConfig(**{"num_inference_steps": 4, "feather_px": 2, **settings})  # type: ignore[arg-type]
    return LatentPainter(pipe, TextEncoder(pipe.tokenizer, pipe.text_encoder), BoxSegmenter(), config)


def changed(result: Painted, before: Image.Image) -> np.ndarray:
    return (np.asarray(result.image) != np.asarray(before)).any(axis=-1)


@pytest.mark.parametrize(
    ("edit", "touched", "untouched"),
    [
        (DELETE, [(10, 10)], [(10, 32), (38, 10), (50, 50)]),
        (ADD, [(48, 52)], [(10, 10), (10, 32), (38, 10)]),
        (MOVE, [(10, 32), (48, 38)], [(10, 10), (38, 10), (20, 60)]),
        (CHANGE, [(38, 10)], [(10, 10), (10, 32), (50, 50)]),
    ],
)
def test_an_operation_changes_its_region_and_nothing_else(
    edit: Edit, touched: list[tuple[int, int]], untouched: list[tuple[int, int]]
) -> None:
    (result,) = painter().paint([job(edit)])
    region, difference = np.asarray(result.region) > 0, changed(result, noise_image())
    assert not difference[~region].any()
    assert 0.02 < region.mean() < 0.5
    for y, x in touched:
        assert region[y, x]
        assert difference[y - 2 : y + 2, x - 2 : x + 2].any()
    for y, x in untouched:
        assert not region[y, x]


def test_kept_objects_are_protected_from_an_addition_over_them() -> None:
    over = ADD.model_copy(update={"box_xyxy": (10.0, 10.0, 50.0, 50.0)})
    (result,) = painter().paint([job(over)])
    assert not changed(result, noise_image())[4:16, 26:38].any()
    assert changed(result, noise_image())[24:28, 24:28].any()


@pytest.mark.parametrize(("prediction_type", "vae"), [("epsilon", "kl"), ("v_prediction", "tiny")])
def test_a_batch_gives_what_its_records_give_alone(prediction_type: str, vae: str) -> None:
    jobs = [job(DELETE, MOVE, CHANGE, ADD), job(DELETE, seed=6), job(ADD, CHANGE, image=noise_image(1))]
    together = painter(prediction_type, vae).paint(jobs)
    alone = [painter(prediction_type, vae).paint([one])[0] for one in jobs]
    for a, b in zip(together, alone, strict=True):
        assert np.abs(np.asarray(a.image).astype(int) - np.asarray(b.image)).max() <= 1
        assert np.array_equal(np.asarray(a.region), np.asarray(b.region))


def test_seeds_decide_and_nothing_else_does() -> None:
    first, again, other = (painter().paint([job(DELETE, seed=s)])[0].image for s in (5, 5, 6))
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert not np.array_equal(np.asarray(first), np.asarray(other))


TWICE = ADD.model_copy(update={"target": "star #2", "box_xyxy": (44.0, 4.0, 60.0, 20.0)})


def test_inversions_and_additions_run_together_in_a_record_and_across_records() -> None:
    calls = []
    for plans in ([(ADD,)], [(ADD, TWICE)], [(ADD, TWICE, MOVE)], [(ADD, TWICE, MOVE), (MOVE, ADD)]):
        one = painter(num_inference_steps=4, frozen_step_ratio=0.5, energy_scale=0)
        one.paint([job(*edits) for edits in plans])
        calls.append(one.unet_calls)
    # Inversion and addition take 4 calls each; the final sampling 2 where every cell is held for the first half, else 4.
    assert calls == [10, 10, 12, 12]


GUIDED = {"energy_threshold": 0.0, "energy_scale": 200.0}


def short_job(*edits: Edit, image: Image.Image | None = None) -> Job:
    """A job whose words the tiny tokenizer, which spells, has room for."""
    target = (Instance(id="x #1", phrase="x", box_xyxy=ADD.box_xyxy),)
    return Job(image or noise_image(), EditPlan(edits=edits, target=target), DETECTIONS, "sea", "", 5)


def test_additions_are_guided_before_the_steps_of_the_final_sampling() -> None:
    calls = []
    for edits, given in (((MOVE,), {}), ((ADD, MOVE), {}), ((ADD, MOVE), {"energy_scale": 0}), ((ADD,), {})):
        one = painter(num_inference_steps=10, energy_threshold=0, **given)
        one.paint([short_job(*edits)])
        calls.append(one.unet_calls)
    # 4, 3, 2, 2, 1 and 1 passes before the first six of ten steps; where sampling begins in the middle, only the last of them.
    assert calls == [20, 30 + 13, 30, 25 + 1]


@pytest.mark.parametrize(
    "change",
    [{"energy_scale": 0.0}, {"energy_threshold": 1000.0}, {"guided_fraction": 0.3}, {"reference_weight": 0.0}]
    + [{"guidance_grounding": "boxes"}],
)
def test_every_setting_of_the_guidance_matters(change: dict[str, object]) -> None:
    wanted = [short_job(ADD, TWICE, DELETE)]
    guided, other = (painter(**{**GUIDED, **given}).paint(wanted)[0].image for given in ({}, change))
    assert not np.array_equal(np.asarray(guided), np.asarray(other))


def test_guided_records_do_not_depend_on_their_neighbours() -> None:
    jobs = [short_job(ADD, TWICE, DELETE), short_job(MOVE), short_job(DELETE, ADD, image=noise_image(1))]
    together = painter(**GUIDED).paint(jobs)
    for one, drawn in zip(jobs, together, strict=True):
        (alone,) = painter(**GUIDED).paint([one])
        assert np.abs(np.asarray(drawn.image).astype(int) - np.asarray(alone.image)).max() <= 1


def test_an_addition_that_the_text_has_no_room_for_is_drawn_without_guidance() -> None:
    long = ADD.model_copy(update={"phrase": "an extraordinarily long name of a star"})
    one = painter(**GUIDED)
    (result,) = one.paint([short_job(long, MOVE)])
    assert changed(result, noise_image())[48, 48]
    assert one.unet_calls == 12


def test_sides_that_the_unet_cannot_halve_are_padded_for_it() -> None:
    image = noise_image(3, 61, 53)
    (result,) = painter().paint([job(DELETE, image=image)])
    assert result.image.size == image.size == result.region.size
    assert changed(result, image)[10, 10]


@pytest.mark.parametrize(
    "settings",
    [{"change_blend": "one_late"}, {"change_strength": 0.4, "change_noise_ratio": 0.5}, {"change_region": "box"}],
)
def test_ways_to_change_attributes_differ(settings: dict[str, object]) -> None:
    steps = {"num_inference_steps": 8, "mask_dilation_px": 1}
    usual, other = painter(**steps).paint([job(CHANGE)])[0], painter(**steps, **settings).paint([job(CHANGE)])[0]
    assert not np.array_equal(np.asarray(usual.image), np.asarray(other.image))


def test_the_box_of_an_addition_can_be_drawn_anew() -> None:
    shown, cleared = painter().paint([job(ADD)])[0], painter(clear_added_boxes=True).paint([job(ADD)])[0]
    assert not np.array_equal(np.asarray(shown.image), np.asarray(cleared.image))
    assert not changed(cleared, noise_image())[np.asarray(cleared.region) == 0].any()


def test_a_target_outside_the_picture_or_an_unknown_id_does_not_stop_the_round() -> None:
    away = MOVE.model_copy(update={"box_xyxy": (70.0, 70.0, 90.0, 90.0)})
    unknown = DeleteEdit(target="dragon #1", box_xyxy=(44.0, 44.0, 60.0, 60.0))
    (result,) = painter().paint([job(away, unknown)])
    region = np.asarray(result.region) > 0
    assert region[50, 50]
    assert region[10, 32]
