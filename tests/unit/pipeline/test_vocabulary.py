from llmgen.artifacts import Record
from llmgen.pipeline.vocabulary import warning_of
from llmgen.presets import load_preset

TOYBOX = load_preset("toybox")


def records(*prompts: str) -> list[Record]:
    return [Record(id=f"r{i}", prompt=prompt) for i, prompt in enumerate(prompts)]


def test_words_that_no_model_of_the_preset_knows_are_named_once_with_what_it_does_know() -> None:
    line = warning_of(records("two giraffes next to a red bicycle", "a giraffe", "a red ball"), TOYBOX)
    assert line is not None
    assert line.count("'giraffe'") == 1
    assert "'bicycle'" in line
    assert "2 of 3 records" in line
    assert "'ball'" not in line
    assert "ball, star, heart" in line


def test_a_compound_is_known_by_its_head() -> None:
    assert warning_of(records("a palm tree and a toy car"), TOYBOX) is None


def test_models_without_bounds_are_never_warned_of() -> None:
    assert warning_of(records("two giraffes"), load_preset("sd15")) is None


def test_many_words_are_counted_not_listed() -> None:
    nouns = ("giraffe", "lion", "zebra", "tiger", "horse", "cow", "sheep", "goat", "pig", "duck")
    line = warning_of(records(*(f"a {noun}" for noun in nouns)), TOYBOX)
    assert line is not None
    assert "and 2 more" in line
