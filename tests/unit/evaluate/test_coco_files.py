import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from llmgen.artifacts.io import read_records
from llmgen.errors import InputError
from llmgen.evaluate.attribute_binding import COLORS
from llmgen.evaluate.coco_files import choose_images, pair, read_results
from llmgen.evaluate.files import CocoFiles, benchmark_file, evaluate_files, squeeze_file
from llmgen.evaluate.pim import pim_of_files
from llmgen.evaluate.squeeze import squeeze_annotations
from llmgen.formats.coco_annotations import read_annotations
from llmgen.vision.masks import box_mask, decode_mask, encode_mask

WIDTH, HEIGHT = 60, 40
SQUARE = [10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]


def dataset() -> dict[str, Any]:
    """Three images; the first annotation has the id 0, which pycocotools alone would never match."""
    return {
        "images": [{"id": n, "width": WIDTH, "height": HEIGHT, "file_name": f"{n}.jpg"} for n in (7, 3, 5)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 4, "name": "dog"}],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": 1,
                "bbox": [10.0, 10.0, 20.0, 20.0],
                "area": 400.0,
                "iscrowd": 0,
                "segmentation": [list(SQUARE)],
            }
            for number, image in enumerate((3, 5, 7))
        ],
    }


def results(*images: int) -> list[dict[str, Any]]:
    return [
        {"image_id": n, "category_id": 1, "score": 0.9, "bbox": [10, 10, 20, 20], "segmentation": [list(SQUARE)]}
        for n in images
    ]


def written(folder: Path, name: str, value: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def files(folder: Path, found: Any, wanted: Any = None, **more: Any) -> CocoFiles:
    return CocoFiles(
        written(folder, "instances.json", wanted or dataset()), written(folder, "results.json", found), **more
    )


def test_perfect_results_score_one_for_boxes_and_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = evaluate_files(files(tmp_path, results(3, 5, 7)), "coco")
    assert summary["bbox"]["ap"] == summary["segm"]["ap"] == pytest.approx(1.0)
    assert summary["bbox"]["ap_large"] is None
    assert (summary["n_annotations"], summary["n_results"], summary["n_failed"]) == (3, 3, 0)
    assert capsys.readouterr().out == ""


def test_results_may_have_only_boxes_only_masks_or_be_none(tmp_path: Path) -> None:
    boxes = [{k: v for k, v in entry.items() if k != "segmentation"} for entry in results(3, 5, 7)]
    assert "segm" not in evaluate_files(files(tmp_path, boxes), "coco")
    masks = [{k: v for k, v in entry.items() if k != "bbox"} for entry in results(3, 5, 7)]
    summary = evaluate_files(files(tmp_path, masks), "coco")
    assert summary["bbox"]["ap"] == summary["segm"]["ap"] == pytest.approx(1.0)
    assert evaluate_files(files(tmp_path, []), "coco")["bbox"]["ap"] == 0
    with pytest.raises(InputError, match="results need `segmentation`"):
        evaluate_files(files(tmp_path, boxes), "pim")


def test_a_subset_is_pinned_in_the_result(tmp_path: Path) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text("# pinned\n7\n3 # this one, too\n\n", encoding="utf-8")
    summary = evaluate_files(files(tmp_path, results(3), subset=listed), "coco")
    assert summary["images"]["ids"] == [3, 7] and summary["images"]["rule"] == "ids of ids.txt"
    assert summary["bbox"]["ar_100"] == pytest.approx(0.5)
    first = evaluate_files(files(tmp_path, results(3), first=1), "coco")
    assert first["images"] == {**first["images"], "rule": "first 1 by id", "ids": [3]}
    assert first["bbox"]["ar_100"] == pytest.approx(1.0)
    assert first["images"]["sha256"] != summary["images"]["sha256"]
    listed.write_text("3\n7\n", encoding="utf-8")
    assert choose_images(dataset(), listed).sha256 == summary["images"]["sha256"]


@pytest.mark.parametrize(
    ("text", "reason"), [("4\n", "image 4 is not among"), ("", "names no image"), ("x\n", "a whole number")]
)
def test_a_bad_subset_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        choose_images(dataset(), listed)
    with pytest.raises(InputError, match="not both"):
        choose_images(dataset(), listed, 2)


BROKEN = {
    "truncated RLE": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": "5"}},
    "garbage RLE": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": "\x00\u1234"}},
    "RLE of another size": {"segmentation": {"size": [64, 64], "counts": [64 * 64]}},
    "short list RLE": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [5]}},
    "negative list RLE": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH + 5, -5]}},
    "polygon of one point": {"segmentation": [[1.0, 2.0]]},
    "segmentation is a text": {"segmentation": "mask"},
    "box of three": {"bbox": [1, 2, 3]},
    "box of texts": {"bbox": ["1", "2", "3", "4"]},
    "box beyond all pictures": {"bbox": [1e30, 2, 3, 4]},
    "integer of 400 digits": {"bbox": [10**400, 2, 3, 4]},
    "no score": {"score": None},
    "score not finite": {"score": float("nan")},
    "polygon far beyond the picture": {"segmentation": [[10, 10, 5000, 10, 5000, 30, 10, 30]]},
    "polygon without end": {"segmentation": [[10, 10, float("inf"), 10, 30, 30]]},
    "outline longer than any shape": {"segmentation": [[0, 0, 59, 39, 0, 39, 59, 0] * 400]},
    "more polygons than anything has": {"segmentation": [[0, 0, 1, 0, 1, 1]] * 5001},
    "flat polygon": {"segmentation": list(SQUARE)},
    "polygon of two points beside a good one": {"segmentation": [list(SQUARE), [1.0, 2.0, 3.0, 4.0]]},
    "size of RLE beyond all pictures": {"segmentation": {"size": [10**6, 10**6], "counts": [10**12]}},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_broken_result_costs_its_image_only(change: dict[str, Any]) -> None:
    found = results(3, 5, 7)
    found[1] = {**found[1], **change}
    both = pair(dataset(), found, choose_images(dataset()))
    assert list(both.failed) == [5] and both.failed[5].startswith("result at 1: ")
    assert both.image_ids == (3, 7)
    assert {entry["image_id"] for entry in (*both.results, *both.dataset["annotations"])} == {3, 7}


