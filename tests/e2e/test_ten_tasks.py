"""What a fresh person does first, ten tasks in order, by the commands of the README alone, on the shipped models with few steps."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import llmgen
from llmgen.artifacts.io import read_records
from llmgen.cli import main
from llmgen.toybox.world.scenes import Scene, SceneObject, render_image
from llmgen.toybox.world.sprites import sprite

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMPT = "a red ball and a blue car"
FEW = ["--set", "generate.num_inference_steps=2", "--set", "correct.rounds=1", "--set", "correct.num_inference_steps=4"]
FEW += ["--set", "refine.num_inference_steps=10"]
"""What makes a run short; what it draws is not looked at here."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the person works in, from the first task to the last."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def told(command: str) -> list[str]:
    """A command that the README tells, in words."""
    assert command in README, f"the README does not tell {command!r}"
    return shlex.split(command)


def done(command: str, *more: str, **instead: str) -> str:
    """Do what the README tells.

    Args:
        command: As it stands there.
        more: Flags that make it short, or name another output.
        instead: For a word of the command, the person's own.

    Returns:
        What it printed to stdout.
    """
    words = [instead.get(word.replace(".", "_").replace("/", "_"), word) for word in told(command)]
    assert words[0] == "llmgen"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main([*words[1:], *more])
    assert code == 0, command
    return printed.getvalue()


def test_1_a_prompt_becomes_a_picture(home: Path) -> None:
    done(f'llmgen run "{PROMPT}"', *FEW)
    folder = home / "outputs/a-red-ball-and-a-blue-car"
    assert (folder / "report.html").is_file()
    (record,) = read_records(folder / "scores.json").records
    assert record.error is None and record.image is not None and record.scores
    shown = done("llmgen show picture.png", "--json", picture_png=str(folder / record.image.path))
    assert json.loads(shown)[str(folder / record.image.path)]["prompt"] == PROMPT


def test_2_own_prompts_become_a_report(home: Path) -> None:
    (home / "mine.csv").write_text(
        "id,prompt,type\nball,a meadow with a red ball,one\ncar,a blue car in the snow,two\n"
    )
    plan = json.loads(done("llmgen run mine.txt --dry-run", *FEW, mine_txt="mine.csv"))
    assert plan["records"] == 2 and plan["estimate"]["language_model_calls"] == 0
    done("llmgen run quickstart --prompts mine.csv", *FEW)
    page = (home / "outputs/quickstart-mine/report.html").read_text(encoding="utf-8")
    assert re.findall(r'id="record-(\w+)"', page) == ["ball", "car"] and page.count("<option>two</option>") == 1


def test_3_four_samples(home: Path) -> None:
    lines = done(f'llmgen generate "{PROMPT}" -n 4 --seed 7', "--steps", "2").splitlines()
    (record,) = [json.loads(line) for line in lines]
    assert len({sample["image"]["sha256"] for sample in record["samples"]}) == 4
    assert all((home / sample["image"]["path"]).is_file() for sample in record["samples"])


def test_4_a_preset_of_ones_own(home: Path) -> None:
    (home / "template.json").write_text(done("llmgen models --template sd > mine.json".partition(" >")[0]))
    done("llmgen validate mine.json", mine_json="template.json")
    shipped = json.loads((ROOT / "llmgen/presets/toybox.json").read_text(encoding="utf-8"))
    role = {key: shipped["roles"]["text_to_image"][key] for key in ("family", "classes")}
    shutil.copytree(ROOT / "llmgen/toybox/weights/text_to_image", home / "models/own")
    preset = {"name": "mine", "width": 128, "height": 128, "roles": {"text_to_image": {"source": "models/own", **role}}}
    (home / "mine.json").write_text(json.dumps(preset))
    done("llmgen validate mine.json")
    assert "`--preset mine.json`" in README
    done(f'llmgen run "{PROMPT}"', "--preset", "mine.json", "-o", "outputs/other", "--set", "generate.steps=2")
    (record,) = read_records(home / "outputs/other/images.json").records
    assert record.error is None and record.provenance[-1].preset == "mine"


def test_5_old_pictures_become_records_again(home: Path) -> None:
    old = home / "old"
    old.mkdir()
    (drawn,) = read_records(home / "outputs/other/images.json").records
    assert drawn.image is not None
    shutil.copy(home / "outputs/other" / drawn.image.path, old)
    done("llmgen import png FOLDER -o images.json", FOLDER="old")
    (record,) = read_records(home / "images.json").records
    assert (record.prompt, record.seed) == (PROMPT, drawn.seed)


def test_6_two_runs_are_compared(home: Path) -> None:
    again = home / "outputs/again"
    done(f'llmgen run "{PROMPT}"', *FEW, "--seed", "5", "-o", str(again))
    done(
        "llmgen report outputs/mine outputs/other",
        outputs_mine="outputs/a-red-ball-and-a-blue-car",
        outputs_other=str(again),
    )
    page = (home / "comparison.html").read_text(encoding="utf-8")
    assert "seed of the record" in page and "McNemar" in page
    done("llmgen sheet outputs/mine -o sheet.png", outputs_mine="outputs/again")
    with Image.open(home / "sheet.png") as sheet:
        assert min(sheet.size) > 200


def test_7_an_interrupted_run_goes_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a run goes on where it stopped" in README
    (home / "mine.txt").write_text("a red ball\na blue car\na yellow star\n")
    command = [*told("llmgen run mine.txt -n 4")[1:-2], *FEW]
    process = subprocess.Popen(
        [sys.executable, "-m", "llmgen", *command],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    layouts = home / "outputs/mine/layouts.json"
    for _ in range(6000):
        if layouts.is_file() or process.poll() is not None:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130 and "what is finished is kept (" in err, err
    assert not (home / "outputs/mine/report.html").exists()
    before = layouts.read_bytes()
    capsys.readouterr()
    assert main(command) == 0
    assert "layout lmd: 3/3 records" in (err := capsys.readouterr().err) and "3 done before" in err
    assert layouts.read_bytes() == before and (home / "outputs/mine/report.html").is_file()


def test_8_in_a_notebook() -> None:
    line = f'drawn = llmgen.draw("{PROMPT}", n=2, seed=7)'
    assert line in README
    found: dict[str, object] = {"llmgen": llmgen}
    exec(line.replace("seed=7)", "seed=7, steps=2)"), found)
    drawn = found["drawn"]
    assert isinstance(drawn, llmgen.Drawn)
    assert drawn.image.size == (128, 128) and len(drawn.images) == 2 and drawn._repr_html_().count("<img") == 2


def test_9_a_wheel_needs_no_repository(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed; pip install -e '.[test]'")
    words = told("pip wheel . --no-deps")
    # The builder is here already: a test fetches nothing.
    build = [sys.executable, "-m", *words, "--no-build-isolation", "-q", "-w", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=200)
    (wheel,) = tmp_path.glob("*.whl")
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    # What lies beside an installed package belongs to another.
    (place / "manifests").mkdir()
    (place / "manifests/quickstart.json").write_text("{}")

    def run(*arguments: str) -> str:
        python = [sys.executable, "-m", "llmgen", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(place)}
        return subprocess.run(python, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    assert "`llmgen run quickstart` works" in README
    plan = json.loads(run("run", "quickstart", "--dry-run"))
    assert Path(plan["manifest"]) == place / "llmgen/_manifests/quickstart.json" and plan["records"] == 12
    preset = json.loads(run("doctor", "--preset", "toybox", "--json"))["presets"]["toybox"]
    assert preset["missing"] == [] and preset["memory_gb"] > 0


def test_10_files_of_sld(home: Path) -> None:
    folder = home / "sld"
    folder.mkdir()
    things = []
    for noun, colour, left in (("ball", "red", 12), ("house", "yellow", 76)):
        height, width = sprite(noun, colour, 40).mask.shape
        things.append(SceneObject(noun, colour, 40, (left, 66, left + width, 66 + height)))
    Image.fromarray(np.asarray(render_image(Scene("meadow", tuple(things), 3)))).save(folder / "scene.png")
    boxes = [(x / 128, y / 128, (x2 - x) / 128, (y2 - y) / 128) for x, y, x2, y2 in (t.box_xyxy for t in things)]
    task = {
        "input_fname": "scene",
        "output_dir": "scene_attr_mod",
        "prompt": "Make the ball blue",
        "generator": "lmdplus",
        "llm_parsed_prompt": {
            "objects": [["ball", [None]], ["house", [None]]],
            "bg_prompt": "a meadow",
            "neg_prompt": None,
        },
        "llm_layout_suggestions": [["blue ball #1", boxes[0]], ["house #1", boxes[1]]],
    }
    (folder / "data.json").write_text(json.dumps([task]))
    command = "llmgen correct data.json --mode image_editing -o edited.json"
    names = {"data_json": "sld/data.json", "edited_json": "sld/edited.json"}
    done(command, "--rounds", "1", "--steps", "4", **names)
    (record,) = read_records(folder / "edited.json").records
    assert record.error is None and record.image is not None and (folder / record.image.path).is_file()
    assert record.history[-1].edits is not None
    assert "change_attribute" in [edit.op for edit in record.history[-1].edits.edits]
