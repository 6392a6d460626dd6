"""COCO's files as tools really write them: the figures of pycocotools where it has any, and a line for whatever is left out.

pycocotools itself is asked for the right figures, on the same file made plain by hand.
"""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from llmgen.cli.main import main
from llmgen.errors import InputError
from llmgen.evaluate.coco_files import choose_images, pair
from llmgen.evaluate.files import CocoFiles, benchmark_file, evaluate_files, squeeze_file
from llmgen.evaluate.pim import pim_of_files
from llmgen.formats.coco_figures import FIGURES, quiet_pycocotools

Json = dict[str, Any]
SIDE = 200


def square(x: float, y: float, w: float, h: float) -> list[list[float]]:
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def file_pair(images: int = 6, seed: int = 1) -> tuple[Json, list[Json]]:
    """Annotations of three categories, and results that hit most of them a little beside."""
    rng = random.Random(seed)
    annotations: list[Json] = []
    results: list[Json] = []
    for image in range(1, images + 1):
        for category in (1, 2, 3, 1):
            x, y, w, h = (rng.randrange(5, 90) for _ in range(4))
            mask = square(x, y, w, h)
            common = {"image_id": image, "category_id": category}
            number = len(annotations) + 1
            annotations.append(
                {**common, "id": number, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0, "segmentation": mask}
            )
            dx, dy = rng.randrange(-3, 6), rng.randrange(-3, 6)
            box = [x + dx, y + dy, w, h]
            results.append({**common, "bbox": box, "score": rng.random(), "segmentation": square(*box)})
    sizes = {"width": SIDE, "height": SIDE}
    dataset = {
        "images": [{"id": n, **sizes} for n in range(1, images + 1)],
        "categories": [{"id": n, "name": f"c{n}"} for n in (1, 2, 3)],
        "annotations": annotations,
    }
    return dataset, results


def packed(entry: Json) -> Json:
    """An entry with run lengths instead of polygons: `loadRes` takes no others."""
    runs = coco_mask.merge(coco_mask.frPyObjects(entry["segmentation"], SIDE, SIDE))
    return {**entry, "segmentation": {"size": [SIDE, SIDE], "counts": runs["counts"].decode()}}


def oracle(dataset: Json, results: list[Json], kind: str) -> dict[str, float | None]:
    """The twelve figures by pycocotools alone."""
    with quiet_pycocotools():
        wanted = COCO()
        wanted.dataset = copy.deepcopy({"info": {}, **dataset})
        wanted.createIndex()
        given = [packed(entry) for entry in results] if kind == "segm" else results
        drop = "bbox" if kind == "segm" else "segmentation"
        found = wanted.loadRes([{k: v for k, v in copy.deepcopy(entry).items() if k != drop} for entry in given])
        evaluation = COCOeval(wanted, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: None if v < 0 else float(v) for name, v in zip(FIGURES, evaluation.stats, strict=True)}


def files(folder: Path, dataset: Any, results: Any) -> CocoFiles:
    for name, value in (("a.json", dataset), ("r.json", results)):
        (folder / name).write_text(json.dumps(value))
    return CocoFiles(folder / "a.json", folder / "r.json")


def same_figures(summary: Json, dataset: Json, results: list[Json]) -> None:
    assert summary["bbox"] == oracle(dataset, results, "bbox")
    assert summary["segm"] == oracle(dataset, results, "segm")


def test_all_24_figures_are_those_of_pycocotools(tmp_path: Path) -> None:
    for seed in range(3):
        dataset, results = file_pair(seed=seed)
        summary = evaluate_files(files(tmp_path, dataset, results), "coco")
        same_figures(summary, dataset, results)
        assert not any(summary[key] for key in ("failed", "without_mask", "lost", "notes", "n_equal_scores"))


