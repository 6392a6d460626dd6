import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmgen.artifacts import ImageRef, Instance, Layout, Record
from llmgen.artifacts.io import read_records, write_artifact
from llmgen.cli import main
from llmgen.detect.mask_rcnn import MaskRcnnDetect, MaskRcnnDetectConfig
from llmgen.diffusion.mask_rcnn import (
    MaskRcnnConfig,
    MaskRcnnDetector,
    build_mask_rcnn,
    load_mask_rcnn,
    save_mask_rcnn,
)
from llmgen.engine.context import StageContext
from llmgen.errors import InputError, MissingRequirementError, PresetError
from llmgen.presets import Preset, RoleSpec
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import decode_mask
from llmgen.vision.protocols import FoundInstance, InstanceThresholds

from .tiny import TINY_SHAPE, tiny_mask_rcnn


def noise(width: int = 80, height: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


class Scripted:
    """A detector that answers what it is told to."""

    classes = ("ball", "house")

    def __init__(self, *found: FoundInstance) -> None:
        self.found = list(found)
        self.thresholds: list[InstanceThresholds] = []

    def detect_instances(self, images: Any, thresholds: InstanceThresholds) -> list[list[FoundInstance]]:
        self.thresholds.append(thresholds)
        return [self.found for _ in images]


class Models:
    """Stands for the pool."""

    def __init__(self, detector: Any) -> None:
        self.detector, self.asked = detector, []

    def instance_detector(self, role: str) -> Any:
        self.asked.append(role)
        return self.detector


def context(tmp_path: Path, detector: Any, *roles: str) -> tuple[StageContext, list[str]]:
    spec = RoleSpec(source="x", family="mask-rcnn", licence="MIT", memory_gb=0)
    preset = Preset(name="test", description="", width=64, height=64, roles=dict.fromkeys(roles, spec))
    made = StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")
    made._models = Models(detector)  # type: ignore[assignment]
    remarks: list[str] = []
    made.remark_on = lambda record_id, text: remarks.append(f"{record_id}: {text}")
    return made, remarks


def found(label: str, box: tuple[float, float, float, float], score: float = 0.9, empty: bool = False) -> FoundInstance:
    mask = np.zeros((64, 80), dtype=bool)
    if not empty:
        mask[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
    return FoundInstance(label, box, score, mask)


def record_of(made: StageContext, prompt: str = "", size: tuple[int, int] = (80, 64)) -> Record:
    image: ImageRef = made.images.save("r", "test", noise(*size))
    return Record(id="r", prompt=prompt or "a ball", image=image)


def test_masks_are_run_lengths_at_picture_size(tmp_path: Path) -> None:
    made, _ = context(tmp_path, MaskRcnnDetector(*tiny_mask_rcnn(score_threshold=0.05)), "detector")
    record = record_of(made, size=(150, 70))
    [seen] = MaskRcnnDetect(made, MaskRcnnDetectConfig())([record])
    assert seen.detections
    for one in seen.detections:
        assert one.mask is not None and decode_mask(one.mask).shape == (70, 150)
        assert one.box_xyxy[2] <= 150 and one.box_xyxy[3] <= 70
    assert [one.score for one in seen.detections] == sorted((one.score for one in seen.detections), reverse=True)


def test_a_picture_is_seen_the_same_beside_others(tmp_path: Path) -> None:
    detector = MaskRcnnDetector(*tiny_mask_rcnn(score_threshold=0.05))
    pictures = [noise(64, 64, 1), noise(96, 64, 2)]
    together = detector.detect_instances(pictures)
    alone = [detector.detect_instances([picture])[0] for picture in pictures]
    assert [[(f.label, f.box_xyxy, f.score) for f in one] for one in together] == [
        [(f.label, f.box_xyxy, f.score) for f in one] for one in alone
    ]
    assert any(together)


def test_thresholds_given_win_over_those_of_the_weights() -> None:
    detector = MaskRcnnDetector(*tiny_mask_rcnn(score_threshold=1.0))
    assert detector.detect_instances([noise()]) == [[]]
    [many] = detector.detect_instances([noise()], InstanceThresholds(score=0.05, nms=0.9))
    [few] = detector.detect_instances([noise()], InstanceThresholds(score=0.05, nms=0.9, most=2))
    assert len(many) > len(few) == 2
    # And those of the weights are back when nothing is given.
    assert detector.detect_instances([noise()]) == [[]]


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (96, 1), (640, 9)])
def test_pictures_of_hardly_any_pixels(size: tuple[int, int]) -> None:
    detector = MaskRcnnDetector(*tiny_mask_rcnn(score_threshold=0.05))
    [found] = detector.detect_instances([Image.new("RGB", size)])
    assert all(one.mask.shape == (size[1], size[0]) for one in found)


