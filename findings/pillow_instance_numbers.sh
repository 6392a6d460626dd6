#!/usr/bin/env bash
# Pillow: in a map of instance numbers above 255, "255 if number else 0" makes everything foreground, and the mean is of other numbers.
#
# Seen with Pillow 13.0.0 (numpy 2.4.6, Python 3.11).
#
# Instance and panoptic maps with more than 255 things open as mode `I;16` or `I`. There `point` does not ask the function about each value but
# once, with a stand-in that can be scaled and shifted. A comparison raises, as it should; "255 if number else 0" takes the stand-in for true, and
# the mask is 255 everywhere, background and all. In mode `L` the same line is right. `ImageStat` (and `histogram`, of which it is made) counts
# mode `I` in 256 bins between the least and the greatest value and means the numbers of the bins; of `I;16` it takes single bytes of the left half
# of each row, so that the right half of the picture does not matter. numpy's `asarray(picture) > 0` and means are right.
#
# Output seen (a map of 2 x 4 with the numbers 0, 1 and 2, and the last one as said):
#   L,    last 255:  foreground 5 of 8 pixels, mean  32.62 (is 32.62)
#   I;16, last 2000: foreground 8 of 8 pixels, mean   0.12 (is 250.75)
#   I;16, last 9000: foreground 8 of 8 pixels, mean   0.12 (is 1125.75)
#   I,    last 2000: foreground 8 of 8 pixels, mean  31.88 (is 250.75)
#   I,    last 9000: foreground 8 of 8 pixels, mean  31.88 (is 1125.75)
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps pillow==13.0.0 numpy==2.4.6

"$place/bin/python" -W error - <<'PYTHON'
import numpy as np
from PIL import Image, ImageStat

told = []
for kind, last in ((np.uint8, 255), (np.uint16, 2000), (np.uint16, 9000), (np.int32, 2000), (np.int32, 9000)):
    numbers = np.array([[0, 0, 1, 2], [1, 0, 2, last]])
    picture = Image.fromarray(numbers.astype(kind))
    mask = np.asarray(picture.point(lambda number: 255 if number else 0))
    told.append((picture.mode, int((mask == 255).sum()), ImageStat.Stat(picture).mean[0]))
    print(
        f"{told[-1][0] + ',':5} {f'last {last}:':10} foreground {told[-1][1]} of {numbers.size} pixels, "
        f"mean {told[-1][2]:6.2f} (is {numbers.mean():.2f})"
    )
if told != [("L", 5, 32.625), *[("I;16", 8, 0.125)] * 2, *[("I", 8, 31.875)] * 2]:
    raise SystemExit("changed: Pillow's `point` or `ImageStat` treat deep modes otherwise now")
PYTHON
