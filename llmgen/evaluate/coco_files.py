"""COCO's own files: annotations and results, read without trust, and a pinned subset of their images.

One entry that cannot be used costs its image and no more: the image is left out and named with a reason.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmgen.artifacts.run_lengths import read_runs
from llmgen.errors import InputError

#: A detector that keeps every box of 5000 pictures writes half a gigabyte of masks.
MAX_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Subset:
    """The images that count, pinned."""

    rule: str
    """How they were chosen, for example `first 500 by id`."""
    ids: tuple[int, ...]
    """Ascending."""

    @property
    def sha256(self) -> str:
        """Digest of the ids, one a line: two results are comparable when theirs are equal."""
        return hashlib.sha256("".join(f"{number}\n" for number in self.ids).encode()).hexdigest()


@dataclass(frozen=True)
class CocoPair:
    """Annotations and results of the images that can be compared."""

    dataset: dict[str, Any]
    """`images`, `categories` and `annotations` of the images in `subset`, less those that failed."""
    results: tuple[dict[str, Any], ...]
    subset: Subset
    failed: dict[int, str] = field(default_factory=dict)
    """Image to the reason why it was left out."""
    foreign: int = 0
    """Results of images that the annotations do not know."""

    @property
    def image_ids(self) -> tuple[int, ...]:
        """The images that count and can be compared."""
        return tuple(number for number in self.subset.ids if number not in self.failed)


def read_annotations(path: Path) -> dict[str, Any]:
    """Read an annotation file.

    Args:
        path: JSON with `images`, `annotations` and `categories`.

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
    for image in dataset["images"]:
        sound = isinstance(image, dict) and all(_is_count(image.get(key)) for key in ("id", "width", "height"))
        if not (sound and image["width"] and image["height"]):
            raise InputError(f"{path}: every entry of `images` needs the whole numbers `id`, `width` and `height`")
    if not dataset["images"]:
        raise InputError(f"{path}: has no images")
    if len({image["id"] for image in dataset["images"]}) < len(dataset["images"]):
        raise InputError(f"{path}: two images have the same id")
    if not all(
        isinstance(c, dict) and _is_count(c.get("id")) and isinstance(c.get("name"), str) for c in dataset["categories"]
    ):
        raise InputError(f"{path}: every entry of `categories` needs an `id` and a `name`")
    return dataset


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read a results file: a JSON list of detections, as `COCO.loadRes` takes it.

    Raises:
        InputError: If it cannot be read, or is no such list.
    """
    results = read_json(path)
    if not isinstance(results, list) or not all(isinstance(entry, dict) for entry in results):
        raise InputError(
            f"{path}: COCO results are a JSON list of objects with `image_id`, `category_id`, `score` and `bbox` or `segmentation`"
        )
    return results


def choose_images(dataset: Mapping[str, Any], listed: Path | None = None, first: int | None = None) -> Subset:
    """The images that count.

    Args:
        dataset: Annotations.
        listed: File of ids, one a line; `#` begins a comment.
        first: The first so many by id.

    Raises:
        InputError: If both are given, or an id is not among the images.
    """
    known = sorted(image["id"] for image in dataset["images"])
    if listed is not None and first is not None:
        raise InputError("a subset is either a list of ids or the first so many, not both")
    if first is not None:
        if first < 1:
            raise InputError(f"the first {first} images are none; give a number from 1")
        return Subset(f"first {first} by id", tuple(known[:first]))
    if listed is None:
        return Subset("all", tuple(known))
    try:
        lines = [line.partition("#")[0].strip() for line in listed.read_text(encoding="utf-8").splitlines()]
        ids = sorted({int(line) for line in lines if line})
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{listed}: cannot be read: {error}") from error
    except ValueError as error:
        raise InputError(f"{listed}: every line is the id of an image, a whole number: {error}") from error
    unknown = set(ids) - set(known)
    if unknown or not ids:
        what = f"image {min(unknown)} is not among the annotations" if unknown else "it names no image"
        raise InputError(f"{listed}: {what}")
    return Subset(f"ids of {listed.name}", tuple(ids))


def pair(dataset: Mapping[str, Any], results: Sequence[dict[str, Any]], subset: Subset) -> CocoPair:
    """Put annotations and results side by side and leave out the images that cannot be compared.

    Args:
        dataset: As `read_annotations` gives it.
        results: As `read_results` gives them.
        subset: The images that count.

    Raises:
        InputError: If no result is of an image of the annotations.
    """
    images = {image["id"]: image for image in dataset["images"]}
    chosen = set(subset.ids)
    categories = {category["id"] for category in dataset["categories"]}
    failed: dict[int, str] = {}

    def sound(
        entries: Iterable[dict[str, Any]], what: str, check: Callable[[dict[str, Any]], None]
    ) -> list[dict[str, Any]]:
        kept = []
        for number, entry in enumerate(entries):
            image_id = entry.get("image_id")
            if image_id not in chosen:
                continue
            try:
                if entry.get("category_id") not in categories:
                    raise ValueError(f"category_id {entry.get('category_id')!r} is not among the categories")
                check(entry)
                if entry.get("segmentation"):
                    check_segmentation(entry["segmentation"], images[image_id]["height"], images[image_id]["width"])
                kept.append(entry)
            except (ValueError, TypeError) as error:
                name = f" {entry['id']}" if "id" in entry else f" at {number}"
                failed.setdefault(image_id, f"{what}{name}: {error}")
        return kept

    foreign = sum(entry.get("image_id") not in images for entry in results)
    if results and foreign == len(results):
        raise InputError(
            f"no result is of an image of the annotations: `image_id` {results[0].get('image_id')!r}, for example; "
            "give the results of these pictures"
        )
    annotations = sound([a for a in dataset["annotations"] if isinstance(a, dict)], "annotation", _check_annotation)
    detections = sound(results, "result", _check_result)
    return CocoPair(
        dataset={
            "images": [images[number] for number in subset.ids if number not in failed],
            "categories": dataset["categories"],
            "annotations": [a for a in annotations if a["image_id"] not in failed],
        },
        results=tuple(d for d in detections if d["image_id"] not in failed),
        subset=subset,
        failed=failed,
        foreign=foreign,
    )


def check_segmentation(segmentation: Any, height: int, width: int) -> None:
    """Refuse what pycocotools would crash on, or decode into a mask of something else.

    Args:
        segmentation: Polygons, or run lengths of either kind.
        height: Height of its picture in pixels.
        width: Width of its picture in pixels.

    Raises:
        ValueError: If it is none of these, or of another size.
    """
    if isinstance(segmentation, list):
        for polygon in segmentation:
            if (
                not isinstance(polygon, list)
                or len(polygon) < 6
                or len(polygon) % 2
                or not all(map(_is_number, polygon))
            ):
                raise ValueError("a polygon needs three points or more, as x, y, x, y, ...")
        return
    if not isinstance(segmentation, dict) or "counts" not in segmentation or "size" not in segmentation:
        raise ValueError("a segmentation is a list of polygons, or an object with `size` and `counts`")
    size, counts = segmentation["size"], segmentation["counts"]
    if not (isinstance(size, list) and len(size) == 2 and all(map(_is_count, size))):
        raise ValueError("`size` of a mask is its height and its width")
    if tuple(size) != (height, width):
        raise ValueError(
            f"its mask is {size[1]}x{size[0]}, the picture {width}x{height}; annotations and results must be of one size"
        )
    if isinstance(counts, str):
        read_runs(counts, height, width)
    elif not (isinstance(counts, list) and all(map(_is_count, counts)) and sum(counts) == height * width):
        raise ValueError(f"the run lengths do not fit a mask of {width}x{height} pixels")


def _check_annotation(entry: dict[str, Any]) -> None:
    _check_box(entry.get("bbox"))
    if not (_is_count(entry.get("id")) and _is_number(entry.get("area"))):
        raise ValueError("it needs a whole number `id` and a number `area`")
    if entry.get("iscrowd", 0) not in (0, 1):
        raise ValueError("`iscrowd` is 0 or 1")


def _check_result(entry: dict[str, Any]) -> None:
    if not _is_number(entry.get("score")):
        raise ValueError("it needs a number `score`")
    if "bbox" in entry:
        _check_box(entry["bbox"])
    elif not entry.get("segmentation"):
        raise ValueError("it has neither `bbox` nor `segmentation`")


def _check_box(box: Any) -> None:
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box)) and min(box[2:]) >= 0):
        raise ValueError("`bbox` is x, y, width, height in pixels")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


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
