"""Prompt, seed and settings inside pictures: written, shown, read back, left out, and all of them on one sheet."""

import json

import pytest
from PIL import Image, PngImagePlugin

from llmgen.artifacts.io import read_records

PROMPT = "a red ball\nand a blue car, é"


def texts(path):
    with Image.open(path) as image:
        return dict(image.info)


@pytest.fixture
def drawn(llmgen, workplace):
    (workplace / "p.json").write_text(json.dumps([{"id": "one", "prompt": PROMPT, "seed": 7}, {"prompt": "two cats"}]))
    assert llmgen("layout", "p.json", "--method", "tiny", "-o", "r/l.json").code == 0
    assert llmgen("generate", "r/l.json", "--method", "tiny", "--set", "label=x, y", "-o", "r/i.json").code == 0
    return read_records(workplace / "r/i.json").records


def test_a_picture_says_how_it_was_made(llmgen, workplace, drawn):
    said = texts(workplace / "r" / drawn[0].image.path)
    assert said["parameters"].startswith(PROMPT + "\n") and "Seed: 7, Size: 16x16, Model: " in said["parameters"]
    ours = json.loads(said["llmgen"])
    assert ours["prompt"] == PROMPT and ours["seed"] == 7 and ours["settings"]["label"] == "x, y"
    assert ours["layout"]["instances"][0]["phrase"] == "a ball" and "samples" not in ours["settings"]
    assert str(workplace) not in json.dumps(said)


def test_show(llmgen, workplace, drawn):
    path = workplace / "r" / drawn[0].image.path
    done = llmgen("show", path)
    assert done.code == 0 and "a red ball" in done.out and "a ball" in done.out
    assert "None" not in done.out and sum(line.split()[:1] == ["width"] for line in done.out.splitlines()) == 1
    assert json.loads(llmgen("show", path, "--json").out)[str(path)]["settings"]["label"] == "x, y"
    Image.new("RGB", (4, 4)).save(workplace / "mute.png")
    done = llmgen("show", path, "mute.png", "--json")
    assert done.code == 3 and "mute.png says nothing of itself" in done.err and json.loads(done.out)
    (workplace / "no.png").write_text("no")
    done = llmgen("show", "no.png", "mute.png", path, "--json")
    assert (
        done.code == 3 and "warning: no.png is not a picture" in done.err and list(json.loads(done.out)) == [str(path)]
    )
    assert "is not a picture" in llmgen("show", "no.png").err
    assert "cannot be read" in llmgen("show", "none.png").err


def test_equal_pictures_stay_equal_files(llmgen, workplace, drawn):
    alone = llmgen("generate", "r/l.json", "--method", "tiny", "--set", "label=x, y", "-n", 3, "-o", "s/i.json")
    assert alone.code == 0
    samples = read_records(workplace / "s/i.json").records[0].samples
    assert samples[0].image == drawn[0].image
    seeds = [json.loads(texts(workplace / "s" / s.image.path)["llmgen"])["seed"] for s in samples]
    assert seeds == [s.seed for s in samples]
    again = llmgen("generate", "r/l.json", "--method", "tiny", "--set", "label=x, y", "-o", "r/i.json", "--resume")
    assert "2 done before" in again.err and read_records(workplace / "r/i.json").records == drawn
    one_by_one = ["--batch-size", 1, "-o", "t/i.json"]
    assert llmgen("generate", "r/l.json", "--method", "tiny", "--set", "label=x, y", *one_by_one).code == 0
    assert read_records(workplace / "t/i.json").records[1].image == drawn[1].image
    assert llmgen("validate", "s/i.json").code == 0


def test_later_pictures_speak_too(llmgen, workplace, drawn):
    assert llmgen("detect", "r/i.json", "--method", "tiny", "-o", "r/d.json").code == 0
    assert llmgen("correct", "r/d.json", "--mode", "tiny", "-o", "r/c.json").code == 0
    assert llmgen("refine", "r/c.json", "--method", "tiny", "-o", "r/f.json").code == 0
    history = read_records(workplace / "r/f.json").records[0].history
    said = [json.loads(texts(workplace / "r" / entry.image.path)["llmgen"]) for entry in history]
    assert [s["stage"] for s in said] == ["generate", "correct", "refine"]
    assert {s["prompt"] for s in said} == {PROMPT}


