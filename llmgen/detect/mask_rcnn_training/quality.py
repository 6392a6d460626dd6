"""How good a Mask R-CNN is on annotated pictures: COCO's figures of boxes and masks, by pycocotools, also of each class."""

from typing import Any

from llmgen.diffusion.mask_rcnn import MaskRcnnDetector
from llmgen.formats.coco_figures import ap_by_category, coco_figures
from llmgen.formats.coco_instances import InstanceSet
from llmgen.vision.boxes import xyxy_to_xywh
from llmgen.vision.decoding import load_picture
from llmgen.vision.masks import decode_mask, encode_mask, mask_bounds
from llmgen.vision.protocols import InstanceThresholds

#: The library's own: average precision wants the doubtful finds, too.
LEAST_SCORE = 0.05


def instance_quality(detector: MaskRcnnDetector, data: InstanceSet) -> dict[str, Any]:
    """Measure a detector.

    Args:
        detector: With the classes of the data.
        data: What is to be found.

    Returns:
        JSON values: `bbox` and `segm` with COCO's twelve figures, `by_class` with name to `bbox_ap`, `bbox_ap50`, `segm_ap`, `segm_ap50`,
        `pictures` and `objects`. A figure is in [0, 1], or None where nothing was wanted.
    """
    label = {name: number for number, name in enumerate(data.classes, start=1)}
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, picture in enumerate(data.pictures, start=1):
        for own, mask in zip(picture.labels, picture.masks, strict=True):
            drawn = decode_mask(mask)
            bounds = mask_bounds(drawn)
            assert bounds is not None
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": own,
                    "bbox": list(xyxy_to_xywh(bounds)),
                    "area": int(drawn.sum()),
                    "segmentation": mask.model_dump(mode="json"),
                    "iscrowd": 0,
                }
            )
        [found] = detector.detect_instances(
            [load_picture(picture.path)], InstanceThresholds(score=LEAST_SCORE, most=100)
        )
        results += [
            {
                "image_id": number,
                "category_id": label[one.label],
                "score": one.score,
                "bbox": list(xyxy_to_xywh(one.box_xyxy)),
                "segmentation": encode_mask(one.mask).model_dump(mode="json"),
            }
            for one in found
        ]
    dataset = {
        "images": [
            {"id": number, "width": picture.width, "height": picture.height}
            for number, picture in enumerate(data.pictures, start=1)
        ],
        "categories": [{"id": number, "name": name} for name, number in label.items()],
        "annotations": annotations,
    }
    boxes, masks = (ap_by_category(dataset, results, kind) for kind in ("bbox", "segm"))
    by_class = {
        name: {
            "bbox_ap": boxes[number][0],
            "bbox_ap50": boxes[number][1],
            "segm_ap": masks[number][0],
            "segm_ap50": masks[number][1],
        }
        for name, number in label.items()
    }
    return {
        "bbox": coco_figures(dataset, results, "bbox"),
        "segm": coco_figures(dataset, results, "segm"),
        "by_class": by_class,
        "pictures": len(data.pictures),
        "objects": len(annotations),
    }
