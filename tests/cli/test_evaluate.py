"""`llmgen evaluate` on real methods that need no model: pipes, tables, files of COCO, exit codes."""

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from llmgen.artifacts import Detection, Instance, Layout, Record
from llmgen.artifacts.io import record_line
from llmgen.cli import main
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import box_mask, encode_mask

BOX = (10.0, 10.0, 30.0, 30.0)
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


@pytest.fixture
def evaluate(workplace, capsys, monkeypatch):
    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        code = main(["evaluate", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def record(name, mask):
    image = ImageStore(Path()).save(name, "generate", Image.new("RGB", (40, 40)))
    return Record(
        kind="detections",
        id=name,
        prompt="a red ball",
        image=image,
        layout=Layout(
            width=40,
            height=40,
            background_prompt="a meadow",
            instances=(Instance(id="1", phrase="a red ball", box_xyxy=BOX, mask=encode_mask(box_mask(BOX, 40, 40))),),
        ),
        detections=(Detection(id="red ball #1", phrase="red ball", noun="ball", box_xyxy=BOX, score=0.9, mask=mask),),
    )


def lines(*masks):
    return "".join(record_line(record(f"r{i}", mask)) for i, mask in enumerate(masks))


def coco(folder):
    annotation = {"image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "segmentation": [SQUARE]}
    dataset = {
        "images": [{"id": n, "width": 40, "height": 40} for n in (1, 2)],
        "categories": [{"id": 1, "name": "ball"}],
        "annotations": [{**annotation, "id": n, "image_id": n, "area": 400, "iscrowd": 0} for n in (1, 2)],
    }
    results = [{**annotation, "score": 0.9}]
    (folder / "instances.json").write_text(json.dumps(dataset))
    (folder / "results.json").write_text(json.dumps(results))
    return "--annotations", "instances.json", "--results", "results.json"


@pytest.mark.parametrize(
    ("method", "metrics"),
    [
        ("pim", ["pim.point", "pim.point.strict", "pim.scribble", "pim.scribble.strict", "pim.coverage", "pim.coverage.strict"]),
        ("coco", ["coco"]),
        ("grounding", ["grounding.strict", "grounding.recall", "grounding.corners", "grounding.as_published"]),
    ],
)  # fmt: skip
def test_a_pipe_of_records(evaluate, method, metrics):
    code, out, err = evaluate(method, stdin=lines(encode_mask(box_mask(BOX, 40, 40))))
    assert code == 0, err
    [scored] = [json.loads(line) for line in out.splitlines()]
    assert {score["metric"]: score["value"] for score in scored["scores"]} == dict.fromkeys(metrics, 1.0)
    assert f"{method} of final by detector" in err
    assert method != "coco" or "mask_ap 1.000" in err


def test_a_broken_mask_fails_its_record_and_no_other(evaluate):
    mask = encode_mask(box_mask(BOX, 40, 40))
    good, broken, none = lines(mask, mask, None).splitlines()
    value = json.loads(broken)
    value["detections"][0]["mask"]["counts"] = "5"
    code, out, err = evaluate("pim", stdin="\n".join((good, json.dumps(value), none)))
    scored = [json.loads(line) for line in out.splitlines()]
    assert code == 6 and [("error" in one) for one in scored] == [False, True, True]
    assert "the run lengths leave" in scored[1]["error"]["message"] and "--masks" in scored[2]["error"]["message"]
    assert "2 of 3 records failed" in err


def test_several_metrics_as_json(evaluate):
    code, out, _ = evaluate("pim", "--json", "-q", stdin=lines(encode_mask(box_mask(BOX, 40, 40))))
    summary = json.loads(out)
    assert code == 0 and summary["method"] == "pim"
    assert summary["summaries"][0]["metric"] == "pim.point"
    assert summary["summaries"][0]["overall"]["accuracy"] == 1.0


def test_coco_files_as_a_table_and_as_json(evaluate, workplace):
    files = coco(workplace)
    code, out, err = evaluate("coco", *files, "--first", 1)
    assert code == 0 and "boxes" in out and "masks" in out and "1 images (first 1 by id)" in " ".join(out.split())
    code, out, _ = evaluate("coco", *files, "--json")
    summary = json.loads(out)
    assert code == 0 and summary["segm"]["ar_100"] == 0.5 and summary["images"]["ids"] == [1, 2]
    code, out, _ = evaluate("pim", *files, "--json", "--set", "min_score=0.95")
    assert json.loads(out)["scores"]["pim.point.strict"]["mean"] == 0.0


def test_the_summary_of_files_goes_to_a_file(evaluate, workplace):
    files = coco(workplace)
    assert evaluate("coco", *files, "-o", "summary.json")[0] == 0
    assert json.loads((workplace / "summary.json").read_text())["metric"] == "coco"
    code, _, err = evaluate("coco", *files, "-o", "summary.json")
    assert code == 1 and "exists" in err
    assert evaluate("coco", *files, "-o", "summary.json", "--force")[0] == 0


def test_images_that_cannot_be_compared_are_told(evaluate, workplace):
    files = coco(workplace)
    broken = json.loads((workplace / "results.json").read_text())
    broken[0]["segmentation"] = {"size": [40, 40], "counts": "5"}
    (workplace / "results.json").write_text(json.dumps(broken))
    code, out, err = evaluate("coco", *files, "--json")
    assert code == 6 and "left out: image 1: result at 0: the run lengths" in err
    assert json.loads(out)["n_failed"] == 1


def test_squeezing_writes_annotations(evaluate, workplace):
    coco(workplace)
    code, out, err = evaluate("coco", "--annotations", "instances.json", "--squeeze", "square.json", "--side", 80)
    assert (code, out) == (0, "") and "80x80" in err
    assert json.loads((workplace / "square.json").read_text())["annotations"][0]["bbox"] == [20, 20, 40, 40]
    assert evaluate("coco", "--annotations", "instances.json", "--squeeze", "square.json")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("coco", "--results", "r.json"),
        ("coco", "--annotations", "a.json"),
        ("lmd", "--annotations", "a.json", "--results", "r.json"),
        ("coco", "x.json", "--annotations", "a.json", "--results", "r.json"),
        ("coco", "--annotations", "a.json", "--results", "r.json", "--set", "iou=0.7"),
    ],
)
def test_flags_that_do_not_go_together_are_wrong_usage(evaluate, arguments):
    assert evaluate(*arguments)[0] == 2


@pytest.mark.parametrize("arguments", [(), ("-",), ("a.json",), ("./a", "b.json"), ("--judge",)])
def test_without_a_method_it_says_so_and_names_them(evaluate, arguments):
    code, out, err = evaluate(*arguments)
    words = " ".join(err.replace("│", " ").split())
    assert code == 2 and not out and "is scored by is missing" in words
    assert "attributes, coco, context, grounding, hoi, lmd, pim, vqai" in words


def test_answers_are_no_setting_of_every_method(evaluate):
    code, _, err = evaluate("pim", "--answers", "a.jsonl", stdin=lines(None))
    assert code == 3 and "no setting 'answers'" in err


def test_textures_need_a_preset_that_knows_them(evaluate):
    code, _, err = evaluate("attributes", "--set", "kind=texture", stdin=lines(None))
    assert code == 3 and "knows fewer than two textures" in err


def test_annotations_become_records_to_draw(evaluate, workplace):
    coco(workplace)
    code, out, err = evaluate("attributes", "--annotations", "instances.json", "--layouts", "l.jsonl", "--first", 1)
    assert (code, out) == (0, "") and "1 records of kind 'layouts'" in err
    assert json.loads((workplace / "l.jsonl").read_text())["prompt"] == "white ball"
    assert evaluate("lmd", "--annotations", "instances.json", "--layouts", "m.jsonl")[0] == 2
    assert evaluate("coco", "--annotations", "instances.json", "--captions", "c.json")[0] == 2
