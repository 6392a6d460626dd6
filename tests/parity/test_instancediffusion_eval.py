"""The evaluation protocols of InstanceDiffusion give the numbers of their reference functions and of pycocotools."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from parity.conftest import DATA, golden_folder
from safetensors.numpy import load_file

from llmgen.evaluate.attribute_binding import (
    COLORS,
    TEXTURES,
    CropScores,
    accuracy,
    attribute_of,
    is_hit,
    local_score,
)
from llmgen.evaluate.coco_files import choose_images, pair
from llmgen.evaluate.grounding_boxes import NamedBox, best_by_label, read_grounded_reply
from llmgen.evaluate.points_in_mask import (
    Judged,
    Seen,
    Wanted,
    judge_reference,
    mask_overlaps,
    mean_share,
    middle_point,
    run_lengths,
)
from llmgen.formats.coco_figures import FIGURES, coco_figures

NO_POINTS = np.zeros((0, 2), dtype=np.int64)


class Values(dict[str, Any]):
    """What a file holds; a test of what it lacks is skipped with a line."""

    def __missing__(self, key: str) -> Any:
        pytest.skip(f"the golden file has no {key!r}")


class Golden:
    """One set: `<name>.json` with the masks of `<name>.safetensors` beside it."""

    def __init__(self, path: Path) -> None:
        self.values = Values(json.loads(path.read_text(encoding="utf-8")))
        self._tensors = load_file(path.with_suffix(".safetensors"))

    def masks(self, image: dict[str, Any], which: str) -> list[NDArray[np.bool_]]:
        return list(self._tensors[f"in.pim.{image['index']}.{which}_u8"].astype(bool))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = golden_folder(metafunc.config)
    paths = sorted(folder.glob("instancediffusion_eval*.json")) or sorted(DATA.glob("instancediffusion_eval*.json"))
    metafunc.parametrize("golden", [Golden(path) for path in paths], ids=[path.stem for path in paths])


def pairs(judged: list[Judged]) -> list[list[int]]:
    return [[entry.wanted, entry.seen] for entry in judged if entry.seen is not None]


def judge(wanted: list[Wanted], seen: list[Seen]) -> list[Judged]:
    return judge_reference(wanted, seen, mask_overlaps(wanted, seen))


def shares(judged: list[Judged]) -> list[float]:
    return [entry.share for entry in judged if entry.share is not None]


def mean_over_pictures(values: Sequence[float | None]) -> float | None:
    """Mean over the pictures that have a value."""
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None


def test_points_in_masks(golden: Golden) -> None:
    means = []
    for image in golden.values["images"]:
        masks, seen = golden.masks(image, "gt"), [Seen(run_lengths(mask)) for mask in golden.masks(image, "pred")]
        assert (len(masks), len(seen)) == (image["n_gt"], image["n_pred"])
        judged = judge([Wanted(mask, middle_point(mask)) for mask in masks], seen)
        assert pairs(judged) == image["matched_pairs"]
        middles = [middle_point(masks[row]).tolist() for row, _ in image["matched_pairs"]]
        assert [points[0] if points else None for points in middles] == image["gt_box_centre_xy"]
        assert shares(judged) == image["point_hits"]
        means.append(mean_share(judged))
    assert sum(mean is not None for mean in means) == golden.values["images_counted_point"]
    assert mean_over_pictures(means) == pytest.approx(golden.values["pim_point"], abs=1e-12)


def test_scribbles_in_masks(golden: Golden) -> None:
    means = []
    for image in golden.values["images"]:
        # The drawn points are given for the instances that found a partner, in their order.
        drawn = {
            row: points for (row, _), points in zip(image["matched_pairs"], image["scribble_points_xy"], strict=True)
        }
        wanted = [
            Wanted(mask, np.array(drawn[row]) if drawn.get(row) is not None else NO_POINTS)
            for row, mask in enumerate(golden.masks(image, "gt"))
        ]
        judged = judge(wanted, [Seen(run_lengths(mask)) for mask in golden.masks(image, "pred")])
        assert shares(judged) == image["scribble_scores"]
        means.append(mean_share(judged))
    assert sum(mean is not None for mean in means) == golden.values["images_counted_scribble"]
    assert mean_over_pictures(means) == pytest.approx(golden.values["pim_scribble"], abs=1e-12)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_twelve_figures_of_coco(golden: Golden, kind: Any) -> None:
    case = golden.values["coco_ap"]
    files = pair(case["ground_truth"], case["predictions"], choose_images(case["ground_truth"]))
    assert not files.failed
    figures = coco_figures(files.dataset, files.results, kind)
    names = [name.lower() for name in case["stats_order"]]
    assert tuple(names) == FIGURES
    expected = [None if value < 0 else value for value in case["expected"][kind]]
    assert list(figures.values()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("reading", "key"), [("xywh", "reference"), ("corners", "corrected_xyxy")])
def test_grounding_of_boxes(golden: Golden, reading: Any, key: str) -> None:
    case = golden.values["cogvlm"]
    best = [
        {"description_id": found["description_id"], "label": label, "iou": value}
        for found, planned in zip(case["predictions"], case["layouts"], strict=True)
        for label, value in best_by_label(named(found), named(planned), reading).items()
    ]
    assert [entry | {"iou": pytest.approx(entry["iou"], abs=1e-12)} for entry in best] == case[f"{key}_best_iou"]
    assert sum(entry["iou"] for entry in best) / len(best) == pytest.approx(case[f"{key}_mean_iou"], abs=1e-15)


def named(entry: dict[str, Any]) -> list[NamedBox]:
    return [NamedBox(box["category_name"], tuple(box["bbox"])) for box in entry["bboxes"]]


def test_replies_with_boxes(golden: Golden) -> None:
    case = golden.values["cogvlm_parse"]
    first = [one for one in read_grounded_reply(case["text"], 512, 512) if one.first]
    assert [list(one.box) for one in first] == case["boxes"]
    assert [one.label for one in first] == case["labels"]


def test_attributes_of_annotations(golden: Golden) -> None:
    case = golden.values["attributes"]
    assert [attribute_of(number, COLORS) for number in case["annotation_ids"]] == case["colors"]
    assert [attribute_of(number, TEXTURES) for number in case["annotation_ids"]] == case["textures"]


def test_accuracy_and_local_score(golden: Golden) -> None:
    case = golden.values["attribute_scoring"]
    labels = np.array(case["label_features"])
    hits, locals_ = [], []
    for image in case["images"]:
        crops = [
            CropScores(index, tuple((labels @ np.array(feature)).tolist()), float(np.dot(feature, text)))
            for feature, text, index in zip(
                image["image_features"], image["text_features"], image["gt_index"], strict=True
            )
        ]
        assert [is_hit(crop) for crop in crops] == [bool(hit) for hit in image["hits"]]
        assert [crop.local for crop in crops] == pytest.approx(image["clip_scores"], abs=1e-12)
        hits.append(accuracy(crops))
        locals_.append(local_score(crops))
    assert mean_over_pictures(hits) == pytest.approx(case["accuracy"], abs=1e-12)
    assert mean_over_pictures(locals_) == pytest.approx(case["clip_local"], abs=1e-12)
