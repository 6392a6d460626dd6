"""What a prompt wants, in JSON and in SLD's text."""

import json
from typing import Any

import pytest

from llmgen.errors import ModelError
from llmgen.llm.replies.parse_reply import read_parse_reply

WANTED = [("cat", [["black"], []]), ("dog", [[]])]


def read(text: Any) -> tuple[Any, str, list[str]]:
    parsed = read_parse_reply(text if isinstance(text, str) else json.dumps(text))
    return [(o.noun, [i.attributes for i in o.instances]) for o in parsed.objects], parsed.background, parsed.negative


@pytest.mark.parametrize(
    "text",
    [
        "Objects: [('cats', ['black', None]), ('dog', [None])]\nBackground: a yard\nNegation: cows",
        "Objects: a cat.\n**Objects:** [(‘cat’, [“black”, null]), (‘dog’, [none])]\n**Background:** a yard\n**Negation:** cows\n",
        "Objects: [('cat', ['black', None]), ('dog', [None])]\nBackground: a yard\nNegation:\ncows\n\nObjects: [('tram', [None])]\n"
        "Background: a road\nNegation: ",
        {"objects": [{"noun": "cat", "instances": [{"attributes": ["black"]}, None]}, {"noun": "dog", "instances": [{"attributes": None}]}],
         "background": "a yard", "negative": "cows"},
        {"parsed": {"objects": [{"noun": "cat", "instances": ["black", None]}, {"noun": "dog", "count": 1}], "background": "a yard",
                    "negative": ["cow", None]}},
        {"objects": {"cat": ["black", None], "dog": [None]}, "background": "a yard", "negative": ["cow"], "note": 1},
    ],
)  # fmt: skip
def test_one_prompt_in_every_form(text: Any) -> None:
    assert read(text) == (WANTED, "a yard", ["cow"])


def test_bare_arrays_and_missing_lists() -> None:
    assert read([{"noun": "cat", "instances": None}, {"noun": "dog"}])[0] == [("cat", []), ("dog", [[]])]
    assert read({"objects": None, "background": None}) == ([], "", [])
    assert read("[('cat', ['black', None]), ('dog', [None])]") == (WANTED, "", [])


def test_a_negation_ends_with_its_line() -> None:
    text = "Objects: [('cat', [None])]\nBackground: a yard\nNegation:\n"
    assert read(text + "Category: counting")[2] == [] and read(text + "\nThis picture has no dogs.")[2] == []
    assert read(text.replace("Negation:", "Negation: None"))[2] == []


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("I would rather not", "no JSON object"),
        ({"objects": 3}, "objects"),
        ({"objects": [{"noun": 3, "instances": []}]}, "objects.0.noun"),
        ({"objects": [{"noun": "cat", "instances": 10**6}]}, "instances"),
        ({"objects": [{"noun": "cat", "instances": [None] * 1001}]}, "1001 objects"),
        ({"objects": [{"noun": " ", "instances": []}]}, "no object has a noun"),
    ],
)
def test_what_is_refused_says_why(value: Any, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        read(value)
