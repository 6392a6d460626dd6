"""The recipes of detector and segmenter run, resume and leave loadable models; their losses mean what they say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from llmgen.diffusion.segmentation import build_sam, build_sam_from_config
from llmgen.toybox.models.judge import JudgeOutput, ToyboxJudge
from llmgen.toybox.recipes import detector as train_detector
from llmgen.toybox.recipes import judge as train_judge
from llmgen.toybox.recipes import segmenter as train_segmenter
from llmgen.toybox.recipes.detector_quality import find_phrases
from llmgen.toybox.recipes.phrase_exam import PhraseExam
from llmgen.toybox.recipes.phrase_queries import NOTHING, Looks, foreign_phrase, sample_queries, wordings
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.scene_batches import draw_scenes
from llmgen.toybox.world.held_out import held_out
from llmgen.toybox.world.vocabulary import BACKGROUNDS, COLORS, NOUNS

SMALL_SAM = train_segmenter.TOYBOX_SAM.model_copy(
    update={
        "encoder_embed_dim": 32,
        "encoder_depth": 1,
        "encoder_global_attn_indexes": (0,),
        "prompt_embed_dim": 32,
        "decoder_mlp_dim": 32,
    }
)


def test_detector_recipe_leaves_a_stock_model(tmp_path: Path) -> None:
    recipe = train_detector.DetectorRecipe(width=32, vision_layers=1, text_layers=1, batch_size=2)
    trained = TrainingRun(tmp_path, steps=2, weights=tmp_path / "none").train(recipe)
    again = TrainingRun(tmp_path, steps=2, weights=tmp_path / "none", resume=True).train(recipe)
    assert torch.equal(again.class_head.dense0.weight, trained.class_head.dense0.weight)
    loaded = Owlv2ForObjectDetection.from_pretrained(tmp_path / "model").eval()
    assert loaded.dtype == torch.float32
    processor = Owlv2Processor.from_pretrained(tmp_path / "model")
    assert (tmp_path / "sheet.png").exists()
    images = draw_scenes(np.random.default_rng(0), 2).images
    found = find_phrases(loaded, processor, images, ["a red ball", "a car"], threshold=0.0)
    assert [len(hits["scores"]) > 0 for hits in found] == [True, True]


def test_segmenter_recipe_leaves_a_loadable_sam(tmp_path: Path) -> None:
    recipe = train_segmenter.SegmenterRecipe(model=SMALL_SAM, batch_size=2, prompts_per_batch=4)
    trained = TrainingRun(tmp_path, steps=2, weights=tmp_path / "none").train(recipe)
    assert (tmp_path / "sheet.png").exists()
    loaded = build_sam_from_config(tmp_path / "model")
    weights = trained.state_dict()
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, weights[name], atol=2e-3, rtol=2e-3)


def test_judge_recipe_leaves_a_loadable_judge(tmp_path: Path) -> None:
    small = replace(train_judge.TOYBOX_JUDGE, widths=(8, 8, 8, 8), deep_blocks=1)
    recipe = train_judge.JudgeRecipe(model=small, batch_size=3, finding=2)
    TrainingRun(tmp_path, steps=2).train(recipe)
    assert (tmp_path / "sheet.png").exists()
    assert ToyboxJudge.from_pretrained(tmp_path / "model").config == recipe.model


def test_a_perfect_detector_has_nearly_no_loss_and_a_blind_one_much() -> None:
    recipe = train_detector.DetectorRecipe()
    rng = np.random.default_rng(2)
    batch, queries = draw_scenes(rng, 3), sample_queries(rng)
    asked = torch.tensor([query.indices for query in queries])
    side = recipe.image_size // recipe.patch_size
    logits = torch.full((3, side * side, len(queries)), -12.0)
    boxes = torch.full((3, side * side, 4), 0.5)
    objectness = torch.full((3, side * side), -12.0)
    blind = train_detector.detector_losses(logits, boxes, objectness, batch, asked, recipe)
    middle = (torch.arange(side) + 0.5) * recipe.patch_size
    for index, slot in torch.nonzero(batch.present).tolist():
        left, top, right, bottom = batch.boxes[index, slot].tolist()
        across = (2 * middle - left - right) / (right - left)
        down = (2 * middle - top - bottom) / (bottom - top)
        distance = (across[None, :] ** 2 + down[:, None] ** 2).sqrt().flatten()
        patches = torch.nonzero(distance < 0.5).flatten()
        row = (int(each[index, slot]) for each in (batch.nouns, batch.colors, batch.patterns, batch.moods))
        looks = Looks.of(*row)
        fits = torch.tensor([query.fits(looks) for query in queries])
        logits[index, patches] = torch.where(fits, 12.0, -12.0)
        objectness[index, patches] = 12.0
        box = torch.tensor([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
        boxes[index, distance < 0.7] = box / recipe.image_size
    perfect = train_detector.detector_losses(logits, boxes, objectness, batch, asked, recipe)
    assert sum(perfect.values()) < 0.01
    assert all(blind[name] > 1 for name in ("class", "l1", "giou"))


def test_judge_losses_reward_the_truth() -> None:
    batch = draw_scenes(np.random.default_rng(5), 3)
    nothing = JudgeOutput(
        torch.full((3, len(NOUNS), 32, 32), -9.0),
        torch.zeros(3, 6, 32, 32),
        torch.full((3, 4, 32, 32), 20.0),
        torch.zeros(3, len(BACKGROUNDS)),
    )
    before = train_judge.judge_losses(nothing, batch, 1.0)
    heat, color = nothing.heat.clone(), nothing.color.clone()
    for index, slot in torch.nonzero(batch.present).tolist():
        left, top, right, bottom = (int(side) for side in batch.boxes[index, slot].tolist())
        row, column = (top + bottom) // 8, (left + right) // 8
        heat[index, batch.nouns[index, slot], row, column] = 9.0
        color[index, batch.colors[index, slot], top // 4 : bottom // 4, left // 4 : right // 4] = 9.0
    after = train_judge.judge_losses(nothing._replace(heat=heat, color=color), batch, 1.0)
    assert after["heat"] < 0.5 * before["heat"]
    assert after["color"] < 0.1 * before["color"]
    assert after["box"] == before["box"]


def test_batched_mask_prediction_is_sam_s_own() -> None:
    torch.manual_seed(0)
    sam = build_sam(SMALL_SAM)
    embeddings = torch.randn(1, 32, 16, 16)
    boxes = torch.tensor([[10.0, 10.0, 60.0, 70.0], [30.0, 5.0, 90.0, 44.0]])
    prompts = train_segmenter.Prompts(boxes, torch.zeros(0, 2))
    with torch.no_grad():
        ours, our_quality = train_segmenter.predict_masks(sam, embeddings.expand(2, -1, -1, -1), prompts)
        sparse, dense = sam.prompt_encoder(points=None, boxes=boxes, masks=None)
        theirs, their_quality = sam.mask_decoder.predict_masks(
            embeddings, sam.prompt_encoder.get_dense_pe(), sparse, dense
        )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(our_quality, their_quality)


def test_mask_losses_tell_right_from_wrong() -> None:
    wanted = torch.zeros(2, 128, 128)
    wanted[:, 32:80, 16:64] = 1
    target = torch.nn.functional.interpolate(wanted[:, None], (64, 64), mode="area")
    right = (target * 2 - 1).expand(-1, 4, -1, -1) * 12
    good = train_segmenter.mask_losses(right, torch.ones(2, 4), wanted)
    bad = train_segmenter.mask_losses(-right, torch.ones(2, 4), wanted)
    assert good["mask"] < 0.05
    assert good["quality"] < 0.01
    assert bad["mask"] > 2
    assert bad["quality"] > 0.9


def test_a_prompt_for_nothing_wants_nothing() -> None:
    rng = np.random.default_rng(0)
    batch = draw_scenes(rng, 12, with_masks=True)
    recipe = train_segmenter.SegmenterRecipe(background_share=0.5, box_jitter=0.0)
    owner, prompts, wanted = train_segmenter.draw_prompts(batch, rng, recipe)
    assert len(owner) == len(wanted) == len(prompts.boxes) + len(prompts.points)
    empty = wanted[: len(prompts.boxes)].amax(dim=(1, 2)) == 0
    assert empty.any()
    assert not empty.all()
    for picture, point, mask in zip(
        owner[len(prompts.boxes) :], prompts.points, wanted[len(prompts.boxes) :], strict=True
    ):
        assert 0 <= int(picture) < 12
        assert mask[int(point[1]), int(point[0])] == 1


def test_detail_losses_reward_the_truth_and_spare_what_an_object_lacks() -> None:
    batch = draw_scenes(np.random.default_rng(6), 24, detailed=1.0)
    count = int(batch.present.sum())
    logits = {"pattern": torch.zeros(count, 4), "mood": torch.zeros(count, 4), "door": torch.zeros(count, 2)}
    blind = train_judge.detail_losses(logits, batch, 1.0)
    assert blind["pattern"] == pytest.approx(np.log(4), abs=1e-4)
    logits["pattern"][torch.arange(count), batch.patterns[batch.present]] = 20.0
    things = batch.moods[batch.present] < 0
    # A wrong word about something without a mood costs nothing.
    logits["mood"][things, 1] = 20.0
    seeing = train_judge.detail_losses(logits, batch, 1.0)
    assert seeing["pattern"] < 1e-4
    assert things.any() and not things.all()
    assert seeing["mood"] == pytest.approx(blind["mood"].item())
    no_house = replace(batch, states=torch.full_like(batch.states, -1))
    assert "door" not in train_judge.detail_losses(logits, no_house, 1.0)


def test_queries_cover_every_kind_and_foreign_ones_fit_nothing() -> None:
    rng = np.random.default_rng(0)
    queries = sample_queries(rng, foreign=5, detailed=0)
    for noun in NOUNS:
        for color in COLORS:
            fitting = {query.asks[:2] for query in queries if query.fits(Looks(noun, color, "plain", None))}
            assert fitting == {(noun, color), (noun, None), (None, color), (None, None)}
    assert sum(not query.known for query in queries) == 5
    assert foreign_phrase(np.random.default_rng(1)) == foreign_phrase(np.random.default_rng(1))
    assert wordings(Looks("fish", "orange"))[:2] == ("an orange fish", "orange fish")


def test_detailed_queries_ask_for_what_is_there_and_never_for_what_is_held_out() -> None:
    present = [Looks("ball", "blue", "striped", None), Looks("boy", "red", "plain", "sad")]
    seen = set()
    for seed in range(60):
        for query in sample_queries(np.random.default_rng(seed), present=present, foreign=0):
            asks = query.asks
            assert (asks.noun, asks.pattern, asks.color) not in held_out().patterned
            assert asks.pattern != "plain" and asks.mood != "calm"
            assert all(query.indices[i] >= 0 or asks[i] is None for i in range(4))
            if query.fits(present[0]) and asks.pattern:
                seen.add(query.text)
            if query.fits(present[1]) and asks.mood:
                seen.add(query.text)
    assert {"a striped blue ball", "a blue striped ball", "a sad boy in red", "striped balls"} <= seen


def test_prompts_need_masks() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="masks"):
        train_segmenter.draw_prompts(draw_scenes(rng, 2), rng, train_segmenter.SegmenterRecipe())


def test_an_exam_tells_words_apart_that_are_alike() -> None:
    torch.manual_seed(0)
    exam, words = PhraseExam(16), torch.nn.Embedding(3, 16)
    words.weight.data = words.weight.data[:1] + 0.01 * words.weight.data
    asked = torch.tensor([[0, -1, 1, -1], [0, -1, 2, -1], [NOTHING, -1, -1, -1]])
    fit = torch.optim.Adam([*exam.parameters(), *words.parameters()], 0.03)
    for _ in range(80):
        fit.zero_grad()
        loss = exam(words.weight, asked)
        loss.backward()
        fit.step()
    assert loss.item() < 0.1
    assert torch.nn.functional.cosine_similarity(words.weight[0], words.weight[1], dim=0).item() < 0.9
