"""The shipped picture-text model through the stock processor, and what it learns from."""

import random

import pytest
import torch
from transformers import CLIPModel, CLIPProcessor

from llmgen.diffusion.phrase_scoring import ClipPhraseScorer
from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes.clip import crop_objects, differing, multi_positive
from llmgen.toybox.recipes.clip_quality import clip_quality
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.scene_batches import batch_scenes
from llmgen.toybox.world.held_out import is_held_out
from llmgen.toybox.world.scenes import sample_scene


@pytest.fixture(scope="module")
def model() -> CLIPModel:
    return CLIPModel.from_pretrained(WEIGHTS / "clip").eval()


@pytest.fixture(scope="module")
def processor() -> CLIPProcessor:
    return CLIPProcessor.from_pretrained(WEIGHTS / "clip")


def test_captions_and_phrases_of_held_out_renders(model: CLIPModel, processor: CLIPProcessor) -> None:
    quality = clip_quality(model, processor, count=50)
    assert quality.caption_of_50 > 0.4
    assert quality.caption_or_differing > 0.65
    assert quality.phrase_of_all > 0.7
    assert quality.color > 0.85


def test_it_stands_where_a_scorer_of_phrases_stands(model: CLIPModel, processor: CLIPProcessor) -> None:
    rng = random.Random(3)
    scene = next(s for s in (sample_scene(rng, 1) for _ in range(99)) if s.objects[0].noun == "house")
    batch = batch_scenes([scene])
    crop = to_pil(crop_objects(batch.images, batch.boxes, batch.present))[0].resize((50, 60))
    scorer = ClipPhraseScorer(model, processor)
    (scores,) = scorer.score_phrases([crop], [["a house", "a fish", "a ball"]])
    assert scores[0] == max(scores)


def test_a_differing_scene_differs_and_is_not_held_out() -> None:
    rng = random.Random(0)
    for _ in range(200):
        scene = sample_scene(rng)
        changed = differing(scene, rng)
        assert changed != scene and not is_held_out(changed)


def test_several_right_answers_are_equally_right() -> None:
    fitting = torch.tensor([[True, True, False], [False, False, False]])
    even = multi_positive(torch.tensor([[5.0, 5.0, -50.0], [0.0, 9.0, 0.0]]), fitting)
    assert even == pytest.approx(torch.log(torch.tensor(2.0)).item())
    assert multi_positive(torch.tensor([[9.0, -9.0, 0.0], [0.0, 0.0, 0.0]]), fitting) > even
    assert multi_positive(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)) == 0
