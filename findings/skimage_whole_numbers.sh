#!/usr/bin/env bash
# scikit-image: a picture and its negative, as int32 instead of uint8, are alike to 143 dB, and white is no different from black.
#
# Seen with scikit-image 0.26.0 (scipy 1.17.1, numpy 2.4.6, Python 3.11).
#
# Whole numbers are read on the scale of their type, so 255 is white in uint8, dark in int16 and next to nothing in int32 and int64. Pictures are
# made int as a matter of course: so that a difference may be negative, or because an operation with labels made them so. The values are the same,
# `peak_signal_noise_ratio` and the colour spaces take them without a word, and what comes out looks splendid: a PSNR that no codec reaches, a
# colour distance of 0. `structural_similarity` at least warns. `data_range=255` mends the PSNR; colours need uint8, or floats up to 1.
#
# Output seen:
#   uint8: PSNR of a picture and its negative   4.7 dB, distance of white and black (CIEDE2000) 100.00
#   int16: PSNR of a picture and its negative  46.9 dB, distance of white and black (CIEDE2000) 0.31
#   int32: PSNR of a picture and its negative 143.2 dB, distance of white and black (CIEDE2000) 0.00
#   int64: PSNR of a picture and its negative 335.9 dB, distance of white and black (CIEDE2000) 0.00
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6

"$place/bin/python" -W error - <<'PYTHON'
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
negative = 255 - picture
told = {}
for kind in ("uint8", "int16", "int32", "int64"):
    white, black = (rgb2lab(np.full((1, 1, 3), level, kind)) for level in (255, 0))
    likeness = peak_signal_noise_ratio(picture.astype(kind), negative.astype(kind))
    told[kind] = (round(float(likeness), 1), round(float(deltaE_ciede2000(white, black)[0, 0]), 2))
    print(
        f"{kind}: PSNR of a picture and its negative {told[kind][0]:5.1f} dB, "
        f"distance of white and black (CIEDE2000) {told[kind][1]:.2f}"
    )
if list(told.values()) != [(4.7, 100.0), (46.9, 0.31), (143.2, 0.0), (335.9, 0.0)]:
    raise SystemExit("changed: scikit-image reads whole numbers on another scale now, or warns")
PYTHON
