"""The recipes of the answerer and of the editors, each for two steps, and what they learn from."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import CLIPModel

from llmgen.diffusion.answering.latents import LatentReader
from llmgen.diffusion.answering.saved import load_bridge, load_null, read_settings
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.answerer import (
    build_answer_tokenizer,
    build_answerer,
    load_answerer,
    question_words,
    take_tower,
)
from llmgen.toybox.recipes.blip2 import DESCRIBE, Blip2Recipe, description_of, vision_states
from llmgen.toybox.recipes.edit_error import edit_error
from llmgen.toybox.recipes.edit_words import orders_for
from llmgen.toybox.recipes.editor import EditorRecipe, LgdRecipe, QuestionEditorRecipe
from llmgen.toybox.recipes.growth import read_weights
from llmgen.toybox.recipes.question_files import VQAI_CATEGORIES, sample_pairs, write_questions
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.vae import to_tensor
from llmgen.toybox.world.pairs import CATEGORIES, sample_pair
from llmgen.toybox.world.scenes import render_image


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The shipped models that the recipes need, and an answerer of two steps."""
    folder = tmp_path_factory.mktemp("answering")
    places = folder / "weights"
    places.mkdir()
    for name in ("text_to_image", "judge", "clip"):
        (places / name).symlink_to(WEIGHTS / name)
    run = TrainingRun(folder / "blip2", steps=2, seed=0, weights=places)
    recipe = Blip2Recipe(batch=4, filled=6, fresh=1, measured=5)
    run.train(recipe)
    recipe.ship(folder / "blip2", places)
    return places


def test_every_word_of_questions_and_answers_is_whole():
    tokenizer, known = build_answer_tokenizer(), set(question_words())
    for number in range(60):
        pair = sample_pair(random.Random(number), CATEGORIES[number % 5])
        for text in (pair.question, pair.answer, description_of(pair.before)):
            pieces = tokenizer.tokenize(text)
            assert not [piece for piece in pieces if piece.startswith("##")], text
            assert {p for p in pieces if p.isalpha() and len(p) > 1} <= known
            ids = tokenizer(text).input_ids
            assert ids[-1] == tokenizer.eos_token_id and len(ids) <= 77
        assert tokenizer.decode(tokenizer(pair.answer).input_ids, skip_special_tokens=True) == pair.answer
    assert tokenizer.decode(tokenizer("a zebra").input_ids, skip_special_tokens=True) == "a zebra"


def test_the_vision_transformer_is_that_of_the_clip():
    model = build_answerer(build_answer_tokenizer()).eval()
    pictures = [render_image(sample_pair(random.Random(n)).before) for n in range(4)]
    take_tower(model, read_weights(WEIGHTS / "clip"), to_tensor(pictures))
    clip = CLIPModel.from_pretrained(WEIGHTS / "clip").eval()
    with torch.no_grad():
        theirs = clip.vision_model(to_tensor(pictures)).last_hidden_state
    likeness = torch.nn.functional.cosine_similarity(vision_states(model, pictures), theirs, dim=-1)
    assert float(likeness.mean()) > 0.97


def test_an_answerer_is_trained_saved_small_and_loaded(weights):
    model, tokenizer = load_answerer(weights / "answerer")
    assert (weights / "answerer" / "model.safetensors").stat().st_size < 10e6
    assert model.language_model.lm_head.weight.data_ptr() == model.language_model.shared.weight.data_ptr()
    images = [Image.new("RGB", (128, 128), "white")] * 2
    reader = LatentReader(model, tokenizer)
    assert reader.latents(images, [DESCRIBE, "what if it rains?"]).shape == (2, 77, 128)
    assert all(
        isinstance(answer, str) for answer in reader.answers(images, [DESCRIBE] * 2, num_beams=1, max_new_tokens=4)
    )
    assert (weights.parent / "blip2" / "sheet.txt").read_text().count("->") == 10


@pytest.mark.parametrize(
    "recipe", [EditorRecipe(), QuestionEditorRecipe(), LgdRecipe()], ids=["words", "questions", "states"]
)
def test_an_editor_is_trained_from_the_denoiser_and_shipped(weights, tmp_path, recipe):
    recipe = replace(recipe, batch=2, filled=3, fresh=1, looks=2, look_steps=3)
    run = TrainingRun(tmp_path / "work", steps=2, seed=0, weights=weights, processes=1)
    unet = run.train(recipe)
    assert unet.config.in_channels == 2 * unet.config.out_channels
    assert (tmp_path / "work" / "sheet.png").is_file()
    recipe.ship(tmp_path / "work", weights)
    assert (weights / recipe.folder / "diffusion_pytorch_model.safetensors").is_file()
    if isinstance(recipe, LgdRecipe):
        folder = weights / "lgd"
        settings = read_settings(folder)
        assert load_bridge(folder, settings).mlp.weight.shape == (128, 128)
        assert load_null(folder, settings).shape == (1, 77, 128)
        again = replace(run, out_dir=tmp_path / "again", steps=1, start=weights / recipe.folder)
        bridge = recipe.lesson(again).module.get_submodule("bridge")
        assert torch.equal(bridge.mlp.weight, load_bridge(folder, settings).mlp.weight)
        assert bridge.mlp.weight.requires_grad


def test_a_cell_weighs_more_where_few_change():
    source = torch.zeros(2, 4, 16, 16)
    target = source.clone()
    target[0, :, :8] = 1.0
    target[1, :, :2, :2] = 1.0
    velocity, weights = torch.zeros_like(source), []
    for row, (y, x) in ((0, (0, 0)), (0, (15, 15)), (1, (0, 0)), (1, (15, 15))):
        said = velocity.clone()
        said[row, :, y, x] = 1.0
        weights.append(float(edit_error(said, velocity, source, target, 4.0)["velocity"]))
    half, stays, few, stays_too = weights
    # A half changes: half of the usual weight; a sixty-fourth: six times.
    assert half / stays == pytest.approx(1 + 4 * 0.5)
    assert few / stays_too == pytest.approx(1 + 4 * 6)


@pytest.mark.parametrize(
    ("answer", "order"),
    [
        ("it is a night scene now", "turn it into a night scene"),
        ("there is a purple car now", "add a purple car"),
        ("there are two orange balls now", "add another of the orange balls"),
        ("the dog is gone now", "remove the dog"),
        ("the boy is holding a yellow fish now", "put a yellow fish into the hands of the boy"),
        ("the girl is in red now", "dress the girl in red"),
        ("the ball is on the left and the cup on the right now", "swap the ball and the cup"),
        ("the ball is at the top now", "move the ball to the top"),
        ("the boy is happy now", "make the boy happy"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_orders(answer, order):
    assert orders_for(answer)[0] == order


def test_every_answer_of_the_world_has_an_order():
    for number in range(40):
        answer = sample_pair(random.Random(f"order:{number}"), CATEGORIES[number % 5]).answer
        assert orders_for(answer)[0] != answer


def test_questions_as_files(tmp_path: Path):
    write_questions(tmp_path, sample_pairs(5, 3, "templates"))
    entries = json.loads((tmp_path / "annotations.json").read_text())
    lists = json.loads((tmp_path / "categories.json").read_text())
    assert len(entries) == 5 and lists["total sample"] == [entry["sample_name"] for entry in entries]
    assert [lists[name] for name in VQAI_CATEGORIES.values()] == [[name] for name in lists["total sample"]]
    assert all((tmp_path / entry[key]).is_file() for entry in entries for key in ("image1_name", "image2_name"))
    assert len((tmp_path / "right_answers.jsonl").read_text().splitlines()) == 5
