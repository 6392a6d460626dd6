import numpy as np
import pytest
import torch
from PIL import Image

from llmgen.diffusion.phrase_detection import Owlv2PhraseDetector

from .tiny import tiny_owlv2

QUERIES = ["image of a red ball", "image of a car", "image of an orange fish"]


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def visible(box: tuple[float, float, float, float]) -> bool:
    """Not a sliver whose existence hangs on the last bit."""
    return box[2] - box[0] > 0.01 and box[3] - box[1] > 0.01


@pytest.fixture(scope="module")
def detector() -> Owlv2PhraseDetector:
    return Owlv2PhraseDetector(*tiny_owlv2())


@pytest.mark.parametrize("size", [(64, 64), (64, 40), (90, 72), (40, 52)])
def test_agrees_with_the_library(detector: Owlv2PhraseDetector, size: tuple[int, int]) -> None:
    image = picture(*size)
    hits = detector.detect_phrases([image], [QUERIES], threshold=0.0)[0]
    model, processor = detector.model, detector.processor
    inputs = processor(text=[QUERIES], images=[image], return_tensors="pt", padding="max_length", max_length=16)
    with torch.no_grad():
        output = model(**inputs)
    [expected] = processor.post_process_grounded_object_detection(
        output, threshold=0.0, target_sizes=[(image.height, image.width)], text_labels=[QUERIES]
    )
    rows = zip(expected["scores"].tolist(), expected["text_labels"], expected["boxes"].tolist(), strict=True)
    clipped = [
        (score, label, (max(x0, 0), max(y0, 0), min(x1, image.width), min(y1, image.height)))
        for score, label, (x0, y0, x1, y1) in rows
        if (x0 + x1) / 2 <= image.width and (y0 + y1) / 2 <= image.height  # not in the padding
    ]
    wanted = sorted((row for row in clipped if visible(row[2])), key=lambda row: -row[0])
    shown = [hit for hit in hits if visible(hit.box_xyxy)]
    assert len(wanted) == len(shown) >= 3 and len({hit.query for hit in shown}) > 1
    for hit, (score, label, box) in zip(shown, wanted, strict=True):
        assert hit.query == label
        assert hit.score == pytest.approx(score, abs=1e-5)
        assert hit.box_xyxy == pytest.approx(box, abs=1e-3)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_batch_and_uneven_queries_change_nothing(detector: Owlv2PhraseDetector) -> None:
    images = [picture(64, 64, 1), picture(96, 48, 2), picture(64, 64, 3), picture(64, 64, 4)]
    queries = [QUERIES[:1], QUERIES, [], QUERIES[1:]]
    together = detector.detect_phrases(images, queries, threshold=0.3)
    assert together[2] == []
    for image, asked, hits in zip(images, queries, together, strict=True):
        fresh = Owlv2PhraseDetector(detector.model, detector.processor, batch_size=1)
        alone = fresh.detect_phrases([image], [asked], threshold=0.3)[0]
        assert [h.query for h in hits] == [h.query for h in alone]
        assert np.allclose([h.score for h in hits], [h.score for h in alone], atol=1e-5)
        assert np.allclose([h.box_xyxy for h in hits], [h.box_xyxy for h in alone], atol=1e-3)


def test_second_look_at_a_picture_skips_the_image_tower(detector: Owlv2PhraseDetector) -> None:
    model, processor = tiny_owlv2()
    calls = []
    model.owlv2.vision_model.register_forward_hook(lambda *_: calls.append(1))
    fresh = Owlv2PhraseDetector(model, processor)
    image = picture(64, 64)
    first = fresh.detect_phrases([image], [QUERIES[:1]], threshold=0.0)
    fresh.detect_phrases([image], [QUERIES[1:]], threshold=0.0)
    assert len(calls) == 1
    assert fresh.detect_phrases([image], [QUERIES[:1]], threshold=0.0) == first


def test_threshold_is_inclusive_and_long_phrases_are_cut(detector: Owlv2PhraseDetector) -> None:
    image = picture(64, 64)
    hits = detector.detect_phrases([image], [QUERIES], threshold=0.0)[0]
    middle = hits[len(hits) // 2].score
    kept = detector.detect_phrases([image], [QUERIES], threshold=middle)[0]
    assert kept == [hit for hit in hits if hit.score >= middle]
    assert detector.detect_phrases([image], [["image of a " + "very " * 60 + "red ball"]], threshold=0.0)[0]


def test_refuses_uneven_input(detector: Owlv2PhraseDetector) -> None:
    with pytest.raises(ValueError, match="1 pictures but 2"):
        detector.detect_phrases([picture(64, 64)], [[], []], threshold=0.1)
