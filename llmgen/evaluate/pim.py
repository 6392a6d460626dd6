"""Points in masks: does what was found cover the points and scribbles that were asked for."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from llmgen.artifacts import Instance, Kind, Layout, ModelUse, Record, Score, Stage
from llmgen.artifacts.statistics import mean_of
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.evaluate.average_precision import category_of, resize_mask
from llmgen.evaluate.coco_files import CocoPair
from llmgen.evaluate.points_in_mask import (
    Judged,
    Points,
    Seen,
    Wanted,
    coverage,
    decoded,
    judge_reference,
    judge_strict,
    mask_overlaps,
    mean_share,
    middle_point,
)
from llmgen.evaluate.scores import Look, check_mask, looks_to_score, merge_scores
from llmgen.formats.coco_entries import Id, packed
from llmgen.formats.coco_figures import quiet_pycocotools
from llmgen.vision.mask_points import scribble_from_mask
from llmgen.vision.masks import BoolMask, box_mask, decode_mask

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

FORMS = ("point", "scribble")
MOST_PIXELS = 2**30
"""Pixels of all wanted masks of a picture together: they are decoded at once, a byte each."""


class PimEvaluateConfig(StageConfig):
    """Settings of `evaluate pim`."""

    min_score: float = Field(default=0.25, ge=0, le=1)
    """Strict: least confidence of a detection."""
    min_iou: float = Field(default=0.0, ge=0, lt=1)
    """Strict: overlap of masks above which a detection can stand for an instance."""


class PimEvaluate:
    """Scores a record by the share of its points inside the masks that were found for them.

    Each score comes twice: as published, where an object that is missing or of the wrong class does not count, and strict, where it
    counts 0. `pim.coverage` says what the published score leaves out.

    An instance with a mask is asked for points of that mask, as published; one without for the point or scribble it was given, or else
    for points of its box. The strict scores ask for the given point or scribble first.

    Source:
        InstanceDiffusion (Wang et al. 2024), evaluation of point and scribble conditions.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "pim"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("layout", "detections")
    Config: ClassVar[type[PimEvaluateConfig]] = PimEvaluateConfig

    def __init__(self, context: "StageContext", config: PimEvaluateConfig) -> None:
        """No model is needed: the detections are there."""
        self.context = context
        self.config = config

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """None."""
        return ()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record has no layout or no detections, or a detection has no mask that fits the picture.
        """
        return [record.grown(scores=merge_scores(record.scores or (), self._scores(record))) for record in records]

    def _scores(self, record: Record) -> list[Score]:
        scores = []
        for look in looks_to_score(record, "evaluate pim"):
            seen = _seen(record, look)
            for metric, judged in self._judgements(record, look, seen).items():
                value = coverage(judged) if "coverage" in metric else mean_share(judged)
                if value is not None:
                    found = sum(entry.seen is not None for entry in judged)
                    detail = f"{found} of {len(judged)} wanted instances have one of {len(seen)} detections"
                    scores.append(
                        Score(metric=metric, of=look.of, value=value, type=record.type, by="detector", detail=detail)
                    )
        return scores

    def _judgements(self, record: Record, look: Look, seen: Sequence[Seen]) -> dict[str, list[Judged]]:
        judged: dict[str, list[Judged]] = {}
        overlaps = None
        for form in FORMS:
            # The same points for the first picture as for the last one, and in every run.
            seed = record.seed or 0
            wanted = wanted_of_layout(look.layout, look.size, form, given_first=False, seed=seed)
            overlaps = mask_overlaps(wanted, seen) if overlaps is None else overlaps
            judged[f"pim.{form}"] = judge_reference(wanted, seen, overlaps)
            wanted = wanted_of_layout(look.layout, look.size, form, given_first=True, seed=seed)
            judged[f"pim.{form}.strict"] = judge_strict(
                wanted, seen, overlaps, min_score=self.config.min_score, min_iou=self.config.min_iou
            )
        # Who stands for whom does not depend on the points.
        judged["pim.coverage"] = judged["pim.point"]
        judged["pim.coverage.strict"] = judged["pim.point.strict"]
        return judged


def wanted_of_layout(layout: Layout, size: tuple[int, int], form: str, *, given_first: bool, seed: int) -> list[Wanted]:
    """What a plan asks for, in the pixels of a picture.

    Args:
        layout: The plan.
        size: Width, height of the picture in pixels.
        form: `point` or `scribble`.
        given_first: Ask for the points of the plan even where there is a mask to take points from.
        seed: Of the scribbles that are drawn from masks.

    Returns:
        One entry for each instance.
    """
    random = np.random.RandomState(seed % 2**32)
    return [
        Wanted(
            mask := _instance_mask(instance, layout, size),
            _points(instance, layout, size, mask, form, random, given_first),
            category_of(instance),
        )
        for instance in layout.instances
    ]


def _points(
    instance: Instance,
    layout: Layout,
    size: tuple[int, int],
    mask: BoolMask,
    form: str,
    random: np.random.RandomState,
    given_first: bool,
) -> Points:
    given = instance.scribble_xy if form == "scribble" else instance.point_xy and (instance.point_xy,)
    if given and (given_first or instance.mask is None):
        points = np.asarray(given) * (size[0] / layout.width, size[1] / layout.height)
        # A point on the far edge of the canvas is meant for the last pixel.
        return np.clip(points, 0, (size[0] - 1, size[1] - 1)).astype(np.int64)
    if form == "point":
        return middle_point(mask)
    return scribble_points(mask, random)


def scribble_points(mask: BoolMask, random: np.random.RandomState) -> Points:
    """Twenty pixels of a mask, none of an empty one; `int[n, 2]`, x and y."""
    return scribble_from_mask(mask, random).astype(np.int64) if mask.any() else np.zeros((0, 2), dtype=np.int64)


def _instance_mask(instance: Instance, layout: Layout, size: tuple[int, int]) -> BoolMask:
    if instance.mask is None:
        across, down = size[0] / layout.width, size[1] / layout.height
        x0, y0, x1, y1 = instance.box_xyxy
        return box_mask((x0 * across, y0 * down, x1 * across, y1 * down), size[1], size[0])
    mask = decode_mask(instance.mask)
    return mask if (layout.width, layout.height) == size else resize_mask(mask, size)


def _seen(record: Record, look: Look) -> list[Seen]:
    seen = []
    for found in look.detections:
        if found.mask is None:
            raise InputError(f"record {record.id!r}: detection {found.id!r} has no mask; run `llmgen detect --masks`")
        check_mask(record, found, look.size)
        seen.append(Seen({"size": list(found.mask.size), "counts": found.mask.counts}, found.phrase, found.score))
    return seen


def pim_of_files(files: CocoPair, *, seed: int = 0, min_score: float = 0.25, min_iou: float = 0.0) -> dict[str, Any]:
    """Points in masks of a results file, one picture after the other.

    Args:
        files: Annotations and results, all with masks; see `CocoPair.with_masks`.
        seed: Of the scribbles; each picture has its own, from this one and its id.
        min_score: Strict: least confidence of a result.
        min_iou: Strict: overlap above which a result can stand for an instance.

    Returns:
        Metric to `mean` over pictures, `n` (pictures that count) and `ci95` (bootstrap over pictures).
    """
    values: dict[str, list[float]] = {}
    wanted_of: dict[Id, list[dict[str, Any]]] = {}
    found_of: dict[Id, list[dict[str, Any]]] = {}
    for entries, of_image in ((files.dataset["annotations"], wanted_of), (files.results, found_of)):
        for entry in entries:
            of_image.setdefault(entry["image_id"], []).append(entry)
    images = {image["id"]: image for image in files.dataset["images"]}
    with quiet_pycocotools():
        for image_id in files.image_ids:
            image = images[image_id]
            runs = [packed(a["segmentation"], image["height"], image["width"]) for a in wanted_of.get(image_id, [])]
            middles = [
                Wanted(mask := decoded(one), middle_point(mask), str(annotation["category_id"]))
                for one, annotation in zip(runs, wanted_of.get(image_id, []), strict=True)
            ]
            seen = [
                Seen(packed(r["segmentation"], image["height"], image["width"]), str(r["category_id"]), r["score"])
                for r in found_of.get(image_id, [])
            ]
            overlaps = mask_overlaps(middles, seen)
            own = image_id if isinstance(image_id, int) else zlib.crc32(image_id.encode())
            random = np.random.RandomState((seed + own) % 2**32)
            for form in FORMS:
                wanted = (
                    middles
                    if form == "point"
                    else [replace(one, points=scribble_points(one.mask, random)) for one in middles]
                )
                reference = judge_reference(wanted, seen, overlaps)
                strict = judge_strict(wanted, seen, overlaps, min_score=min_score, min_iou=min_iou)
                _note(values, f"pim.{form}", mean_share(reference))
                _note(values, f"pim.{form}.strict", mean_share(strict))
            _note(values, "pim.coverage", coverage(reference))
            _note(values, "pim.coverage.strict", coverage(strict))
    return {name: mean_of(found).to_json("mean") for name, found in values.items()}


def _note(values: dict[str, list[float]], name: str, value: float | None) -> None:
    if value is not None:
        values.setdefault(name, []).append(value)
