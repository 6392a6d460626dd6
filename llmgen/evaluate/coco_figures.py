"""COCO's twelve figures, by pycocotools and nothing else."""

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

Kind = Literal["bbox", "segm"]

#: In the order of pycocotools. `ap` and `ar_100` are the ones that papers call AP and AR.
FIGURES = (
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar_1",
    "ar_10",
    "ar_100",
    "ar_small",
    "ar_medium",
    "ar_large",
)


def coco_figures(
    dataset: dict[str, Any],
    results: Sequence[dict[str, Any]],
    kind: Kind,
    *,
    image_ids: Sequence[int] | None = None,
) -> dict[str, float | None]:
    """Compare results with annotations, over all categories of the annotations.

    Args:
        dataset: A COCO annotation file: `images`, `categories`, `annotations`.
        results: Entries of a COCO results file, all of images of the dataset.
        kind: `bbox` for boxes, `segm` for masks.
        image_ids: The images that count; all by default.

    Returns:
        `FIGURES`, each in [0, 1]; None where nothing of that size was wanted.

    Source:
        pycocotools' `COCOeval` with its own settings.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with quiet_pycocotools():
        wanted = COCO()
        # Renumbered: pycocotools takes the id 0 for "no match", and mixes up equal ids.
        annotations = [{"iscrowd": 0, **a, "id": number} for number, a in enumerate(dataset["annotations"], start=1)]
        wanted.dataset = {"info": {}, **dataset, "annotations": annotations}
        wanted.createIndex()
        if results:
            sizes = {image["id"]: (image.get("height", 0), image.get("width", 0)) for image in dataset["images"]}
            found = wanted.loadRes([_plain(entry, kind, sizes[entry["image_id"]]) for entry in results])
        else:
            found = COCO()
            found.dataset = {**wanted.dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(wanted, found, kind)
        if image_ids is not None:
            evaluation.params.imgIds = sorted(image_ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = [float(value) for value in evaluation.stats]
    return {name: None if value < 0 else value for name, value in zip(FIGURES, values, strict=True)}


def _plain(result: dict[str, Any], kind: Kind, size: tuple[int, int]) -> dict[str, Any]:
    """A result with what is compared and nothing else: from a box, pycocotools would take the size of a mask, too."""
    entry = {name: result[name] for name in ("image_id", "category_id", "score")}
    if kind == "segm":
        return {**entry, "segmentation": packed(result["segmentation"], *size)}
    if "bbox" in result:
        return {**entry, "bbox": list(result["bbox"])}
    from pycocotools import mask as coco

    return {**entry, "bbox": coco.toBbox(packed(result["segmentation"], *size)).tolist()}


def packed(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Polygons or run lengths of either kind as compressed run lengths."""
    from pycocotools import mask as coco

    if isinstance(segmentation, list):
        merged: dict[str, Any] = coco.merge(coco.frPyObjects(segmentation, height, width))
        return merged
    if isinstance(segmentation["counts"], list):
        return dict(coco.frPyObjects(segmentation, *segmentation["size"]))
    return dict(segmentation)


@contextlib.contextmanager
def quiet_pycocotools() -> Iterator[None]:
    """Keep its progress off stdout, and its arrays of before numpy 2 from warning; the values are right."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield
