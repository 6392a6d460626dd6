#!/usr/bin/env bash
# scipy: a mask that `gaussian_filter` makes soft stays hard, is smaller, and is empty if the object is small.
#
# Seen with scipy 1.17.1 (numpy 2.4.6, Python 3.11).
#
# The edge of a mask is made soft so that an object is blended into its picture. The filters of `scipy.ndimage` answer in the type of what they
# were given: of a mask as `bool`, which comparisons make, or as 0 and 1 in 8 bits, which decoders of run lengths make, each pass is cut down to
# whole numbers, and only what reaches 1 stays. Instead of an edge of 8 sigma there is none, and the mask ends 4 sigma inside its outline;
# an object not wider than that twice is not blended in at all. `output=float` gives what was meant; a mean over a window (`uniform_filter`)
# goes the same way.
#
# Output seen, squares, sigma 3 (pixels of the mask, of the soft mask, values in it):
#   64 x 64 float:  4096, 4096.0, soft
#   64 x 64 bool:   4096, 1600, hard
#   64 x 64 uint8:  4096, 1600, hard
#   24 x 24 float:  576, 576.0, soft
#   24 x 24 bool:   576, 0, hard
#   24 x 24 uint8:  576, 0, hard
#   64 x 64 bool, output=float: 4096, 4096.0, soft
#   64 x 64 bool, mean over 13 x 13: 4096, 2704, hard
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps scipy==1.17.1 numpy==2.4.6

"$place/bin/python" - <<'PYTHON'
import numpy as np
from scipy import ndimage


def square(size, kind):
    mask = np.zeros((128, 128), kind)
    mask[20 : 20 + size, 20 : 20 + size] = 1
    return mask


def tell(name, mask, soft):
    edge = "hard" if set(np.unique(soft)) <= {0, 1} else "soft"
    print(f"{name} {int(mask.sum())}, {soft.sum():{'.1f' if soft.dtype == float else 'd'}}, {edge}")
    return round(float(soft.sum()), 1), edge


told = []
for size in (64, 24):
    for kind in (float, bool, np.uint8):
        mask = square(size, kind)
        told.append(tell(f"{size} x {size} {f'{mask.dtype}:'.replace('64', ''):7}", mask, ndimage.gaussian_filter(mask, 3)))
mask = square(64, bool)
told.append(tell("64 x 64 bool, output=float:", mask, ndimage.gaussian_filter(mask, 3, output=float)))
told.append(tell("64 x 64 bool, mean over 13 x 13:", mask, ndimage.uniform_filter(mask, 13)))
soft, gone = (4096.0, "soft"), (0.0, "hard")
if told != [soft, (1600.0, "hard"), (1600.0, "hard"), (576.0, "soft"), gone, gone, soft, (2704.0, "hard")]:
    raise SystemExit("changed: the filters make masks of whole numbers soft otherwise now")
PYTHON
