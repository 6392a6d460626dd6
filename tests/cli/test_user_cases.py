"""What users of such tools met, as they would type it: files of other programs and odd pictures through the whole command line.

The inputs are made up, in the form of the public reports and files that they stand for.
"""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmgen.cli import main
from llmgen.toybox.world.captions import sample_prompt
from llmgen.toybox.world.scenes import render_image

Json = dict[str, Any]
SQUARES = ([4, 4, 24, 4, 24, 24, 4, 24], [40, 40, 60, 40, 60, 60, 40, 60])
BOXES = ([4, 4, 20, 20], [40, 40, 20, 20])


def write(name: str, value: object) -> None:
    Path(name).write_text(json.dumps(value))


def annotations(ids: tuple[int, int], *, first: Any = None) -> Json:
    """Two pictures with a lamp each, everything numbered from 0; `first` is another mask of the first lamp."""
    masks = ([SQUARES[0]] if first is None else first, [SQUARES[1]])
    return {
        "images": [{"id": k, "width": 64, "height": 64} for k in (0, 1)],
        "categories": [{"id": 0, "name": "lamp"}],
        "annotations": [
            {"id": i, "image_id": k, "category_id": 0, "bbox": BOXES[k], "area": 400, "iscrowd": 0, "segmentation": masks[k]}
            for k, i in enumerate(ids)
        ],
    }  # fmt: skip


def results(*, first: Any = None) -> list[Json]:
    masks = ([SQUARES[0]] if first is None else first, [SQUARES[1]])
    return [
        {"image_id": k, "category_id": 0, "score": 0.9 - k / 10, "bbox": BOXES[k], "segmentation": masks[k]}
        for k in (0, 1)
    ]


@pytest.fixture
def coco(llmgen, workplace):
    """The figures of `evaluate coco` for two files, and what was said."""

    def run(wanted: Json, found: list[Json]):
        write("a.json", wanted)
        write("r.json", found)
        done = llmgen("evaluate", "coco", "--annotations", "a.json", "--results", "r.json", "--json")
        return json.loads(done.out), done

    return run


@pytest.mark.parametrize("ids", [(0, 1), (7, 7)], ids=["from 0", "one id twice"])
def test_annotations_may_be_numbered_in_any_way(coco, ids):
    figures, done = coco(annotations(ids), results())
    assert (done.code, done.err) == (0, "")
    assert figures["bbox"]["ap"] == figures["segm"]["ap"] == pytest.approx(1)


def test_no_results_are_a_score_of_nothing(coco):
    figures, done = coco(annotations((1, 2)), [])
    assert done.code == 0
    for kind in ("bbox", "segm"):
        assert (figures[kind]["ap"], figures[kind]["ar_100"], figures[kind]["ap_large"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        ([[1, 1, 2, 2], SQUARES[0]], "a polygon needs three points or more"),
        (SQUARES[0], "a polygon needs three points or more"),
        ({"size": [64, 64], "counts": "1"}, "the run lengths leave 4095 of 4096 pixels out"),
        ({"size": [64, 64], "counts": [1, 2, 3]}, "the run lengths do not fit a mask of 64x64 pixels"),
        ({"size": [64, 64], "counts": None}, "the run lengths do not fit a mask of 64x64 pixels"),
        ({"size": [64, 64], "counts": " "}, "the run lengths cannot be decoded"),
    ],
)
@pytest.mark.parametrize("side", ["annotation 0", "result at 0"])
def test_a_broken_mask_costs_its_picture_and_is_named(coco, mask, reason, side):
    broken_result = side.startswith("result")
    wanted = annotations((0, 1), first=None if broken_result else mask)
    figures, done = coco(wanted, results(first=mask if broken_result else None))
    assert done.code == 6 and f"image 0: {side}" in done.err and reason in done.err
    assert figures["bbox"]["ap"] == figures["segm"]["ap"] == pytest.approx(1)


def reply(*things: tuple[str, list[int]], negative: str = "") -> str:
    return f"{list(things)!r}\nBackground prompt: A realistic scene\nNegative prompt: {negative}"


def test_cached_replies_are_scored_as_the_benchmark_scores_them(workplace):
    """LMD's cache, two prompts of each kind of its benchmark: one plan that is right, one that is wrong."""
    boats = [("a boat", [20 + 160 * k, 200, 140, 120]) for k in range(3)]
    cache = {
        "A realistic photo of a scene without kites": [reply(negative="kites"), reply(("a kite", [20, 20, 99, 99]))],
        "A realistic photo of a scene with three boats": [reply(*boats), reply(*boats[:2])],
        "A realistic photo of a scene with a red drum and a blue harp": [
            reply(("a red drum", [20, 200, 99, 99]), ("a blue harp", [300, 200, 99, 99])),
            reply(("a blue drum", [20, 200, 99, 99]), ("a red harp", [300, 200, 99, 99])),
        ],
        "A realistic photo of a scene with a drum on the left and a harp on the right": [
            reply(("a drum", [20, 200, 99, 99]), ("a harp", [300, 200, 99, 99])),
            reply(("a drum", [300, 200, 99, 99]), ("a harp", [20, 200, 99, 99])),
        ],
    }
    write("cache.json", cache)
    assert main(["import", "lmd", "cache.json", "-o", "layouts.json", "-q"]) == 0
    assert main(["evaluate", "lmd", "layouts.json", "-o", "scores.json", "-q"]) == 0
    records = json.loads(Path("scores.json").read_text())["records"]
    assert [record["scores"][0]["value"] for record in records] == [1, 0] * 4


