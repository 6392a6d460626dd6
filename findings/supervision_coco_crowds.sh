#!/usr/bin/env bash
# supervision: an object with a hole, or in two parts, is exported to COCO as a crowd, which scorers leave out.
#
# Seen with supervision 0.31.2, opencv-python-headless 5.0.0.93 and pycocotools 2.0.11 (numpy 2.4.6, Python 3.11).
#
# In COCO `iscrowd: 1` says "many of these, not told apart": such an annotation is no object to be found, what is found in it counts neither
# way, and most training code drops it. `DetectionDataset.as_coco` sets it for every mask that one plain outline cannot tell: a cup whose handle
# shows the table, a dog behind a post. The file holds all objects, but of these none is asked for: where there are others, they are missing from
# the figure without a word, and where there are none, a detector that finds everything gets -1. `data={"iscrowd": np.zeros(n, int)}` in the
# `Detections` says otherwise, at the price of outlines instead of run lengths.
#
# Output seen:
#   a plain square:  iscrowd 0
#   a ring:          iscrowd 1
#   two halves:      iscrowd 1
#   ring and halves, found exactly as they are: AP -1.0, AR -1.0
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile supervision==0.31.2 opencv-python-headless==5.0.0.93 pycocotools==2.0.11 numpy==2.4.6

cd "$place"
"$place/bin/python" -W ignore - <<'PYTHON'
import contextlib
import io
import json

import cv2
import numpy as np
import supervision as sv
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

square, ring, halves = masks = np.zeros((3, 40, 40), bool)
square[25:35, 2:12] = ring[5:15, 5:15] = halves[20:30, 20:30] = halves[20:30, 32:36] = True
ring[8:12, 8:12] = False
cv2.imwrite("picture.png", np.zeros((40, 40, 3), np.uint8))


def exported(masks):
    drawn = sv.Detections(xyxy=sv.mask_to_xyxy(masks), mask=masks, class_id=np.zeros(len(masks), int))
    sv.DetectionDataset(["cup"], ["picture.png"], {"picture.png": drawn}).as_coco(annotations_path="coco.json")
    return "coco.json"


crowds = [entry["iscrowd"] for entry in json.load(open(exported(masks)))["annotations"]]
for name, crowd in zip(("a plain square:", "a ring:", "two halves:"), crowds):
    print(f"{name:16} iscrowd {crowd}")

with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(exported(masks[1:]))
    found = [rle.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks[1:]]
    results = truth.loadRes([dict(image_id=1, category_id=1, score=0.9, segmentation=one) for one in found])
    scorer = COCOeval(truth, results, "segm")
    scorer.evaluate()
    scorer.accumulate()
    scorer.summarize()
print(f"ring and halves, found exactly as they are: AP {scorer.stats[0]:.1f}, AR {scorer.stats[8]:.1f}")
if crowds != [0, 1, 1] or scorer.stats[0] != -1:
    raise SystemExit("changed: supervision exports masks with holes or in parts otherwise now")
PYTHON
