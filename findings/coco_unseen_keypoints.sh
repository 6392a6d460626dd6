#!/usr/bin/env bash
# pycocotools: a wrong person is no mistake any more once one of its keypoints is left out as the format says.
#
# Seen with pycocotools 2.0.11 and faster-coco-eval 1.8.0 (numpy 2.4.6, Python 3.11).
#
# A keypoint that is not there is written `0, 0, 0` in COCO, and a result that holds keypoints alone gets its area from all of its points: from
# those as well. The box then reaches from the picture's corner to the person. Sizes are told apart by that area, and what was found in nobody's
# place only counts as a mistake in the range it lies in: a wrong find of 60 by 60 pixels with one point unseen is large, and gone from the figure
# for medium people. So a detector that leaves out what it does not see gets a better one. Where results give a `bbox`, that is the area.
#
# Output seen, one medium person, found exactly, and with a higher score a person where nobody is (AP, AP medium; area of the wrong one):
#   all 17 points:             0.5 0.5; 3600
#   one left out as 0, 0, 0:   0.5 1.0; 158600
#   left out, with its `bbox`: 0.5 0.5; 3600
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6

"$place/bin/python" - <<'PYTHON'
import contextlib
import io

import faster_coco_eval as faster
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def person(left, top, unseen=None):
    """17 keypoints spread over a square of 60 pixels; `unseen` is one that is not there."""
    points = [(left + 20 * (i % 4), top + 15 * (i // 4), 2) for i in range(17)]
    if unseen is not None:
        points[unseen] = (0, 0, 0)
    return {"image_id": 1, "category_id": 1, "keypoints": [number for point in points for number in point]}


def scored(wrong, box, data_class, scorer_class):
    right = person(400, 400)
    size = {"bbox": [400, 400, 60, 60], "area": 3600}
    truth = data_class()
    truth.dataset = {
        "images": [{"id": 1, "width": 640, "height": 640}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [right | size | {"id": 1, "num_keypoints": 17, "iscrowd": 0}],
    }
    results = [right | {"score": 0.5}, wrong | {"score": 0.9}]
    if box:
        results = [result | {"bbox": corner} for result, corner in zip(results, ([400, 400, 60, 60], box))]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(results)
        scorer = scorer_class(truth, found, "keypoints")
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return round(float(scorer.stats[0]), 3), round(float(scorer.stats[3]), 3), int(found.anns[2]["area"])


told = []
for name, unseen, box in (
    ("all 17 points:", None, None),
    ("one left out as 0, 0, 0:", 3, None),
    ("left out, with its `bbox`:", 3, [550, 200, 60, 60]),
):
    told.append(scored(person(550, 200, unseen), box, COCO, COCOeval))
    if told[-1] != scored(person(550, 200, unseen), box, faster.COCO, faster.COCOeval_faster):
        raise SystemExit("changed: pycocotools and faster-coco-eval differ over keypoints that are left out")
    print(f"{name:26} {told[-1][0]} {told[-1][1]}; {told[-1][2]}")
if told != [(0.5, 0.5, 3600), (0.5, 1.0, 158600), (0.5, 0.5, 3600)]:
    raise SystemExit("changed: keypoints that are left out count otherwise in a result's area now")
PYTHON