def test_pictures_may_be_mute(llmgen, workplace, drawn):
    arguments = ["generate", "r/l.json", "--method", "tiny", "-o", "m/i.json"]
    assert llmgen(*arguments, "--no-metadata").code == 0
    record = read_records(workplace / "m/i.json").records[0]
    assert not set(texts(workplace / "m" / record.image.path)) & {"parameters", "llmgen"}
    done = llmgen(*arguments, "--resume")
    assert done.code == 1 and "begun with metadata false, not true" in done.err
    assert "2 done before" in llmgen(*arguments, "--resume", "--no-metadata").err
    assert llmgen(*arguments, "--force").code == 0
    assert "llmgen" in texts(workplace / "m" / read_records(workplace / "m/i.json").records[0].image.path)
    # Without a journal, in one process: what one call was told does not stick to the next.
    assert llmgen("generate", "two cats", "--method", "tiny", "--no-metadata").code == 0


def test_a_run_may_be_mute(llmgen, workplace):
    stages = [{"stage": stage, "method": "tiny"} for stage in ("generate", "refine")]
    (workplace / "m.json").write_text(json.dumps({"name": "t", "prompts": ["a"], "stages": stages}))
    assert llmgen("run", "m.json", "--no-metadata").code == 0
    assert all("llmgen" not in texts(path) for path in (workplace / "outputs/t/images").iterdir())
    assert "begun with metadata" in llmgen("run", "m.json").err
    assert "1 done before" in llmgen("run", "m.json", "--no-metadata").err


def test_pictures_become_records(llmgen, workplace, drawn):
    pictures = workplace / "r/images"
    Image.new("RGB", (4, 4)).save(pictures / "mute.png")
    done = llmgen("import", "png", pictures, "-o", "back/i.json")
    assert done.code == 6 and "mute.png: says no prompt" in done.err
    back = {record.id: record for record in read_records(workplace / "back/i.json").records}
    assert set(back) == {"one", "0002"} and back["one"].prompt == PROMPT and back["one"].layout == drawn[0].layout
    assert llmgen("validate", "back/i.json").code == 0
    # Drawn again by the same settings it is the very same picture; and the next stage looks at it as it is.
    again = ["--method", "tiny", "--set", "label=x, y", "-o", "again/i.json"]
    assert llmgen("generate", "back/i.json", *again).code == 0
    assert {r.image for r in read_records(workplace / "again/i.json").records} == {r.image for r in drawn}
    assert llmgen("detect", "back/i.json", "--method", "tiny").code == 0
    (workplace / "empty").mkdir()
    assert "holds no picture" in llmgen("import", "png", "empty").err
    one = llmgen("import", "png", workplace / "r" / drawn[0].image.path)
    assert one.code == 0 and json.loads(one.out)["seed"] == 7


def test_pictures_of_other_programs(llmgen, workplace):
    line = (
        "a photo of a cat\nNegative prompt: blurry,\nugly\nSteps: 20, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: 123, "
        'Size: 512x768, Model: "a, b", Version: v1.9'
    )
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", line)
    (workplace / "old").mkdir()
    Image.new("RGB", (8, 8)).save(workplace / "old/00001-123.png", pnginfo=info)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + line.encode("utf-16-be")
    Image.new("RGB", (8, 8)).save(workplace / "old/b c.jpg", exif=exif)
    Image.new("RGB", (8, 8)).save(workplace / "old/d.webp", exif=exif)
    (workplace / "old/notes.txt").write_text("x")
    done = llmgen("import", "png", "old", "-o", "i.json")
    assert done.code == 0, done.err
    records = read_records(workplace / "i.json").records
    assert [r.id for r in records] == ["00001-123", "b_c", "d"]
    assert {r.prompt for r in records} == {"a photo of a cat"} and {r.seed for r in records} == {123}
    shown = json.loads(llmgen("show", "old/b c.jpg", "--json").out)["old/b c.jpg"]
    assert shown["negative_prompt"] == "blurry,\nugly" and shown["models"][0]["source"] == "a, b"
    assert shown["settings"] == {"num_inference_steps": 20, "guidance_scale": 7.5}


