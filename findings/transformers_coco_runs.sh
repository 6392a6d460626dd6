#!/usr/bin/env bash
# transformers: `return_coco_annotation` gives run lengths that are not COCO's, and the first of them is the background.
#
# Seen with transformers 5.24.0, torch 2.14.1 on the CPU and pycocotools 2.0.11 (numpy 2.4.6, Python 3.11).
#
# The segmentation functions of MaskFormer, Mask2Former, OneFormer and DETR promise COCO's run lengths and give pairs of "first pixel, counted
# from 1" and "length", along rows; COCO has lengths alone, gaps and objects in turn, down columns, with the size beside them. The lists come in
# the order of the numbers in the map, and the background is number -1: with `zip(segmentation, segments_info)` each object gets the mask of its
# neighbour, and the last mask is dropped. Every second number is a length, so sums taken as areas are right and hide it. `pycocotools.mask.encode`
# of each `map == id` gives COCO's.
#
# Output seen, a ball of 2 x 3 pixels in a picture of 6 x 8:
#   lists: 2, objects: 1
#   list 0: [1, 10, 14, 5, 22, 27], as first pixel and length along rows: the background
#   list 1: [11, 3, 19, 3], as first pixel and length along rows: the ball
#   COCO's of the ball: [13, 2, 4, 2, 4, 2, 21]
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile transformers==5.24.0 torch==2.14.1 pycocotools==2.0.11 pillow==13.0.0 numpy==2.4.6

HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$place/bin/python" -W ignore - <<'PYTHON'
import itertools

import numpy as np
import torch
from pycocotools import mask as rle
from transformers import MaskFormerImageProcessorPil
from transformers.models.maskformer.modeling_maskformer import MaskFormerForInstanceSegmentationOutput

ball = np.zeros((6, 8), np.uint8)
ball[1:3, 2:5] = 1
outputs = MaskFormerForInstanceSegmentationOutput(
    class_queries_logits=torch.tensor([[[8.0, 0.0]]]), masks_queries_logits=torch.tensor(ball)[None, None] * 16.0 - 8.0
)
made = MaskFormerImageProcessorPil().post_process_instance_segmentation(
    outputs, target_sizes=[ball.shape], return_coco_annotation=True
)[0]


def along_rows(pairs):
    pixels = np.zeros(ball.size, np.uint8)
    for first, length in zip(pairs[::2], pairs[1::2]):
        pixels[first - 1 : first - 1 + length] = 1
    return pixels.reshape(ball.shape)


lists = [[int(number) for number in one] for one in made["segmentation"]]
names = ["the ball" if (along_rows(one) == ball).all() else "the background" for one in lists]
coco = [len(list(run)) for _, run in itertools.groupby(ball.flatten(order="F").tolist())]
read = rle.decode(rle.frPyObjects({"size": [6, 8], "counts": coco}, 6, 8))
print(f"lists: {len(lists)}, objects: {len(made['segments_info'])}")
for number, (one, name) in enumerate(zip(lists, names)):
    print(f"list {number}: {one}, as first pixel and length along rows: {name}")
print(f"COCO's of the ball: {coco}")
seen = (lists, names, len(made["segments_info"]))
if seen != ([[1, 10, 14, 5, 22, 27], [11, 3, 19, 3]], ["the background", "the ball"], 1) or not (read == ball).all():
    raise SystemExit("changed: transformers gives other run lengths now")
PYTHON
