"""Files of the VGG annotator, as versions 1 and 2 write them; E1 to E3 are made up like public ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmgen.cli import main
from llmgen.errors import InputError
from llmgen.formats.vgg import VggOptions, read_vgg

from .annotated import TRIANGLE, entry, picture, polygon

E1 = """{"a.jpg100":{"fileref":"","size":100,"filename":"a.jpg","base64_img_data":"","file_attributes":{},"regions":{"0":{
"shape_attributes":{"name":"polygon","all_points_x":[10,30,30,10,10],"all_points_y":[20,20,60,60,20]},
"region_attributes":{"name":"person"}}}}}"""
E2 = """{"_via_settings":{},"_via_img_metadata":{"u-1":{"filename":"https://host.example/p/b.jpg","size":-1,"regions":[
{"shape_attributes":{"name":"polyline","all_points_x":[5,15,15,5],"all_points_y":[5,5,25,5]},
"region_attributes":{"kind":{"person":true,"bag":false}}},
{"shape_attributes":{"name":"point","cx":7,"cy":8},"region_attributes":{}}],"file_attributes":{}}},
"_via_attributes":{"region":{},"file":{}}}"""
E3 = """{"c.jpg9":{"filename":"c.jpg","size":9,"regions":{"0":{"shape_attributes":{"name":"circle","cx":20,"cy":20,"r":5},
"region_attributes":{"class":"1"}},"1":{"shape_attributes":{"name":"rect","x":0,"y":2,"width":8,"height":4},
"region_attributes":{}}},"file_attributes":{}},"d.jpg8":{"filename":"d.jpg","size":8,"regions":[],"file_attributes":{}}}"""


def objects(dataset: dict[str, Any]) -> list[tuple[str, list[float], float]]:
    names = {category["id"]: category["name"] for category in dataset["categories"]}
    return [(names[a["category_id"]], a["bbox"], a["area"]) for a in dataset["annotations"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcd":
        picture(tmp_path, f"{name}.jpg")
    return tmp_path


def test_version_1_repeats_its_first_point(folder: Path) -> None:
    found = read_vgg(json.loads(E1), "f", folder)
    assert objects(found.dataset) == [("person", [10, 20, 20, 40], 800)]
    assert len(found.dataset["annotations"][0]["segmentation"][0]) == 8
    assert found.dataset["images"] == [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 70}]


def test_project_with_a_checkbox_a_polyline_and_a_point(folder: Path) -> None:
    found = read_vgg(json.loads(E2), "f", folder)
    assert objects(found.dataset) == [("person", [5, 5, 10, 20], 100)]
    assert (
        "regions that are polylines, read as polygons: 1" in found.notes
        and "regions of the kind 'point': 1" in found.notes
    )


def test_a_region_without_label_needs_a_default(folder: Path) -> None:
    # Without one the picture is left out, and the other shows nothing.
    with pytest.raises(InputError, match="--default-class; nothing else in the file is an object"):
        read_vgg(json.loads(E3), "f", folder)
    files = json.loads(E3) | {"a": entry("a.jpg", [polygon(*TRIANGLE, **{"class": "2"})])}
    found = read_vgg(files, "f", folder)
    assert found.left_out == ["f: 'c.jpg': region 1: has no label; correct the file, or give --default-class"]


def test_all_shapes_and_a_picture_without_objects(folder: Path) -> None:
    found = read_vgg(json.loads(E3), "f", folder, VggOptions(default_class="other"))
    (circle, rect) = objects(found.dataset)
    assert circle[:2] == ("1", [15, 15, 10, 10]) and 77 < circle[2] < 78.6
    assert rect == ("other", [0, 2, 8, 4], 32)
    assert [image["file_name"] for image in found.dataset["images"]] == ["c.jpg", "d.jpg"]
    assert found.notes[0] == "2 pictures, 1 of them without objects"


def test_a_turned_ellipse(folder: Path) -> None:
    shape = {"name": "ellipse", "cx": 20, "cy": 30, "rx": 12, "ry": 6, "theta": 1.5707963267948966}
    region = {"shape_attributes": shape, "region_attributes": {"name": "egg"}}
    found = read_vgg({"a": entry("a.jpg", [region])}, "f", folder)
    assert objects(found.dataset)[0][1] == pytest.approx([14, 18, 12, 24])


@pytest.mark.parametrize("regions", [list, lambda rs: {str(i): r for i, r in enumerate(rs)}])
def test_regions_as_list_or_object(folder: Path, regions: Any) -> None:
    made = regions([polygon(*TRIANGLE, label="Sky"), polygon((5, 20), (14, 20), (14, 29), (5, 29), label="Shoe")])
    found = read_vgg([entry("a.jpg", made)], "f", folder, VggOptions(classes=("Shoe", "Sky", "Hat")))
    assert [name for name, _, _ in objects(found.dataset)] == ["Sky", "Shoe"]
    assert [(c["id"], c["name"]) for c in found.dataset["categories"]] == [(1, "Shoe"), (2, "Sky"), (3, "Hat")]


def test_an_unknown_label_leaves_its_picture_out_and_no_other(folder: Path) -> None:
    files = {
        "a": entry("a.jpg", [polygon(*TRIANGLE, label="Sky"), polygon(*TRIANGLE, label="sky")]),
        "b": entry("b.jpg", [polygon(*TRIANGLE, label="Sky")]),
    }
    found = read_vgg(files, "f", folder, VggOptions(classes=("Sky",)))
    assert found.left_out == ["f: 'a.jpg': region 1: its label 'sky' is none of the classes; is it 'Sky'?"]
    assert [image["file_name"] for image in found.dataset["images"]] == ["b.jpg"]
    assert found.dataset["annotations"][0]["image_id"] == 1


@pytest.mark.parametrize(
    ("points", "counted"),
    [
        (((7, 9),), "regions that are polygons of fewer than three points: 1"),
        (((7, 9), (9, 9)), "regions that are polygons of fewer than three points: 1"),
        (((0, 0), (1, 1), (2, 2)), "regions of no area: 1"),
        (((50, 10), (60, 10), (60, 20)), "regions outside their picture: 1"),
    ],
)
def test_what_is_no_object_is_counted(folder: Path, points: Any, counted: str) -> None:
    with_another = [polygon(*points, label="a"), polygon(*TRIANGLE, label="a")]
    found = read_vgg({"a": entry("a.jpg", with_another)}, "f", folder)
    assert counted in found.notes and len(found.dataset["annotations"]) == 1
    # And a file with nothing else is an error that says so.
    with pytest.raises(InputError, match="nothing in it is an object: 1 "):
        read_vgg({"a": entry("a.jpg", with_another[:1])}, "f", folder)


def test_what_is_no_picture_is_left_out_and_said(folder: Path) -> None:
    good = entry("a.jpg", [polygon(*TRIANGLE, label="a")])
    found = read_vgg(
        {"a": good, "n": 5, "u": {"regions": []}, "r": {"filename": "b.jpg", "regions": None}}, "f", folder
    )
    assert found.left_out == [
        "f: 'n': is no picture: expected an object with `filename` and `regions`",
        "f: 'u': is no picture: expected an object with `filename` and `regions`",
        "f: 'b.jpg': `regions` is null, not a list",
    ]


def test_a_polygon_that_leaves_the_picture_is_cut(folder: Path) -> None:
    found = read_vgg({"a": entry("a.jpg", [polygon((30, 10), (50, 10), (50, 20), (30, 20), label="a")])}, "f", folder)
    assert objects(found.dataset) == [("a", [30, 10, 10, 10], 100)]
    assert "regions cut at the border: 1" in found.notes


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ({"shape_attributes": None, "region_attributes": {}}, "has no `shape_attributes`"),
        ({"shape_attributes": {"name": "rect", "x": "1", "y": 2, "width": 3, "height": 4}}, "its `x` is no number"),
        (
            {"shape_attributes": {"name": "rect", "x": float("nan"), "y": 2, "width": 3, "height": 4}},
            "its `x` is beyond",
        ),
        ({"shape_attributes": {"name": "rect", "x": 10**400, "y": 2, "width": 3, "height": 4}}, "its `x` is beyond"),
        (
            {"shape_attributes": {"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1]}},
            "no lists of one length",
        ),
        (polygon(*TRIANGLE, label={"a": True, "b": True}), "has several labels, 'a', 'b'"),
        ("nothing", "has no `shape_attributes`"),
    ],
)
def test_a_broken_region_leaves_its_picture_out(folder: Path, region: Any, said: str) -> None:
    files = {"a": entry("a.jpg", [region]), "b": entry("b.jpg", [polygon(*TRIANGLE, label="x")])}
    found = read_vgg(files, "f", folder)
    assert len(found.left_out) == 1 and said in found.left_out[0] and "region 0" in found.left_out[0]


def test_missing_broken_and_repeated_pictures(folder: Path) -> None:
    (folder / "b.jpg").write_bytes(b"no picture")
    region = [polygon(*TRIANGLE, label="x")]
    files = [entry("gone.jpg", region), entry("b.jpg", region), entry("a.jpg", region), entry("a.jpg", region)]
    found = read_vgg(files, "f", folder)
    assert [line.split(": ", 2)[1] for line in found.left_out] == ["'gone.jpg'", "'b.jpg'", "'a.jpg'"]
    assert len(found.dataset["images"]) == 1
    with pytest.raises(InputError, match="none of 2 pictures"):
        read_vgg(files[:2], "f", folder)


def test_several_keys_are_asked_for(folder: Path) -> None:
    files = {"a": entry("a.jpg", [polygon(*TRIANGLE, name="cup", quality="good")])}
    with pytest.raises(InputError, match="'name', 'quality'; say by --label-key"):
        read_vgg(files, "f", folder)
    assert objects(read_vgg(files, "f", folder, VggOptions(label_key="name")).dataset)[0][0] == "cup"


def test_files_of_no_annotator_and_of_version_3(folder: Path) -> None:
    third = {"project": {}, "config": {}, "attribute": {}, "file": {}, "view": {}}
    with pytest.raises(InputError, match="version 3"):
        read_vgg(third, "f", folder)
    for value in ({"images": []}, [], 3, None, "x"):
        with pytest.raises(InputError, match="no file of the VGG annotator"):
            read_vgg(value, "f", folder)


def test_through_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "a": entry("a.jpg", [polygon(*TRIANGLE, label="Sky")]),
        "b": entry("b.jpg", [polygon(*TRIANGLE, label="Umbrella")]),
    }
    (folder / "via.json").write_text(json.dumps(files), encoding="utf-8")
    command = ["import", "vgg", str(folder / "via.json"), "--classes", "Sky, Shoe"]
    assert main([*command, "-o", str(folder / "coco.json")]) == 6
    said = capsys.readouterr().err
    assert "region 0: its label 'Umbrella' is none of the classes" in said and "objects: Sky 1, Shoe 0" in said
    assert objects(json.loads((folder / "coco.json").read_text()))[0][0] == "Sky"
    assert main([*command, "-o", str(folder / "coco.json")]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["import", "vgg", str(folder / "via.json")]) == 0
    assert len(json.loads(capsys.readouterr().out)["annotations"]) == 2
    assert main(["import", "lmd", str(folder / "via.json"), "--classes", "Sky"]) == 2
