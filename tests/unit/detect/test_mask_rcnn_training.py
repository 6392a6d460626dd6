"""Training at a tiny size, through the real classes of the library."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from llmgen.artifacts import Record
from llmgen.artifacts.io import read_records, write_artifact
from llmgen.cli import main
from llmgen.detect.mask_rcnn_training.batches import draw_batch, target_of
from llmgen.detect.mask_rcnn_training.training import PROFILES, MaskRcnnTraining, _MaskRcnnLesson, recipe_of, start_from
from llmgen.diffusion.mask_rcnn import build_mask_rcnn, read_mask_rcnn_config, save_mask_rcnn
from llmgen.errors import InputError, MissingRequirementError
from llmgen.formats.coco_instances import InstanceSet, read_instances
from llmgen.training.curves import draw_curves, read_log
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import decode_mask, mask_bounds

from .tiny import tiny_mask_rcnn

BOX = (12, 10, 44, 40)


def data_file(folder: Path, count: int = 4) -> Path:
    """Pictures of 64 x 56 with one rectangle each, of two classes with ids 9 and 5; the last one shows nothing."""
    images, annotations = [], []
    for number in range(1, count + 1):
        canvas = Image.new("RGB", (64, 56), (220, 220, 200))
        if number < count:
            x0, y0, x1, y1 = BOX
            ImageDraw.Draw(canvas).rectangle((x0, y0, x1 - 1, y1 - 1), fill=("red", "blue")[number % 2])
            polygon = [x0, y0, x1, y0, x1, y1, x0, y1]
            # Whole numbers, as many tools write them.
            annotations.append(
                {
                    "id": number, "image_id": number, "category_id": (9, 5)[number % 2], "iscrowd": 0, "area": 960,
                    "bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": [polygon],
                }
            )  # fmt: skip
        canvas.save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 56})
    path = folder / "data.json"
    categories = [{"id": 9, "name": "boat"}, {"id": 5, "name": "plane"}]
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories}), encoding="utf-8"
    )
    return path


@pytest.fixture
def data(tmp_path: Path) -> InstanceSet:
    return read_instances(data_file(tmp_path))


def base(folder: Path) -> Path:
    model, config = tiny_mask_rcnn(("x", "y", "z"))
    save_mask_rcnn(folder / "base", config, model.state_dict())
    return folder / "base"


def test_targets_are_what_the_library_takes(data: InstanceSet) -> None:
    target, empty = target_of(data.pictures[0]), target_of(data.pictures[-1])
    assert target["boxes"].dtype == torch.float32 and target["boxes"].tolist() == [list(map(float, BOX))]
    assert target["labels"].dtype == torch.int64 and target["labels"].tolist() == [1]
    assert target["masks"].dtype == torch.uint8 and target["masks"].shape == (1, 56, 64)
    assert [tuple(empty[name].shape) for name in ("boxes", "labels", "masks")] == [(0, 4), (0,), (0, 56, 64)]


def test_a_mirrored_picture_takes_its_masks_along(data: InstanceSet) -> None:
    mirrored = target_of(data.pictures[0], mirrored=True)
    assert mirrored["boxes"].tolist() == [[64 - BOX[2], BOX[1], 64 - BOX[0], BOX[3]]]
    assert mask_bounds(mirrored["masks"][0].numpy().astype(bool)) == (64 - BOX[2], BOX[1], 64 - BOX[0], BOX[3])
    # Half of the pictures are, and then the pixels are, too.
    rng = np.random.default_rng(0)
    seen = [draw_batch(data.pictures[:1], rng) for _ in range(20)]
    lefts = {batch.targets[0]["boxes"][0, 0].item() for batch in seen}
    assert lefts == {12.0, 20.0}
    for batch in seen:
        inside, left = batch.images[0][:, 25, 14], batch.targets[0]["boxes"][0, 0].item()
        # Two columns from the left edge of the object, or background where it was mirrored away.
        assert (inside.max() - inside.min() > 0.3) == (left == 12.0)
        assert 0 <= batch.images[0].min() and batch.images[0].max() <= 1


def test_one_step_after_the_other_lowers_the_loss_on_a_fixed_picture(data: InstanceSet, tmp_path: Path) -> None:
    training = MaskRcnnTraining(data, None, tmp_path / "out", recipe_of("llmgen", batch_size=2), fresh=True)
    training.__dict__["config"] = tiny_mask_rcnn(data.classes)[1]
    losses: list[float] = []
    torch.manual_seed(0)
    model = build_mask_rcnn(training.config).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    batch = draw_batch(data.pictures[:2], np.random.default_rng(0), augmented=False)
    for _ in range(30):
        total = torch.stack(list(model(batch.images, batch.targets).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])


def trained(folder: Path, data: InstanceSet, **settings: Any) -> MaskRcnnTraining:
    given = {"recipe": recipe_of("llmgen", epochs=2), "start": base(folder), **settings}
    return MaskRcnnTraining(data, data, folder / "out", **given)


def test_classes_travel_and_batch_norm_stays_as_it_was(data: InstanceSet, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    steps: list[tuple[int, int]] = []
    training = trained(tmp_path, data)
    quality = training.train(lambda step, all_steps, losses: steps.append((step, all_steps)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    config = read_mask_rcnn_config(tmp_path / "out" / "model")
    assert (config.classes, config.category_ids) == (("plane", "boat"), (5, 9))
    before = load_file(tmp_path / "base" / "model.safetensors")
    after = load_file(tmp_path / "out" / "model" / "model.safetensors")
    norms = [
        f"{name}.{part}"
        for name, module in tiny_mask_rcnn()[0].named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for part in ("weight", "bias", "running_mean", "running_var")
    ]
    assert norms and all(torch.equal(before[name], after[name]) for name in norms)
    moved = [
        name
        for name in before
        if name in after and before[name].shape == after[name].shape and not torch.equal(before[name], after[name])
    ]
    assert any(name.startswith("rpn.") for name in moved) and any(name.startswith("backbone.body") for name in moved)
    assert quality is not None and set(quality["by_class"]) == {"plane", "boat"}
    assert (quality["pictures"], quality["objects"]) == (4, 3)
    assert (tmp_path / "out" / "curves.png").is_file() and (tmp_path / "out" / "quality.json").is_file()


def test_heads_learn_alone_at_first_and_in_the_reference_to_the_end(data: InstanceSet, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    training = trained(tmp_path, data, recipe=recipe_of("reference", epochs=1))
    training.train()
    before = load_file(tmp_path / "base" / "model.safetensors")
    after = load_file(tmp_path / "out" / "model" / "model.safetensors")
    body = [name for name in before if name.startswith("backbone.body")]
    assert body and all(torch.equal(before[name], after[name]) for name in body)
    assert not torch.equal(before["rpn.head.cls_logits.weight"], after["rpn.head.cls_logits.weight"])


def test_the_reference_has_its_constants() -> None:
    from llmgen.detect.original import SETTINGS

    recipe = PROFILES["reference"]
    fit = recipe.fit(1000)
    assert recipe.learning_rate == SETTINGS["learning_rate"] and recipe.weight_decay == SETTINGS["weight_decay"]
    assert fit.momentum == SETTINGS["learning_momentum"] and fit.gradient_clip == SETTINGS["gradient_clip_norm"]
    assert recipe.batch_size == SETTINGS["images_per_gpu"] and recipe.heads_only and not recipe.augmented
    assert [fit.rate(progress, 999) for progress in (0.0, 0.5, 1.0)] == [0.001] * 3


def test_the_schedule_warms_up_and_falls_twice() -> None:
    fit = PROFILES["llmgen"].fit(10_000)
    assert fit.rate(0.0, 0) == pytest.approx(0.005 / 500)
    assert [round(fit.rate(p, 9000) / 0.005, 6) for p in (0.3, 0.59, 0.6, 0.84, 0.86)] == [1, 1, 0.1, 0.1, 0.01]
    assert PROFILES["llmgen"].fit(100).warmup_steps == 10


def test_a_training_goes_on_where_it_was_stopped(data: InstanceSet, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop_at_3(step: int, steps: int, losses: Any) -> None:
        if step == 3:
            raise Stopped

    training = trained(tmp_path, data)
    with pytest.raises(Stopped):
        training.train(stop_at_3)
    # Two steps were done, and no checkpoint lies there yet: it begins anew.
    steps: list[int] = []
    again = trained(tmp_path, data, resume=True)
    again.train(lambda step, all_steps, losses: steps.append(step))
    assert steps == [1, 2, 3, 4]
    # A finished one is only measured again.
    steps.clear()
    assert again.train(lambda step, all_steps, losses: steps.append(step)) is not None and steps == []
    with pytest.raises(InputError, match="a training with other recipe, steps"):
        trained(tmp_path, data, resume=True, recipe=recipe_of("llmgen", epochs=3)).train()


def test_every_picture_is_seen_once_an_epoch_whatever_the_step(data: InstanceSet, tmp_path: Path) -> None:
    lesson = _MaskRcnnLesson(trained(tmp_path, data, recipe=recipe_of("llmgen", batch_size=3)), lambda *told: None)
    sizes = [len(lesson.draw(step).images) for step in (0, 1, 2, 3)]
    assert sizes == [3, 1, 3, 1]
    # A step draws the same when it is drawn again, after a resume for example.
    first, second = lesson.draw(2), lesson.draw(2)
    assert all(torch.equal(a, b) for a, b in zip(first.images, second.images, strict=True))


def test_weights_to_start_from(data: InstanceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(MissingRequirementError, match="llmgen models fetch https://"):
        trained(tmp_path, data, start=None).train()
    with pytest.raises(MissingRequirementError, match=r"config\.json"):
        trained(tmp_path, data, start=tmp_path).train()
    model, _ = tiny_mask_rcnn(("a",))
    other, _ = tiny_mask_rcnn(("a", "b"))
    lost = start_from(model, other.state_dict())
    assert {name.rsplit(".", 1)[0] for name in lost} == {
        "roi_heads.box_predictor.bbox_pred", "roi_heads.box_predictor.cls_score", "roi_heads.mask_predictor.mask_fcn_logits",
    }  # fmt: skip


def test_curves_of_a_log(tmp_path: Path) -> None:
    assert draw_curves(read_log(tmp_path)).getbbox() is not None
    lines = [
        {"step": n, "elapsed_s": n, "steps_per_s": 1.0, "lr": 0.1, "loss": 2.0 / n, "zero": 0.0} for n in (1, 5, 9)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    curves = read_log(tmp_path)
    assert list(curves) == ["loss", "zero"] and curves["loss"] == [(1, 2.0), (5, 0.4), (9, 2 / 9)]
    drawn = np.asarray(draw_curves(curves))
    assert (np.abs(drawn.astype(int) - [214, 39, 40]).sum(axis=2) < 30).sum() > 100


def test_through_the_command_line_and_into_detect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data_file(tmp_path)
    content = json.loads(path.read_text())
    content["images"].append({"id": 77, "file_name": "gone.png"})
    path.write_text(json.dumps(content), encoding="utf-8")
    command = ["train", "mask-rcnn", "--data", str(path), "--from", str(base(tmp_path)), "--out", str(tmp_path / "out")]
    assert main([*command, "--epochs", "1", "--held-out", "0.3", "--device", "cpu", "--json"]) == 0
    told = capsys.readouterr()
    assert set(json.loads(told.out)["by_class"]) == {"plane", "boat"}
    assert "left out: data.json: 'gone.png'" in told.err and "2 classes, 2 steps" in told.err

    spec = {
        "source": str(tmp_path / "out" / "model"), "family": "mask-rcnn", "files": ["config.json", "model.safetensors"],
        "licence": "MIT", "memory_gb": 0.01,
    }  # fmt: skip
    preset = {
        "name": "own",
        "description": "",
        "width": 64,
        "height": 56,
        "roles": {"detector": spec},
        "methods": {"detect": "mask-rcnn"},
    }
    (tmp_path / "own.json").write_text(json.dumps(preset), encoding="utf-8")
    image = ImageStore(tmp_path).save("r", "test", Image.open(tmp_path / "1.png"))
    write_artifact(tmp_path / "images.json", "images", [Record(kind="images", id="r", prompt="a plane", image=image)])
    seen = [
        "detect",
        str(tmp_path / "images.json"),
        "--preset",
        str(tmp_path / "own.json"),
        "-o",
        str(tmp_path / "seen.json"),
    ]
    assert main([*seen, "--set", "score_threshold=0.0", "--set", "most=4"]) == 0, capsys.readouterr().err
    [record] = read_records(tmp_path / "seen.json").records
    assert {found.phrase for found in record.detections or ()} <= {"plane", "boat"}
    for found in record.detections or ():
        assert found.mask is not None and decode_mask(found.mask).shape == (56, 64)


def test_flags_that_contradict(tmp_path: Path) -> None:
    path = data_file(tmp_path)
    assert main(["train", "mask-rcnn", "--data", str(path), "--fresh", "--from", str(tmp_path)]) == 2
    assert main(["train", "mask-rcnn", "--data", str(tmp_path / "none.json"), "--fresh"]) == 3
