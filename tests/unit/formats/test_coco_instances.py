"""COCO exports as the common tools write them, read for training; E4 to E7 are made up like public ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmgen.errors import InputError
from llmgen.formats.coco_instances import InstanceOptions, InstanceSet, read_instances
from llmgen.formats.picture_files import PictureFolder
from llmgen.vision.masks import decode_mask, mask_bounds

from .annotated import coco, picture

E4 = """{"categories":[{"id":1,"name":"person","supercategory":""}],"images":[{"id":1,"width":40,"height":30,"file_name":"e.png",
"date_captured":0}],"annotations":[{"id":1,"image_id":1,"category_id":1,"segmentation":[[30.0,10.0,50.0,10.0,50.0,20.0,30.0,20.0]],
"area":100.0,"bbox":[30.0,10.0,20.0,10.0],"iscrowd":0,"attributes":{"occluded":false,"track_id":0}},{"id":2,"image_id":1,
"category_id":1,"segmentation":[],"area":50.0,"bbox":[0.0,0.0,10.0,5.0],"iscrowd":0,"attributes":{"rotation":0.0}}]}"""
E5 = """{"categories":[{"id":1,"name":"person"}],"images":[{"id":1,"width":4,"height":3,"file_name":"r.png"}],"annotations":[
{"id":1,"image_id":1,"category_id":1,"segmentation":{"size":[3,4],"counts":[3,2,1,2,4]},"area":4.0,"bbox":[1.0,0.0,2.0,2.0],
"iscrowd":1}]}"""
E6 = """{"info":{"year":"2026"},"categories":[{"id":0,"name":"walkers-x1","supercategory":"none"},{"id":1,"name":"person",
"supercategory":"walkers-x1"}],"images":[{"id":0,"width":64,"height":64,"file_name":"f_jpg.rf.00ff.jpg","extra":{"name":"f.jpg"}}],
"annotations":[{"id":1,"image_id":0,"category_id":1,"bbox":[10,10,10.4,20],"area":208,
"segmentation":[[10.4,10,20.4,10,20.4,30,10.4,10]],"iscrowd":0}]}"""
E7 = """{"images":[{"id":0,"width":20,"height":20,"file_name":"images\\\\1/ab12-g.png"}],"categories":[{"id":0,"name":"person"}],
"annotations":[{"id":0,"image_id":0,"category_id":0,"segmentation":[],"bbox":[2.5,3,4.0,5],"ignore":0,"iscrowd":0,"area":20}],
"info":{"contributor":"Label Studio"}}"""


def read(folder: Path, text: str, **options: bool) -> InstanceSet:
    (folder / "data.json").write_text(text, encoding="utf-8")
    return read_instances(folder / "data.json", None, InstanceOptions(**options))


def bounds(data: InstanceSet, index: int = 0) -> list[Any]:
    return [mask_bounds(decode_mask(mask)) for mask in data.pictures[index].masks]


def test_cvat_polygons_leave_the_picture_and_rectangles_have_no_mask(tmp_path: Path) -> None:
    picture(tmp_path, "e.png", 40, 30)
    with pytest.raises(InputError, match="annotation 2 is a box without a mask; --boxes-as-masks"):
        read(tmp_path, E4)
    data = read(tmp_path, E4, boxes_as_masks=True)
    assert bounds(data) == [(30, 10, 40, 20), (0, 0, 10, 5)]
    assert "boxes that differ from their masks by more than a pixel (the mask counts): 1" in data.notes


def test_run_lengths_run_down_columns_and_brush_masks_are_marked_as_crowds(tmp_path: Path) -> None:
    picture(tmp_path, "r.png", 4, 3)
    with pytest.raises(InputError, match="--keep-crowd takes them for objects"):
        read(tmp_path, E5)
    data = read(tmp_path, E5, keep_crowd=True)
    assert np.argwhere(decode_mask(data.pictures[0].masks[0])).tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]


def test_roboflow_group_is_no_class_and_copies_stay_together(tmp_path: Path) -> None:
    picture(tmp_path, "f_jpg.rf.00ff.jpg", 64, 64)
    data = read(tmp_path, E6)
    assert (data.classes, data.category_ids) == (("person",), (1,))
    assert data.pictures[0].group == "f.jpg"
    content = json.loads(E6)
    for number, name in enumerate(("g_jpg.rf.1a.jpg", "g_jpg.rf.2b.jpg", "h.jpg"), start=1):
        picture(tmp_path, name, 64, 64)
        content["images"].append({"id": number, "width": 64, "height": 64, "file_name": name})
    data = read(tmp_path, json.dumps(content))
    for seed in range(6):
        learned, measured = data.split(0.4, seed)
        assert {p.group for p in learned.pictures}.isdisjoint(p.group for p in measured.pictures)
        assert learned.pictures and measured.pictures


def test_label_studio_counts_from_0_and_writes_windows_paths(tmp_path: Path) -> None:
    picture(tmp_path, "ab12-g.png", 20, 20)
    data = read(tmp_path, E7, boxes_as_masks=True)
    assert (data.classes, data.category_ids, data.pictures[0].labels) == (("person",), (0,), (1,))


def square(number: int, image: int, category: Any, **other: Any) -> dict[str, Any]:
    return {
        "id": number, "image_id": image, "category_id": category, "iscrowd": 0, "bbox": [2, 2, 10, 10], "area": 100,
        "segmentation": [[2, 2, 12, 2, 12, 12, 2, 12]], **other,
    }  # fmt: skip


def images(folder: Path, count: int) -> list[dict[str, Any]]:
    for number in range(1, count + 1):
        picture(folder, f"{number}.png", 40, 30)
    return [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 30} for n in range(1, count + 1)]


def test_ids_are_mapped_and_kept_and_empty_pictures_stay(tmp_path: Path) -> None:
    categories = [{"id": 9, "name": "boat"}, {"id": 5, "name": "plane"}]
    data = read_instances(coco(tmp_path, images(tmp_path, 3), [square(1, 1, 9), square(2, 2, 5)], categories))
    assert (data.classes, data.category_ids) == (("plane", "boat"), (5, 9))
    assert [picture.labels for picture in data.pictures] == [(2,), (1,), ()]
    assert data.notes[0] == "3 pictures, 1 of them without objects"


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (square(7, 1, 3), "annotation 7: its category 3 is none of the file's classes"),
        (square(7, 1, 1, segmentation=[[1, 1]]), "annotation 7: "),
        (square(7, 1, 1, segmentation={"size": [9, 9], "counts": "0"}), "annotation 7: its mask is 9x9"),
        (square(7, 1, 1, bbox=[2, 2, -3, 4]), "annotation 7: `bbox`"),
        (square(7, 1, 1, bbox=None, segmentation=None), "neither `bbox` nor `segmentation`"),
    ],
)
def test_a_bad_annotation_leaves_its_picture_out_and_no_other(tmp_path: Path, annotation: Any, said: str) -> None:
    data = read_instances(coco(tmp_path, images(tmp_path, 2), [annotation, square(1, 2, 1)], [{"id": 1, "name": "a"}]))
    assert len(data.left_out) == 1 and "'1.png'" in data.left_out[0] and said in data.left_out[0]
    assert [picture.path.name for picture in data.pictures] == ["2.png"]


def test_an_annotation_that_is_no_object_belongs_to_no_picture(tmp_path: Path) -> None:
    annotations = [3, {"id": 4}, square(1, 1, 1), square(2, 99, 1)]
    data = read_instances(coco(tmp_path, images(tmp_path, 1), annotations, [{"id": 1, "name": "a"}]))
    assert "annotations of pictures that the file does not have: 3" in data.notes


def test_masks_without_a_pixel_are_counted(tmp_path: Path) -> None:
    flat = square(1, 1, 1, segmentation=[[5, 5, 9, 5, 7, 5]], bbox=[5, 5, 4, 0])
    nothing = square(2, 1, 1, segmentation={"size": [30, 40], "counts": [1200]})
    data = read_instances(
        coco(tmp_path, images(tmp_path, 1), [flat, nothing, square(3, 1, 1)], [{"id": 1, "name": "a"}])
    )
    assert data.pictures[0].labels == (1,)
    assert "objects without a pixel left out: 2" in data.notes


def test_missing_pictures_and_other_sizes(tmp_path: Path) -> None:
    listed = images(tmp_path, 2)
    listed[1]["width"] = 41
    listed += [{"id": 3, "file_name": "gone.png"}, {"id": 4}]
    path = coco(tmp_path, listed, [square(n, n, 1) for n in (1, 2, 3, 4)], [{"id": 1, "name": "a"}])
    data = read_instances(path)
    assert [line.split(": ", 2)[2] for line in data.left_out] == [
        "is 40x30, and the file says 41x30",
        f"is not in {tmp_path}; restore it, or name the folder of the pictures",
        "has no `file_name`",
    ]
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match="none of 4 pictures"):
        read_instances(path)


def test_categories_that_cannot_be_learned(tmp_path: Path) -> None:
    listed = images(tmp_path, 1)
    with pytest.raises(InputError, match="no categories"):
        read_instances(coco(tmp_path, listed, [], [{"id": 0, "name": "_background_"}]))
    with pytest.raises(InputError, match="two categories are called 'a'"):
        read_instances(coco(tmp_path, listed, [], [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]))
    nameless = read_instances(coco(tmp_path, listed, [square(1, 1, 3)], [{"id": 3, "name": " "}]))
    assert nameless.classes == ("3",)
    with pytest.raises(InputError, match="nothing in it is an object: no annotations"):
        read_instances(coco(tmp_path, listed, [], [{"id": 1, "name": "a"}]))


def test_a_measure_has_the_classes_that_are_learned(tmp_path: Path) -> None:
    path = coco(tmp_path, images(tmp_path, 1), [square(1, 1, 4)], [{"id": 4, "name": "b"}])
    assert read_instances(path, classes=("a", "b")).pictures[0].labels == (2,)
    with pytest.raises(InputError, match="'b' are none of those"):
        read_instances(path, classes=("a",))


def test_pictures_are_found_in_their_folder_and_nowhere_else(tmp_path: Path) -> None:
    inside, outside = picture(tmp_path / "in", "deep/x.png"), picture(tmp_path, "out.png")
    (tmp_path / "in" / "link.png").symlink_to(outside)
    found = PictureFolder(tmp_path / "in")
    for written in (
        "deep/x.png",
        "other\\deep\\x.png",
        "x.png",
        "C:\\x.png",
        "https://host.example/a/x.png",
        "../in/deep/x.png",
    ):
        assert found.find(written) == inside, written
    for written in ("../out.png", str(outside), "link.png", "", "gone.png", "a\0b.png", "x" * 5000):
        assert found.find(written) is None, written
    picture(tmp_path / "in", "other/x.png")
    assert PictureFolder(tmp_path / "in").find("nowhere/x.png") is None