def test_a_picture_that_vanishes_is_refused() -> None:
    with pytest.raises(InputError, match="400x2: of its shorter side nothing is left"):
        MaskRcnnDetector(*tiny_mask_rcnn()).detect_instances([Image.new("RGB", (400, 2))])


def test_a_label_that_stands_for_nothing_is_never_found() -> None:
    model, config = tiny_mask_rcnn(("N/A", "N/A"), score_threshold=0.05)
    assert config.labels == ()
    assert MaskRcnnDetector(model, config).detect_instances([noise()]) == [[]]


def test_names_scores_and_filters(tmp_path: Path) -> None:
    detector = Scripted(
        found("ball", (1.004, 1, 20, 20), 0.91239), found("house", (0, 0, 80, 64), 0.8), found("ball", (30, 30, 34, 34))
    )
    made, remarks = context(tmp_path, detector, "detector_objects")
    [seen] = MaskRcnnDetect(made, MaskRcnnDetectConfig())([record_of(made)])
    assert [(d.id, d.phrase, d.noun, d.attributes, d.score) for d in seen.detections or ()] == [
        ("ball #1", "ball", "ball", (), 0.9124),
        ("house #1", "house", "house", (), 0.8),
        ("ball #2", "ball", "ball", (), 0.9),
    ]
    assert (seen.detections or ())[0].box_xyxy == (1.0, 1.0, 20.0, 20.0)
    config = MaskRcnnDetectConfig(labels=("Balls",), min_area=0.01, masks=False)
    [few] = MaskRcnnDetect(made, config)([record_of(made)])
    assert [(d.id, d.mask) for d in few.detections or ()] == [("ball #1", None)]
    [small] = MaskRcnnDetect(made, MaskRcnnDetectConfig(max_area=0.01))([record_of(made)])
    assert [d.id for d in small.detections or ()] == ["ball #1"]
    assert remarks == []


def test_an_empty_mask_is_left_out_with_a_remark(tmp_path: Path) -> None:
    detector = Scripted(found("ball", (1, 1, 20, 20), empty=True), found("ball", (30, 30, 44, 44)))
    made, remarks = context(tmp_path, detector, "detector_objects")
    [seen] = MaskRcnnDetect(made, MaskRcnnDetectConfig())([record_of(made)])
    assert [d.box_xyxy for d in seen.detections or ()] == [(30, 30, 44, 44)]
    assert remarks == ["r: 1 of the 2 found have an empty mask and are left out"]


def test_nothing_found_is_no_error(tmp_path: Path) -> None:
    made, remarks = context(tmp_path, Scripted(), "detector_objects")
    [seen] = MaskRcnnDetect(made, MaskRcnnDetectConfig())([record_of(made)])
    assert seen.detections == () and remarks == []


@pytest.mark.parametrize(
    ("labels", "prompt", "layout", "missing"),
    [
        ((), "two giraffes and a ball", False, "'giraffe'"),
        ((), "two giraffes and a ball", True, "'zebra'"),
        (("Ball", "unicorn"), "a ball", False, "'unicorn'"),
    ],
)
def test_a_label_without_a_class_is_remarked(
    tmp_path: Path, labels: tuple[str, ...], prompt: str, layout: bool, missing: str
) -> None:
    made, remarks = context(tmp_path, Scripted(found("ball", (1, 1, 20, 20))), "detector_objects")
    record = record_of(made, prompt)
    if layout:
        instance = Instance(id="z", phrase="a zebra", box_xyxy=(0, 0, 8, 8))
        record = record.model_copy(
            update={"layout": Layout(width=64, height=64, background_prompt="x", instances=(instance,))}
        )
    [seen] = MaskRcnnDetect(made, MaskRcnnDetectConfig(labels=labels))([record])
    assert remarks == [f"r: the detector has no class for {missing}; its classes are ball, house"]
    assert [d.id for d in seen.detections or ()] == ["ball #1"]


def test_roles(tmp_path: Path) -> None:
    made, remarks = context(tmp_path, Scripted(), "detector_objects", "detector_parts", "detector")
    assert MaskRcnnDetect(made, MaskRcnnDetectConfig()).role == "detector_objects"
    parts = MaskRcnnDetect(made, MaskRcnnDetectConfig(role="detector_parts"))
    parts([record_of(made, "two giraffes")])
    # Parts are not what a prompt asks for, but what a layout has as absent may be one.
    assert parts.role == "detector_parts" and remarks == []
    layout = Layout(width=64, height=64, background_prompt="", absent=("chimneys", "balls"))
    parts([record_of(made).model_copy(update={"layout": layout})])
    assert [line.split(";")[0] for line in remarks] == ["r: the detector has no class for 'chimney'"]
    made, _ = context(tmp_path, Scripted(), "detector")
    assert MaskRcnnDetect(made, MaskRcnnDetectConfig()).role == "detector"
    assert MaskRcnnDetect(made, MaskRcnnDetectConfig(role="detector_parts")).role == "detector_parts"


