"""COCO instance annotations to learn from: exports of the common tools, read without trust, with masks in the size of their pictures.

A picture whose annotations would teach something wrong is left out with a line; what is no object is counted.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from llmgen.artifacts import Mask
from llmgen.errors import InputError
from llmgen.formats.coco_annotations import read_annotations
from llmgen.formats.coco_entries import Id, id_order, packed, plain_annotation, plain_id
from llmgen.formats.coco_figures import quiet_pycocotools
from llmgen.formats.picture_files import PictureFolder
from llmgen.printable import printable
from llmgen.vision.decoding import measure

_NO_CLASS: Final = ("_background_", "__background__", "__ignore__")
_ROBOFLOW_COPY: Final = re.compile(r"^(.+)_(?:jpe?g|png|webp)\.rf\.[^.]+\.\w+$", re.IGNORECASE)
"""`NAME_jpg.rf.HASH.jpg`: one of several augmented copies of a picture."""


@dataclass(frozen=True)
class InstanceOptions:
    """What a file does not say itself."""

    keep_crowd: bool = False
    """Whether an annotation with `iscrowd` 1 is an object: tools mark so what was painted with a brush. COCO's own are groups."""
    boxes_as_masks: bool = False
    """Whether a box without a mask is taken for its mask."""


@dataclass(frozen=True)
class AnnotatedPicture:
    """A picture and its objects."""

    path: Path
    width: int
    height: int
    labels: tuple[int, ...]
    """From 1 on, the place in the classes."""
    masks: tuple[Mask, ...]
    """In the size of the picture, none empty."""
    group: str
    """What copies of one picture share."""


@dataclass(frozen=True)
class InstanceSet:
    """A data set for instance segmentation."""

    classes: tuple[str, ...]
    """Name of label 1, 2 ..."""
    category_ids: tuple[Id, ...]
    """The id of each class in the file."""
    pictures: tuple[AnnotatedPicture, ...]
    left_out: tuple[str, ...] = ()
    """One line for each picture that was left out."""
    notes: tuple[str, ...] = ()
    """Lines about what was read, mended and counted."""

    def split(self, share: float, seed: int = 0) -> tuple["InstanceSet", "InstanceSet"]:
        """A part to learn from and a part to measure with; copies of one picture stay together.

        Args:
            share: Of the pictures, about, for the measure; at least one goes to each part where there are two.
            seed: Picks them.
        """
        groups = list(dict.fromkeys(picture.group for picture in self.pictures))
        count = min(max(1, round(share * len(groups))), len(groups) - 1) if share else 0
        chosen = {groups[i] for i in np.random.default_rng([seed, 7]).permutation(len(groups))[:count]}
        learn = tuple(picture for picture in self.pictures if picture.group not in chosen)
        measured = tuple(picture for picture in self.pictures if picture.group in chosen)
        return replace(self, pictures=learn), replace(self, pictures=measured)


def read_instances(
    path: Path,
    pictures: Path | None = None,
    options: InstanceOptions = InstanceOptions(),
    *,
    classes: Sequence[str] | None = None,
) -> InstanceSet:
    """Read COCO instance annotations for training.

    Args:
        path: The file.
        pictures: Folder of the pictures; by default the file's own.
        options: What the file does not say.
        classes: The classes of the training whose measure this is; the file's own by default.

    Raises:
        InputError: If it cannot be read, or no picture is any good.
    """
    dataset = read_annotations(path)
    names = _classes_of(dataset)
    if classes is not None:
        missing = sorted(set(names.values()) - set(classes))
        if missing:
            raise InputError(
                f"{path}: its classes {', '.join(map(repr, missing[:5]))} are none of those that are learned"
            )
    order = tuple(classes) if classes is not None else tuple(names.values())
    reading = _Reading(path.name, PictureFolder(pictures or path.parent), names, order, options)
    by_image: dict[Id | None, list[Any]] = {}
    for annotation in dataset["annotations"]:
        key = plain_id(annotation.get("image_id")) if isinstance(annotation, dict) else None
        by_image.setdefault(key, []).append(annotation)
    for image in dataset["images"]:
        reading.take(image, by_image.pop(image["id"], []))
    strays = sum(map(len, by_image.values()))
    return reading.done(tuple(names), strays)


def _classes_of(dataset: Mapping[str, Any]) -> dict[Id, str]:
    """Category id to name, in the order of the ids, without what is a group or the background."""
    used = {plain_id(entry.get("category_id")) for entry in dataset["annotations"] if isinstance(entry, dict)}
    groups = {entry.get("supercategory") for entry in dataset["categories"]}
    names = {}
    for entry in sorted(dataset["categories"], key=lambda one: id_order(one["id"])):
        unused_group = entry["id"] == 0 and 0 not in used and entry["name"] in groups
        if not unused_group and entry["name"] not in _NO_CLASS:
            names[entry["id"]] = entry["name"].strip() or str(entry["id"])
    if not names:
        raise InputError("the annotations have no categories to learn; name at least one")
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise InputError(f"two categories are called {twice[0]!r}; give each a name of its own")
    return names


