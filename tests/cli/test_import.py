"""Foreign files on the command line: imported, or taken by a stage as they are."""

import json

import pytest
from PIL import Image

CACHE = {
    "one cat": ["[('a cat', [10, 20, 100, 200])]\nBackground prompt: A scene\nNegative prompt: None"],
    "a scene without dogs": ["[('a dog', [10, 20, 100, 600])]\nBackground prompt: A scene\nNegative prompt: dogs"],
}


def task(name: str, **fields):
    return {
        "input_fname": name,
        "output_dir": f"{name}_out",
        "prompt": "remove the mug",
        "generator": "dalle",
        **fields,
    }


def tasks(folder, *entries):
    (folder / "src_image").mkdir(parents=True)
    Image.new("RGB", (16, 16), "teal").save(folder / "src_image" / "room.png")
    path = folder / "data.json"
    path.write_text(json.dumps(entries))
    return path


def test_a_cache_is_imported_and_scored_in_a_pipe(llmgen, workplace):
    (workplace / "cache.json").write_text(json.dumps(CACHE))
    done = llmgen("import", "lmd", "cache.json")
    assert done.code == 0
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [(r["kind"], r["id"]) for r in records] == [("layouts", "000"), ("layouts", "001")]
    assert "mended: 001: scaled the boxes into the canvas" in done.err
    again = llmgen("import", "lmd", "-", "-o", "layouts.json", "-q", stdin=json.dumps(CACHE))
    assert (again.code, again.out, again.err) == (0, "", "")
    assert json.loads((workplace / "layouts.json").read_text())["records"] == records
    refused = llmgen("import", "lmd", "cache.json", "-o", "layouts.json")
    assert refused.code == 1 and "--force" in refused.err
    assert llmgen("import", "lmd", "cache.json", "-o", "layouts.json", "--force", "-q").code == 0


def test_prompts_order_a_cache(llmgen, workplace):
    (workplace / "cache.json").write_text(json.dumps(CACHE))
    prompts = [{"id": "z", "type": "negation", "prompt": "a scene without dogs"}, {"id": "y", "prompt": "two dogs"}]
    (workplace / "prompts.json").write_text(json.dumps(prompts))
    done = llmgen("import", "lmd", "cache.json", "--prompts", "prompts.json", "-o", "layouts.json")
    assert done.code == 6
    first, second = json.loads((workplace / "layouts.json").read_text())["records"]
    assert (first["id"], first["type"]) == ("z", "negation")
    assert "0 replies" in second["error"]["message"]


def test_tasks_are_imported_with_their_pictures(llmgen, workplace):
    tasks(workplace / "sld", task("room"), task("gone"), {"input_fname": "room"})
    done = llmgen("import", "sld", "sld/data.json", "-o", "out/images.json")
    assert done.code == 6
    assert "there is no picture gone.png" in (workplace / "out/images.json").read_text()
    good = json.loads((workplace / "out/images.json").read_text())["records"][0]
    assert good["id"] == "room_out" and (workplace / "out" / good["image"]["path"]).is_file()
    assert "2 of 3 records failed and carry `error`: gone_out, room" in done.err and "Traceback" not in done.err


def test_a_stage_takes_tasks_as_they_are(llmgen, workplace):
    path = tasks(workplace / "sld", task("room"))
    done = llmgen("detect", path, "--method", "tiny", "-o", "detections.json")
    assert done.code == 0, done.err
    (record,) = json.loads((workplace / "detections.json").read_text())["records"]
    assert record["image"]["path"] == "sld/src_image/room.png"
    (workplace / "sld" / "src_image").rename(workplace / "elsewhere")
    assert llmgen("correct", path, "--mode", "tiny").code == 3
    done = llmgen("detect", path, "--method", "tiny")
    assert done.code == 3 and "--images-from" in done.err
    seen = llmgen("correct", path, "--mode", "tiny", "--images-from", "elsewhere")
    assert seen.code == 3 and "detections" in seen.err  # the picture is found; the tiny stage wants more


