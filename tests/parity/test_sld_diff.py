"""The comparison of a suggested layout with the detections gives what SLD's gave, and mends what it got wrong."""

from parity.deviations import DIFF, bare, right_for
from parity.goldens import Case

from llmgen.artifacts import Detection
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.replies.update_reply import compare_layouts
from llmgen.vision.boxes import xywh_to_xyxy

FAMILY, CASES = "sld", ("diff_",)
SIDE = 1000


def _detection(name: str, box: list[float]) -> Detection:
    noun, attributes = read_phrase(bare(name))
    scaled = tuple(value * SIDE for value in xywh_to_xyxy(box))
    return Detection(id=name, phrase=bare(name), noun=noun, attributes=attributes, box_xyxy=scaled, score=1.0)


def test_case(case: Case) -> None:
    given = case.input
    detections = [_detection(name, box) for name, box in given["current"]]
    update = compare_layouts([(n, b) for n, b in given["suggested"]], detections, width=SIDE, height=SIDE)
    of_id = {d.id: d for d in detections}
    got = {
        "preserve": [bare(name) for name in update.keep],
        "delete": [bare(name) for name in update.delete],
        "add": [" ".join((*thing.attributes, thing.noun)) for thing in update.add],
        "move": [bare(thing.id) for thing in update.move],
        "change_attribute": [" ".join((*thing.attributes, of_id[thing.id].noun)) for thing in update.change],
    }
    right, reason = right_for(case, DIFF)
    wanted = right if reason else {
        kind: [bare(entry[0][0] if kind == "move" else entry[0]) for entry in entries] for kind, entries in right.items()
    }  # fmt: skip
    assert {kind: sorted(names) for kind, names in got.items()} == {
        kind: sorted(names) for kind, names in wanted.items()
    }, reason
    suggested = dict((name, box) for name, box in given["suggested"])
    for thing in update.move:
        box = (thing.box.x, thing.box.y, thing.box.width, thing.box.height)
        if thing.id in suggested:
            assert box == tuple(value * SIDE for value in suggested[thing.id])
