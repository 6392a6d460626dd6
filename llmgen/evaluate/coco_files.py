"""COCO's own files: annotations and results, read without trust, and a pinned subset of their images.

What cannot be used costs its image and no more, but for results that COCO's own scorer ignores as well: they cost themselves. What is left
out is named with a reason. `README.md` has the table.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmgen.artifacts.files import why_unread
from llmgen.errors import InputError
from llmgen.formats.coco_annotations import plain_categories, plain_images, read_json
from llmgen.formats.coco_entries import Id, WrongBox, id_order, plain_annotation, plain_id, plain_result
from llmgen.formats.coco_runs import CheckedRuns


@dataclass(frozen=True)
class Subset:
    """The images that count, pinned."""

    rule: str
    """How they were chosen, for example `first 500 by id`."""
    ids: tuple[Id, ...]
    """Ascending, numbers before texts."""

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
    failed: dict[Id, str] = field(default_factory=dict)
    """Image to the reason why it was left out."""
    without_mask: dict[Id, str] = field(default_factory=dict)
    """Image to the reason why its masks cannot be compared, though its boxes can."""
    foreign: int = 0
    """Results of images that the annotations do not know."""
    unknown_categories: int = 0
    """Results of categories that the annotations do not know."""
    lost: tuple[str, ...] = ()
    """Lines about results that cost only themselves, and about entries without an image."""
    notes: tuple[str, ...] = ()
    """Lines about what the files lack and was found otherwise."""

    @property
    def image_ids(self) -> tuple[Id, ...]:
        """The images that count and can be compared."""
        return tuple(number for number in self.subset.ids if number not in self.failed)

    @property
    def equal_scores(self) -> int:
        """Results whose score another result of their category has as well: only their order in the file tells them apart."""
        times = Counter((entry["category_id"], entry["score"]) for entry in self.results)
        return sum(count for count in times.values() if count > 1)

    def why_no_masks(self) -> str | None:
        """Why masks cannot be compared at all; None where they can."""
        if not any("segmentation" in entry for entry in self.dataset["annotations"]):
            return "no annotation has a mask"
        if self.results and not any("segmentation" in entry for entry in self.results):
            return "no result has a mask"
        if all(number in self.without_mask for number in self.image_ids):
            number, reason = next(iter(self.without_mask.items()))
            return f"no image has a mask for every annotation and every result; image {number}: {reason}"
        return None

    def with_masks(self, most_pixels: int | None = None) -> "CocoPair":
        """The images of which every annotation and every result has a mask; the others have failed.

        Args:
            most_pixels: An image whose wanted masks have more pixels than this together, once decoded, fails too.
        """
        out = dict(self.without_mask)
        if most_pixels is not None:
            wanted = Counter(entry["image_id"] for entry in self.dataset["annotations"])
            for image in self.dataset["images"]:
                pixels = wanted[image["id"]] * image.get("width", 0) * image.get("height", 0)
                if pixels > most_pixels:
                    out.setdefault(
                        image["id"],
                        f"its {wanted[image['id']]} masks have {pixels} pixels together, too many to decode",
                    )
        return replace(
            self,
            dataset={
                **self.dataset,
                "images": [image for image in self.dataset["images"] if image["id"] not in out],
                "annotations": [a for a in self.dataset["annotations"] if a["image_id"] not in out],
            },
            results=tuple(entry for entry in self.results if entry["image_id"] not in out),
            failed={**self.failed, **out},
            without_mask={},
        )


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
    known = sorted((image["id"] for image in dataset["images"]), key=id_order)
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
        found = {number for line in lines if (number := plain_id(line)) is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{listed}: cannot be read: {why_unread(error)}") from error
    ids = sorted(found, key=id_order)
    words = [number for number in ids if isinstance(number, str)]
    if words and all(isinstance(number, int) for number in known):
        raise InputError(f"{listed}: every line is the id of an image, a whole number: {words[0]!r}")
    unknown = sorted(set(ids) - set(known), key=id_order)
    if unknown or not ids:
        what = f"image {unknown[0]} is not among the annotations" if unknown else "it names no image"
        raise InputError(f"{listed}: {what}")
    return Subset(f"ids of {listed.name}", tuple(ids))


def pair(dataset: Mapping[str, Any], results: Sequence[dict[str, Any]], subset: Subset) -> CocoPair:
    """Put annotations and results side by side and leave out what cannot be compared.

    Args:
        dataset: As `read_annotations` gives it.
        results: As `read_results` gives them.
        subset: The images that count.

    Raises:
        InputError: If no result is of an image of the annotations.
    """
    images = {image["id"]: image for image in plain_images(dataset)}
    read = _Reading(images, set(subset.ids), {category["id"] for category in plain_categories(dataset)})
    foreign = sum(plain_id(entry.get("image_id")) not in images for entry in results)
    if results and foreign == len(results):
        raise InputError(
            f"no result is of an image of the annotations: `image_id` {results[0].get('image_id')!r}, for example; "
            "give the results of these pictures"
        )
    annotations = list(read.annotations(dataset["annotations"]))
    detections = list(read.results(results))
    failed = dict(sorted(read.failed.items(), key=lambda item: id_order(item[0])))
    annotations = [a for a in annotations if a["image_id"] not in failed]
    detections = [d for d in detections if d["image_id"] not in failed]
    sizes = _sizes(images, annotations, detections)
    return CocoPair(
        dataset={
            "images": [{**images[number], **sizes[number]} for number in subset.ids if number not in failed],
            "categories": plain_categories(dataset),
            "annotations": annotations,
        },
        results=tuple(detections),
        subset=subset,
        failed=failed,
        without_mask=_without_mask(sizes, annotations, detections),
        foreign=foreign,
        unknown_categories=read.unknown_results,
        lost=tuple(read.lost),
        notes=tuple(read.notes()),
    )


class _Reading:
    """Entries one after the other, and what became of them."""

    def __init__(self, images: Mapping[Id, Any], chosen: set[Id], categories: set[Id]) -> None:
        self._images, self._chosen, self._categories = images, chosen, categories
        self.failed: dict[Id, str] = {}
        self.lost: list[str] = []
        self.unknown_results = 0
        self._foreign = self._unknown = self._areas = 0

    def annotations(self, entries: Sequence[Any]) -> Iterator[dict[str, Any]]:
        check_runs = CheckedRuns(entry.get("segmentation") for entry in entries if isinstance(entry, dict))
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                self.lost.append(f"annotation at {number}: is no object")
                continue
            image, category = plain_id(entry.get("image_id")), plain_id(entry.get("category_id"))
            if image not in self._images:
                self._foreign += 1
            elif category not in self._categories:
                self._unknown += image in self._chosen
            elif image in self._chosen:
                own = plain_id(entry.get("id"))
                name = f"annotation {own}" if own is not None else f"annotation at {number}"
                try:
                    plain = plain_annotation(entry, *self._size(image), check_runs)
                except ValueError as error:
                    self.failed.setdefault(image, f"{name}: {error}")
                    continue
                self._areas += plain["area"] is not entry.get("area")
                ids = {"image_id": image, "category_id": category, "id": number if own is None else own}
                yield {**plain, **ids}

    def results(self, entries: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        check_runs = CheckedRuns(entry.get("segmentation") for entry in entries)
        for number, entry in enumerate(entries):
            image, category = plain_id(entry.get("image_id")), plain_id(entry.get("category_id"))
            if image is None or image not in self._chosen:
                continue
            if category not in self._categories:
                self.unknown_results += 1
                continue
            try:
                yield {
                    "image_id": image,
                    "category_id": category,
                    "at": number,
                    **plain_result(entry, *self._size(image), check_runs),
                }
            except WrongBox as error:
                self.lost.append(f"result at {number} of image {image}: {error}")
            except ValueError as error:
                self.failed.setdefault(image, f"result at {number}: {error}")

    def notes(self) -> Iterator[str]:
        if self._foreign:
            yield f"{self._foreign} annotations are of images that the file does not have"
        if self._unknown:
            yield f"{self._unknown} annotations are of categories that the file does not have"
        if self._areas:
            yield f"{self._areas} annotations have no `area`: that of the mask is taken, else of the box"
        if self.unknown_results:
            yield f"{self.unknown_results} results are of categories that the annotations do not have"

    def _size(self, image: Id) -> tuple[int | None, int | None]:
        return self._images[image].get("height"), self._images[image].get("width")


def _sizes(images: Mapping[Id, Any], *entries: Iterable[dict[str, Any]]) -> dict[Id, dict[str, int]]:
    """Width and height of each image, from its run lengths where it does not say them; empty where nothing does."""
    sizes = {number: {k: image[k] for k in ("width", "height") if k in image} for number, image in images.items()}
    for entry in (one for listed in entries for one in listed):
        mask = entry.get("segmentation")
        if isinstance(mask, dict) and not sizes[entry["image_id"]]:
            sizes[entry["image_id"]] = {"width": mask["size"][1], "height": mask["size"][0]}
    return sizes


def _without_mask(
    sizes: Mapping[Id, dict[str, int]], annotations: Iterable[dict[str, Any]], results: Iterable[dict[str, Any]]
) -> dict[Id, str]:
    out: dict[Id, str] = {}
    for entry, name in (
        *((a, f"annotation {a['id']}") for a in annotations),
        *((d, f"result at {d['at']}") for d in results),
    ):
        image, mask = entry["image_id"], entry.get("segmentation")
        size = sizes[image]
        if mask is None:
            out.setdefault(image, f"{name} has no mask")
        elif not size:
            out.setdefault(image, f"{name} is a polygon, and the image has no whole `width` and `height` from 1")
        elif isinstance(mask, dict) and mask["size"] != [size["height"], size["width"]]:
            out.setdefault(image, f"{name} has a mask of another size than the others")
    return dict(sorted(out.items(), key=lambda item: id_order(item[0])))