def test_tasks_are_validated_and_run_by_a_manifest(llmgen, workplace):
    path = tasks(workplace / "sld", task("room"), task("gone"))
    done = llmgen("validate", path)
    assert done.code == 3 and "there is no picture gone.png" in done.err
    stages = [{"stage": "detect", "method": "tiny"}, {"stage": "correct", "method": "tiny"}]
    manifest = workplace / "sld" / "manifest.json"
    manifest.write_text(json.dumps({"name": "edits", "prompts_path": "data.json", "stages": stages}))
    assert llmgen("run", manifest, "-o", "out").code == 6
    good, bad = json.loads((workplace / "out" / "corrections.json").read_text())["records"]
    assert good["image"]["path"].startswith("images/room_out.correct-1")
    assert (workplace / "out" / good["history"][0]["image"]["path"]).is_file()
    assert "error" in bad


SCENE = {
    "caption": "a ball on the grass",
    "width": 64,
    "height": 64,
    "annos": [{"bbox": [40, 20, 60, 44], "mask": [], "category_name": "Ball", "caption": "a red ball"}],
}


def test_scenes_are_imported_or_taken_as_they_are(llmgen, workplace):
    (workplace / "scenes").mkdir()
    (workplace / "scenes" / "one.json").write_text(json.dumps(SCENE))
    (workplace / "scenes" / "two.json").write_text(json.dumps({**SCENE, "width": None}))
    done = llmgen("import", "instancediffusion", "scenes", "-o", "layouts.json")
    assert done.code == 6 and "one: 1 of 1 boxes leave the canvas" in done.err and "read as corners" in done.err
    one, two = json.loads((workplace / "layouts.json").read_text())["records"]
    assert one["layout"]["instances"][0]["box_xyxy"] == [40, 20, 60, 44]
    assert "width is no number" in two["error"]["message"]
    forced = llmgen("import", "instancediffusion", "scenes/one.json", "--bbox-format", "xywh")
    assert json.loads(forced.out)["layout"]["instances"][0]["box_xyxy"] == [40, 20, 64, 64]
    assert "--bbox-format xyxy" in forced.err and "mended: one: cut annos[0]" in forced.err
    direct = llmgen("generate", "scenes/one.json", "--method", "tiny")
    assert json.loads(direct.out)["layout"]["instances"][0]["box_xyxy"] == [40, 20, 60, 44]
    assert "read as corners" in direct.err
    assert llmgen("validate", "scenes/one.json").code == 0
    (workplace / "scenes" / "two.json").write_text(json.dumps({**SCENE, "caption": "a round later"}))
    done = llmgen("import", "instancediffusion", "scenes", "--seed", "7", "-q")
    assert [json.loads(line)["seed"] for line in done.out.splitlines()] == [7, 7]


def test_what_is_imported_is_exported_again(llmgen, workplace):
    scene = {**SCENE, "annos": [{**SCENE["annos"][0], "bbox": [4, 20, 60, 44], "point": [9, 30]}]}
    (workplace / "one.json").write_text(json.dumps(scene))
    assert llmgen("import", "instancediffusion", "one.json", "-o", "layouts.json", "-q").code == 0
    assert json.loads(llmgen("export", "instancediffusion", "layouts.json").out) == scene
    done = llmgen("export", "instancediffusion", "layouts.json", "-o", "back", "--bbox-format", "xyxy")
    assert done.code == 0 and "back: 1 files" in done.err
    assert json.loads((workplace / "back" / "one.json").read_text())["annos"][0]["bbox"] == [4, 20, 64, 64]
    again = llmgen("export", "instancediffusion", "layouts.json", "-o", "back")
    assert again.code == 1 and "exists; --force replaces it" in again.err
    assert llmgen("export", "instancediffusion", "layouts.json", "-o", "back", "--force").code == 0
    assert json.loads((workplace / "back" / "one.json").read_text()) == scene
    # A stage takes what was exported, and what cannot be exported is said.
    done = llmgen("export", "instancediffusion", stdin=json.dumps([scene, {**scene, "width": 0}]))
    assert done.code == 6 and len(done.out.splitlines()) == 1 and "left out: record '0002'" in done.err
    (workplace / "prompts.json").write_text('["a ball"]')
    done = llmgen("export", "instancediffusion", "prompts.json")
    assert done.code == 3 and "no record has a layout" in done.err


