"""COCO's annotation files as a whole: their sections, checked, with plain ids and sizes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgen.errors import InputError
from llmgen.formats.coco_entries import plain_id, plain_side

#: A detector that keeps every box of 5000 pictures writes half a gigabyte of masks.
MAX_BYTES = 4 * 2**30


def read_annotations(path: Path) -> dict[str, Any]:
    """Read an annotation file.

    Args:
        path: JSON with `images`, `annotations` and `categories`.

    Returns:
        Its sections. Ids of images and categories are plain; an image without a size that can be used has none.

    Raises:
        InputError: If it cannot be read, or is no such file.
    """
    dataset = read_json(path)
    if not isinstance(dataset, dict):
        raise InputError(f"{path}: COCO annotations are a JSON object with `images`, `annotations` and `categories`")
    for section in ("images", "annotations", "categories"):
        if not isinstance(dataset.get(section), list):
            raise InputError(
                f"{path}: has no list {section!r}; give COCO instance annotations, such as instances_val2017.json"
            )
    if not dataset["images"]:
        raise InputError(f"{path}: has no images")
    for section in ("images", "categories"):
        if not all(isinstance(entry, dict) and plain_id(entry.get("id")) is not None for entry in dataset[section]):
            raise InputError(f"{path}: every entry of `{section}` needs an `id`, a whole number or a text")
    dataset = {**dataset, "images": plain_images(dataset), "categories": plain_categories(dataset)}
    for section in ("images", "categories"):
        if len({entry["id"] for entry in dataset[section]}) < len(dataset[section]):
            raise InputError(f"{path}: two {section} have the same id")
    return dataset


def plain_images(dataset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The images with plain ids and whole sizes; those without both sides have neither."""
    images = []
    for image in dataset["images"]:
        plain = {key: value for key, value in image.items() if key not in ("width", "height")}
        width, height = plain_side(image.get("width")), plain_side(image.get("height"))
        sizes = {"width": width, "height": height} if width and height else {}
        images.append({**plain, **sizes, "id": plain_id(image["id"])})
    return images


def plain_categories(dataset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The categories with plain ids; one without a name is called by its id."""
    return [
        {**c, "id": plain_id(c["id"]), "name": c["name"] if isinstance(c.get("name"), str) else str(c["id"])}
        for c in dataset["categories"]
    ]


def read_json(path: Path) -> Any:
    """The JSON value of a file.

    Raises:
        InputError: If it cannot be read, is too large or is no JSON.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES // 2**30} GiB; keep fewer detections")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {error}") from error
