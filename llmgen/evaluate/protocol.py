"""From COCO annotations to records that can be drawn: the conditions of InstanceDiffusion's benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmgen.artifacts import Instance, Layout, Mask, Record
from llmgen.artifacts.complaints import describe
from llmgen.errors import InputError
from llmgen.evaluate.attribute_binding import attribute_of
from llmgen.evaluate.coco_files import CocoPair
from llmgen.formats.coco_annotations import read_json
from llmgen.formats.coco_entries import Id, packed, plain_id
from llmgen.vision.boxes import center, clip, xywh_to_xyxy

MOST_INSTANCES = 30
"""As many annotations of an image are drawn as the published model has slots."""


def read_captions(path: Path) -> dict[Id, str]:
    """The first caption of each image of a COCO caption file.

    Raises:
        InputError: If it cannot be read, or is no such file.
    """
    value = read_json(path)
    entries = value.get("annotations") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: COCO captions are a JSON object with a list `annotations`")
    captions: dict[Id, str] = {}
    for entry in entries:
        image = plain_id(entry.get("image_id")) if isinstance(entry, dict) else None
        if image is None or not isinstance(entry.get("caption"), str):
            raise InputError(f"{path}: every entry of `annotations` needs `image_id` and a text `caption`")
        captions.setdefault(image, entry["caption"])
    return captions


def benchmark_records(
    files: CocoPair, captions: Mapping[Id, str] | None = None, vocabulary: Sequence[str] = ()
) -> tuple[list[Record], dict[Id, str]]:
    """Records to draw: one for each image, with boxes, their middles and masks of its first thirty annotations, crowds included.

    A phrase is the name of the category, after an attribute of the vocabulary when one is given. The prompt is the image's first
    caption with the phrases of all its annotations after it, without anything between, as published. An instance's id is its
    annotation's. Boxes of no size cannot be drawn and are left out.

    Args:
        files: Annotations that were squeezed to the size of the pictures.
        captions: Image to caption; without, the prompt is the phrases alone.
        vocabulary: Colours or textures of `evaluate attributes`.

    Returns:
        Records of kind `layouts` by id of the image, and image to the reason why it has none.

    Source:
        InstanceDiffusion (Wang et al. 2024), evaluation on COCO val2017.
    """
    names = {category["id"]: category["name"] for category in files.dataset["categories"]}
    images: dict[Id, dict[str, Any]] = {image["id"]: image for image in files.dataset["images"]}
    of_image: dict[Id, list[dict[str, Any]]] = {}
    for annotation in files.dataset["annotations"]:
        of_image.setdefault(annotation["image_id"], []).append(annotation)
    records: list[Record] = []
    failed: dict[Id, str] = {}
    for number in files.image_ids:
        if "width" not in images[number]:
            failed[number] = "it has no whole `width` and `height` from 1"
            continue
        unnumbered = [a for a in of_image.get(number, []) if not isinstance(a["id"], int)]
        if vocabulary and unnumbered:
            failed[number] = f"annotation {unnumbered[0]['id']}: its id is no number to choose a colour or texture by"
            continue
        phrases = []
        for annotation in of_image.get(number, []):
            attribute = attribute_of(annotation["id"], vocabulary) if vocabulary else ""
            phrases.append((attribute, names[annotation["category_id"]]))
        try:
            records.append(_record(images[number], of_image.get(number, []), phrases, (captions or {}).get(number, "")))
        except ValidationError as error:
            failed[number] = describe(error)
    return records, failed


def _record(
    image: dict[str, Any], annotations: Sequence[dict[str, Any]], phrases: Sequence[tuple[str, str]], caption: str
) -> Record:
    texts = [f"{attribute} {name}".strip() for attribute, name in phrases]
    instances = []
    chosen = list(zip(annotations, phrases, texts, strict=True))[:MOST_INSTANCES]
    for annotation, (attribute, name), text in chosen:
        box = clip(xywh_to_xyxy(annotation["bbox"]), image["width"], image["height"])
        if box[2] > box[0] and box[3] > box[1]:
            instances.append(
                Instance(
                    id=str(annotation["id"]),
                    phrase=text,
                    noun=name,
                    attributes=(attribute,) if attribute else (),
                    box_xyxy=box,
                    point_xy=center(box),
                    mask=_mask(annotation.get("segmentation"), image["height"], image["width"]),
                )
            )
    return Record(
        kind="layouts",
        id=Path(str(image.get("file_name", image["id"]))).stem,
        prompt=caption + ", ".join(texts),
        layout=Layout(
            width=image["width"], height=image["height"], background_prompt=caption, instances=tuple(instances)
        ),
    )


def _mask(segmentation: Any, height: int, width: int) -> Mask | None:
    """The mask of an annotation; None where it has none, or none of whose middles of pixels lies in its polygons."""
    from pycocotools import mask as coco

    if not segmentation:
        return None
    runs = packed(segmentation, height, width)
    if not int(coco.area(runs)):
        return None
    counts = runs["counts"]
    return Mask(size=(height, width), counts=counts if isinstance(counts, str) else counts.decode("ascii"))