LAMPS = [["a lamp", [0.10, 0.30, 0.20, 0.40]], ["a lamp", [0.60, 0.30, 0.25, 0.40]]]


def test_what_an_import_mends_stands_in_its_records(llmgen, workplace):
    other = {"id": 12, "prompt": "two lamps in the picture", "object_list": LAMPS}
    own = {"prompt": "two lamps on a shelf", "background_prompt": "a shelf", "negative_prompt": "", "objects": LAMPS}
    plain = {**own, "objects": [["a lamp", [51, 153, 102, 205]]]}
    write("in.json", [other, own, plain])
    done = llmgen("import", "lmd", "in.json")
    texts = [[mark["text"] for mark in json.loads(line).get("remarks", ())] for line in done.out.splitlines()]
    units = "boxes were in units of the picture"
    assert texts == [["objects were read from 'object_list'", units], [units], []]
    assert f"mended: 12: {texts[0][0]}" in done.err
    # A stage that takes the file as it is keeps them, too.
    (first, *_) = (json.loads(line) for line in llmgen("generate", "in.json", "--method", "tiny").out.splitlines())
    assert [(mark["stage"], mark["text"]) for mark in first["remarks"]] == [("read", text) for text in texts[0]]


def scene(*boxes: list[float], **more: Any) -> Json:
    annos = [{"bbox": box, "mask": [], "category_name": "", "caption": "a ball"} | more for box in boxes]
    return {"caption": "balls", "width": 64, "height": 64, "annos": annos}


def test_corners_among_sizes_are_seen_and_kept_in_mind(llmgen, workplace):
    write("corners.json", scene([30, 10, 60, 40], [2, 50, 20, 60]))
    done = llmgen("import", "instancediffusion", "corners.json")
    record = json.loads(done.out)
    assert [i["box_xyxy"] for i in record["layout"]["instances"]] == [[30, 10, 60, 40], [2, 50, 20, 60]]
    assert "read as corners" in done.err and "read as corners" in record["remarks"][0]["text"]
    write("sizes.json", scene([30, 10, 34, 40], [2, 50, 20, 14]))
    record = json.loads(llmgen("import", "instancediffusion", "sizes.json").out)
    assert [i["box_xyxy"] for i in record["layout"]["instances"]] == [[30, 10, 64, 50], [2, 50, 22, 64]]
    assert "remarks" not in record


def test_points_outside_and_masks_without_size_cost_their_scene_only(llmgen, workplace):
    Path("scenes").mkdir()
    write("scenes/good.json", scene([1, 1, 20, 20]))
    write("scenes/point.json", scene([1, 1, 20, 20], scribble=[-3, 4, -5, 4]))
    write("scenes/mask.json", scene([1, 1, 20, 20], mask={"counts": "04"}))
    done = llmgen("import", "instancediffusion", "scenes", "-o", "all.json")
    errors = {
        r["id"]: r.get("error", {}).get("message", "") for r in json.loads(Path("all.json").read_text())["records"]
    }
    assert done.code == 6 and errors["good"] == ""
    assert "lies outside" in errors["point"] and "the run lengths leave" in errors["mask"]


def test_points_and_scribbles_place_what_has_no_box(llmgen, workplace):
    Path("scenes").mkdir()
    bare = {"mask": [], "category_name": "pear", "caption": "a pear"}
    for name, more in {
        "point": {"point": [30, 40]},
        "pairs": {"scribble": [[10, 20], [60, 30]]},
        "flat": {"scribble": [10, 20, 60, 30]},
        "odd": {"scribble": [10, 20, 60]},
        "nothing": {},
    }.items():
        write(f"scenes/{name}.json", {"caption": "pears", "width": 64, "height": 64, "annos": [bare | more]})
    done = llmgen("import", "instancediffusion", "scenes", "-o", "all.json")
    records = {record["id"]: record for record in json.loads(Path("all.json").read_text())["records"]}
    assert done.code == 6
    assert {name for name, record in records.items() if "error" in record} == {"odd", "nothing"}
    assert "no list of x and y" in records["odd"]["error"]["message"]
    assert "says where it is" in records["nothing"]["error"]["message"]
    flat, pairs = (records[name]["layout"]["instances"][0] for name in ("flat", "pairs"))
    assert flat["box_xyxy"] == pairs["box_xyxy"]


