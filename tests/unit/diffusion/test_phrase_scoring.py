import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from llmgen.diffusion.phrase_scoring import ClipPhraseScorer, DetectorPhraseScorer
from llmgen.presets import load_preset
from llmgen.toybox.models.tokenizer import build_tokenizer
from llmgen.vision.protocols import PhraseHit

CROPS = [Image.new("RGB", (w, h), color) for w, h, color in ((20, 30, "red"), (40, 8, "blue"), (9, 9, "white"))]


@pytest.fixture(scope="module")
def clip() -> tuple[Any, Any]:
    tokenizer = build_tokenizer()
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 16,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    torch.manual_seed(0)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return CLIPModel(config).eval(), CLIPProcessor(pictures, tokenizer)


def test_scores_are_the_cosines_of_the_model(clip: tuple[Any, Any]) -> None:
    model, processor = clip
    phrases = [["a red object", "a blue object"], ["a red ball"], ["a blue object", "a red ball", "a red object"]]
    scores = ClipPhraseScorer(model, processor, batch_size=2).score_phrases(CROPS, phrases)
    assert [len(values) for values in scores] == [2, 1, 3]
    texts = ["a red object", "a blue object", "a red ball"]
    inputs = processor(text=texts, images=CROPS, return_tensors="pt", padding=True)
    with torch.no_grad():
        expected = model(**inputs).logits_per_image / model.logit_scale.exp()
    rows = [[expected[i, texts.index(phrase)].item() for phrase in asked] for i, asked in enumerate(phrases)]
    for found, wanted in zip(scores, rows, strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)


def test_nothing_to_compare_and_crops_without_pixels(clip: tuple[Any, Any]) -> None:
    scorer = ClipPhraseScorer(*clip)
    assert scorer.score_phrases([], []) == []
    with pytest.raises(ValueError, match="without pixels"):
        scorer.score_phrases([Image.new("RGB", (0, 5))], [["a ball"]])
    with pytest.raises(ValueError, match="3 crops but 1"):
        scorer.score_phrases(CROPS, [["a ball"]])


class Fixed:
    """Answers every picture alike, and remembers their sizes and corners."""

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return []

    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        self.seen = [(image.size, image.getpixel((0, 0))) for image in images]
        box = (0.0, 0.0, 1.0, 1.0)
        return [[PhraseHit("a red object", box, 0.4), PhraseHit("a red object", box, 0.7)] for _ in images]


def test_a_detector_gives_its_best_hit_and_sees_a_margin() -> None:
    detector = Fixed()
    scorer = DetectorPhraseScorer(detector)
    assert scorer.score_phrases(CROPS[:1], [["a blue object", "a red object"]]) == [[0.0, 0.7]]
    assert detector.seen == [((60, 60), (255, 0, 0))] and scorer.measure == "hit"


def test_the_toybox_fills_the_role_with_a_clip_of_its_own() -> None:
    from llmgen.diffusion.loading import ModelPool
    from llmgen.toybox.world.scenes import render, sample_scene

    models = ModelPool(load_preset("toybox"), device="cpu", dtype="float32")
    scorer = models.phrase_scorer("clip")
    assert scorer.measure == "cosine" and isinstance(scorer, ClipPhraseScorer)
    colors = load_preset("toybox").defaults["evaluate.attributes"]["colors"]
    right = []
    for seed in range(8):
        scene = sample_scene(random.Random(seed))
        picture = Image.fromarray(render(scene).image)
        crops = [picture.crop(item.box_xyxy) for item in scene.objects]
        scores = scorer.score_phrases(crops, [[f"a {color} object" for color in colors]] * len(crops))
        right += [colors[int(np.argmax(v))] == item.color for v, item in zip(scores, scene.objects, strict=True)]
    assert len(right) > 12 and np.mean(right) > 0.8