def test_a_sheet(llmgen, workplace, drawn):
    for stage in ("detect", "correct", "refine"):
        source = {"detect": "i", "correct": "d", "refine": "c"}[stage]
        mode = "--mode" if stage == "correct" else "--method"
        assert (
            llmgen(
                stage, f"r/{source}.json", mode, "tiny", "-o", f"r/{stage[0] if stage != 'refine' else 'f'}.json"
            ).code
            == 0
        )
    assert llmgen("evaluate", "tiny", "r/f.json", "-o", "r/scores.json").code == 0
    done = llmgen("sheet", "r/scores.json", "-o", "sheet.png")
    assert done.code == 0 and "sheet.png: 2 records" in done.err
    with Image.open(workplace / "sheet.png") as sheet:
        two = sheet.size
        # Both pictures of the first record stand side by side, enlarged.
        pixels = {sheet.convert("RGB").getpixel((20 + 236 * i, 60)) for i in range(2)}
        assert (255, 255, 255) not in pixels and len(pixels) == 2
    assert llmgen("sheet", "r", "-o", "one.jpg", "--first", 1).code == 0
    with Image.open(workplace / "one.jpg") as sheet:
        assert sheet.size[0] * sheet.size[1] < two[0] * two[1] and sheet.format == "JPEG"
    assert llmgen("generate", "r/l.json", "--method", "tiny", "-n", 6, "-o", "n/i.json").code == 0
    assert llmgen("sheet", "n/i.json", "-o", "n.webp").code == 0
    before = (workplace / "sheet.png").read_bytes()
    assert llmgen("sheet", "r/scores.json", "-o", "sheet.png").code == 0
    assert (workplace / "sheet.png").read_bytes() == before
    next((workplace / "r/images").glob("one.generate*")).unlink()
    assert llmgen("sheet", "r/scores.json", "-o", "sheet.png").code == 0
    assert (workplace / "sheet.png").read_bytes() != before
    assert "ends in .png" in llmgen("sheet", "r/scores.json", "-o", "sheet.gif").err
    done = llmgen("sheet", "r/l.json", "-o", "l.png")
    assert done.code == 3 and "has no pictures" in done.err


@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_jpg_and_webp_say_the_same(llmgen, workplace, drawn, form):
    arguments = ["generate", "r/l.json", "--method", "tiny", "--set", "label=x, y", "-o", "j/i.json"]
    assert llmgen(*arguments, "--picture-format", form).code == 0
    records = read_records(workplace / "j/i.json").records
    path = workplace / "j" / records[0].image.path
    assert path.suffix == f".{form}"
    with Image.open(path) as image:
        assert image.format == {"jpg": "JPEG", "webp": "WEBP"}[form]
        comment = image.getexif().get_ifd(0x8769)[0x9286]
    original = texts(workplace / "r" / drawn[0].image.path)
    assert comment == b"UNICODE\0" + original["parameters"].encode("utf-16-be")
    shown = [json.loads(llmgen("show", name, "--json").out) for name in (path, workplace / "r" / drawn[0].image.path)]
    assert [*shown[0].values()] == [*shown[1].values()]
    assert llmgen("import", "png", "j/images", "-o", "back.json").code == 0
    back = {record.prompt: record for record in read_records(workplace / "back.json").records}
    assert back[PROMPT].seed == 7 and back[PROMPT].layout == drawn[0].layout
    # The stages after it read it, and what they make is of the form that they are told.
    assert llmgen("detect", "j/i.json", "--method", "tiny", "-o", "j/d.json").code == 0
    assert llmgen("correct", "j/d.json", "--mode", "tiny", "-o", "j/c.json", "--picture-format", form).code == 0
    history = read_records(workplace / "j/c.json").records[0].history
    assert [entry.image.path.rpartition(".")[2] for entry in history] == [form, form]
    done = llmgen(*arguments, "--resume")
    assert done.code == 1 and f'begun with picture_format "{form}", not "png"' in done.err
    again = llmgen(*arguments, "--resume", "--picture-format", form)
    assert again.code == 0 and "2 done before" in again.err


def test_a_run_in_webp(llmgen, workplace):
    stages = [{"stage": stage, "method": "tiny"} for stage in ("layout", "generate", "detect", "correct")]
    (workplace / "m.json").write_text(json.dumps({"name": "t", "prompts": ["a ball"], "stages": stages}))
    assert llmgen("run", "m.json", "--picture-format", "webp").code == 0
    record = read_records(workplace / "outputs/t/corrections.json").records[0]
    assert {entry.image.path[-5:] for entry in record.history} == {".webp"}
    assert llmgen("run", "m.json", "--picture-format", "gif").code == 2
