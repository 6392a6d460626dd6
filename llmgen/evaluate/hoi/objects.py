"""COCO's 80 classes in their order, and their 91 numbers: what files of interactions number objects by."""

from typing import Final

COCO_80: Final[tuple[str, ...]] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light", "fire hydrant", "stop sign",
    "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard",
    "surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv",
    "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase",
    "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""In COCO's order; the first is 0 of one numbering and 1 of another."""
_GAPS: Final = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83))
COCO_91: Final[dict[int, str]] = dict(zip((n for n in range(1, 91) if n not in _GAPS), COCO_80, strict=True))
"""COCO's category ids, 1 to 90 with gaps."""
