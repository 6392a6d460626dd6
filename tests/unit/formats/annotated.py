"""Pictures and annotation files to read, as tools write them."""

import json
from pathlib import Path
from typing import Any

from PIL import Image


def picture(folder: Path, name: str, width: int = 40, height: int = 70) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), "teal").save(path)
    return path


def polygon(*points: tuple[float, float], **attributes: Any) -> dict[str, Any]:
    shape = {"name": "polygon", "all_points_x": [x for x, _ in points], "all_points_y": [y for _, y in points]}
    return {"shape_attributes": shape, "region_attributes": attributes}


def entry(name: str, regions: Any) -> dict[str, Any]:
    return {"filename": name, "size": -1, "regions": regions, "file_attributes": {}}


def coco(folder: Path, images: list[Any], annotations: list[Any], categories: list[Any]) -> Path:
    path = folder / "data.json"
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


TRIANGLE = ((10, 10), (30, 10), (20, 30))