class _Wrong(ValueError):
    """An annotation that makes its picture worthless."""


@dataclass
class _Reading:
    """Pictures one after the other, and what became of them."""

    name: str
    folder: PictureFolder
    names: Mapping[Id, str]
    order: tuple[str, ...]
    options: InstanceOptions
    pictures: list[AnnotatedPicture] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, image: Mapping[str, Any], annotations: Sequence[Any]) -> None:
        """Read one picture whole, or leave it out whole."""
        written = image.get("file_name")
        try:
            if not isinstance(written, str):
                raise _Wrong("has no `file_name`")
            path = self.folder.find(written)
            if path is None:
                raise _Wrong(self.folder.lacks)
            width, height = measure(path)
            claimed = image.get("width"), image.get("height")
            if claimed not in ((None, None), (width, height)):
                raise _Wrong(f"is {width}x{height}, and the file says {claimed[0]}x{claimed[1]}")
            objects = [found for one in annotations if (found := self._object(one, width, height)) is not None]
        except (ValueError, InputError) as error:
            named = written if isinstance(written, str) else f"image {image['id']}"
            self.left_out.append(printable(f"{self.name}: {named[:200]!r}: {error}"))
            return
        labels, masks = tuple(label for label, _ in objects), tuple(mask for _, mask in objects)
        self.pictures.append(AnnotatedPicture(path, width, height, labels, masks, _group(image, path)))

    def _object(self, annotation: Any, width: int, height: int) -> tuple[int, Mask] | None:
        if not isinstance(annotation, dict):
            raise _Wrong("an annotation is no object")
        called = f"annotation {annotation.get('id')!r}"
        category = plain_id(annotation.get("category_id"))
        if category is None or category not in self.names:
            raise _Wrong(f"{called}: its category {annotation.get('category_id')!r} is none of the file's classes")
        try:
            plain = plain_annotation(annotation, height, width)
        except ValueError as error:
            raise _Wrong(f"{called}: {error}") from error
        if plain["iscrowd"] and not self.options.keep_crowd:
            self.counts["crowds left out (--keep-crowd takes them for objects)"] += 1
            return None
        segmentation = plain.get("segmentation")
        if segmentation is None:
            if not self.options.boxes_as_masks:
                raise _Wrong(f"{called} is a box without a mask; --boxes-as-masks takes it for one")
            x, y, w, h = plain["bbox"]
            segmentation = [[x, y, x + w, y, x + w, y + h, x, y + h]]
            self.counts["boxes taken for masks"] += 1
        return self._mask(category, plain, segmentation, width, height)

    def _mask(
        self, category: Id, plain: Mapping[str, Any], segmentation: Any, width: int, height: int
    ) -> tuple[int, Mask] | None:
        from pycocotools import mask as coco

        with quiet_pycocotools():
            runs = packed(segmentation, height, width)
            area = int(coco.area(runs))
            x, y, w, h = (float(value) for value in coco.toBbox(runs))
        if not area:
            self.counts["objects without a pixel left out"] += 1
            return None
        bx, by, bw, bh = plain["bbox"]
        if max(abs(x - bx), abs(y - by), abs(x + w - bx - bw), abs(y + h - by - bh)) > 1:
            self.counts["boxes that differ from their masks by more than a pixel (the mask counts)"] += 1
        counts = runs["counts"]
        mask = Mask(size=(height, width), counts=counts.decode("ascii") if isinstance(counts, bytes) else counts)
        return self.order.index(self.names[category]) + 1, mask

    def done(self, ids: tuple[Id, ...], strays: int) -> InstanceSet:
        """All of it.

        Raises:
            InputError: If no picture is any good, or none shows an object.
        """
        if not self.pictures:
            more = f" (none of {len(self.left_out)} pictures is any good)" if len(self.left_out) > 1 else ""
            raise InputError(self.left_out[0] + more)
        per_class = Counter(self.order[label - 1] for picture in self.pictures for label in picture.labels)
        if not per_class:
            counted = "; ".join(f"{what}: {count}" for what, count in self.counts.items()) or "no annotations"
            raise InputError(f"{self.name}: nothing in it is an object: {counted}")
        without = sum(not picture.labels for picture in self.pictures)
        notes = [
            f"{len(self.pictures)} pictures, {without} of them without objects",
            "objects: " + ", ".join(f"{name} {per_class[name]}" for name in self.order),
            *(f"{what}: {count}" for what, count in self.counts.items()),
            *([f"annotations of pictures that the file does not have: {strays}"] if strays else []),
        ]
        known = {name: category for category, name in self.names.items()}
        kept = tuple(known.get(name, name) for name in self.order) if len(ids) != len(self.order) else ids
        return InstanceSet(self.order, kept, tuple(self.pictures), tuple(self.left_out), tuple(notes))


def _group(image: Mapping[str, Any], path: Path) -> str:
    extra = image.get("extra")
    if isinstance(extra, dict) and isinstance(extra.get("name"), str):
        return str(extra["name"])
    copy = _ROBOFLOW_COPY.match(path.name)
    return copy[1] if copy else path.as_posix()
