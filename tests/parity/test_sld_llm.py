"""Legacy replies, LMD's box filter and the wording of layouts, against the cases recorded from the originals.

The cases lie in the files `sld_cases*.json` of the golden folder (`--goldens DIR`, default `tests/data`).
"""

import json
from typing import Any

import pytest
from parity.conftest import golden_folder, sld_cases

from llmgen.errors import ModelError
from llmgen.llm.planning.conditioning import word_layout
from llmgen.llm.replies.lmd_boxes import filter_boxes
from llmgen.llm.replies.text_reply import parse_layout_reply, parse_spot_reply, parse_update_reply

PREFIXES = ("spot_reply_", "update_reply_", "lmd_reply_", "filter_", "spec_")
#: Replies that the original refuses and that are read all the same unless `reference` is asked for.
TOLERATED = {
    "spot_reply_word_objects_in_reasoning_fails": [["cat", [None]]],
    "spot_reply_missing_negation_fails": [["cat", [None]]],
    "spot_reply_bracket_after_list_fails": [["cat", [None]]],
    "spot_reply_json_null_fails": [["cat", [None]]],
    "update_reply_trailing_bracket_fails": [["cup #1", [0.1, 0.1, 0.5, 0.5]]],
    "update_reply_arithmetic_fails": [["cup #1", [0.1, 0.1, 0.5, 0.5]]],
}


def plain(value: Any) -> Any:
    """Tuples to lists, as JSON has them."""
    return json.loads(json.dumps(value))


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    return {case["case"]: case for case in sld_cases(golden_folder(request.config), PREFIXES)}


def of_kind(cases: dict[str, dict[str, Any]], prefix: str) -> list[dict[str, Any]]:
    found = [case for name, case in cases.items() if name.startswith(prefix)]
    assert found, f"no case {prefix}*"
    return found


def is_error(expected: Any) -> bool:
    return isinstance(expected, dict) and "error" in expected


def test_spot_replies(cases: dict[str, dict[str, Any]]) -> None:
    for case in of_kind(cases, "spot_reply_"):
        if is_error(case["expected"]):
            with pytest.raises(ModelError):
                parse_spot_reply(case["input"], reference=True)
            continue
        for reference in (True, False):
            reply = parse_spot_reply(case["input"], reference=reference)
            got = {"objects": reply.objects, "bg_prompt": reply.background, "neg_prompt": reply.negative}
            assert plain(got) == case["expected"], case["case"]


def test_update_replies(cases: dict[str, dict[str, Any]]) -> None:
    for case in of_kind(cases, "update_reply_"):
        if is_error(case["expected"]):
            with pytest.raises(ModelError):
                parse_update_reply(case["input"], reference=True)
            continue
        for reference in (True, False):
            got = parse_update_reply(case["input"], reference=reference)
            assert plain(got) == case["expected"], case["case"]


def test_what_the_original_refuses_is_read_where_it_can_be(cases: dict[str, dict[str, Any]]) -> None:
    for name, expected in TOLERATED.items():
        if name not in cases:
            continue
        text = cases[name]["input"]
        got = parse_update_reply(text) if name.startswith("update") else parse_spot_reply(text).objects
        assert plain(got) == expected, name


def test_layout_replies(cases: dict[str, dict[str, Any]]) -> None:
    for case in of_kind(cases, "lmd_reply_"):
        for reference in (True, False):
            if is_error(case["expected"]):
                with pytest.raises(ModelError):
                    parse_layout_reply(case["input"], reference=reference)
            else:
                got = parse_layout_reply(case["input"], reference=reference)
                assert plain(got) == case["expected"], case["case"]


def test_filter(cases: dict[str, dict[str, Any]]) -> None:
    for case in of_kind(cases, "filter_"):
        boxes = [(name, box) for name, box in case["input"]["boxes"]]
        got = filter_boxes(boxes, scale=case["input"]["scale_boxes"], reference=True)
        assert plain(got) == case["expected"], case["case"]


def test_filter_keeps_a_tall_layout_inside() -> None:
    assert filter_boxes([("a tower", [100, -60, 80, 620])]) == [("a tower", [0, 0, 66, 512])]


def test_wording(cases: dict[str, dict[str, Any]]) -> None:
    for case in of_kind(cases, "spec_"):
        named = [
            (n, (x / 512, y / 512, (x + w) / 512, (y + h) / 512)) for n, (x, y, w, h) in case["input"]["gen_boxes"]
        ]
        for reference in (True, False):
            if not reference and "defect" in case["case"]:
                continue
            text = word_layout(named, case["input"]["bg_prompt"], reference=reference)
            got = {
                "per_object": [[o.prompt, o.phrase, o.word, o.box_xyxy] for o in text.objects],
                "overall_prompt": text.overall_prompt,
                "groups": [[g.phrase, g.word, g.boxes_xyxy] for g in text.groups],
            }
            assert plain(got) == case["expected"], case["case"]


def test_only_the_article_is_dropped() -> None:
    boxes = [("a panda bear", (0.0, 0.0, 0.1, 0.1)), ("a panda bear", (0.5, 0.0, 0.6, 0.1))]
    assert word_layout(boxes, "A forest").overall_prompt == "A forest with two panda bears"
