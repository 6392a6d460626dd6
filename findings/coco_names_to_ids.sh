#!/usr/bin/env bash
# pycocotools: names are answered in the order of the file, and a name that is not there asks for everything.
#
# Seen with pycocotools 2.0.11 (numpy 2.4.6, Python 3.11).
#
# `getCatIds(catNms=[...])` filters the categories and does not look names up: the ids come in the order of the annotation file, and a name that
# the file does not know is left out. `dict(zip(names, getCatIds(catNms=names)))` therefore swaps classes without a word. The other getters read
# an empty list as "no condition": asked for a misspelt class, they answer with all annotations and all pictures, not with none. And with two
# classes `getImgIds` gives the pictures that show both, where `getAnnIds` gives the annotations of either.
#
# Output seen (cat 1, dog 2, bus 3; picture 1 shows a cat, 2 a dog, 3 a cat and a dog):
#   ids of dog, cat: [1, 2]
#   ids of buses: []
#   annotations of buses: [1, 2, 3, 4]
#   pictures of buses: [1, 2, 3]
#   pictures of cats or dogs: [3]
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps pycocotools==2.0.11 numpy==2.4.6

"$place/bin/python" - <<'PYTHON'
import contextlib
import io

from pycocotools.coco import COCO

shown = [(1, 1), (2, 2), (3, 1), (3, 2)]
data = COCO()
data.dataset = {
    "images": [{"id": number} for number in (1, 2, 3)],
    "categories": [{"id": number, "name": name} for number, name in enumerate(("cat", "dog", "bus"), 1)],
    "annotations": [{"id": n, "image_id": i, "category_id": c} for n, (i, c) in enumerate(shown, 1)],
}
with contextlib.redirect_stdout(io.StringIO()):
    data.createIndex()

misspelt = data.getCatIds(catNms=["buses"])
told = {
    "ids of dog, cat": data.getCatIds(catNms=["dog", "cat"]),
    "ids of buses": misspelt,
    "annotations of buses": data.getAnnIds(catIds=misspelt),
    "pictures of buses": sorted(data.getImgIds(catIds=misspelt)),
    "pictures of cats or dogs": data.getImgIds(catIds=[1, 2]),
}
for what, ids in told.items():
    print(f"{what}: {ids}")
if list(told.values()) != [[1, 2], [], [1, 2, 3, 4], [1, 2, 3], [3]]:
    raise SystemExit("changed: pycocotools answers otherwise to names and empty lists now")
PYTHON
