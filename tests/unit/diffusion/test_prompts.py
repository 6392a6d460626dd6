from pathlib import Path
from types import SimpleNamespace

from tiny_models import tiny_context

from llmgen.diffusion.prompts import (
    beyond_limits,
    count_phrases,
    cut_texts,
    join_negatives,
    longest_tokenizer,
    scene_prompt,
    without_article,
)


def test_equal_phrases_are_counted_and_only_the_article_goes() -> None:
    assert count_phrases(["a panda bear", "a dog", "a panda bear"]) == ["two panda bears", "a dog"]
    assert count_phrases(["an orange fish"] * 3) == ["three orange fish"]


def test_scene_prompt_joins_what_there_is() -> None:
    assert scene_prompt("a meadow", ["a red ball", "a car"]) == "a meadow with a red ball, a car"
    assert scene_prompt("", ["a car"]) == "a car"
    assert scene_prompt("a meadow", []) == "a meadow"


def test_negatives_and_articles() -> None:
    assert join_negatives("cars", "", "blurry") == "cars, blurry"
    assert without_article("an apple") == "apple"
    assert without_article("anvil") == "anvil"


def test_what_is_cut_is_said_of_each_text(tmp_path: Path) -> None:
    encoder = tiny_context(tmp_path).models.text("text_to_image")
    longest, many = encoder.tokenizer.model_max_length, "a red ball and " * 99
    tokens = encoder.num_tokens(many)
    said = beyond_limits("a ball", encoder, negative=many, phrases=["a car", many], objects=3, slots=2)
    assert said == [
        f"its negative prompt has {tokens} tokens, the model reads the first {longest}",
        f"its phrase {many[:40]!r} has {tokens} tokens, the model reads the first {longest}",
        "it has 3 objects, the model takes the boxes of the first 2",
    ]
    assert cut_texts(encoder.tokenizer, {"prompt": "a ball", "negative prompt": ""}) == []


def test_a_pipeline_reads_as_far_as_its_best_reader() -> None:
    short, long = SimpleNamespace(model_max_length=77), SimpleNamespace(model_max_length=512)
    assert longest_tokenizer(SimpleNamespace(tokenizer=short, tokenizer_2=long)) is long
    assert longest_tokenizer(SimpleNamespace(tokenizer=None, tokenizer_2=short)) is short
