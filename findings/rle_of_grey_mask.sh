#!/usr/bin/env bash
# pycocotools: a mask whose foreground holds two values becomes the run lengths of another shape.
#
# Seen with pycocotools 2.0.11 and faster-coco-eval 1.8.0, which does the same (numpy 2.4.6, Python 3.11).
#
# `encode` is for binary masks, and one of 0 and 255 gives the right runs, so it looks as if everything but 0 were foreground. But it closes a
# run wherever the value differs from the pixel before, and counts every second run as foreground. Where a mask was saved by a drawing program
# or resized, its rim is grey: the step from 0 to 128 opens the object, the step from 128 to 255 closes it again, and the object is a hollow or
# turns inside out. A map of instance numbers (1 beside 2) comes out in the same way. Nothing is said, and area, box and IoU follow from it.
# What is meant is `encode(np.asfortranarray((mask > 0).astype(np.uint8)))`.
#
# Output seen:
#   a square of 255: area 16, box [2, 2, 4, 4], IoU with the square 1.00
#   the same with two rows at 128: area 8, box [2, 2, 4, 4], IoU with the square 0.50
#   two objects, numbered 1 and 2: area 44 of 64 pixels, where 18 are not 0
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6

"$place/bin/python" - <<'PYTHON'
import numpy as np
from faster_coco_eval import mask as faster
from pycocotools import mask

square = np.zeros((8, 8), np.uint8)
square[2:6, 2:6] = 255
rim = square.copy()
rim[[2, 5], 2:6] = 128
numbered = np.zeros((8, 8), np.uint8)
numbered[1:4, 1:4], numbered[4:7, 1:4] = 1, 2
runs, grey, numbers = (mask.encode(np.asfortranarray(picture)) for picture in (square, rim, numbered))

told = []
for name, one in (("a square of 255", runs), ("the same with two rows at 128", grey)):
    box = [int(side) for side in mask.toBbox(one)]
    told.append((int(mask.area(one)), box, float(mask.iou([one], [runs], [0])[0, 0])))
    print(f"{name}: area {told[-1][0]}, box {box}, IoU with the square {told[-1][2]:.2f}")
print(f"two objects, numbered 1 and 2: area {mask.area(numbers)} of 64 pixels, where {(numbered > 0).sum()} are not 0")

same = faster.area(faster.encode(np.asfortranarray(rim))) == told[1][0]
if told != [(16, [2, 2, 4, 4], 1.0), (8, [2, 2, 4, 4], 0.5)] or mask.area(numbers) != 44 or not same:
    raise SystemExit("changed: the run lengths of a mask with two values of foreground are others now")
PYTHON
