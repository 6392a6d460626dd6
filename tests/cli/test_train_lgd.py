"""`llmgen train lgd-*` from annotations to a model folder, by commands; and what they refuse."""

import json
from types import SimpleNamespace

import pytest
from PIL import Image
from tiny_answering import answering_preset

from llmgen.cli import main


@pytest.fixture
def data(workplace):
    """A preset of tiny models, and a data set of three questions on two pictures."""
    preset = answering_preset(workplace / "models")
    (workplace / "tiny.json").write_text(preset.model_dump_json(exclude_none=True), encoding="utf-8")
    folder = workplace / "vqai"
    folder.mkdir()
    for name in ("1a", "1b", "2a", "2b"):
        Image.new("RGB", (64, 64), "red" if name.endswith("a") else "blue").save(folder / f"{name}.png")
    entries = [
        {
            "sample_name": name,
            "image1_name": f"{image}a.png",
            "image2_name": f"{image}b.png",
            "question": "What happens when the sun goes down?",
            "sent": "dark now",
        }
        for name, image in (("x", "1"), ("y", "1"), ("z", "2"))
    ]
    (folder / "train.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def test_three_commands_make_a_model(llmgen, data, workplace):
    common = ("--preset", "tiny.json", "--device", "cpu")
    done = llmgen("train", "lgd-adapter", data / "train.json", "--out", "a", "--steps", "2", "--wired", *common)
    assert done.code == 0, done.err
    assert "3 samples of 2 pictures" in done.err and done.out == ""
    done = llmgen("train", "lgd-cache", data / "train.json", "--adapter", "a", "--out", "c", "--side", "64", *common)
    assert done.code == 0, done.err
    done = llmgen(
        "train", "lgd-unet", "c", "--adapter", "a", "--out", "m", "--steps", "2", "--sentence-drop", "0.5", *common
    )
    assert done.code == 0, done.err
    settings = json.loads((workplace / "m" / "lgd.json").read_text())
    assert settings["wired"] and settings["training"]["sentence_drop"] == 0.5
    assert settings["answerer"].endswith("blip2") and settings["editor"].endswith("edit")
    again = llmgen("train", "lgd-unet", "c", "--out", "m", "--steps", "3", "--resume", *common)
    assert again.code == 0 and json.loads((workplace / "m" / "state.json").read_text())["step"] == 3


def test_bad_data_and_a_pickle_are_one_line(llmgen, data):
    common = ("--out", "a", "--steps", "1", "--preset", "tiny.json", "--device", "cpu")
    (data / "f.pkl").write_bytes(b"\x80\x04N.")
    done = llmgen("train", "lgd-adapter", data / "train.json", "--causal", data / "f.pkl", *common)
    assert done.code == 3 and "a pickle is not read" in done.err and "Traceback" not in done.err
    (data / "2b.png").unlink()
    done = llmgen("train", "lgd-adapter", data / "train.json", *common)
    assert done.code == 3 and "record 'z' (position 3)" in done.err and "2b.png" in done.err
    done = llmgen("train", "lgd-unet", data, *common)
    assert done.code == 3 and "no cache of LGD" in done.err


@pytest.fixture
def real(workplace, capsys):
    """The command line with its real methods."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return run


def test_questions_are_written_imported_and_scored(real, workplace):
    assert real("train", "questions", "q", "--count", "5", "--seed", "7").code == 0
    done = real("import", "vqai", "q/annotations.json", "--categories", "q/categories.json", "-o", "q/records.json")
    assert done.code == 0 and "scenery variation 1, more entities 1" in done.err
    content = json.loads((workplace / "q" / "records.json").read_text())
    content["kind"] = "images"
    for i, record in enumerate(content["records"]):
        with Image.open(workplace / "q" / record["target_image"]) as image:
            size = image.size
        drawn = record["target_image"] if i % 2 == 0 else record["source_image"]
        record |= {"kind": "images", "image": {"path": drawn, "width": size[0], "height": size[1]}}
    (workplace / "q" / "images.json").write_text(json.dumps(content))
    asked = ("evaluate", "vqai", "q/images.json", "--set", "truths=q/right_answers.jsonl", "--set", "round_trips=false")
    done = real(*asked, "--answers", "q/answers.jsonl", "-o", "q/scores.json")
    assert done.code == 0, done.err
    assert "the input, copied" in done.err and "right answers" in done.err
    table = json.loads(real(*asked, "--answers", "q/answers.jsonl", "--json").out)
    row = table["categories"]["overall"]
    assert row["n"] == 5 and row["right"]["value"] == pytest.approx(0.6) and row["gain"]["value"] > 0
    assert table["references"]["copied_input"]["right"]["value"] == 0.0