def test_a_broken_annotation_costs_its_image_only(tmp_path: Path) -> None:
    wanted = dataset()
    wanted["annotations"][0]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": "5"}
    summary = evaluate_files(files(tmp_path, results(3, 5, 7), wanted), "coco")
    assert [entry["image_id"] for entry in summary["failed"]] == [3]
    assert "leave" in summary["failed"][0]["reason"] and summary["bbox"]["ap"] == pytest.approx(1.0)


def test_results_of_other_images_are_told(tmp_path: Path) -> None:
    assert evaluate_files(files(tmp_path, results(3, 99)), "coco")["n_foreign_results"] == 1
    with pytest.raises(InputError, match="no result is of an image"):
        evaluate_files(files(tmp_path, results(99)), "coco")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "COCO annotations are a JSON object"),
        ({"images": []}, "no list 'annotations'"),
        ({**dataset(), "images": [{"id": [3]}]}, "every entry of `images` needs an `id`"),
        ({**dataset(), "images": [{"width": 3, "height": 4}]}, "every entry of `images` needs an `id`"),
        ({**dataset(), "images": [{"id": 3}, {"id": "3"}]}, "two images have the same id"),
        ({**dataset(), "images": []}, "no images"),
        ({**dataset(), "images": dataset()["images"] * 2}, "same id"),
        ({**dataset(), "categories": [{"name": "cat"}]}, "every entry of `categories` needs an `id`"),
        ({**dataset(), "categories": [{"id": 1, "name": "a"}, {"id": 1.0, "name": "b"}]}, "two categories have"),
    ],
)
def test_other_files_are_no_annotations(tmp_path: Path, value: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_annotations(written(tmp_path, "x.json", value))


def test_other_files_are_no_results(tmp_path: Path) -> None:
    for value in ({}, [1]):
        with pytest.raises(InputError, match="COCO results are a JSON list"):
            read_results(written(tmp_path, "x.json", value))
    (tmp_path / "x.json").write_bytes(b"[{")
    with pytest.raises(InputError, match="is not JSON"):
        read_results(tmp_path / "x.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_results(tmp_path / "none.json")


def test_points_in_masks_of_files() -> None:
    both = pair(dataset(), results(3, 5), choose_images(dataset()))
    scores = pim_of_files(both)
    assert {name: (score["mean"], score["n"]) for name, score in scores.items()} == {
        "pim.point": (1.0, 2),
        "pim.scribble": (1.0, 2),
        "pim.point.strict": (pytest.approx(2 / 3), 3),
        "pim.scribble.strict": (pytest.approx(2 / 3), 3),
        "pim.coverage": (pytest.approx(2 / 3), 3),
        "pim.coverage.strict": (pytest.approx(2 / 3), 3),
    }
    assert scores["pim.point"]["ci95"] is None and scores["pim.coverage"]["ci95"] is not None


def test_squeezing_scales_everything_and_forgets_nothing() -> None:
    wanted = dataset() | {"info": {"year": 2017}}
    crowd = np.zeros((HEIGHT, WIDTH), dtype=bool)
    crowd[10:20, 30:60] = True
    runs = [0 if crowd[0, 0] else int(crowd.T.reshape(-1).argmax())]
    for column in range(30, 60):
        runs += [10, 30] if column < 59 else [10, 20]
    assert sum(runs) == HEIGHT * WIDTH
    more = {"image_id": 5, "category_id": 4, "bbox": [30, 10, 30, 10], "area": 300, "iscrowd": 1}
    wanted["annotations"] += [
        {**more, "id": 8, "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs}},
        {**more, "id": 9, "segmentation": {"size": [HEIGHT, WIDTH], "counts": encode_mask(crowd).counts}},
    ]
    before = copy.deepcopy(wanted)
    adapted, failed = squeeze_annotations(wanted, 120)
    assert wanted == before and not failed and adapted["info"] == {"year": 2017}
    assert {(image["width"], image["height"]) for image in adapted["images"]} == {(120, 120)}
    plain, listed, text = (adapted["annotations"][i] for i in (0, 3, 4))
    assert plain["bbox"] == [20, 30, 40, 60] and plain["area"] == 2400
    assert plain["segmentation"] == [[20, 30, 60, 30, 60, 90, 20, 90]]
    squeezed = box_mask((60, 30, 120, 60), 120, 120)
    assert isinstance(listed["segmentation"]["counts"], list) and isinstance(text["segmentation"]["counts"], str)
    assert text["segmentation"] == {"size": [120, 120], "counts": encode_mask(squeezed).counts}
    assert coco_mask.frPyObjects(listed["segmentation"], 120, 120)["counts"].decode() == encode_mask(squeezed).counts


def test_a_mask_that_begins_in_the_corner_is_squeezed() -> None:
    wanted = dataset()
    whole = np.ones((HEIGHT, WIDTH), dtype=bool)
    wanted["annotations"][0]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": encode_mask(whole).counts}
    adapted, _ = squeeze_annotations(wanted, 8)
    assert adapted["annotations"][0]["segmentation"]["counts"] == encode_mask(np.ones((8, 8), dtype=bool)).counts


def test_squeezing_leaves_out_what_is_broken(tmp_path: Path) -> None:
    wanted = dataset()
    wanted["annotations"][1]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": "5"}
    target = tmp_path / "square.json"
    failed = squeeze_file(written(tmp_path, "a.json", wanted), target, 512)
    assert list(failed) == [5]
    adapted = read_annotations(target)
    assert [image["id"] for image in adapted["images"]] == [7, 3] and len(adapted["annotations"]) == 2


def test_annotations_become_records_to_draw(tmp_path: Path) -> None:
    wanted = dataset()
    wanted["annotations"][1]["category_id"] = 4
    wanted["annotations"] += [
        {**wanted["annotations"][0], "id": 10 + n, "bbox": [50.0, 30.0, 20.0, 20.0], "segmentation": []}
        for n in range(40)
    ]
    wanted["annotations"] += [{**wanted["annotations"][1], "id": 99, "bbox": [5.0, 5.0, 0.0, 4.0]}]
    captions = {"annotations": [{"image_id": 3, "caption": "A yard."}, {"image_id": 3, "caption": "Another."}]}
    target = tmp_path / "layouts.jsonl"
    number, failed = benchmark_file(
        written(tmp_path, "a.json", wanted), target, captions=written(tmp_path, "c.json", captions), vocabulary=COLORS
    )
    records = {record.id: record for record in read_records(target).records}
    assert number == 3 and not failed and list(records) == ["3", "5", "7"]
    assert records["3"].prompt.startswith("A yard.black cat, red cat, green cat, yellow cat")
    assert records["3"].prompt.count("cat") == 41 and len(records["3"].layout.instances) == 30  # type: ignore[union-attr]
    [dog] = records["5"].layout.instances  # type: ignore[union-attr]
    assert (dog.id, dog.phrase, dog.noun, dog.attributes) == ("1", "white dog", "dog", ("white",))
    assert (dog.box_xyxy, dog.point_xy) == ((10, 10, 30, 30), (20, 20))
    assert dog.mask is not None and decode_mask(dog.mask).sum() == 400
    cut = records["3"].layout.instances[1]  # type: ignore[union-attr]
    assert cut.box_xyxy == (50, 30, 60, 40) and cut.mask is None


def test_an_image_without_words_cannot_be_drawn(tmp_path: Path) -> None:
    wanted = dataset()
    del wanted["annotations"][0]
    number, failed = benchmark_file(written(tmp_path, "a.json", wanted), tmp_path / "layouts.jsonl", first=2)
    assert number == 1 and list(failed) == [3] and "prompt" in failed[3]
    with pytest.raises(InputError, match="no image can be drawn"):
        benchmark_file(tmp_path / "a.json", tmp_path / "layouts.jsonl", first=1)
    for value in ([], {"annotations": [{"image_id": 3}]}):
        with pytest.raises(InputError, match="annotations"):
            benchmark_file(tmp_path / "a.json", tmp_path / "x.jsonl", captions=written(tmp_path, "c.json", value))