def test_wrong_use_is_one_line(llmgen, workplace):
    (workplace / "prompts.json").write_text('["a ball"]')
    for arguments, words in (
        (("import", "ldm", "prompts.json"), "Available: instancediffusion, lmd, png, record, sld"),
        (("import", "sld", "prompts.json"), "no tasks of SLD"),
        (("import", "lmd", "nowhere.json"), "no such file"),
        (("export", "lmd", "prompts.json"), "Available: instancediffusion"),
        (("import", "sld", "prompts.json", "--prompts", "prompts.json"), "--prompts orders a cache of lmd"),
        (("import", "lmd", "prompts.json", "--images-from", "."), "--images-from is for"),
        (("import", "lmd", "prompts.json", "--bbox-format", "xyxy"), "--bbox-format is for"),
        (("import", "instancediffusion", "prompts.json"), "no input of InstanceDiffusion"),
        (("correct", "prompts.json", "--mode", "tiny", "--images-from", "."), "--images-from is for SLD"),
    ):
        done = llmgen(*arguments)
        assert done.code == 3, arguments
        assert words in done.err and len(done.err.strip().splitlines()) == 1


def imported(llmgen, workplace, value):
    (workplace / "in.json").write_text(json.dumps(value))
    done = llmgen("import", "lmd", "in.json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def placed(record):
    return [(i["noun"], i["box_xyxy"]) for i in record["layout"]["instances"]]


LAMPS = [pytest.approx([51.2, 153.6, 153.6, 358.4]), pytest.approx([307.2, 153.6, 435.2, 358.4])]
LAMP_BOXES = [[0.10, 0.30, 0.20, 0.40], [0.60, 0.30, 0.25, 0.40]]


def test_a_cached_reply_ends_where_its_answer_does(llmgen, workplace):
    farm = "[('a goat', [60, 200, 150, 180]), ('a well', [300, 190, 160, 200])]\nBackground prompt: A farm yard\nNegative prompt: \n"
    tram = "\nCaption: A tram in the rain\nObjects: [('a tram', [100, 200, 300, 160])]\nBackground prompt: A street\nNegative prompt: "
    (record,) = imported(llmgen, workplace, {"a goat and a well": [farm + tram]})
    assert placed(record) == [("goat", [60, 200, 210, 380]), ("well", [300, 190, 460, 390])]
    assert record["layout"]["background_prompt"] == "A farm yard"


def test_a_field_of_a_cached_reply_ends_with_its_line(llmgen, workplace):
    stage = "[('a drum', [40, 200, 150, 180]), ('a harp', [300, 150, 160, 240])]\nBackground prompt: A stage\nNegative prompt:\n"
    layouts = [
        record["layout"]
        for record in imported(
            llmgen, workplace, {"a drum left of a harp": [stage + "Category: relation(left of)", stage + "dogs"]}
        )
    ]
    assert [(one["negative_prompt"], one["absent"]) for one in layouts] == [("", []), ("dogs", ["dog"])]


def test_lists_in_fractions_under_any_field_keep_their_boxes_and_ids(llmgen, workplace):
    counting = {
        "id": 12,
        "image_id": 340,
        "prompt": "two lamps in the picture",
        "num_object": [["lamp", 2]],
        "object_list": [["lamp", box] for box in LAMP_BOXES],
        "type": "template",
    }
    shelf = {
        "prompt": "two lamps on a shelf",
        "background_prompt": "a shelf",
        "negative_prompt": "",
        "objects": [["a lamp", box] for box in LAMP_BOXES],
    }
    twelve, other = imported(llmgen, workplace, [counting, shelf])
    assert (twelve["id"], twelve["layout"]["width"], twelve["layout"]["height"]) == ("12", 512, 512)
    for record in (twelve, other):
        assert [i["noun"] for i in record["layout"]["instances"]] == ["lamp", "lamp"]
        assert [i["box_xyxy"] for i in record["layout"]["instances"]] == LAMPS
    (workplace / "in.json").write_text(json.dumps([{**shelf, "objects": [["a lamp", [900, 900, 0, 40]]]}]))
    lost = llmgen("import", "lmd", "in.json")
    assert lost.code == 3 and "no box is inside" in lost.err
