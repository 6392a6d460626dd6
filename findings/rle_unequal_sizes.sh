#!/usr/bin/env bash
# pycocotools: the union of masks of unequal sizes is a mask of no pixels, and their IoU is -1; nothing is raised.
#
# Seen with pycocotools 2.0.11 and faster-coco-eval 1.8.0 (numpy 2.4.6, Python 3.11).
#
# Height and width exchanged for one mask of many, or one mask at the size of the model's input, and `merge` gives up the others as well: the
# answer is a well-formed mask of size [0, 0], whose area is 0. `iou` says -1, which is below every threshold, so that in an evaluation the
# object counts as missed. Both look like a bad model.
#
# Output seen:
#   union of 4 x 6, 4 x 6 and 6 x 4: size [0, 0], area 0
#   IoU of 4 x 6 and 6 x 4: -1.0
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6

"$place/bin/python" - <<'PYTHON'
import numpy as np
from faster_coco_eval import mask as faster
from pycocotools import mask

flat, upright = (mask.encode(np.ones(size, np.uint8, order="F")) for size in ((4, 6), (6, 4)))
told = []
for tool in (mask, faster):
    union = tool.merge([flat, flat, upright])
    told.append((list(union["size"]), int(tool.area(union)), float(tool.iou([flat], [upright], [0])[0, 0])))
size, area, overlap = told[0]
print(f"union of 4 x 6, 4 x 6 and 6 x 4: size {size}, area {area}")
print(f"IoU of 4 x 6 and 6 x 4: {overlap}")
if told != [([0, 0], 0, -1.0)] * 2:
    raise SystemExit("changed: masks of unequal sizes are treated otherwise now")
PYTHON
