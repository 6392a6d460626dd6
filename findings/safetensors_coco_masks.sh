#!/usr/bin/env bash
# safetensors: a mask that pycocotools decoded is another mask once it was saved and read again.
#
# Seen with safetensors 0.8.0 and pycocotools 2.0.11 (numpy 2.4.6, Python 3.11).
#
# pycocotools decodes run lengths column after column and hands out an array that lies so in memory. `safetensors.numpy.save_file` writes the memory
# as it lies, beside the shape, and files are read row after row: the mask comes back with its shape, type and area, and with its pixels in other
# places. So does a picture that was transposed. The functions for torch raise instead, and up to safetensors 0.7.0 the values were put in
# order. `np.ascontiguousarray` before saving does what is meant. (Reported for matrices: safetensors/safetensors, issue 825.)
#
# Output seen, an object of 3 x 5 pixels in a mask of 8 x 12 (box as x0, y0, x1, y1):
#   decoded:        area 15, box [2, 1, 5, 6], equal True
#   saved and read: area 15, box [0, 1, 12, 4], equal False
#   put in order:   area 15, box [2, 1, 5, 6], equal True
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps safetensors==0.8.0 pycocotools==2.0.11 numpy==2.4.6

cd "$place"
"$place/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from pycocotools import mask as rle
from safetensors.numpy import load_file, save_file

drawn = np.zeros((8, 12), np.uint8)
drawn[1:6, 2:5] = 1
decoded = rle.decode(rle.encode(np.asfortranarray(drawn)))
save_file({"as it is": decoded, "in order": np.ascontiguousarray(decoded)}, "masks.safetensors")
saved = load_file("masks.safetensors")

told = []
for name, mask in (("decoded", decoded), ("saved and read", saved["as it is"]), ("put in order", saved["in order"])):
    rows, columns = np.nonzero(mask)
    box = [int(side) for side in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]
    told.append((int(mask.sum()), box, np.array_equal(mask, drawn)))
    print(f"{name + ':':15} area {told[-1][0]}, box {told[-1][1]}, equal {told[-1][2]}")
right = (15, [2, 1, 5, 6], True)
if told != [right, (15, [0, 1, 12, 4], False), right]:
    raise SystemExit("changed: safetensors saves what pycocotools decodes otherwise now")
PYTHON
