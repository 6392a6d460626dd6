"""HICO-DET's annotations in their two JSON forms, and results of detectors of interactions, read without trust.

What cannot be used costs its picture and is named; single pairs that cannot count cost themselves and are counted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, get_args

from llmgen.errors import InputError
from llmgen.evaluate.hoi.hico import Action, Pair
from llmgen.evaluate.hoi.numbering import (
    MOST_VERBS,
    Boxes,
    Classes,
    HicoFilesConfig,
    Objects,
    ResultObjects,
    Verbs,
    at_edges,
    check_base,
    check_corners,
    corners,
    declared,
    object_namer,
    whole,
)
from llmgen.formats.coco_annotations import read_json
from llmgen.formats.coco_entries import plain_side

PERSON: Final = "person"
_LISTS: Final = ("filenames", "annotation", "objects", "verbs", "correspondence")


@dataclass
class Annotated:
    """What a file of annotations says.

    Attributes:
        pairs: Picture to its pairs; a picture without any stays.
        shown: Picture to the names of the objects that somebody does something with, or that no interaction was noted of. A person
            who acts is none of them.
        of_hoi: Number of verb and object together, from 0, to the two.
        objects: The file's own list of objects, if it has one.
        verbs: The file's own list of verbs, if it has one.
        n_verbs: How many verbs there are, as far as that is known.
        failed: Picture to the reason why it was left out.
        lost: Why single pairs do not count, and how many.
    """

    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    shown: dict[str, set[str]] = field(default_factory=dict)
    of_hoi: dict[int, Action] = field(default_factory=dict)
    objects: tuple[str, ...] | None = None
    verbs: tuple[str, ...] | None = None
    n_verbs: int = MOST_VERBS
    failed: dict[str, str] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)


@dataclass
class Found:
    """What a file of results says; attributes as of `Annotated`, and `foreign`: pictures that the annotations do not know."""

    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    foreign: int = 0


def read_annotated(path: Path, config: HicoFilesConfig) -> Annotated:
    """Read annotations of either form; which one is told by content.

    Raises:
        InputError: If the file is neither, what its numbers are was not said, or what was said contradicts it.
    """
    value = read_json(path)
    if isinstance(value, dict) and all(isinstance(value.get(name), list) for name in _LISTS):
        return _read_lists(value, path, config)
    if isinstance(value, list) and value and all(isinstance(e, dict) and "hoi_annotation" in e for e in value):
        return _read_entries(value, path, config)
    raise InputError(
        f"{path}: no annotations of HICO-DET: an object with the lists {', '.join(_LISTS)}, or a list of objects with `file_name`, "
        "`annotations` and `hoi_annotation`"
    )


def _read_lists(value: Mapping[str, Any], path: Path, config: HicoFilesConfig) -> Annotated:
    boxes: Boxes = declared(
        config.boxes,
        "boxes",
        str(path),
        "nobody says whether its corners are pixels from 0, from 1, or edges",
        get_args(Boxes),
    )
    texts = {name: value[name] for name in ("filenames", "objects", "verbs")}
    for name, texts_of in texts.items():
        if not all(isinstance(text, str) and text for text in texts_of):
            raise InputError(f"{path}: `{name}` is a list of texts")
    objects = tuple(_plain(name) for name in value["objects"])
    verbs = tuple(_plain(name) for name in value["verbs"])
    read = Annotated(objects=objects, verbs=verbs, n_verbs=len(verbs))
    for row in value["correspondence"]:
        numbers = [whole(number) for number in row] if isinstance(row, list) and len(row) == 3 else [None]
        hoi, thing, verb = (*numbers, None, None)[:3]
        if hoi is None or thing is None or verb is None or not (0 <= thing < len(objects) and 0 <= verb < len(verbs)):
            raise InputError(
                f"{path}: `correspondence` has rows of hoi, object, verb, places in the file's own lists: {row!r}"[:300]
            )
        read.of_hoi[hoi] = (verb, objects[thing])
    if len(value["annotation"]) != len(value["filenames"]):
        raise InputError(f"{path}: `annotation` and `filenames` are not of one length")
    sizes = value.get("size")
    for number, (name, entry) in enumerate(zip(value["filenames"], value["annotation"], strict=True)):
        size = _size(sizes[number]) if isinstance(sizes, list) and number < len(sizes) else None
        try:
            _add(read, name, list(_pairs_of_lists(entry, read, boxes, size, f"{path}: picture {name}")))
        except ValueError as error:
            read.failed[name] = str(error)
    return read


def _pairs_of_lists(
    entry: Any, read: Annotated, boxes: Boxes, size: tuple[int, int] | None, where: str
) -> Iterator[Pair]:
    names = ("boxes_h", "boxes_o", "hoi", "object", "verb")
    parts: list[Any] = [entry.get(name) for name in names] if isinstance(entry, dict) else []
    if not parts or not all(isinstance(part, list) and len(part) == len(parts[0]) for part in parts):
        raise ValueError("`boxes_h`, `boxes_o`, `hoi`, `object` and `verb` are lists of one length")
    for person, thing, *numbers in zip(*parts, strict=True):
        hoi, number, verb = map(whole, numbers)
        action = read.of_hoi.get(hoi) if hoi is not None else None
        assert read.objects is not None
        if action is None or verb != action[0] or number is None or not 0 <= number < len(read.objects):
            raise ValueError(f"hoi {hoi}, object {number}, verb {verb} is no row of `correspondence`")
        if read.objects[number] != action[1]:
            raise ValueError(f"hoi {hoi}, object {number}, verb {verb} is no row of `correspondence`")
        yield _pair(action, person, thing, boxes, size, where)


def _read_entries(value: list[Any], path: Path, config: HicoFilesConfig) -> Annotated:
    why = "nobody says whether its corners are pixels from 0, from 1, or edges"
    boxes: Boxes = declared(config.boxes, "boxes", str(path), why, get_args(Boxes))
    spans = _spans(value, "annotations", "hoi_annotation")
    why = f"its objects are numbered {spans[0]}"
    objects: Objects = declared(config.objects, "objects", str(path), why, get_args(Objects))
    why = f"its verbs are numbered {spans[1]}"
    verbs: Verbs = declared(config.verbs, "verbs", str(path), why, get_args(Verbs))
    read, name_of = Annotated(), object_namer(objects, None, str(path))
    numbers = {n for e in value for n in _numbers(e.get("hoi_annotation"), "category_id")}
    check_base(numbers, verbs, None, str(path), "verbs")
    base = int(verbs[-1])
    read.n_verbs = max(MOST_VERBS, max(numbers, default=0) - base + 1)
    for place, entry in enumerate(value):
        name = entry.get("file_name")
        if not isinstance(name, str) or not name:
            read.failed[f"#{place}"] = "it has no `file_name`"
            continue
        try:
            things = _things(entry, name_of, path)
            _add(read, name, list(_pairs_of_entries(entry, things, read, boxes, base, f"{path}: picture {name}")))
        except ValueError as error:
            read.failed[name] = str(error)
    return read


def _things(entry: Mapping[str, Any], name_of: Any, path: Path) -> list[tuple[str, Any]]:
    """Name and box of each annotated thing of a picture."""
    listed = entry.get("annotations")
    if not isinstance(listed, list) or not all(isinstance(thing, dict) for thing in listed):
        raise ValueError("`annotations` is a list of objects with `bbox` and `category_id`")
    things = []
    for thing in listed:
        number = whole(thing.get("category_id"))
        name = None if number is None else name_of(number)
        if name is None:
            raise InputError(
                f"{path}: picture {entry.get('file_name')} has an object of category_id {thing.get('category_id')!r}, which the declared "
                f"numbering does not have: --set objects={'|'.join(get_args(Objects))}"
            )
        things.append((name, thing.get("bbox")))
    return things


def _pairs_of_entries(
    entry: Mapping[str, Any], things: list[tuple[str, Any]], read: Annotated, boxes: Boxes, base: int, where: str
) -> Iterator[Pair]:
    listed = entry.get("hoi_annotation")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError("`hoi_annotation` is a list of objects")
    for one in listed:
        subject, thing, verb = (whole(one.get(key)) for key in ("subject_id", "object_id", "category_id"))
        if subject == -1 or thing == -1:
            read.lost["annotated pairs without a subject or an object"] += 1
            continue
        if subject is None or thing is None or verb is None or not all(0 <= i < len(things) for i in (subject, thing)):
            raise ValueError("an interaction names boxes that the picture does not have")
        action = (verb - base, things[thing][0])
        hoi = whole(one.get("hoi_category_id"))
        if hoi is not None and read.of_hoi.setdefault(hoi - 1, action) != action:
            raise ValueError(f"hoi_category_id {hoi} stands for two different actions in this file")
        yield _pair(action, things[subject][1], things[thing][1], boxes, None, where)


def read_found(path: Path, config: HicoFilesConfig, annotated: Annotated) -> Found:
    """Read a detector's results on the annotated pictures.

    Raises:
        InputError: If the file is none, what its numbers are was not said, or what was said contradicts it.
    """
    value = read_json(path)
    if not isinstance(value, list) or not all(isinstance(e, dict) and "hoi_prediction" in e for e in value):
        raise InputError(
            f"{path}: results are a JSON list of objects with `file_name`, `predictions` and `hoi_prediction`"
        )
    spans = _spans(value, "predictions", "hoi_prediction")
    why = "nobody says whether its corners are pixels from 0, from 1, or edges"
    boxes: Boxes = declared(config.result_boxes, "result_boxes", str(path), why, get_args(Boxes))
    why = f"its interactions are numbered {spans[1]}, by verb or by verb and object together"
    classes: Classes = declared(config.result_classes, "result_classes", str(path), why, get_args(Classes))
    key = "hoi_id" if classes.startswith("hoi") else "verb_id"
    numbers = {n for e in value for n in _numbers(e["hoi_prediction"], key)}
    name_of: Any = None
    if classes.startswith("verb"):
        why = f"its objects are numbered {spans[0]}"
        objects: ResultObjects = declared(
            config.result_objects, "result_objects", str(path), why, get_args(ResultObjects)
        )
        name_of = object_namer(objects, annotated.objects, str(path))
        check_base(numbers, classes, annotated.n_verbs, str(path), "result_classes")
    elif not annotated.of_hoi:
        raise InputError(f"{path}: numbered by verb and object together, and the annotations do not number them so")
    else:
        check_base(numbers, classes, None, str(path), "result_classes")
    known = {PurePosixPath(name).name: name for name in (*annotated.pairs, *annotated.failed)}
    found = Found()
    for entry in value:
        written = entry.get("file_name", entry.get("filename"))
        name = known.get(PurePosixPath(str(written).replace("\\", "/")).name)
        if name is None:
            found.foreign += 1
            continue
        try:
            if name in found.pairs:
                raise ValueError("the results have it twice")
            pairs = _pairs_of_result(entry, found, annotated, boxes, classes, key, name_of)
            found.pairs[name] = list(pairs)
        except ValueError as error:
            found.failed[name] = str(error)
    if value and found.foreign == len(value):
        raise InputError(f"{path}: no result is of a picture of the annotations; give the results of these pictures")
    return found


def _pairs_of_result(
    entry: Mapping[str, Any], found: Found, annotated: Annotated, boxes: Boxes, classes: Classes, key: str, name_of: Any
) -> Iterator[Pair]:
    things, listed = entry.get("predictions"), entry["hoi_prediction"]
    if not all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in (things, listed)):
        raise ValueError("`predictions` and `hoi_prediction` are lists of objects")
    assert isinstance(things, list)
    base = int(classes[-1])
    for one in listed:
        subject, thing = whole(one.get("subject_id")), whole(one.get("object_id"))
        number = whole(one.get(key, one.get("category_id")))
        score = one.get("score")
        if (
            subject is None
            or thing is None
            or number is None
            or not all(0 <= i < len(things) for i in (subject, thing))
        ):
            raise ValueError("an interaction names boxes that the picture does not have, or has no number")
        if (
            isinstance(score, bool)
            or not isinstance(score, int | float)
            or score != score
            or abs(score) == float("inf")
        ):
            raise ValueError("an interaction needs a finite number `score`")
        action: Action | None
        if name_of is None:
            action = annotated.of_hoi.get(number - base)
        else:
            names = [
                name_of(n) if (n := whole(things[i].get("category_id"))) is not None else None for i in (subject, thing)
            ]
            action = (number - base, names[1]) if names[0] == PERSON and names[1] is not None else None
        if action is None:
            found.lost["found pairs of no action that the annotations know"] += 1
            continue
        try:
            pair = _pair(
                action, things[subject].get("bbox"), things[thing].get("bbox"), boxes, None, None, float(score)
            )
        except ValueError:
            found.lost["found pairs with a box of no area or no finite numbers"] += 1
            continue
        yield pair


def _pair(
    action: Action,
    person: Any,
    thing: Any,
    boxes: Boxes,
    size: tuple[int, int] | None,
    where: str | None,
    score: float = 1.0,
) -> Pair:
    read = [corners(box) for box in (person, thing)]
    if where is not None:
        for box in read:
            check_corners(box, boxes, size, where)
    return Pair(action, at_edges(read[0], boxes), at_edges(read[1], boxes), score)


def _add(read: Annotated, name: str, pairs: list[Pair]) -> None:
    if name in read.pairs:
        raise ValueError("the annotations have it twice")
    read.pairs[name] = pairs
    read.shown[name] = {pair.action[1] for pair in pairs}


def _plain(name: str) -> str:
    return name.replace("_", " ").strip().lower()


def _size(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    width, height = map(plain_side, value)
    return (width, height) if width and height else None


def _numbers(entries: Any, key: str) -> set[int]:
    if not isinstance(entries, list):
        return set()
    values = (entry.get(key, entry.get("category_id")) for entry in entries if isinstance(entry, dict))
    return {number for value in values if (number := whole(value)) is not None}


def _spans(entries: list[Any], things: str, actions: str) -> list[str]:
    """From which to which number objects and actions run, for who has to say what the numbers are."""
    spans = []
    for key in (things, actions):
        found = {number for entry in entries for number in _numbers(entry.get(key), "category_id")}
        spans.append(f"{min(found)} to {max(found)}" if found else "nowhere")
    return spans
