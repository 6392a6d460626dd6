import numpy as np
from tiny_models import BoxSegmenter, noise_image

from llmgen.artifacts import DeleteEdit, Detection, EditPlan
from llmgen.correct.regions import kept_ids, mask_of, object_masks, rectangle
from llmgen.vision.blending import feathered, paste_back, region_picture
from llmgen.vision.masks import encode_mask

BOX = (10.0, 10.0, 30.0, 30.0)


def found(name: str = "cup #1", mask: np.ndarray | None = None) -> Detection:
    return Detection(
        id=name,
        phrase="cup",
        noun="cup",
        box_xyxy=BOX,
        score=0.9,
        mask=None if mask is None else encode_mask(mask),
    )


def test_a_mask_that_runs_into_a_neighbour_is_cut_at_its_box() -> None:
    leaking = rectangle((12, 12, 60, 28), 64, 64)
    masks = object_masks(noise_image(), [found(mask=leaking)], BoxSegmenter())
    assert masks["cup #1"][20, 15:30].all()
    assert not masks["cup #1"][:, 33:].any()


def test_the_segmenter_fills_in_and_the_box_stands_for_an_empty_mask() -> None:
    masks = object_masks(noise_image(), [found(), found("cup #2", np.zeros((64, 64), bool))], BoxSegmenter())
    assert masks["cup #1"].sum() == 18 * 18
    assert masks["cup #2"].sum() == 20 * 20


def test_an_edit_finds_its_mask_by_id_by_overlap_or_by_its_box() -> None:
    detections = [found()]
    masks = object_masks(noise_image(), detections, BoxSegmenter())
    assert mask_of("cup #1", (0, 0, 1, 1), detections, masks, (64, 64)) is masks["cup #1"]
    assert mask_of("mug", (11, 11, 31, 31), detections, masks, (64, 64)) is masks["cup #1"]
    assert mask_of("mug", (40, 40, 50, 50), detections, masks, (64, 64)).sum() == 100
    assert not mask_of("mug", (-40, 80, -20, 90), detections, masks, (64, 64)).any()
    assert kept_ids(EditPlan(edits=(DeleteEdit(target="x", box_xyxy=BOX),)), detections) == ["cup #1"]


def test_pasting_fades_out_and_leaves_the_rest_alone() -> None:
    region = rectangle((20, 20, 40, 40), 64, 64)
    weight = feathered(region, 3)
    assert (weight[region] == 1).all()
    assert 0 < weight[30, 41] < 1
    assert weight[30, 44] == 0
    old, new = noise_image(1), noise_image(2)
    mixed, white = np.asarray(paste_back(old, new, weight)), np.asarray(region_picture(weight)) > 0
    assert np.array_equal(mixed[~white], np.asarray(old)[~white])
    assert np.array_equal(mixed[region], np.asarray(new)[region])
