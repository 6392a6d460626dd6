"""The two shipped Mask R-CNNs, of objects and of parts, and the recipe that made them."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from llmgen.artifacts import Record
from llmgen.detect.mask_rcnn import MaskRcnnDetect
from llmgen.diffusion.mask_rcnn import MaskRcnnDetector, load_mask_rcnn
from llmgen.engine.context import StageContext
from llmgen.presets import load_preset
from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes.mask_rcnn import ObjectsRecipe, PartsRecipe
from llmgen.toybox.recipes.mask_rcnn_quality import held_out_truths, mask_quality
from llmgen.toybox.recipes.mask_truths import (
    OBJECTS,
    PART_NAMES,
    PARTS_OF_OBJECTS,
    ClassList,
    mirrored,
    targets_of,
    truth_of,
)
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.scene_batches import degrade
from llmgen.toybox.world.scenes import Wanted, place, render
from llmgen.toybox.world.vocabulary import NOUNS
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import decode_mask, mask_iou


def house_and_ball() -> tuple[object, object]:
    scene = place([Wanted("house", "red"), Wanted("ball", "blue")], "meadow", random.Random(3))
    return scene, render(scene)


def test_truths_of_objects_and_of_parts() -> None:
    scene, rendered = house_and_ball()
    objects = truth_of(scene, OBJECTS.instances)  # type: ignore[arg-type]
    assert objects.names == ("house", "ball") and (objects.masks == rendered.masks).all()  # type: ignore[attr-defined]
    parts = truth_of(scene, PARTS_OF_OBJECTS.instances)  # type: ignore[arg-type]
    assert set(parts.names) == {"window", "door"}
    assert all((mask & ~objects.masks[0]).sum() == 0 for mask in parts.masks)
    assert OBJECTS.classes == NOUNS and PART_NAMES == ("window", "door", "wheel", "handle", "trunk", "tail")


def test_targets_are_tight_and_mirrored_with_their_picture() -> None:
    scene, _ = house_and_ball()
    truth = truth_of(scene, OBJECTS.instances)  # type: ignore[arg-type]
    plain, turned = (targets_of([one], OBJECTS.classes)[0] for one in (truth, mirrored(truth)))
    for target in (plain, turned):
        assert target["labels"].tolist() == [NOUNS.index("house") + 1, NOUNS.index("ball") + 1]
        for box, mask in zip(target["boxes"].int().tolist(), target["masks"].bool(), strict=True):
            x0, y0, x1, y1 = box
            assert mask[y0:y1, x0:x1].sum() == mask.sum() and mask[:, x0].any() and mask[y1 - 1].any()
    assert (128 - plain["boxes"][:, 2] == turned["boxes"][:, 0]).all()
    empty = targets_of([truth_of(type(scene)("snow", (), 1), OBJECTS.instances)], OBJECTS.classes)[0]  # type: ignore[call-arg]
    assert empty["boxes"].shape == (0, 4) and empty["masks"].shape == (0, 128, 128)


def test_scenes_for_parts_mostly_have_some() -> None:
    rng = random.Random(0)
    truths = [truth_of(PARTS_OF_OBJECTS.sample(rng), PARTS_OF_OBJECTS.instances) for _ in range(60)]
    assert sum(bool(truth.names) for truth in truths) >= 42
    assert any(not truth.names for truth in truths)


@pytest.mark.parametrize(
    ("folder", "learns", "clean", "damaged"),
    [
        ("detector_objects", OBJECTS, 0.8, 0.75),
        ("detector_parts", PARTS_OF_OBJECTS, 0.85, 0.8),
    ],
)
def test_the_shipped_detectors_find_masks(folder: str, learns: ClassList, clean: float, damaged: float) -> None:
    detector = MaskRcnnDetector(*load_mask_rcnn(WEIGHTS / folder))
    assert detector.classes == learns.classes
    assert mask_quality(detector, learns, count=40, seed=5).ap50 >= clean
    assert mask_quality(detector, learns, count=40, seed=5, damage=degrade).ap50 >= damaged
    assert (WEIGHTS / folder / "model.safetensors").stat().st_size <= 5_000_000


def test_objects_and_parts_through_the_stage(tmp_path: Path) -> None:
    context = StageContext(load_preset("toybox"), ImageStore(tmp_path), "cpu", "float32")
    truths = held_out_truths(OBJECTS, 12, seed=9)
    records = [
        Record(id=f"r{i}", prompt="a scene", image=context.images.save(f"r{i}", "test", Image.fromarray(truth.image)))
        for i, truth in enumerate(truths)
    ]
    detect = MaskRcnnDetect(context, context.config_for("detect", "mask-rcnn"))
    assert [use.role for use in detect.models] == ["detector_objects"]
    overlaps = []
    for truth, record in zip(truths, detect(records), strict=True):
        for name, mask in zip(truth.names, truth.masks, strict=True):
            found = [decode_mask(d.mask) for d in record.detections or () if d.noun == name and d.mask is not None]
            overlaps.append(max((mask_iou(one, mask) for one in found), default=0.0))
    assert np.mean(overlaps) >= 0.7
    parts = MaskRcnnDetect(context, context.config_for("detect", "mask-rcnn", {"role": "detector_parts"}))
    assert [use.role for use in parts.models] == ["detector_parts"]
    found = {d.noun for record in parts(records) for d in record.detections or ()}
    assert found and found <= set(PART_NAMES)


@pytest.mark.parametrize("recipe", [ObjectsRecipe(batch_size=2), PartsRecipe(batch_size=2)])
def test_the_recipe_learns_repeats_and_ships(recipe: ObjectsRecipe | PartsRecipe, tmp_path: Path) -> None:
    first = TrainingRun(tmp_path / "a", steps=2).train(recipe)
    again = TrainingRun(tmp_path / "b", steps=2).train(recipe)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert (tmp_path / "a" / "sheet.png").is_file()
    recipe.ship(tmp_path / "a", tmp_path / "weights")
    _, config = load_mask_rcnn(tmp_path / "weights" / recipe.folder)
    assert config.classes == recipe.learns.classes
    # From the shipped weights, the first step is a step on from them.
    lesson = recipe.lesson(TrainingRun(tmp_path / "c", steps=1, seed=0, start=WEIGHTS / recipe.folder))
    lesson.module.train()
    losses = lesson.losses(lesson.draw(0))
    assert sum(loss.item() for loss in losses.values()) < 3.0
