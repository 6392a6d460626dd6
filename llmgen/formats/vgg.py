"""Files of the VGG Image Annotator (VIA), versions 1 and 2, to COCO instance annotations.

Recognised by content: an export is an object of pictures, a project has it under `_via_img_metadata`; regions are an object or a list.
A picture that would teach something wrong is left out with a line; a shape that is none is counted.

Source:
    https://www.robots.ox.ac.uk/~vgg/software/via/; the loader of GPT4-Contextual-Diffusion (2023), whose silent faults are errors here.
"""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from llmgen.artifacts.parsing import json_kind
from llmgen.errors import InputError
from llmgen.formats.picture_files import PictureFolder
from llmgen.printable import printable
from llmgen.vision.boxes import xyxy_to_xywh
from llmgen.vision.decoding import measure
from llmgen.vision.polygons import Point, clip_polygon, ellipse_polygon, polygon_area, polygon_box

_MOST_POINTS: Final = 20_000
_MOST_COORDINATE: Final = 1e7
_LEAST_AREA: Final = 0.5
"""Half a pixel: what encloses less is a line."""
_VERSION_3: Final = {"project", "config", "attribute", "file", "view"}


@dataclass(frozen=True)
class VggOptions:
    """What a file does not say itself."""

    classes: tuple[str, ...] = ()
    """The classes that there are, in the order of their ids from 1; by default those of the file, in the order of their names."""
    label_key: str | None = None
    """Which attribute of a region is its label, where regions have several."""
    default_class: str | None = None
    """Class of regions without a label."""


@dataclass
class VggAnnotations:
    """A file that was read.

    Attributes:
        dataset: COCO instance annotations: `images`, `annotations` and `categories`.
        left_out: One line for each picture that was left out.
        notes: Lines about what was mended, counted and left out of pictures.
    """

    dataset: dict[str, Any]
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Wrong(ValueError):
    """A region that makes its picture worthless."""


class _NoShape(ValueError):
    """A region that is nothing, for the count."""


def read_vgg(value: Any, name: str, pictures: Path, options: VggOptions = VggOptions()) -> VggAnnotations:
    """Turn an annotator's file into COCO instance annotations.

    Args:
        value: The JSON value: an export, a project, or a list of pictures.
        name: The file, for messages.
        pictures: Folder of the pictures, whose sizes the file does not say.
        options: What the file does not say.

    Raises:
        InputError: If it is no such file, its labels lie under several keys and none was named, or no picture is any good.
    """
    found = _pictures_of(value, name)
    key = options.label_key or _label_key([entry for _, entry in found if _is_picture(entry)], name)
    reading = _Reading(name, PictureFolder(pictures), key, options)
    for called, entry in found:
        reading.take(called, entry)
    return reading.done()


def _is_picture(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("filename"), str) and "regions" in value


def _pictures_of(value: Any, name: str) -> list[tuple[str, Any]]:
    """The entries of a file with what they are called in it: their key, or their place from 0 in a list."""
    if isinstance(value, dict) and value.keys() >= _VERSION_3:
        raise InputError(f"{name}: a project of version 3 of the annotator; export it as COCO, or as JSON by version 2")
    if isinstance(value, dict) and "_via_img_metadata" in value:
        value = value["_via_img_metadata"]
    entries = _called(value)
    if not any(_is_picture(entry) for _, entry in entries):
        raise InputError(
            f"{name}: no file of the VGG annotator: expected an object of pictures with `filename` and `regions`, or a project with "
            "`_via_img_metadata`"
        )
    return entries


def _called(values: Any) -> list[tuple[str, Any]]:
    """Values of an object by their keys, or of a list by their places: regions of version 1, and of version 2."""
    if isinstance(values, dict):
        return list(values.items())
    return [(str(place), value) for place, value in enumerate(values)] if isinstance(values, list) else []


def _label_key(entries: Sequence[Mapping[str, Any]], name: str) -> str | None:
    used: Counter[str] = Counter()
    for entry in entries:
        for _, region in _called(entry["regions"]):
            attributes = region.get("region_attributes") if isinstance(region, dict) else None
            used.update(list(attributes) if isinstance(attributes, dict) else ())
    if len(used) > 1:
        listed = ", ".join(printable(repr(key[:40])) for key, _ in used.most_common(10))
        raise InputError(f"{name}: regions have several attributes, {listed}; say by --label-key which is the label")
    return next(iter(used), None)


