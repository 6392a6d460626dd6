#!/usr/bin/env bash
# supervision: masks exported as COCO polygons lose their last row and column for everybody but supervision.
#
# Seen with supervision 0.31.2, opencv-python-headless 5.0.0.93 and pycocotools 2.0.11 (numpy 2.4.6, Python 3.11).
#
# `DetectionDataset.as_coco` traces a mask through the middles of its outermost pixels, as OpenCV's contours do. COCO's polygons run along the
# edges of pixels, so pycocotools fills one row and one column less, right and below: 4 by 4 pixels become 3 by 3, and the model is trained and
# scored on that. `area` in the file is the whole mask's, `bbox` the shrunken one's. `from_coco` fills the rim again, so a round trip within the
# library looks perfect. The smaller the object, the more is lost: the mask against itself has an IoU of 0.56 at 4 pixels, no hit at COCO's 0.75.
# Run lengths of the mask itself, by pycocotools, do not shrink.
#
# Output seen:
#    4 x  4 pixels: area 16, bbox [10, 5, 3, 3], pycocotools fills 9, IoU with the mask 0.56; read again by supervision: 16
#   20 x 20 pixels: area 400, bbox [20, 20, 19, 19], pycocotools fills 361, IoU with the mask 0.90; read again by supervision: 400
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile supervision==0.31.2 opencv-python-headless==5.0.0.93 pycocotools==2.0.11 numpy==2.4.6

cd "$place"
"$place/bin/python" -W ignore - <<'PYTHON'
import json

import cv2
import numpy as np
import supervision as sv
from pycocotools import mask as rle

masks = np.zeros((2, 40, 40), bool)
masks[0, 5:9, 10:14] = masks[1, 20:40, 20:40] = True
cv2.imwrite("picture.png", np.zeros((40, 40, 3), np.uint8))
drawn = sv.Detections(xyxy=sv.mask_to_xyxy(masks), mask=masks, class_id=np.array([0, 0]))
data = sv.DetectionDataset(["ball"], ["picture.png"], {"picture.png": drawn})
data.as_coco(annotations_path="coco.json")
_, _, again = next(iter(sv.DetectionDataset.from_coco(".", "coco.json", force_masks=True)))

filled = []
for mask, entry, read in zip(masks, json.load(open("coco.json"))["annotations"], again.mask):
    polygon = rle.merge(rle.frPyObjects(entry["segmentation"], 40, 40))
    itself = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    overlap = float(rle.iou([polygon], [itself], [0])[0, 0])
    filled.append((int(rle.area(polygon)), int(read.sum()), int(entry["area"])))
    side = round(mask.sum() ** 0.5)
    print(
        f"{side:2d} x {side:2d} pixels: area {filled[-1][2]}, bbox {entry['bbox']}, pycocotools fills {filled[-1][0]}, "
        f"IoU with the mask {overlap:.2f}; read again by supervision: {filled[-1][1]}"
    )
if filled != [(9, 16, 16), (361, 400, 400)]:
    raise SystemExit("changed: supervision's polygons have another size in pycocotools now")
PYTHON
