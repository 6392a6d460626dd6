#!/usr/bin/env bash
# pycocotools: an object of exactly 32 by 32 pixels is small and medium, one of 96 by 96 medium and large.
#
# Seen with pycocotools 2.0.11 and faster-coco-eval 1.8.0 (numpy 2.4.6, Python 3.11).
#
# The ranges of `COCOeval` share their ends, and an area on an end lies in both. In photographs that hardly happens; in made data, whose boxes are
# multiples of 32, it is the rule: AP small and AP medium then are figures of the same objects, and the counts of the sizes add up to more
# objects than there are.
#
# Output seen, a set of one object, found exactly (AP small, medium, large; -1 is "no such object"):
#   32 x 32: 1.0 1.0 -1.0
#   96 x 96: -1.0 1.0 1.0
#   33 x 32: -1.0 1.0 -1.0
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


def by_size(width, height, data_class, scorer_class):
    truth = data_class()
    box = [0, 0, width, height]
    truth.dataset = {
        "images": [{"id": 1, "width": 200, "height": 200}],
        "categories": [{"id": 1, "name": "ball"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": width * height, "iscrowd": 0}],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes([{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9}])
        scorer = scorer_class(truth, found, "bbox")
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return [round(float(value), 3) for value in scorer.stats[3:6]]


told = []
for width, height in ((32, 32), (96, 96), (33, 32)):
    told.append(by_size(width, height, COCO, COCOeval))
    if told[-1] != by_size(width, height, faster.COCO, faster.COCOeval_faster):
        raise SystemExit("changed: pycocotools and faster-coco-eval differ at the ends of the size ranges")
    print(f"{width} x {height}:", *told[-1])
if told != [[1.0, 1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, -1.0]]:
    raise SystemExit("changed: an area on the end of a size range is counted once now")
PYTHON
