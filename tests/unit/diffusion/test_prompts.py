from llmgen.diffusion.prompts import count_phrases, join_negatives, scene_prompt, without_article


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
