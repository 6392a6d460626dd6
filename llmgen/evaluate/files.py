"""Evaluation of COCO's own files: annotations and a detector's results, without records and without models."""

import contextlib
import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmgen.artifacts.files import write_named
from llmgen.artifacts.io import record_line
from llmgen.errors import InputError
from llmgen.evaluate.coco_files import choose_images, pair, read_results
from llmgen.evaluate.pim import MOST_PIXELS, pim_of_files
from llmgen.evaluate.protocol import benchmark_records, read_captions
from llmgen.evaluate.squeeze import squeeze_annotations
from llmgen.formats.coco_annotations import read_annotations
from llmgen.formats.coco_entries import Id, id_order
from llmgen.formats.coco_figures import coco_figures


@dataclass(frozen=True)
class CocoFiles:
    """What to compare."""

    annotations: Path
    """COCO instance annotations."""
    results: Path
    """A detector's results on pictures of the same ids, as `COCO.loadRes` takes them."""
    subset: Path | None = None
    """Ids of the images that count, one a line; all by default."""
    first: int | None = None
    """Take the first so many images by id instead."""


def evaluate_files(files: CocoFiles, method: str, **settings: Any) -> dict[str, Any]:
    """Compare results with annotations.

    Args:
        files: What to compare.
        method: `coco` for AP and AR, `pim` for points in masks.
        settings: Settings of `pim_of_files`.

    Returns:
        A JSON-ready dictionary:

        - `metric`; `annotations` and `results`, the names of the files.
        - `images`: `rule`, `n`, `sha256` and `ids` of the images that were meant to count.
        - `bbox` and `segm`: COCO's twelve figures; or `scores` of `pim`. Where masks cannot be compared, `no_segm` says why.
        - `n_annotations`, `n_results`; `n_foreign_results` of images and `n_unknown_categories`, results of categories that the
          annotations do not know, and `n_equal_scores`: results whose score another of their category has as well.
        - `n_failed` and `failed`: images that were left out, with the reason; `n_without_mask` and `without_mask`: those that were left out
          of `segm` only.
        - `lost`: results that were left out alone; `notes`: what the files lack and was found otherwise.

    Raises:
        InputError: If a file cannot be read, or nothing can be compared.
    """
    with _without_collection():
        return _evaluated(files, method, settings)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Spare the garbage collector the search for circles among millions of entries that have none: a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _evaluated(files: CocoFiles, method: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    dataset = read_annotations(files.annotations)
    subset = choose_images(dataset, files.subset, files.first)
    both = pair(dataset, read_results(files.results), subset)
    if not both.image_ids:
        number, reason = next(iter(both.failed.items()))
        raise InputError(f"no image can be compared; image {number}: {reason}")
    summary: dict[str, Any] = {
        "metric": method,
        "annotations": files.annotations.name,
        "results": files.results.name,
        "images": {"rule": subset.rule, "n": len(subset.ids), "sha256": subset.sha256, "ids": list(subset.ids)},
    }
    if method == "coco":
        summary["bbox"] = coco_figures(both.dataset, both.results, "bbox")
        why_not = both.why_no_masks()
        if why_not is None:
            masked = both.with_masks()
            summary["segm"] = coco_figures(masked.dataset, masked.results, "segm")
        else:
            summary["no_segm"] = why_not
    else:
        why_not = both.why_no_masks()
        if why_not is not None:
            raise InputError(f"points are looked for in masks: {why_not}; results need `segmentation`")
        both = both.with_masks(MOST_PIXELS)
        summary["scores"] = pim_of_files(both, **settings)
    without = {} if "no_segm" in summary else both.without_mask
    return summary | {
        "n_annotations": len(both.dataset["annotations"]),
        "n_results": len(both.results),
        "n_foreign_results": both.foreign,
        "n_unknown_categories": both.unknown_categories,
        "n_equal_scores": both.equal_scores,
        "n_failed": len(both.failed),
        "failed": _reasons(both.failed),
        "n_without_mask": len(without),
        "without_mask": _reasons(without),
        "lost": list(both.lost),
        "notes": list(both.notes),
    }


def _reasons(images: Mapping[Id, str]) -> list[dict[str, Any]]:
    return [{"image_id": number, "reason": reason} for number, reason in images.items()]


def squeeze_file(source: Path, target: Path, side: int) -> dict[Id, str]:
    """Write annotations for pictures that were resized to `side x side` pixels.

    Args:
        source: COCO instance annotations.
        target: Where the adapted ones go.
        side: Side of the new pictures in pixels.

    Returns:
        Image to the reason why it was left out.

    Raises:
        InputError: If the annotations cannot be read, or none can be adapted.
        OutputError: If the target cannot be written.
    """
    adapted, failed = squeeze_annotations(read_annotations(source), side)
    if not adapted["images"]:
        raise InputError(f"{source}: no image can be adapted; {next(iter(failed.values()))}")
    write_named(target, json.dumps(adapted, separators=(",", ":")).encode())
    return failed


def benchmark_file(
    source: Path,
    target: Path,
    *,
    captions: Path | None = None,
    subset: Path | None = None,
    first: int | None = None,
    vocabulary: Sequence[str] = (),
) -> tuple[int, dict[Id, str]]:
    """Write the records that a benchmark on COCO draws, as JSON Lines of kind `layouts`.

    Args:
        source: Annotations of the size that the pictures will have.
        target: Where the records go.
        captions: COCO captions, whose first of each image begins its prompt.
        subset: Ids of the images that count, one a line.
        first: Take the first so many images by id instead.
        vocabulary: Colours or textures that the phrases get by the ids of the annotations.

    Returns:
        Number of records, and image to the reason why it has none.

    Raises:
        InputError: If a file cannot be read, or no image can be drawn.
        OutputError: If the target cannot be written.
    """
    dataset = read_annotations(source)
    both = pair(dataset, [], choose_images(dataset, subset, first))
    records, failed = benchmark_records(both, read_captions(captions) if captions else None, vocabulary)
    failed = dict(sorted({**both.failed, **failed}.items(), key=lambda item: id_order(item[0])))
    if not records:
        raise InputError(f"{source}: no image can be drawn; {next(iter(failed.values()))}")
    write_named(target, "".join(map(record_line, records)).encode())
    return len(records), failed
