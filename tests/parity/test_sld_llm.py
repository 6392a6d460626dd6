"""Legacy replies, LMD's box filter and the wording of layouts, against the cases recorded from the originals.

The cases lie in the files `sld_cases*.json` of the golden folder (`--goldens DIR`, default `tests/data`).
"""

import ast
import contextlib
import json
import operator
import re
from typing import Any

import pytest
from compared import check
from parity.deviations import first_line
from parity.goldens import Case

from llmgen.errors import ModelError
from llmgen.llm.planning.conditioning import word_layout
from llmgen.llm.replies.lmd_boxes import filter_boxes
from llmgen.llm.replies.text_reply import parse_layout_reply, parse_spot_reply, parse_update_reply

FAMILY = "sld"
GROUPS = {
    "test_spot_replies": ("spot_reply_",),
    "test_update_replies": ("update_reply_",),
    "test_layout_replies": ("lmd_reply_",),
    "test_filter": ("filter_",),
    "test_wording": ("spec_",),
}
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
#: Words of JSON in the lists of replies.
CONSTANTS = {"null": None, "none": None, "None": None, "true": True, "false": False}


def plain(value: Any) -> Any:
    """Tuples to lists, as JSON has them."""
    return json.loads(json.dumps(value))


def is_read_right(got: Any, text: str) -> None:
    """What the original refuses may be read, and then as a person reads it: some list of the reply, arithmetic and JSON's words done."""
    lists = [value for value in map(literal, re.findall(r"\[.*\]", text)) if value is not None]
    assert plain(got) in lists, "read as what no list of the reply says"


def literal(text: str) -> Any:
    """The longest list that a text begins with, arithmetic done; None where there is none."""
    for end in (end for end in range(len(text), 1, -1) if text[end - 1] == "]"):
        with contextlib.suppress(SyntaxError, ValueError):
            return plain(value_of(ast.parse(text[:end], mode="eval").body))
    return None


def value_of(node: ast.expr) -> Any:
    """What a list in a reply says."""
    if isinstance(node, ast.List | ast.Tuple):
        return [value_of(item) for item in node.elts]
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return CONSTANTS[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](value_of(node.left), value_of(node.right))
    return ast.literal_eval(node)


def test_spot_replies(case: Case) -> None:
    if case.is_error:
        with pytest.raises(ModelError):
            parse_spot_reply(case.input, reference=True)
        with contextlib.suppress(ModelError):
            is_read_right(parse_spot_reply(case.input).objects, case.input)
        return
    for reference in (True, False):
        reply = parse_spot_reply(case.input, reference=reference)
        got = {"objects": reply.objects, "bg_prompt": reply.background, "neg_prompt": reply.negative}
        expected = dict(case.expected)
        if not reference:
            # A field ends with its line: text after a blank line is none of it.
            expected["neg_prompt"] = first_line(expected["neg_prompt"])
        assert plain(got) == expected


def test_update_replies(case: Case) -> None:
    if case.is_error:
        with pytest.raises(ModelError):
            parse_update_reply(case.input, reference=True)
        with contextlib.suppress(ModelError):
            is_read_right(parse_update_reply(case.input), case.input)
        return
    for reference in (True, False):
        assert plain(parse_update_reply(case.input, reference=reference)) == case.expected


def test_layout_replies(case: Case) -> None:
    for reference in (True, False):
        if case.is_error:
            with pytest.raises(ModelError):
                parse_layout_reply(case.input, reference=reference)
            continue
        objects, background, negative = case.expected
        if not reference:
            negative = first_line(negative)
            negative = "" if negative.lower() in ("none", "none.") else negative
        assert plain(parse_layout_reply(case.input, reference=reference)) == [objects, background, negative]


def test_filter(case: Case) -> None:
    boxes = [(name, box) for name, box in case.input["boxes"]]
    got = filter_boxes(boxes, scale=case.input["scale_boxes"], reference=True)
    assert plain(got) == case.expected


def test_filter_keeps_a_tall_layout_inside() -> None:
    assert filter_boxes([("a tower", [100, -60, 80, 620])]) == [("a tower", [0, 0, 66, 512])]


def test_wording(case: Case) -> None:
    named = [(n, (x / 512, y / 512, (x + w) / 512, (y + h) / 512)) for n, (x, y, w, h) in case.input["gen_boxes"]]
    words = {name.removeprefix("an ").removeprefix("a ") for name, _ in named}
    for reference in (True, False):
        # Only the article is dropped: the original takes it out of the middle of words as well.
        if not reference and any("a " in word or "an " in word for word in words):
            continue
        text = word_layout(named, case.input["bg_prompt"], reference=reference)
        got = {
            "per_object": [[o.prompt, o.phrase, o.word, o.box_xyxy] for o in text.objects],
            "overall_prompt": text.overall_prompt,
            "groups": [[g.phrase, g.word, g.boxes_xyxy] for g in text.groups],
        }
        check(plain(got), case.expected, case.tolerance)


def test_only_the_article_is_dropped() -> None:
    boxes = [("a panda bear", (0.0, 0.0, 0.1, 0.1)), ("a panda bear", (0.5, 0.0, 0.6, 0.1))]
    assert word_layout(boxes, "A forest").overall_prompt == "A forest with two panda bears"
