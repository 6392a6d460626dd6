"""COCO annotations for pictures of another size: everything is stretched to a square, nothing is cropped."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from llmgen.artifacts.run_lengths import read_runs
from llmgen.formats.coco_annotations import plain_images
from llmgen.formats.coco_entries import Id, plain_annotation, plain_id

SIDE = 512
"""Side of the published pictures in pixels."""


def squeeze_annotations(dataset: Mapping[str, Any], side: int = SIDE) -> tuple[dict[str, Any], dict[Id, str]]:
    """Adapt annotations to pictures of `side x side` pixels.

    Boxes and polygons are scaled by `(side / width, side / height)`, areas by both; run lengths are decoded, resized to the nearest
    pixel and encoded as they were (list or text).

    Args:
        dataset: As `read_annotations` gives it.
        side: Side of the new pictures in pixels.

    Returns:
        New annotations with every other field kept, and image to the reason why its annotations could not be adapted; such an image
        is left out with all of them, as it would be when results are compared with it.

    Source:
        InstanceDiffusion (Wang et al. 2024) evaluates on a COCO val2017 whose pictures were resized to 512 x 512.
    """
    images = {image["id"]: image for image in plain_images(dataset)}
    failed: dict[Id, str] = {
        n: "it has no whole `width` and `height` from 1" for n, i in images.items() if "width" not in i
    }
    annotations = []
    for number, annotation in enumerate(dataset["annotations"]):
        image = images.get(plain_id(annotation.get("image_id"))) if isinstance(annotation, dict) else None
        if image is None or image["id"] in failed:
            continue
        try:
            plain = plain_annotation(annotation, image["height"], image["width"])
            annotations.append(
                _squeezed({**annotation, "image_id": image["id"]}, plain, image["width"], image["height"], side)
            )
        except ValueError as error:
            failed[image["id"]] = f"annotation {annotation['id'] if 'id' in annotation else f'at {number}'}: {error}"
    return {
        **dataset,
        "images": [
            {**image, "width": side, "height": side} for number, image in images.items() if number not in failed
        ],
        "annotations": [a for a in annotations if a["image_id"] not in failed],
    }, failed


def _squeezed(annotation: dict[str, Any], plain: dict[str, Any], width: int, height: int, side: int) -> dict[str, Any]:
    across, down = side / width, side / height
    x, y, w, h = plain["bbox"]
    new = {**annotation, "bbox": [x * across, y * down, w * across, h * down]}
    if "area" in annotation:
        new["area"] = plain["area"] * across * down
    mask = plain.get("segmentation")
    if isinstance(mask, list):
        new["segmentation"] = [[v * (down if i % 2 else across) for i, v in enumerate(polygon)] for polygon in mask]
    elif mask is not None:
        new["segmentation"] = _resized(mask, height, width, side)
    return new


def _resized(segmentation: dict[str, Any], height: int, width: int, side: int) -> dict[str, Any]:
    counts = segmentation["counts"]
    runs = read_runs(counts, height, width) if isinstance(counts, str) else counts
    # Runs go down the columns, background first.
    values = np.arange(len(runs)) % 2
    mask = np.repeat(values.astype(np.uint8), runs).reshape(width, height).T
    small = np.asarray(Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST))
    flat = small.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    new = [0, *lengths] if flat[0] else lengths
    if isinstance(counts, str):
        from pycocotools import mask as coco

        packed = coco.frPyObjects({"size": [side, side], "counts": new}, side, side)
        return {"size": [side, side], "counts": packed["counts"].decode("ascii")}
    return {"size": [side, side], "counts": new}