@pytest.mark.parametrize("last", ["hit", "miss"])
def test_a_category_that_is_wanted_often_and_found_once_or_twice_has_the_figures_of_pycocotools(
    tmp_path: Path, last: str
) -> None:
    """The precision of a first hit alone is 0.9999999999999998 there, and no recall of the 101 tells it from that of two hits."""
    dataset, results = file_pair(60)
    hits = [
        {**a, "score": 0.9 - 0.1 * n} for n, a in enumerate(dataset["annotations"][:1] + dataset["annotations"][3:4])
    ]
    if last == "miss":
        hits[1] = {**hits[1], "bbox": [150, 150, 9, 9], "segmentation": square(150, 150, 9, 9)}
    found = [{key: hit[key] for key in ("image_id", "category_id", "bbox", "score", "segmentation")} for hit in hits]
    summary = evaluate_files(files(tmp_path, dataset, found), "coco")
    same_figures(summary, dataset, found)
    dataset["annotations"] = dataset["annotations"][:1]
    same_figures(evaluate_files(files(tmp_path, dataset, found), "coco"), dataset, found)


def _map(dataset: Json, results: list[Json], key: str, change: Any) -> tuple[Json, list[Json]]:
    """The files with every image (`image_id`) or category (`category_id`) called otherwise."""
    section = {"image_id": "images", "category_id": "categories"}[key]
    other = copy.deepcopy(dataset)
    for entry in other[section]:
        entry["id"] = change(entry["id"])
    for entry in other["annotations"]:
        entry[key] = change(entry[key])
    return other, [{**entry, key: change(entry[key])} for entry in results]


def _without(entries: list[Json], *keys: str) -> list[Json]:
    return [{k: v for k, v in entry.items() if k not in keys} for entry in entries]


def _images(dataset: Json, **values: Any) -> Json:
    return {**dataset, "images": [{"id": image["id"], **values} for image in dataset["images"]]}


def _annotations(dataset: Json, change: Any) -> Json:
    return {**dataset, "annotations": [change(dict(a)) for a in dataset["annotations"]]}


