import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llmgen.errors import InputError
from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes.diffusion import DiffusionRecipe
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.sampling import TextToImage, generate, grounding_of_scenes
from llmgen.toybox.recipes.text import TextRecipe
from llmgen.toybox.recipes.vae import DecoderRecipe, VaeRecipe, contrast_error, psnr_on_renders
from llmgen.toybox.world.captions import sample_caption
from llmgen.toybox.world.scenes import Scene, place, sample_scene
from llmgen.toybox.world.vocabulary import BACKGROUNDS, COLORS, NOUNS, THINGS
from llmgen.training.loop import Budget, FitSettings


def _scene_of_old(rng: random.Random) -> Scene:
    # House and car were drawn anew since the shipped autoencoder was trained; the other things are as they were.
    nouns = [noun for noun in THINGS if noun not in ("house", "car")]
    return place([(rng.choice(nouns), rng.choice(tuple(COLORS))) for _ in range(3)], rng.choice(BACKGROUNDS[:4]), rng)


def test_the_shipped_autoencoder_keeps_what_it_was_trained_on() -> None:
    models = TextToImage.from_pretrained()
    assert psnr_on_renders(models.vae, range(930_000, 930_008), _scene_of_old) > 30


def test_the_shipped_text_encoder_tells_phrases_apart() -> None:
    models = TextToImage.from_pretrained()
    phrases = [f"a {color} {noun}" for noun in NOUNS for color in ("red", "blue")]
    pooled = torch.nn.functional.normalize(models.pooled(phrases) - models.pooled(phrases).mean(0), dim=-1)
    similarity = pooled @ pooled.T - 2 * torch.eye(len(phrases))
    assert similarity.max() < 0.9
    # The same noun in another colour is nearer than another noun in another colour, on average.
    same = torch.stack([similarity[i, i ^ 1] for i in range(len(phrases))]).mean()
    assert same > similarity[similarity > -1].mean()


def test_the_autoencoder_recipe_learns_resumes_and_repeats(tmp_path: Path) -> None:
    recipe = VaeRecipe(batch=4, measured=2)
    first = TrainingRun(tmp_path / "a", steps=3).train(recipe)
    again = TrainingRun(tmp_path / "b", steps=3).train(recipe)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    longer = TrainingRun(tmp_path / "a", steps=5, resume=True).train(recipe)
    # By then the encoder rests, and only the decoder goes on.
    assert torch.equal(next(first.encoder.parameters()), next(longer.encoder.parameters()))
    assert not torch.equal(next(first.decoder.parameters()), next(longer.decoder.parameters()))
    assert '"step": 5' in (tmp_path / "a" / "state.json").read_text()
    assert longer.config.scaling_factor > 0
    assert (tmp_path / "a" / "sheet.png").is_file()
    recipe.ship(tmp_path / "a", tmp_path / "weights")
    assert (tmp_path / "weights" / "text_to_image" / "vae" / "config.json").is_file()


def test_the_decoder_learns_alone_and_latents_keep_their_scale(tmp_path: Path) -> None:
    recipe, shipped = DecoderRecipe(batch=4), TextToImage.from_pretrained().vae
    taught = TrainingRun(tmp_path, steps=2, start=WEIGHTS / recipe.folder).train(recipe)
    assert all(
        torch.equal(a, b) for a, b in zip(taught.encoder.parameters(), shipped.encoder.parameters(), strict=True)
    )
    assert not torch.equal(next(taught.decoder.parameters()), next(shipped.decoder.parameters()))
    assert taught.config.scaling_factor == pytest.approx(shipped.config.scaling_factor, abs=2e-4)
    with pytest.raises(InputError, match="encoder"):
        TrainingRun(tmp_path / "fresh", steps=1).train(recipe)


def test_an_error_counts_by_the_contrast_around_it() -> None:
    target = torch.zeros(1, 3, 32, 32)
    target[..., 16:, ::2] = 1.0
    plain, busy = target.clone(), target.clone()
    plain[..., 4, 4] += 0.2
    busy[..., 28, 4] += 0.2
    assert contrast_error(plain, target) > 5 * contrast_error(busy, target)


def test_the_text_recipe_starts_from_the_words_it_knows(tmp_path: Path) -> None:
    recipe = TextRecipe(batch=8, fit=FitSettings(learning_rate=0.0))
    encoder = TrainingRun(tmp_path, steps=1, start=WEIGHTS / "text_to_image" / "text_encoder").train(recipe)
    assert encoder.config.hidden_size == 128
    recipe.ship(tmp_path, tmp_path / "weights")
    folder = tmp_path / "weights" / "text_to_image"
    models = TextToImage.from_pretrained()
    tokenizer = models.tokenizer.from_pretrained(folder / "tokenizer")
    ids = tokenizer("a red ball", return_tensors="pt").input_ids
    with torch.no_grad():
        after = encoder(ids).last_hidden_state
        before = models.text_encoder(models.tokenizer("a red ball", return_tensors="pt").input_ids).last_hidden_state
    torch.testing.assert_close(after, before)


@pytest.mark.slow
def test_the_denoiser_recipe_runs_resumes_and_ships(tmp_path: Path) -> None:
    recipe = DiffusionRecipe(batch=2, pool=16, grounded_share=0.5, looks=1, look_steps=3, measured=3)
    before = TrainingRun(tmp_path, steps=4, processes=1).train(recipe)
    after = TrainingRun(tmp_path, steps=8, processes=1, resume=True).train(recipe)
    assert not torch.equal(next(before.parameters()), next(after.parameters()))
    recipe.ship(tmp_path, tmp_path / "weights")
    folder = tmp_path / "weights" / "text_to_image"
    assert "StableDiffusionGLIGENPipeline" in (folder / "model_index.json").read_text()
    assert (folder / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size < 22e6
    assert (tmp_path / "sheet.png").is_file()


def test_sampling_is_seeded_and_sees_text_and_boxes(tmp_path: Path) -> None:
    from llmgen.toybox.models.unet import build_unet

    torch.manual_seed(0)
    models = replace(TextToImage.from_pretrained(), unet=build_unet().eval())
    scenes = [sample_scene(random.Random(i)) for i in range(2)]
    texts = [sample_caption(random.Random(1), scene).text for scene in scenes]
    alone = generate(models, texts, steps=2)
    assert (alone[0] == generate(models, texts, steps=2)[0]).all()
    grounded = generate(models, texts, steps=2, grounding=grounding_of_scenes(models, scenes))
    assert (alone[0] != grounded[0]).any()
    assert (alone[0] != generate(models, texts[::-1], steps=2)[0]).any()


def test_budget_and_schedule() -> None:
    with pytest.raises(ValueError):
        Budget(None, None)
    budget = Budget(None, 2)
    budget.step += 1
    assert budget.progress == 0.5
    settings = FitSettings(learning_rate=1.0, warmup_share=0.02, hold=0.5)
    factors = [settings.rate(p / 100, step=p) for p in range(101)]
    assert max(factors) == 1 and factors[0] < 0.1 and factors[-1] == pytest.approx(0.02)
    assert factors[40] == 1 > factors[80]