def test_a_picture_of_any_mode_shows_the_same_things(workplace, capsys):
    prompt = sample_prompt(random.Random(4711), "attribution")
    plain = Image.fromarray(render_image(prompt.scene))
    modes = {"rgb": plain, "rgba": plain.convert("RGBA"), "palette": plain.quantize(256), "cmyk": plain.convert("CMYK")}
    modes["see-through"] = plain.quantize(255)
    modes["see-through"].info["transparency"] = 255
    records = []
    for name, picture in modes.items():
        path = f"{name}.{'jpg' if name == 'cmyk' else 'png'}"
        picture.save(path, quality=98)
        image = {"path": path, "width": plain.width, "height": plain.height}
        records.append(
            {"kind": "images", "schema_version": 1, "id": name, "prompt": prompt.text, "seed": 1, "image": image}
        )
    write("i.json", {"kind": "images", "schema_version": 1, "records": records})
    assert main(["detect", "i.json", "-q"]) == 0
    first, *others = (json.loads(line)["detections"] for line in capsys.readouterr().out.splitlines())
    assert len(first) >= 2
    for found in others:
        assert [one["phrase"] for one in found] == [one["phrase"] for one in first]
        assert np.abs(np.array([a["box_xyxy"] for a in found]) - [b["box_xyxy"] for b in first]).max() <= 2


@pytest.mark.parametrize("name", ["dog #2", "Dog #1", "a dog"])
def test_the_only_dog_moves_whatever_the_reply_calls_it(workplace, capsys, name):
    Image.new("RGB", (100, 100), "white").save("p.png")
    boxes = {"cat": [10, 10, 50, 50], "dog": [60, 60, 100, 100]}
    seen = [{"id": f"{n} #1", "phrase": n, "noun": n, "box_xyxy": b, "score": 1} for n, b in boxes.items()]
    picture = {"path": "p.png", "width": 100, "height": 100}
    write("d.json", {"kind": "detections", "schema_version": 1, "id": "r", "prompt": "a cat and a dog below it", "seed": 1,
                     "image": picture, "history": [{"stage": "generate", "round": 0, "image": picture}], "detections": seen})  # fmt: skip
    text = f'Updated Objects: [("cat #1", [0.1, 0.1, 0.4, 0.4]), ("{name}", [0.1, 0.6, 0.4, 0.4])]'
    write("replies.json", [{"call": "differences", "prompt": "a cat and a dog below it", "text": text}])
    command = ["correct", "d.json", "--mode", "self_correction", "--plan-only", "--outside-vocabulary"]
    assert main([*command, "--planner", "replay:replies.json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [(e["op"], e["target"], e["box_xyxy"]) for e in record["edits"]["edits"]] == [
        ("move", "dog #1", [10, 60, 50, 100])
    ]
    assert [mark["text"] for mark in record["remarks"]] == [
        f"took {name!r} for 'dog #1', the one of that name that is left"
    ]


@pytest.mark.parametrize(
    ("instruction", "phrases"),
    [
        ("What if the ball were blue?", ["a lamp", "a blue ball"]),
        ("What if there were a cat?", ["a lamp", "a red ball", "a cat"]),
        ("have there be a dog", ["a lamp", "a red ball", "a dog"]),
        ("let there be no lamp", ["a red ball"]),
        ("What if the lamp was gone?", ["a red ball"]),
    ],
)
def test_wishes_are_instructions(workplace, capsys, instruction, phrases):
    instances = [
        {"id": "lamp-1", "phrase": "a lamp", "noun": "lamp", "box_xyxy": [20, 200, 120, 350]},
        {"id": "ball-1", "phrase": "a red ball", "noun": "ball", "attributes": ["red"], "box_xyxy": [200, 200, 300, 350]},
    ]  # fmt: skip
    layout = {"width": 512, "height": 512, "background_prompt": "a shelf", "instances": instances}
    write(
        "l.json", {"kind": "layouts", "schema_version": 1, "id": "r", "prompt": "a shelf", "seed": 1, "layout": layout}
    )
    assert main(["layout", "l.json", "--method", "edit", "--set", f"instruction={instruction}"]) == 0
    assert [i["phrase"] for i in json.loads(capsys.readouterr().out)["layout"]["instances"]] == phrases


THOUGHTS = "I may write Objects: [('a dog', [1, 2, 30, 40])] and a Background prompt: none.\n"
CAT = json.dumps(
    {"objects": [{"noun": "cat", "attributes": [], "box": [10, 20, 30, 40]}], "background": "a park", "negative": []}
)


@pytest.mark.parametrize("text", [f"{THOUGHTS}</think>\n{CAT}", f"<think>{THOUGHTS}</think>{CAT}"])
def test_thoughts_are_no_answer(workplace, capsys, text):
    write("in.json", ["a cat"])
    write("replies.json", [{"call": "layout", "prompt": "a cat", "text": text}])
    assert main(["layout", "in.json", "--planner", "replay:replies.json"]) == 0
    (cat,) = json.loads(capsys.readouterr().out)["layout"]["instances"]
    assert (cat["noun"], cat["box_xyxy"]) == ("cat", [10, 20, 40, 60])