#: Files that say the same in other words: all 24 figures of the plain file, and no image lost.
SAME: dict[str, Any] = {
    "category ids as floats": lambda d, r: _map(d, r, "category_id", float),
    "image ids as floats": lambda d, r: _map(d, r, "image_id", float),
    "image ids as texts": lambda d, r: _map(d, r, "image_id", lambda n: f"img-{n}"),
    "category ids as texts": lambda d, r: _map(d, r, "category_id", lambda n: f"c{n}"),
    "ids as texts of numbers in the results only": lambda d, r: (d, [{**e, "image_id": str(e["image_id"])} for e in r]),
    "ids as floats in the results only": lambda d, r: (d, [{**e, "category_id": float(e["category_id"])} for e in r]),
    "category 0": lambda d, r: _map(d, r, "category_id", lambda n: n - 1),
    "negative image ids": lambda d, r: _map(d, r, "image_id", lambda n: n - 20),
    "sizes as floats": lambda d, r: (_images(d, width=200.0, height=200.0), r),
    "sizes as texts": lambda d, r: (_images(d, width="200", height="200"), r),
    "areas missing": lambda d, r: ({**d, "annotations": _without(d["annotations"], "area")}, r),
    "areas that are texts": lambda d, r: (_annotations(d, lambda a: {**a, "area": "large"}), r),
    "areas that are null": lambda d, r: (_annotations(d, lambda a: {**a, "area": None}), r),
    "areas that are not finite": lambda d, r: (_annotations(d, lambda a: {**a, "area": float("nan")}), r),
    "iscrowd missing": lambda d, r: ({**d, "annotations": _without(d["annotations"], "iscrowd")}, r),
    "iscrowd a truth": lambda d, r: (_annotations(d, lambda a: {**a, "iscrowd": False}), r),
    "annotation ids missing": lambda d, r: ({**d, "annotations": _without(d["annotations"], "id")}, r),
    "annotation ids as texts": lambda d, r: (_annotations(d, lambda a: {**a, "id": f"x{a['id']}"}), r),
    "annotation ids all 0": lambda d, r: (_annotations(d, lambda a: {**a, "id": 0}), r),
    "boxes of results empty beside masks": lambda d, r: (d, [{**e, "bbox": []} for e in r]),
    "boxes of results null beside masks": lambda d, r: (d, [{**e, "bbox": None} for e in r]),
    "boxes of annotations empty beside masks": lambda d, r: (_annotations(d, lambda a: {**a, "bbox": []}), r),
    "names of categories missing": lambda d, r: ({**d, "categories": _without(d["categories"], "name")}, r),
    "images in another order": lambda d, r: ({**d, "images": d["images"][::-1]}, r),
    "an image with nothing": lambda d, r: ({**d, "images": [*d["images"], {"id": 99, "width": SIDE, "height": SIDE}]}, r),
    "an annotation of no image": lambda d, r: ({**d, "annotations": [*d["annotations"], {**d["annotations"][0], "image_id": [1]}]}, r),
    "an annotation of no category": lambda d, r: (
        {**d, "annotations": [*d["annotations"], {**d["annotations"][0], "category_id": 77}]}, r),
    "results of an unknown category": lambda d, r: (d, [*r, *({**e, "category_id": 77} for e in r[:5])]),
    "results of a category null": lambda d, r: (d, [*r, {**r[0], "category_id": None}]),
    "results of an unknown image": lambda d, r: (d, [{**r[0], "image_id": 404}, *r]),
    "results whose image is a list": lambda d, r: (d, [{**r[0], "image_id": [1]}, *r]),
    "results whose image is true or missing": lambda d, r: (d, [{**r[0], "image_id": True}, *_without(r[:1], "image_id"), *r]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_what_says_the_same_has_the_same_figures(tmp_path: Path, name: str) -> None:
    dataset, results = file_pair()
    summary = evaluate_files(files(tmp_path, *SAME[name](dataset, results)), "coco")
    assert summary["n_failed"] == summary["n_without_mask"] == 0 and not summary["lost"]
    same_figures(summary, dataset, results)
    told = summary["n_foreign_results"] + summary["n_unknown_categories"] + len(summary["notes"])
    silent = (
        "ids",
        "sizes",
        "iscrowd",
        "category 0",
        "boxes",
        "names",
        "images in",
        "an image",
        "image ids",
        "negative",
    )
    assert told or name.startswith((*silent, "category ids", "annotation ids"))


def test_a_missing_area_is_the_masks_and_else_the_boxes(tmp_path: Path) -> None:
    triangle = {"bbox": [10, 10, 40, 40], "segmentation": [[10, 10, 50, 10, 50, 50]]}
    wanted = {"image_id": 1, "category_id": 1, "id": 1, **triangle}
    dataset = {"images": [{"id": 1, "width": SIDE, "height": SIDE}], "categories": [{"id": 1, "name": "a"}]}
    both = pair({**dataset, "annotations": [wanted]}, [], choose_images(dataset))
    assert 760 <= both.dataset["annotations"][0]["area"] <= 820
    both = pair({**dataset, "annotations": _without([wanted], "segmentation")}, [], choose_images(dataset))
    assert both.dataset["annotations"][0]["area"] == 1600
    # A triangle of 780 pixels is small, its box of 1600 is not: the figures by size tell which was taken.
    found = [{"image_id": 1, "category_id": 1, "score": 0.9, **triangle}]
    figures = evaluate_files(files(tmp_path, {**dataset, "annotations": [wanted]}, found), "coco")["segm"]
    assert figures["ap_small"] == pytest.approx(1.0) and figures["ap_medium"] is None


def test_one_annotation_without_mask_costs_its_image_in_the_figures_of_masks_only(tmp_path: Path) -> None:
    lamp = {"category_id": 1, "area": 400, "iscrowd": 0}
    mask = square(4, 4, 20, 20)
    dataset = {
        "images": [{"id": n, "width": 64, "height": 64} for n in (1, 2)],
        "categories": [{"id": 1, "name": "lamp"}],
        "annotations": [
            {"id": 1, "image_id": 1, "bbox": [4, 4, 20, 20], "segmentation": mask, **lamp},
            {"id": 2, "image_id": 2, "bbox": [40, 40, 20, 20], "segmentation": [], **lamp},
        ],
    }
    found = [
        {"image_id": 1, "category_id": 1, "score": 0.9, "segmentation": mask},
        {"image_id": 2, "category_id": 1, "score": 0.8, "segmentation": square(40, 40, 20, 20)},
    ]
    summary = evaluate_files(files(tmp_path, dataset, found), "coco")
    assert [summary[kind]["ap"] for kind in ("segm", "bbox")] == pytest.approx([1.0, 1.0])
    assert summary["without_mask"] == [{"image_id": 2, "reason": "annotation 2 has no mask"}] and not summary["failed"]


@pytest.mark.parametrize("missing", [None, [], {}, [[]]])
def test_one_result_without_mask_costs_its_image_in_the_figures_of_masks_only(tmp_path: Path, missing: Any) -> None:
    dataset, results = file_pair()
    odd = [{**results[0], "segmentation": missing}, *results[1:]]
    summary = evaluate_files(files(tmp_path, dataset, odd), "coco")
    assert summary["bbox"] == oracle(dataset, results, "bbox")
    rest = {**dataset, "images": dataset["images"][1:], "annotations": dataset["annotations"][4:]}
    assert summary["segm"] == oracle(rest, results[4:], "segm")
    assert summary["without_mask"] == [{"image_id": 1, "reason": "result at 0 has no mask"}]


def test_no_measure_vanishes_without_a_reason(tmp_path: Path) -> None:
    dataset, results = file_pair()
    bare = {**dataset, "annotations": _without(dataset["annotations"], "segmentation")}
    half = [{**e, "segmentation": []} if n % 4 == 0 else e for n, e in enumerate(results)]
    for wanted, found, reason in (
        (bare, results, "no annotation has a mask"),
        (dataset, _without(results, "segmentation"), "no result has a mask"),
        (dataset, half, "no image has a mask for every annotation and every result; image 1: result at 0"),
    ):
        summary = evaluate_files(files(tmp_path, wanted, found), "coco")
        assert "segm" not in summary and reason in summary["no_segm"] and not summary["without_mask"]
        assert summary["bbox"]["ap"] == oracle(dataset, results, "bbox")["ap"]


def test_no_results_at_all_find_nothing_in_boxes_and_masks(tmp_path: Path) -> None:
    dataset, _ = file_pair()
    summary = evaluate_files(files(tmp_path, dataset, []), "coco")
    assert summary["bbox"]["ap"] == summary["segm"]["ap"] == 0 and "no_segm" not in summary


def test_images_without_size_have_figures_of_boxes_and_of_run_lengths(tmp_path: Path) -> None:
    dataset, results = file_pair()
    nothing = _images(dataset)
    summary = evaluate_files(files(tmp_path, nothing, results), "coco")
    assert summary["bbox"] == oracle(dataset, results, "bbox")
    assert "is a polygon, and the image has no whole `width` and `height`" in summary["no_segm"]

    found = [packed(entry) for entry in results]
    summary = evaluate_files(files(tmp_path, _annotations(nothing, packed), found), "coco")
    same_figures(summary, dataset, results)
    for size in ({"width": 0, "height": 5}, {"width": 200.5, "height": 200}, {"width": 10**6, "height": 10**6}):
        summary = evaluate_files(files(tmp_path, _images(dataset, **size), _without(results, "segmentation")), "coco")
        assert summary["bbox"] == oracle(dataset, results, "bbox")


@pytest.mark.parametrize("box", [[20, 20, -5, 30], [20, 20, 5, -1], [float("nan"), 2, 3, 4], [1, 2, float("inf"), 4]])
def test_a_wrong_box_costs_its_result_only(tmp_path: Path, box: list[float]) -> None:
    dataset, results = file_pair()
    odd = [*results[:3], {**results[3], "bbox": box}, *results[4:]]
    summary = evaluate_files(files(tmp_path, dataset, odd), "coco")
    same_figures(summary, dataset, [*results[:3], *results[4:]])
    assert summary["n_failed"] == 0 and [line[:25] for line in summary["lost"]] == ["result at 3 of image 1: `"]
    if box[2] < 0 < box[3]:
        assert summary["bbox"] == oracle(dataset, odd, "bbox")  # pycocotools does so, too


@pytest.mark.parametrize(
    "change",
    [
        {"segmentation": [[4, 4, 5000, 4, 24, 24]]},
        {"segmentation": [[-5000, 4, 24, 4, 24, 24]]},
        {"bbox": [4, 4, 5000, 20]},
        {"bbox": [5000, 4, 20, 20]},
        {"bbox": [4, 4, -20, 20]},
        {"bbox": [], "segmentation": []},
        {"iscrowd": 2},
        {"segmentation": {"size": [64, 64], "counts": "1"}},
        {"segmentation": {"size": [64, 64], "counts": [4000]}},
    ],
)
def test_an_annotation_that_cannot_be_used_costs_its_image_everywhere(tmp_path: Path, change: Json) -> None:
    wanted = {"category_id": 1, "bbox": [4, 4, 20, 20], "area": 400, "iscrowd": 0, "segmentation": square(4, 4, 20, 20)}
    dataset = {
        "images": [{"id": n, "width": 64, "height": 64, "file_name": f"{n}.jpg"} for n in (1, 2)],
        "categories": [{"id": 1, "name": "lamp"}],
        "annotations": [{**wanted, "id": 5, "image_id": 1, **change}, {**wanted, "id": 6, "image_id": 2}],
    }
    found = [{"image_id": n, "category_id": 1, "score": 0.9, "segmentation": square(4, 4, 20, 20)} for n in (1, 2)]
    given = files(tmp_path, dataset, found)
    for method in ("coco", "pim"):
        summary = evaluate_files(given, method)
        assert [entry["image_id"] for entry in summary["failed"]] == [1]
        assert summary["failed"][0]["reason"].startswith("annotation 5: ")
    assert evaluate_files(given, "coco")["segm"]["ap"] == pytest.approx(1.0)
    _, failed = benchmark_file(given.annotations, tmp_path / "plan.jsonl")
    squeezed = squeeze_file(given.annotations, tmp_path / "square.json", 32)
    assert list(failed) == list(squeezed) == [1] and all(r[1].startswith("annotation 5: ") for r in (failed, squeezed))


def test_shapes_that_leave_their_picture_a_little_are_kept(tmp_path: Path) -> None:
    """Tools do not cut at the border."""
    dataset, results = file_pair()
    odd = _annotations(dataset, lambda a: {**a, "segmentation": square(150, 150, 90, 90), "bbox": [150, 150, 90, 90]})
    assert not evaluate_files(files(tmp_path, odd, results), "coco")["failed"]


def test_entries_that_are_no_objects_and_annotations_of_no_image_are_named(tmp_path: Path) -> None:
    dataset, results = file_pair()
    odd = {**dataset, "annotations": [*dataset["annotations"], 7, None, {**dataset["annotations"][0], "image_id": 404}]}
    summary = evaluate_files(files(tmp_path, odd, results), "coco")
    assert summary["lost"] == ["annotation at 24: is no object", "annotation at 25: is no object"]
    assert summary["notes"] == ["1 annotations are of images that the file does not have"]
    same_figures(summary, dataset, results)


def test_annotations_of_fewer_categories_ignore_the_results_of_the_others(tmp_path: Path) -> None:
    dataset, results = file_pair()
    few = {
        **dataset,
        "categories": dataset["categories"][:1],
        "annotations": [a for a in dataset["annotations"] if a["category_id"] == 1],
    }
    summary = evaluate_files(files(tmp_path, few, results), "coco")
    same_figures(summary, few, [entry for entry in results if entry["category_id"] == 1])
    assert summary["n_unknown_categories"] == 12


def test_equal_scores_keep_the_order_of_the_file_as_in_pycocotools_and_are_counted(tmp_path: Path) -> None:
    dataset, results = file_pair()
    equal = [{**entry, "score": 0.5} for entry in results]
    values = set()
    for seed in range(4):
        order = random.Random(seed).sample(equal, len(equal))
        # Half of them are wrong, so that the order matters.
        order = [
            {**e, "bbox": [150, 150, 9, 9], "segmentation": square(150, 150, 9, 9)} if n % 2 else e
            for n, e in enumerate(order)
        ]
        summary = evaluate_files(files(tmp_path, dataset, order), "coco")
        same_figures(summary, dataset, order)
        assert summary["n_equal_scores"] == len(order)
        values.add(summary["bbox"]["ap"])
    assert len(values) > 1
    texts, named = _map(dataset, equal, "image_id", lambda n: f"img-{n}")
    same_figures(evaluate_files(files(tmp_path, texts, named), "coco"), dataset, equal)


def test_points_in_masks_leave_out_images_that_lack_a_mask(tmp_path: Path) -> None:
    dataset, results = file_pair()
    texts, named = _map(dataset, results, "image_id", lambda n: f"img-{n}")
    named[0]["segmentation"] = None
    summary = evaluate_files(files(tmp_path, texts, named), "pim")
    assert [e["image_id"] for e in summary["failed"]] == ["img-1"] and summary["scores"]["pim.coverage"]["n"] == 5
    both = pair(dataset, results, choose_images(dataset)).with_masks(most_pixels=4 * SIDE * SIDE - 1)
    assert set(both.failed) == {1, 2, 3, 4, 5, 6} and "too many to decode" in both.failed[1]
    assert pim_of_files(both) == {}


def test_subsets_and_captions_take_ids_of_any_writing(tmp_path: Path) -> None:
    dataset, results = _map(*file_pair(), "image_id", lambda n: f"img-{n}")
    (tmp_path / "ids.txt").write_text("img-2\nimg-5\n")
    given = files(tmp_path, dataset, results)
    summary = evaluate_files(CocoFiles(given.annotations, given.results, tmp_path / "ids.txt"), "coco")
    assert summary["images"]["ids"] == ["img-2", "img-5"]
    (tmp_path / "c.json").write_text(json.dumps({"annotations": [{"image_id": "img-2", "caption": "A lamp."}]}))
    number, failed = benchmark_file(given.annotations, tmp_path / "p.jsonl", captions=tmp_path / "c.json")
    assert (number, failed) == (6, {}) and "A lamp." in (tmp_path / "p.jsonl").read_text()
    (tmp_path / "c.json").write_text(json.dumps({"annotations": [{"image_id": ["img-2"], "caption": "A lamp."}]}))
    with pytest.raises(InputError, match="needs `image_id`"):
        benchmark_file(given.annotations, tmp_path / "q.jsonl", captions=tmp_path / "c.json")


def test_images_without_size_cannot_be_squeezed_or_drawn_and_are_named(tmp_path: Path) -> None:
    dataset, results = file_pair(2)
    dataset["images"][0] = {"id": 1}
    given = files(tmp_path, dataset, results)
    assert squeeze_file(given.annotations, tmp_path / "s.json", 32) == {
        1: "it has no whole `width` and `height` from 1"
    }
    _, failed = benchmark_file(given.annotations, tmp_path / "p.jsonl")
    assert failed == {1: "it has no whole `width` and `height` from 1"}


def test_the_command_line_says_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset, results = file_pair()
    odd = [
        {**results[0], "segmentation": []},
        {**results[1], "bbox": [1, 2, -3, 4]},
        *results[2:],
        {**results[5], "category_id": 9},
    ]
    odd[8]["score"] = odd[11]["score"]
    given = files(tmp_path, dataset, odd)
    code = main(["evaluate", "coco", "--annotations", str(given.annotations), "--results", str(given.results)])
    out, err = capsys.readouterr()
    assert code == 6 and "boxes" in out and "masks" in out
    for line in (
        "1 results are of categories that the annotations do not have",
        "2 results have the score of another of their category",
        "left out of the figures of masks: image 1: result at 0 has no mask",
        "left out: result at 1 of image 1: `bbox` is x, y, width, height in pixels, and has a side below zero",
        "1 images were left out of the figures of masks; 1 entries were left out; the others are complete",
    ):
        assert line in err
    given = files(tmp_path, dataset, _without(results, "segmentation"))
    assert main(["evaluate", "coco", "--annotations", str(given.annotations), "--results", str(given.results)]) == 0
    assert "no figures of masks: no result has a mask" in capsys.readouterr().err
