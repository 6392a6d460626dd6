"""COCO's twelve figures: those of pycocotools to the last bit, counted by faster-coco-eval at a fifth of its cost."""

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
) -> dict[str, float | None]:
    """Compare results with annotations, over all categories of the annotations.

    Args:
        dataset: A COCO annotation file: `images`, `categories`, `annotations`.
        results: Entries of a COCO results file, all of images of the dataset.
        kind: `bbox` for boxes, `segm` for masks.

    Returns:
        `FIGURES`, each in [0, 1]; None where nothing of that size was wanted.

    Source:
        pycocotools' `COCOeval` with its own settings.
    """
    values = [float(value) for value in _evaluation(dataset, results, kind).stats]
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
    precision = _evaluation(dataset, results, kind).eval["precision"][:, :, :, 0, -1]
    found: dict[Id, tuple[float | None, float | None]] = {}
    for place, category in enumerate(sorted({entry["id"] for entry in dataset["categories"]}, key=id_order)):
        own = precision[:, :, place]
        known = bool((own > -1).any())
        found[category] = (float(own.mean()), float(own[0].mean())) if known else (None, None)
    return found


def _evaluation(dataset: dict[str, Any], results: Sequence[dict[str, Any]], kind: Kind) -> Any:
    """The evaluation object with `stats` and `eval`.

    Ids are renumbered in their order: the tools take the annotation 0 for "no match", mix up equal ones, and sort texts and numbers
    together as texts. Equal scores stay in the order of images, then of the file. Each entry is made anew from what counts and nothing
    else: the tools would take the size of a mask from its box, and faster-coco-eval an annotation without `area` for a small one.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    image, category = (_numbers(entry["id"] for entry in dataset[name]) for name in ("images", "categories"))
    sizes = {one["id"]: (one.get("height", 0), one.get("width", 0)) for one in dataset["images"]}

    def shape(entry: dict[str, Any]) -> dict[str, Any]:
        size = sizes[entry["image_id"]]
        if kind == "segm":
            mask = entry["segmentation"]
            # Polygons of annotations are filled where they are counted; those of results are measured here first.
            return {"segmentation": mask if isinstance(mask, list) and "score" not in entry else packed(mask, *size)}
        return {"bbox": list(entry["bbox"] if "bbox" in entry else box_of(entry["segmentation"], *size))}

    def numbered(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "id": number,
                "image_id": image[entry["image_id"]],
                "category_id": category[entry["category_id"]],
                "iscrowd": 0,
                **shape(entry),
            }
            for number, entry in enumerate(entries, start=1)
        ]

    annotations, detections = numbered(dataset["annotations"]), numbered(results)
    for plain, entry in zip(annotations, dataset["annotations"], strict=True):
        plain.update(area=entry["area"], iscrowd=entry.get("iscrowd", 0))
    for plain, entry, area in zip(detections, results, _areas(detections, kind), strict=True):
        plain.update(area=area, score=entry["score"])
    common = {
        "images": [{"id": image[number], "height": size[0], "width": size[1]} for number, size in sizes.items()],
        "categories": [{"id": number} for number in category.values()],
    }
    wanted, found = (COCO({**common, "annotations": entries}) for entries in (annotations, detections))
    # One thread: its work is in Python between short calls, and threads that wait for each other cost more than they save.
    evaluation = COCOeval_faster(wanted, found, kind, rle_iou_max_workers=1)
    _count(evaluation, annotations)
    evaluation.summarize()
    return evaluation


def _count(evaluation: Any, annotations: Sequence[dict[str, Any]]) -> None:
    """Fill `evaluation.eval`, as pycocotools does it to the last bit.

    Its precision is `hits / (detections + spacing(1))`: a sum that only one detection feels, whose 1 becomes 0.9999999999999998.
    faster-coco-eval has no such summand, so where a precision of 1 ends with the first hit, it is put in here. Whether it does is
    seen at a recall between that of one hit and that of two, of which each category and range of areas has its own.
    """
    import numpy as np

    params = evaluation.params
    categories = {number: place for place, number in enumerate(params.catIds)}
    counted = [a for a in annotations if not a["iscrowd"]]
    places = np.array([categories[a["category_id"]] for a in counted], dtype=int)
    areas = np.array([a["area"] for a in counted], dtype=float)
    wanted = np.stack(
        [
            np.bincount(places[(areas >= low) & (areas <= high)], minlength=len(categories))
            for low, high in params.areaRng
        ],
        axis=1,
    )
    between = 1.5 / np.maximum(wanted, 1)
    recalls = params.recThrs
    params.recThrs = np.unique(np.concatenate((recalls, between.ravel())))
    evaluation.evaluate()
    evaluation.accumulate()
    # [thresholds, recalls, categories, area ranges, most detections]
    precision = evaluation.eval["precision"]
    at_two = np.searchsorted(params.recThrs, between)
    rows, columns = np.indices(between.shape)
    ends = precision[:, at_two, rows, columns, :] < 1
    precision = precision[:, np.searchsorted(params.recThrs, recalls)]
    corrected = np.where((precision == 1) & ends[:, None], 1 / (1 + np.spacing(1)), precision)
    evaluation.eval["precision"] = np.ascontiguousarray(corrected)
    params.recThrs = recalls


def _areas(detections: Sequence[dict[str, Any]], kind: Kind) -> list[float]:
    """Size of each detection in pixels, of its mask or of its box, as pycocotools has it."""
    if kind == "bbox":
        return [entry["bbox"][2] * entry["bbox"][3] for entry in detections]
    from pycocotools import mask as coco

    # One at a time: with numpy 2, pycocotools cannot give the areas of more than 255 masks at once.
    with quiet_pycocotools():
        return [float(coco.area(entry["segmentation"])) for entry in detections]


def _numbers(ids: Iterable[Id]) -> dict[Id, int]:
    """Each id's place among all in ascending order, from 1."""
    return {one: number for number, one in enumerate(sorted(set(ids), key=id_order), start=1)}


@contextlib.contextmanager
def quiet_pycocotools() -> Iterator[None]:
    """Keep its progress off stdout, and its arrays of before numpy 2 from warning; the values are right."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield
