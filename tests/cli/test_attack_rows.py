"""Hostile files, paths, servers and outputs through the whole command line: each costs what it must and nothing else."""

import json
import os
import threading
from importlib.resources import files
from pathlib import Path

import pytest
from chat_server import Server, completion, refused
from PIL import Image

from llmgen.cli import main

KEY = "sk-secret-0123456789"
LONG = "x" * 300
PLAN = {
    "reasoning": "one",
    "objects": [{"noun": "ball", "attributes": ["red"], "box": {"x": 10, "y": 20, "width": 40, "height": 40}}],
    "background": "a meadow",
    "negative": [],
}
HALF = "a \ud800"


def write(name: str, value: object) -> None:
    Path(name).write_text(json.dumps(value))


def everything(folder: Path) -> str:
    """All that is in the files of a folder."""
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def planned(workplace, capsys, monkeypatch):
    """`llmgen layout` by a server that answers from a script; its output is `run/l.json`."""
    monkeypatch.setattr("llmgen.settings._from_dotenv", {})
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(workplace / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def run(*script, prompts=("a red ball",)):
        server = Server(script)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        write("p.json", prompts)
        try:
            code = main(["layout", "p.json", "--planner", "openai", "--batch-size", "1", "-o", "run/l.json", "-v"])
        finally:
            server.close()
        main(["report", "run/l.json"])
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("dialect", "bad"),
    [
        ("sld", {"input_fname": "b", "prompt": HALF}),
        ("sld", {"input_fname": "b", "prompt": "a cat", "generator": HALF}),
        ("lmd", {"prompt": HALF, "objects": [["a ball", [20, 20, 90, 90]]], "background_prompt": ""}),
        ("lmd", {"prompt": "a ball", "objects": [["a ball", [20, 20, 90, 90]]], "background_prompt": HALF}),
        ("instancediffusion", {"caption": HALF}),
        ("instancediffusion", {"annos": [{"bbox": [9, 9, 99, 99], "caption": HALF}]}),
    ],
)
def test_half_a_character_in_anothers_file_costs_its_record_only(llmgen, workplace, dialect, bad):
    Image.new("RGB", (16, 16)).save("a.png")
    Image.new("RGB", (16, 16)).save("b.png")
    good = {
        "sld": {"input_fname": "a", "prompt": "a ball"},
        "lmd": {"prompt": "one ball", "objects": [["a ball", [20, 20, 90, 90]]], "background_prompt": ""},
        "instancediffusion": {
            "caption": "a ball", "width": 512, "height": 512, "annos": [{"bbox": [9, 9, 99, 99], "caption": "a ball"}],
        },
    }[dialect]  # fmt: skip
    if dialect == "instancediffusion":
        Path("in").mkdir()
        write("in/a.json", good)
        write("in/b.json", {**good, **bad})
    else:
        write("in", [good, bad])
    done = llmgen("import", dialect, "in", "-o", "out.json")
    assert done.code == 6 and "unexpected" not in done.err
    records = json.loads(Path("out.json").read_text())["records"]
    assert [record["prompt"] for record in records if "error" not in record] == [good.get("prompt", "a ball")]


@pytest.mark.parametrize("answer", [completion(None, refusal=f"no {HALF}"), refused(f"no {HALF}"), f"no {HALF}"])
def test_half_a_character_from_a_server_costs_its_record_only(planned, answer):
    code, err = planned(json.dumps(PLAN), answer, prompts=["a red ball", "a blue ball"])
    assert code == 6 and "unexpected" not in err
    records = json.loads(Path("run/l.json").read_text())["records"]
    assert ["error" in record for record in records] == [False, True]


@pytest.mark.parametrize(
    "answer",
    [
        *(refused(f"{'word ' * (n // 5)}{'z' * (n % 5)}{KEY} is wrong") for n in (230, 238, 245, 250)),
        completion(None, refusal=f"{'word ' * 47}{KEY}"),
        f"{'word ' * 47}{KEY}",
        json.dumps(PLAN | {"background": f"a meadow {KEY}", "reasoning": KEY}),
        completion(json.dumps(PLAN), model=KEY),
    ],
)
def test_a_key_that_a_server_echoes_is_in_no_file_and_on_no_terminal(planned, workplace, answer):
    _, err = planned(answer)
    assert Path("run/l.html").is_file() and Path("run/.llmgen/l.json.journal").is_file()
    assert KEY[:12] not in err + everything(workplace)


def test_a_key_is_not_shown_by_doctor(workplace, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for form in ([], ["--json"]):
        main(["doctor", "--preset", "toybox", *form])
        said = capsys.readouterr()
        assert "openai_key" in said.out and KEY[:6] not in said.out + said.err


def test_a_short_key_of_letters_changes_no_word_of_an_answer(planned, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "elephant")
    code, err = planned(json.dumps(PLAN | {"background": "elephants and an elephant"}))
    assert code == 0, err
    (record,) = json.loads(Path("run/l.json").read_text())["records"]
    assert record["layout"]["background_prompt"] == "elephants and an elephant"


def pictures_of(paths: dict[str, str]) -> list[dict[str, object]]:
    common = {"kind": "images", "schema_version": 1, "prompt": "a ball", "seed": 1}
    return [
        {**common, "id": name, "image": {"path": path, "width": 16, "height": 16}, "history": []}
        for name, path in paths.items()
    ]


def test_pictures_that_cannot_be_reached_cost_their_records_only(llmgen, workplace):
    Image.new("RGB", (16, 16)).save("good.png")
    Path("file").touch()
    os.symlink("two.png", "one.png")
    os.symlink("one.png", "two.png")
    write("i.json", pictures_of({"long": f"{LONG}.png", "loop": "one.png", "file": "file/x.png", "good": "good.png"}))
    done = llmgen("detect", "i.json", "--method", "tiny", "-o", "d.json")
    assert done.code == 6 and "unexpected" not in done.err
    records = json.loads(Path("d.json").read_text())["records"]
    assert [record["id"] for record in records if "error" not in record] == ["good"]
    done = llmgen("validate", "i.json")
    assert done.code == 3 and "3 problems" in done.err and "unexpected" not in done.err
    assert llmgen("layout", "i.json", "--method", "tiny", "-o", "sub/l.json").code == 6
    done = llmgen("report", "i.json")
    assert done.code == 0 and "3 pictures are missing" in done.err


@pytest.mark.parametrize(
    "command",
    [
        ("layout", "p.json", "--method", "tiny", "-o", f"{LONG}.json"),
        ("layout", "p.json", "--method", "tiny", "-o", f"{LONG}/l.json"),
        ("generate", "p.json", "--method", "tiny", "-o", "i.json", "--images", LONG),
        ("generate", "p.json", "--method", "tiny", "-o", "i.json", "--reuse", f"{LONG}.json"),
        ("import", "lmd", f"{LONG}.json"),
        ("import", "lmd", "p.json", "-o", f"{LONG}.json"),
        ("run", "m.json", "-o", LONG),
        ("report", "p.json", "-o", f"{LONG}.html"),
        ("report", LONG),
        ("validate", LONG),
        ("doctor", "--preset", f"{LONG}.json"),
        ("evaluate", "coco", "--annotations", LONG, "--results", LONG),
    ],
)
def test_names_that_no_file_system_takes_are_refused_in_a_line(llmgen, workplace, command):
    write("p.json", ["a red ball"])
    manifest("m.json", {"stage": "layout", "method": "tiny"})
    done = llmgen(*command)
    assert done.code in (1, 3) and "too long" in done.err
    assert "unexpected" not in done.err and len(done.err.splitlines()) == 1


def test_a_replay_file_whose_name_is_too_long_is_refused_in_a_line(workplace, capsys):
    write("p.json", ["a red ball"])
    assert main(["layout", "p.json", "--planner", f"replay:{LONG}.json"]) in (1, 3)
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and "json: File name too long" in error and "unexpected" not in error


def manifest(name: str, *stages: dict[str, object]) -> None:
    write(name, {"kind": "manifest", "schema_version": 1, "name": "m", "prompts": ["a ball"], "stages": stages})


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("\x1b[2Jp.json", {"prompt": 1}),
        ("p.json", {"prompt": "a ball", "\x1b[2Jfield": 1}),
        ("p.json", {"id": "\x1b[2Jid", "prompt": "a ball", "seed": "x"}),
        ("p.json", {"prompt": "a ball", "type": {"\x1b[2J": 1}}),
        ("p.json", {"kind": "\x1b[2J", "records": []}),
        ("p.json", {"kind": "layouts", "schema_version": 1, "\x1b[2J": 1, "records": []}),
    ],
)
def test_escapes_in_names_fields_and_ids_reach_no_terminal(llmgen, workplace, name, entry):
    write(name, entry if "records" in entry else [entry])
    for command in (("validate", name), ("layout", name, "--method", "tiny"), ("report", name), ("run", name)):
        done = llmgen(*command)
        assert done.err and "\x1b" not in done.out + done.err, command


def test_escapes_in_a_refusal_reach_no_terminal(planned, workplace):
    code, err = planned(refused("no \x1b[2J\x9b31m way"))
    assert code == 5 and "\\x1b[2J" in err
    assert "\x1b" not in err and "\x9b" not in err


def test_a_link_given_as_output_is_written_through(llmgen, workplace):
    write("p.json", ["a red ball"])
    os.symlink("target.json", "link.json")
    command = ("layout", "p.json", "--method", "tiny", "-o", "link.json")
    assert llmgen(*command).code == 0
    assert Path("link.json").is_symlink() and llmgen("validate", "target.json").code == 0
    assert "exists" in llmgen(*command).err
    assert llmgen(*command, "--force").code == 0 and llmgen("report", "link.json", "-o", "link.json").code == 0
    assert Path("link.json").is_symlink() and Path("target.json").read_text().startswith("<!")


def test_links_in_a_circle_are_no_output(llmgen, workplace):
    write("p.json", ["a red ball"])
    os.symlink("two", "one")
    os.symlink("one", "two")
    done = llmgen("layout", "p.json", "--method", "tiny", "-o", "one")
    assert done.code == 1 and "circle" in done.err and Path("one").is_symlink()


@pytest.mark.parametrize("command", [("layout", "p.json", "--method", "tiny"), ("import", "lmd", "p.json")])
def test_records_go_into_a_pipe_line_by_line(llmgen, workplace, command):
    write("p.json", ["a red ball", "a blue ball"])
    os.mkfifo("pipe")
    came: list[str] = []
    reader = threading.Thread(target=lambda: came.extend(Path("pipe").read_text().splitlines()), daemon=True)
    reader.start()
    done = llmgen(*command, "-o", "pipe")
    reader.join(20)
    assert done.code == 0 and done.out == "", done.err
    assert [json.loads(line)["prompt"] for line in came] == ["a red ball", "a blue ball"]
    assert Path("pipe").is_fifo() and not Path(".llmgen").exists()


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_picture_folder_that_cannot_be_used_is_refused_before_the_work(llmgen, workplace, tmp_path_factory, what):
    write("p.json", ["a red ball"])
    for folder in ("run", "own"):
        Path(folder).mkdir()
        images = Path(folder, "images")
        images.symlink_to(tmp_path_factory.mktemp("elsewhere")) if what == "link" else images.touch()
    manifest("m.json", {"stage": "layout", "method": "tiny"}, {"stage": "generate", "method": "tiny"})
    for command in (("generate", "p.json", "--method", "tiny", "-o", "own/i.json"), ("run", "m.json", "-o", "run")):
        done = llmgen(*command)
        assert done.code == 1 and len(done.err.splitlines()) == 1, done.err
        assert ("leads out of" if what == "link" else "is no folder") in done.err
    assert sorted(path.name for path in workplace.rglob("*.json")) == ["m.json", "p.json"]


@pytest.mark.parametrize("setting", [{"strength": 0.01}, {"strength": 2}, {"no_such": 1}])
def test_settings_that_the_last_stage_refuses_are_refused_before_the_first(workplace, capsys, setting):
    stages = [("layout", "lmd"), ("generate", "sd"), ("refine", "sdxl")]
    manifest("m.json", *({"stage": s, "method": m, "config": setting if s == "refine" else {}} for s, m in stages))
    assert main(["run", "m.json"]) == 3
    assert "refine sdxl" in capsys.readouterr().err and not Path("outputs").exists()


def test_a_valid_edit_of_a_journal_is_noticed_and_made_anew(llmgen, workplace):
    write("p.json", ["a red ball", "a blue ball"])
    command = ("layout", "p.json", "--method", "tiny", "-o", "l.json", "--batch-size", "1")
    assert llmgen(*command).code == 0
    before = Path("l.json").read_bytes()
    journal = Path(".llmgen/l.json.journal")
    journal.write_text(journal.read_text().replace("a meadow", "a desert"))
    done = llmgen(*command, "--resume")
    assert done.code == 0 and "damaged" in done.err and "done before" not in done.err
    assert Path("l.json").read_bytes() == before


def test_a_picture_that_became_a_link_that_leads_out_is_made_again(llmgen, workplace, tmp_path_factory):
    write("p.json", ["a red ball"])
    command = ("generate", "p.json", "--method", "tiny", "-o", "i.json")
    assert llmgen(*command).code == 0
    (picture,) = Path("images").iterdir()
    outside = tmp_path_factory.mktemp("outside") / "x.png"
    picture.rename(outside)
    picture.symlink_to(outside)
    assert llmgen(*command, "--resume").code == 0
    assert not picture.is_symlink() and llmgen("validate", "i.json").code == 0


def test_a_preset_takes_no_class_of_the_working_directory(llmgen, workplace):
    Path("somemodule.py").write_text("raise SystemExit('imported')")
    preset = json.loads((files("llmgen.presets") / "toybox.json").read_text())
    preset["roles"]["text_to_image"]["classes"] = {"model": "somemodule:Name"}
    write("own.json", preset)
    done = llmgen("generate", "-", "--method", "tiny", "--preset", "own.json", stdin='["a", "b"]')
    assert done.code == 3 and done.out == "" and len(done.err.splitlines()) == 1
    assert "a preset takes no other code" in done.err


def test_a_repository_with_code_of_its_own_is_refused_without_a_question(workplace, capsys):
    """`auto_map` names a file beside the weights that transformers would run, after it asked on the terminal."""
    Path("model").mkdir()
    Path("model/own.py").write_text("raise SystemExit('imported')")
    mapped = {
        "AutoConfig": "own.Config",
        "AutoModel": "own.Model",
        "AutoProcessor": "own.P",
        "AutoImageProcessor": "own.I",
    }
    for name in ("config.json", "preprocessor_config.json", "processor_config.json"):
        write(f"model/{name}", {"model_type": "own", "auto_map": mapped})
    preset = json.loads((files("llmgen.presets") / "toybox.json").read_text())
    preset["roles"]["detector"] |= {"source": "model", "classes": {"model": "transformers:AutoModel"}}
    write("own.json", preset)
    Image.new("RGB", (64, 64)).save("a.png")
    write(
        "i.json",
        {
            "kind": "images",
            "schema_version": 1,
            "id": "a",
            "prompt": "a ball",
            "image": {"path": "a.png", "width": 64, "height": 64},
        },
    )
    assert main(["detect", "i.json", "--preset", "own.json", "-q"]) == 4
    err = capsys.readouterr().err
    assert "imported" not in err and len(err.splitlines()) == 1 and "'model'" in err, err


@pytest.mark.parametrize("far", [1.7e308, 1e15])
def test_a_report_shows_a_move_to_the_end_of_all_numbers(llmgen, workplace, far):
    write("p.json", ["a red ball"])
    assert llmgen("generate", "p.json", "--method", "tiny", "-o", "i.json").code == 0
    artifact = json.loads(Path("i.json").read_text())
    move = {"op": "move", "target": "red ball #1", "from_box_xyxy": [1, 1, 9, 9], "box_xyxy": [1, 1, far, far]}
    artifact["kind"] = artifact["records"][0]["kind"] = "corrections"
    artifact["records"][0]["edits"] = {"edits": [move], "target": []}
    write("c.json", artifact)
    done = llmgen("report", "c.json", "-o", "report.html")
    assert done.code == 0 and "unexpected" not in done.err, done.err
    page = Path("report.html").read_text()
    assert "red ball #1" in page and "Infinity" not in page and "NaN" not in page


@pytest.mark.parametrize(
    ("method", "settings", "reason"),
    [
        ("attributes", {"colors": ["red"]}, "fewer than two colors"),
        ("attributes", {"colors": ["red", "red"]}, "fewer than two colors"),
        ("attributes", {"kind": "texture"}, "fewer than two textures"),
        ("attributes", {"answers": "bad.jsonl"}, "line 1 is not JSON"),
        ("attributes", {"answers": "p.json"}, "no JSON object"),
        ("grounding", {"answers": "missing.jsonl"}, "cannot be read"),
        ("grounding", {"answers": "bad.jsonl"}, "line 1 is not JSON"),
    ],
)
def test_what_the_last_stage_cannot_use_is_refused_before_the_first(workplace, capsys, method, settings, reason):
    Path("bad.jsonl").write_text("{\n")
    write("p.json", ["a"])
    manifest(
        "m.json",
        {"stage": "layout", "method": "lmd"},
        {"stage": "generate", "method": "sd"},
        {"stage": "evaluate", "method": method, "config": settings},
    )
    assert main(["run", "m.json"]) == 3
    assert reason in capsys.readouterr().err and not Path("outputs").exists()
