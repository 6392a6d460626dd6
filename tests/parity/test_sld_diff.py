"""The comparison of a suggested layout with the detections gives what SLD's gave, and mends what it got wrong."""

from typing import Any

from llmgen.artifacts import Detection
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.replies.update_reply import compare_layouts
from llmgen.vision.boxes import xywh_to_xyxy

CASES = ("diff_",)
SIDE = 1000
Named = list[Any]


def _mended(keep: list[str], change: list[str]) -> dict[str, list[str]]:
    return {"preserve": keep, "delete": [], "add": [], "move": [], "change_attribute": change}


#: The reference loses attributes of attributed and of two-word nouns, crashes on two claims to one object, and forgets the second of
#: two equal names.
MENDED: dict[str, dict[str, list[str]]] = {
    "diff_attribute_to_attribute_becomes_delete_plus_add": _mended([], ["pink dolphin"]),
    "diff_multiword_noun_attribute_becomes_delete_plus_add": _mended([], ["tall palm tree"]),
    "diff_two_new_attributes_on_one_detection_crashes_in_reference": {
        **_mended([], ["green motorcycle"]),
        "add": ["blue motorcycle"],
    },
    "diff_duplicate_suggestion_name_second_is_lost": {**_mended(["bird"], []), "add": ["bird"]},
}


def _bare(name: str) -> str:
    return name.partition(" #")[0]


def _detection(name: str, box: list[float]) -> Detection:
    noun, attributes = read_phrase(_bare(name))
    scaled = tuple(value * SIDE for value in xywh_to_xyxy(box))
    return Detection(id=name, phrase=_bare(name), noun=noun, attributes=attributes, box_xyxy=scaled, score=1.0)


def test_case(diffusion_case: dict[str, Any]) -> None:
    given, expected = diffusion_case["input"], diffusion_case["expected"]
    detections = [_detection(name, box) for name, box in given["current"]]
    update = compare_layouts([(n, b) for n, b in given["suggested"]], detections, width=SIDE, height=SIDE)
    of_id = {d.id: d for d in detections}
    got = {
        "preserve": [_bare(name) for name in update.keep],
        "delete": [_bare(name) for name in update.delete],
        "add": [" ".join((*thing.attributes, thing.noun)) for thing in update.add],
        "move": [_bare(thing.id) for thing in update.move],
        "change_attribute": [" ".join((*thing.attributes, of_id[thing.id].noun)) for thing in update.change],
    }
    wanted = MENDED.get(diffusion_case["case"]) or {
        kind: [_bare(entry[0][0] if kind == "move" else entry[0]) for entry in entries]
        for kind, entries in expected.items()
    }
    assert {kind: sorted(names) for kind, names in got.items()} == {
        kind: sorted(names) for kind, names in wanted.items()
    }
    if diffusion_case["case"] in MENDED:
        return
    suggested = dict((name, box) for name, box in given["suggested"])
    for thing in (*update.move,):
        box = (thing.box.x, thing.box.y, thing.box.width, thing.box.height)
        assert box == tuple(value * SIDE for value in suggested[thing.id])