class _Reading:
    """Pictures one after the other, and what became of them."""

    def __init__(self, name: str, folder: PictureFolder, key: str | None, options: VggOptions) -> None:
        self._name, self._folder, self._key, self._options = name, folder, key, options
        self._images: list[dict[str, Any]] = []
        self._objects: list[tuple[int, str, list[Point]]] = []
        self._left_out: list[str] = []
        self._counts: Counter[str] = Counter()
        self._seen: set[Path] = set()

    def take(self, called: str, entry: Any) -> None:
        """Read one picture whole, or leave it out whole."""
        if not _is_picture(entry):
            self._leave_out(called, "is no picture: expected an object with `filename` and `regions`")
            return
        written = entry["filename"]
        path = self._folder.find(written)
        if path is None:
            self._leave_out(written, self._folder.lacks)
            return
        if path in self._seen:
            self._leave_out(written, "is in the file twice; the first counts")
            return
        try:
            width, height = measure(path)
            found = []
            if not isinstance(entry["regions"], list | dict):
                raise _Wrong(f"`regions` is {json_kind(entry['regions'])}, not a list")
            for place, region in _called(entry["regions"]):
                try:
                    found.append(self._object(region, width, height))
                except _NoShape as error:
                    self._counts[str(error)] += 1
                except _Wrong as error:
                    raise _Wrong(f"region {place}: {error}") from error
        except (_Wrong, InputError) as error:
            self._leave_out(written, str(error))
            return
        self._seen.add(path)
        number = len(self._images) + 1
        relative = path.relative_to(self._folder.root).as_posix()
        self._images.append({"id": number, "file_name": relative, "width": width, "height": height})
        self._objects += [(number, label, points) for label, points in found]

    def _leave_out(self, written: str, reason: str) -> None:
        self._left_out.append(printable(f"{self._name}: {written[:200]!r}: {reason}"))

    def _object(self, region: Any, width: int, height: int) -> tuple[str, list[Point]]:
        if not isinstance(region, dict) or not isinstance(shape := region.get("shape_attributes"), dict):
            raise _Wrong("has no `shape_attributes`")
        points = self._outline(shape)
        label = self._label(region.get("region_attributes"))
        inside = clip_polygon(points, width, height)
        if polygon_area(inside) < _LEAST_AREA:
            raise _NoShape("of no area" if polygon_area(points) < _LEAST_AREA else "outside their picture")
        if len(inside) != len(points) or any(a != b for a, b in zip(inside, points, strict=True)):
            self._counts["cut at the border"] += 1
        return label, inside

    def _outline(self, shape: Mapping[str, Any]) -> list[Point]:
        kind = shape.get("name")
        if kind == "rect":
            x, y, width, height = (_number(shape, key) for key in ("x", "y", "width", "height"))
            return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        if kind in ("circle", "ellipse"):
            radii = ("r", "r") if kind == "circle" else ("rx", "ry")
            cx, cy, rx, ry = (_number(shape, key) for key in ("cx", "cy", *radii))
            theta = _number(shape, "theta") if kind == "ellipse" and "theta" in shape else 0.0
            return ellipse_polygon(cx, cy, rx, ry, theta)
        if kind in ("polygon", "polyline"):
            points = _points(shape)
            if len(points) < 3:
                raise _NoShape(f"that are {kind}s of fewer than three points")
            if kind == "polyline":
                self._counts["that are polylines, read as polygons"] += 1
            return points
        raise _NoShape(f"of the kind {printable(repr(str(kind)[:40]))}")

    def _label(self, attributes: Any) -> str:
        value = attributes.get(self._key) if isinstance(attributes, dict) and self._key is not None else None
        if isinstance(value, dict):  # A checkbox: an object of what is ticked.
            ticked = [option for option, state in value.items() if state in (True, "true")]
            if len(ticked) > 1:
                raise _Wrong(f"has several labels, {', '.join(map(repr, ticked[:5]))}")
            value = ticked[0] if ticked else None
        label = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        label = label or (self._options.default_class or "")
        if not label:
            raise _Wrong("has no label; correct the file, or give --default-class")
        classes = self._options.classes
        if classes and label not in classes:
            near = difflib.get_close_matches(label, classes, n=1)
            hint = f"; is it {near[0]!r}?" if near else ""
            raise _Wrong(f"its label {label[:60]!r} is none of the classes{hint}")
        return label

    def done(self) -> VggAnnotations:
        """All of it as COCO instance annotations."""
        if not self._images:
            more = f" (none of {len(self._left_out)} pictures is any good)" if len(self._left_out) > 1 else ""
            raise InputError(self._left_out[0] + more)
        names = self._options.classes or tuple(sorted({label for _, label, _ in self._objects}))
        if not self._objects:
            if self._left_out:
                more = f" (and {len(self._left_out) - 1} more left out)" if len(self._left_out) > 1 else ""
                raise InputError(f"{self._left_out[0]}{more}; nothing else in the file is an object")
            nothing = (
                "; ".join(f"{count} regions {what}" for what, count in self._counts.items()) or "no regions at all"
            )
            raise InputError(f"{self._name}: nothing in it is an object: {nothing}")
        place = {label: number for number, label in enumerate(names, start=1)}
        annotations = [
            {
                "id": number,
                "image_id": image,
                "category_id": place[label],
                "segmentation": [[round(value, 3) for point in points for value in point]],
                "area": round(polygon_area(points), 3),
                "bbox": [round(value, 3) for value in xyxy_to_xywh(polygon_box(points))],
                "iscrowd": 0,
            }
            for number, (image, label, points) in enumerate(self._objects, start=1)
        ]
        per_class = Counter(label for _, label, _ in self._objects)
        without = len(self._images) - len({image for image, _, _ in self._objects})
        notes = [
            f"{len(self._images)} pictures, {without} of them without objects",
            "objects: " + ", ".join(f"{label} {per_class[label]}" for label in names),
            *(f"regions {what}: {count}" for what, count in self._counts.items()),
        ]
        categories = [{"id": number, "name": label, "supercategory": ""} for label, number in place.items()]
        dataset = {"images": self._images, "annotations": annotations, "categories": categories}
        return VggAnnotations(dataset, self._left_out, notes)


def _number(shape: Mapping[str, Any], key: str) -> float:
    value = shape.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"its `{key}` is no number")
    if not abs(value) <= _MOST_COORDINATE:  # Not a number is not, either.
        raise _Wrong(f"its `{key}` is beyond {_MOST_COORDINATE:g} pixels")
    return float(value)


def _points(shape: Mapping[str, Any]) -> list[Point]:
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise _Wrong("`all_points_x` and `all_points_y` are no lists of one length")
    if len(xs) > _MOST_POINTS:
        raise _Wrong(f"has {len(xs)} points, more than {_MOST_POINTS}")
    points = [(_number({"x": x}, "x"), _number({"y": y}, "y")) for x, y in zip(xs, ys, strict=True)]
    # Version 1 repeats the first point at the end; so do some polylines.
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points
