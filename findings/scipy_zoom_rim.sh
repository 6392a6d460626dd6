#!/usr/bin/env bash
# scipy: a map that `zoom` makes larger is another map: rim cells come out with a third of their area, all others stand elsewhere.
#
# Seen with scipy 1.17.1 (numpy 2.4.6, Python 3.11).
#
# `ndimage.zoom` lays the middles of the outermost cells on the middles of the outermost pixels, where picture libraries lay edge on edge: the
# first and the last cell of a row come out about half as wide, those between a little too wide and moved towards the rim. With `order=0`, as for
# label maps and attention maps above a threshold, no value is new and the size is right, so nothing shows it; but every box is off. The default
# is wrong for pictures, and `grid_mode=True` with a `mode` that continues the rim (`nearest`) does what is meant.
#
# Output seen, one cell of a map of 16 x 16 made 512 x 512 (a cell is 32 x 32 pixels; box as x0, y0, x1, y1):
#   cell  0,  0: box [0, 0, 18, 18], area 324, IoU with its pixels 0.32; grid_mode: box [0, 0, 32, 32], IoU 1.00
#   cell  1,  1: box [18, 18, 52, 52], area 1156, IoU with its pixels 0.22; grid_mode: box [32, 32, 64, 64], IoU 1.00
#   cell  8,  8: box [256, 256, 290, 290], area 1156, IoU with its pixels 0.89; grid_mode: box [256, 256, 288, 288], IoU 1.00
#   cell 15, 15: box [494, 494, 512, 512], area 324, IoU with its pixels 0.32; grid_mode: box [480, 480, 512, 512], IoU 1.00
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps scipy==1.17.1 numpy==2.4.6

"$place/bin/python" - <<'PYTHON'
import numpy as np
from scipy import ndimage


def box(mask):
    rows, columns = np.nonzero(mask)
    return [int(side) for side in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def overlap(one, other):
    return float((one & other).sum() / (one | other).sum())


told = []
for cell in (0, 1, 8, 15):
    small = np.zeros((16, 16), np.uint8)
    small[cell, cell] = 1
    meant = np.kron(small, np.ones((32, 32), np.uint8))
    large = ndimage.zoom(small, 32, order=0)
    grid = ndimage.zoom(small, 32, order=0, grid_mode=True, mode="nearest")
    told.append((box(large), int(large.sum()), round(overlap(large, meant), 2), overlap(grid, meant)))
    print(
        f"cell {cell:2d}, {cell:2d}: box {told[-1][0]}, area {told[-1][1]}, IoU with its pixels {told[-1][2]:.2f}; "
        f"grid_mode: box {box(grid)}, IoU {told[-1][3]:.2f}"
    )
if told != [
    ([0, 0, 18, 18], 324, 0.32, 1.0),
    ([18, 18, 52, 52], 1156, 0.22, 1.0),
    ([256, 256, 290, 290], 1156, 0.89, 1.0),
    ([494, 494, 512, 512], 324, 0.32, 1.0),
]:
    raise SystemExit("changed: scipy lays the cells of a map otherwise now")
PYTHON
