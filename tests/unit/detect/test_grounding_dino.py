from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_hub import cache

from llmgen.artifacts import Instance, Layout, Record
from llmgen.detect.grounding_dino import GroundingDinoDetect, GroundingDinoDetectConfig
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.phrase_grounding import GroundingDinoPhraseDetector, _caption, _read_hits
from llmgen.engine.context import StageContext
from llmgen.presets import Preset, RoleSpec, load_preset
from llmgen.vision.images import ImageStore

from .tiny import tiny_grounding_dino


@pytest.fixture(scope="module")
def detector() -> GroundingDinoPhraseDetector:
    return GroundingDinoPhraseDetector(*tiny_grounding_dino())


def noise(width: int = 80, height: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_captions_split_phrases_by_full_stops() -> None:
    caption = _caption(["Red ball", "U.S. car"])
    assert caption.text == "red ball. u s car."
    assert [caption.text[a:b] for a, b in caption.spans] == ["red ball", "u s car"]


def test_a_phrase_is_the_mean_of_its_tokens_and_a_box_goes_to_the_best() -> None:
    # Tokens: start, red, ball, stop, car, stop.
    chances = torch.tensor([[0.1, 0.2, 0.9, 0.1, 0.6, 0.1], [0.1, 0.8, 0.9, 0.1, 0.3, 0.1], [0.1] * 6])
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.9, 0.5, 0.4, 0.2], [0.5, 0.5, 0.1, 0.1]])
    hits = _read_hits(torch.logit(chances), boxes, ["red ball", "car"], [[1, 2], [4]], (80, 40), 0.4)
    assert [(hit.query, round(hit.score, 3)) for hit in hits] == [("red ball", 0.85), ("car", 0.6)]
    # Clipped to the picture.
    assert [tuple(round(v, 3) for v in hit.box_xyxy) for hit in hits] == [(56, 16, 80, 24), (20, 10, 60, 30)]
    assert _read_hits(torch.logit(chances), boxes, ["..."], [[]], (80, 40), 0.4) == []


@pytest.mark.parametrize("relative", [False, True])
def test_real_models_give_boxes_in_the_picture(relative: bool) -> None:
    detector = GroundingDinoPhraseDetector(*tiny_grounding_dino(relative))
    hits = detector.detect_phrases([noise(), noise(seed=1)], [["red ball", "car"], []], threshold=0.0)
    assert hits[0] and hits[1] == []
    assert {hit.query for hit in hits[0]} <= {"red ball", "car"}
    for hit in hits[0]:
        x0, y0, x1, y1 = hit.box_xyxy
        assert 0 <= x0 < x1 <= 80 and 0 <= y0 < y1 <= 64 and 0 <= hit.score <= 1
    assert [hit.score for hit in hits[0]] == sorted((hit.score for hit in hits[0]), reverse=True)


def test_more_phrases_than_a_caption_holds_are_asked_in_further_passes(detector: GroundingDinoPhraseDetector) -> None:
    # 12 tokens: start, end, and ten of words and stops.
    asked = ["red ball", "blue ball", "tall palm tree", "red car", "car"]
    captions = detector._captions(asked)
    assert [list(caption.queries) for caption in captions] == [asked[:3], asked[3:]]
    [hits] = detector.detect_phrases([noise()], [asked], threshold=0.0)
    alone = [detector.detect_phrases([noise()], [list(caption.queries)], threshold=0.0)[0] for caption in captions]
    assert sorted(hits, key=str) == sorted(alone[0] + alone[1], key=str)


def test_a_picture_is_seen_the_same_beside_others(detector: GroundingDinoPhraseDetector) -> None:
    pictures, asked = [noise(), noise(64, 96, 1)], [["red ball"], ["car", "palm tree"]]
    together = detector.detect_phrases(pictures, asked, threshold=0.0)
    assert together == [
        detector.detect_phrases([p], [a], threshold=0.0)[0] for p, a in zip(pictures, asked, strict=True)
    ]


def test_loads_from_what_the_preset_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_preset("grounding-dino").roles["detector"]
    model, processor = tiny_grounding_dino()
    for part in (model, processor.image_processor, processor.tokenizer):
        part.save_pretrained(tmp_path / "dino")
    for name in spec.files:  # What an older library wrote beside, and this one does not read.
        if not (tmp_path / "dino" / name).is_file():
            (tmp_path / "dino" / name).write_text("{}" if name.endswith(".json") else "", encoding="utf-8")
    assert {path.name for path in (tmp_path / "dino").iterdir()} == set(spec.files)
    cache(monkeypatch, tmp_path, spec.source, tmp_path / "dino", revision=spec.revision or "main")
    detector = ModelPool(load_preset("grounding-dino"), device="cpu", dtype="float32").phrase_detector("detector")
    assert detector.detect_phrases([noise()], [["red ball"]], threshold=0.0)[0]


def test_loads_by_family_and_runs_as_a_method(tmp_path: Path) -> None:
    model, processor = tiny_grounding_dino()
    model.save_pretrained(tmp_path / "dino")
    processor.save_pretrained(tmp_path / "dino")
    spec = RoleSpec(source=str(tmp_path / "dino"), family="grounding-dino", licence="Apache-2.0", memory_gb=0.01)
    preset = Preset(name="t", description="", width=64, height=64, roles={"detector": spec})
    made = StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")
    layout = Layout(
        width=64,
        height=64,
        background_prompt="x",
        instances=(Instance(id="a", phrase="a red ball", noun="ball", attributes=("red",), box_xyxy=(0, 0, 8, 8)),),
    )
    record = Record(id="r", prompt="a red ball", layout=layout, image=made.images.save("r", "test", noise()))
    config = GroundingDinoDetectConfig(masks=False, attribute_threshold=0.0, primitive_threshold=0.0)
    [seen] = GroundingDinoDetect(made, config)([record])
    assert seen.detections and {found.noun for found in seen.detections} == {"ball"}
    assert any(found.attributes == ("red",) for found in seen.detections)
