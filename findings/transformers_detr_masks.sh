#!/usr/bin/env bash
# transformers: instance masks of DETR cover the picture between them; of one object alone, the mask is the whole picture.
#
# Seen with transformers 5.24.0 and torch 2.14.1 on the CPU (Python 3.11).
#
# `post_process_instance_segmentation` of DETR and Conditional DETR gives each pixel to the object that wants it most, however little that is:
# there is no background, and `mask_threshold` only decides which objects are kept. That is made for panoptic pictures, where stuff fills what
# things leave. With things alone, a ball of 6 pixels becomes the picture, with a score of 0.999; a second thing cuts its own pixels out, and the
# rest goes to whichever is less unlikely there. MaskFormer's function of the same name keeps a background; the panoptic ones of MaskFormer and
# Mask2Former do not, so that there, too, a model without classes of stuff fills the picture. `pred_masks.sigmoid() > 0.5` is the mask meant.
#
# Output seen, a ball of 6 pixels and a cat of 4 in a picture of 6 x 8, each sure of every pixel (pixels by segment; -1 is background):
#   DETR instances, ball:                 {1: 48}
#   DETR instances, ball and cat:         {1: 44, 2: 4}
#   Conditional DETR instances, ball:     {1: 48}
#   MaskFormer instances, ball:           {-1: 42, 0: 6}
#   MaskFormer panoptic, ball:            {1: 48}
#   Mask2Former panoptic, ball:           {1: 48}
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile transformers==5.24.0 torch==2.14.1 pillow==13.0.0 numpy==2.4.6

HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$place/bin/python" -W ignore - <<'PYTHON'
import torch
from transformers import (
    ConditionalDetrImageProcessorPil,
    DetrImageProcessorPil,
    Mask2FormerImageProcessorPil,
    MaskFormerImageProcessorPil,
)
from transformers.models.detr.modeling_detr import DetrSegmentationOutput
from transformers.models.maskformer.modeling_maskformer import MaskFormerForInstanceSegmentationOutput

SIZE = (6, 8)
masks = torch.full((1, 2, *SIZE), -8.0)
masks[0, 0, 1:3, 2:5] = masks[0, 1, 4:6, 6:8] = 8.0  # a ball, a cat
classes = torch.tensor([[[8.0, 0.0, 0.0], [0.0, 8.0, 0.0]]])  # ball, cat, nothing


def segments(processor, kind, objects):
    parts = {"logits": classes[:, :objects], "pred_masks": masks[:, :objects].clone()}
    outputs = DetrSegmentationOutput(**parts)
    if "MaskFormer" in type(processor).__name__ or "Mask2Former" in type(processor).__name__:
        named = {"class_queries_logits": parts["logits"], "masks_queries_logits": parts["pred_masks"]}
        outputs = MaskFormerForInstanceSegmentationOutput(**named)
    more = {"label_ids_to_fuse": set()} if kind == "panoptic" else {}
    made = getattr(processor, f"post_process_{kind}_segmentation")(outputs, target_sizes=[SIZE], **more)[0]["segmentation"]
    ids, pixels = made.unique(return_counts=True)
    return dict(zip(map(int, ids), map(int, pixels)))


told = []
for name, make, kind, objects in (
    ("DETR", DetrImageProcessorPil, "instance", 1),
    ("DETR", DetrImageProcessorPil, "instance", 2),
    ("Conditional DETR", ConditionalDetrImageProcessorPil, "instance", 1),
    ("MaskFormer", MaskFormerImageProcessorPil, "instance", 1),
    ("MaskFormer", MaskFormerImageProcessorPil, "panoptic", 1),
    ("Mask2Former", Mask2FormerImageProcessorPil, "panoptic", 1),
):
    told.append(segments(make(), kind, objects))
    what = f"{name} {'instances' if kind == 'instance' else kind}, {'ball' if objects == 1 else 'ball and cat'}:"
    print(f"{what:37} {told[-1]}")
everything = {1: 48}
if told != [everything, {1: 44, 2: 4}, everything, {-1: 42, 0: 6}, everything, everything]:
    raise SystemExit("changed: the masks of these processors leave other pixels to the background now")
PYTHON