def test_a_class_answers_to_its_bare_name_only() -> None:
    detector = MaskRcnnDetector(*tiny_mask_rcnn())
    asked = [["image of a ball", "image of a red ball"], ["image of a giraffe"], ["House"], []]
    hits = detector.detect_phrases([noise()] * 4, asked, threshold=0.05)
    assert {hit.query for hit in hits[0]} <= {"image of a ball"} and {hit.query for hit in hits[2]} <= {"House"}
    assert hits[0] or hits[2]
    assert hits[1] == hits[3] == []


def test_weights_travel_with_their_classes(tmp_path: Path) -> None:
    model, config = tiny_mask_rcnn(category_ids=(9, 5), score_threshold=0.05)
    save_mask_rcnn(tmp_path / "m", config, model.state_dict())
    loaded, read = load_mask_rcnn(tmp_path / "m")
    assert read == config
    [before] = MaskRcnnDetector(model, config).detect_instances([noise()])
    [after] = MaskRcnnDetector(loaded, read).detect_instances([noise()])
    assert [(f.label, f.box_xyxy, f.score) for f in before] == [(f.label, f.box_xyxy, f.score) for f in after] != []


def test_broken_folders(tmp_path: Path) -> None:
    model, config = tiny_mask_rcnn()
    with pytest.raises(MissingRequirementError, match=r"config\.json is missing"):
        load_mask_rcnn(tmp_path)
    save_mask_rcnn(tmp_path, config, model.state_dict())
    (tmp_path / "config.json").write_text('{"classes": []}', encoding="utf-8")
    with pytest.raises(InputError, match="/classes"):
        load_mask_rcnn(tmp_path)
    text = config.model_copy(update={"classes": ("a", "b", "c")}).model_dump_json()
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="do not fit"):
        load_mask_rcnn(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="do not fit"):
        load_mask_rcnn(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(MissingRequirementError, match=r"model\.safetensors is missing"):
        load_mask_rcnn(tmp_path)


def test_the_published_shape_freezes_what_it_should() -> None:
    import torch

    with torch.device("meta"):
        model = build_mask_rcnn(MaskRcnnConfig(classes=("thing",) * 90), trainable_layers=3)
    assert sum(p.numel() for p in model.parameters()) == 46_359_409
    frozen = {name.split(".")[2] for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"conv1", "bn1", "layer1"}


def own_preset(folder: Path, **role: Any) -> Path:
    model, config = tiny_mask_rcnn(score_threshold=0.05)
    save_mask_rcnn(folder / "weights", config, model.state_dict())
    spec = {
        "source": str(folder / "weights"),
        "family": "mask-rcnn",
        "files": ["config.json", "model.safetensors"],
        "licence": "MIT",
        "memory_gb": 0.01,
    }
    preset = {
        "name": "own", "description": "", "width": 64, "height": 64, "roles": {"detector": spec | role}, "methods": {"detect": "mask-rcnn"},
    }  # fmt: skip
    path = folder / "own.json"
    path.write_text(json.dumps(preset), encoding="utf-8")
    return path


def test_through_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = own_preset(tmp_path)
    image = ImageStore(tmp_path).save("r", "test", noise(120, 80))
    records = [
        Record(kind="images", id=name, prompt=f"a {noun}", image=image)
        for name, noun in (("a", "ball"), ("b", "giraffe"))
    ]
    write_artifact(tmp_path / "images.json", "images", records)
    command = ["detect", str(tmp_path / "images.json"), "--preset", str(preset), "-o", str(tmp_path / "seen.json")]
    assert main([*command, "--set", "most=5"]) == 0, capsys.readouterr().err
    seen = read_records(tmp_path / "seen.json").records
    assert all(1 <= len(record.detections or ()) <= 5 for record in seen)
    assert all(found.mask is not None and found.mask.size == (80, 120) for found in seen[0].detections or ())
    assert "no class for 'giraffe'" in capsys.readouterr().err
    assert seen[0].provenance[-1].method == "mask-rcnn"


def test_a_role_of_another_family_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = own_preset(tmp_path, source="package:toybox/weights/detector", family="owlv2")
    image = ImageStore(tmp_path).save("r", "test", noise())
    write_artifact(tmp_path / "images.json", "images", [Record(kind="images", id="a", prompt="a ball", image=image)])
    assert (
        main(["detect", str(tmp_path / "images.json"), "--preset", str(preset), "-o", str(tmp_path / "o.json")])
        == PresetError.exit_code
    )
    assert "finds instances of classes of its own" in capsys.readouterr().err


def test_the_tiny_shape_is_what_is_saved() -> None:
    _, config = tiny_mask_rcnn()
    assert MaskRcnnConfig.model_validate_json(config.model_dump_json()).small == TINY_SHAPE
