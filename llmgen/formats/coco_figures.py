"""COCO's twelve figures, by pycocotools and nothing else."""

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from llmgen.formats.coco_entries import Id, box_of, id_order, packed

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
    image_ids: Sequence[Id] | None = None,
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
    values = [float(value) for value in _evaluation(dataset, results, kind, image_ids).stats]
    return {name: None if value < 0 else value for name, value in zip(FIGURES, values, strict=True)}


def ap_by_category(
    dataset: dict[str, Any], results: Sequence[dict[str, Any]], kind: Kind
) -> dict[Id, tuple[float | None, float | None]]:
    """AP over COCO's thresholds and AP50 of each category.

    Args:
        dataset: A COCO annotation file: `images`, `categories`, `annotations`.
        results: Entries of a COCO results file, all of images of the dataset.
        kind: `bbox` for boxes, `segm` for masks.

    Returns:
        Id of a category to both, each in [0, 1]; None where nothing of that category was wanted.
    """
    # [thresholds, recalls, categories, area ranges, most detections]: all areas, at most 100.
    precision = _evaluation(dataset, results, kind, None).eval["precision"][:, :, :, 0, -1]
    found: dict[Id, tuple[float | None, float | None]] = {}
    for place, category in enumerate(sorted({entry["id"] for entry in dataset["categories"]}, key=id_order)):
        own = precision[:, :, place]
        known = bool((own > -1).any())
        found[category] = (float(own.mean()), float(own[0].mean())) if known else (None, None)
    return found


def _evaluation(
    dataset: dict[str, Any], results: Sequence[dict[str, Any]], kind: Kind, image_ids: Sequence[Id] | None
) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with quiet_pycocotools():
        wanted = COCO()
        # Renumbered in their order: pycocotools takes the annotation 0 for "no match", mixes up equal ones, and sorts texts and
        # numbers together as texts. Equal scores stay in the order of images, then of the file.
        image, category = (_numbers(entry["id"] for entry in dataset[name]) for name in ("images", "categories"))

        def numbered(entry: dict[str, Any]) -> dict[str, Any]:
            return {**entry, "image_id": image[entry["image_id"]], "category_id": category[entry["category_id"]]}

        wanted.dataset = {
            "info": {},
            "images": [{**one, "id": image[one["id"]]} for one in dataset["images"]],
            "categories": [{**one, "id": category[one["id"]]} for one in dataset["categories"]],
            "annotations": [
                {"iscrowd": 0, **numbered(a), "id": number} for number, a in enumerate(dataset["annotations"], start=1)
            ],
        }
        wanted.createIndex()
        if results:
            sizes = {one["id"]: (one.get("height", 0), one.get("width", 0)) for one in dataset["images"]}
            found = wanted.loadRes([numbered(_plain(entry, kind, sizes[entry["image_id"]])) for entry in results])
        else:
            found = COCO()
            found.dataset = {**wanted.dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(wanted, found, kind)
        if image_ids is not None:
            evaluation.params.imgIds = sorted(image[one] for one in image_ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _numbers(ids: Iterable[Id]) -> dict[Id, int]:
    """Each id's place among all in ascending order, from 1."""
    return {one: number for number, one in enumerate(sorted(set(ids), key=id_order), start=1)}


def _plain(result: dict[str, Any], kind: Kind, size: tuple[int, int]) -> dict[str, Any]:
    """A result with what is compared and nothing else: from a box, pycocotools would take the size of a mask, too."""
    entry = {name: result[name] for name in ("image_id", "category_id", "score")}
    if kind == "segm":
        return {**entry, "segmentation": packed(result["segmentation"], *size)}
    if "bbox" in result:
        return {**entry, "bbox": list(result["bbox"])}
    return {**entry, "bbox": box_of(result["segmentation"], *size)}


@contextlib.contextmanager
def quiet_pycocotools() -> Iterator[None]:
    """Keep its progress off stdout, and its arrays of before numpy 2 from warning; the values are right."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield
