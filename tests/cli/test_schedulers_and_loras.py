"""A scheduler by its name and LoRAs: in a preset, as a flag, in what records and pictures say of themselves."""

import json
from pathlib import Path

import pytest
from PIL import Image
from tiny_lora import save_lora
from tiny_models import tiny_preset, tiny_unet

from llmgen.artifacts import Instance, Layout, Record
from llmgen.artifacts.io import read_records, write_artifact
from llmgen.cli import main

LAYOUT = Layout(
    width=64,
    height=64,
    background_prompt="a meadow",
    instances=(Instance(id="a", phrase="a ball", box_xyxy=(8.0, 8.0, 40.0, 40.0)),),
)


@pytest.fixture
def own(workplace: Path) -> Path:
    """A preset of one's own on tiny weights, whose drawing role names its scheduler."""
    values = json.loads(tiny_preset(workplace).model_dump_json())
    for role in ("text_to_image", "layout_to_image"):
        values["roles"][role]["scheduler"] = "DPM++ 2M Karras"
    (workplace / "own.json").write_text(json.dumps(values))
    write_artifact(
        workplace / "layouts.json", "layouts", [Record(kind="layouts", id="r", prompt="a ball", layout=LAYOUT)]
    )
    return workplace / "own.json"


def draw(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[Record, str]:
    code = main(
        ["generate", "layouts.json", "--preset", "own.json", "--steps", "3", "-o", "out.json", "--force", *flags]
    )
    said = capsys.readouterr().err
    assert code == 0, said
    return read_records("out.json").records[0], said


def test_what_the_preset_names_is_used_and_written_down(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, said = draw(capsys, "--method", "sd")
    assert record.provenance[-1].models[0].scheduler == "dpm++-2m-karras" and "scheduler" not in said
    assert record.image is not None
    assert main(["show", record.image.path]) == 0
    assert "dpm++-2m-karras" in capsys.readouterr().out
    with Image.open(record.image.path) as picture:
        assert "Sampler: DPM++ 2M Karras" in picture.text["parameters"]  # type: ignore[attr-defined]


def test_the_flag_wins(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, _ = draw(capsys, "--method", "sd", "--scheduler", "euler-a")
    assert record.provenance[-1].models[0].scheduler == record.provenance[-1].config["scheduler"] == "euler-a"


def test_a_method_with_a_loop_of_its_own_says_that_it_keeps_to_it(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, said = draw(capsys, "--method", "gligen")
    line = "the preset names the scheduler 'dpm++-2m-karras' for layout_to_image; generate gligen steps by 'ddim' in a loop of its own"
    assert line in said and [remark.text for remark in record.remarks].count(line) == 1
    assert record.provenance[-1].models[0].scheduler == "ddim"
    code = main(["generate", "layouts.json", "--preset", "own.json", "--method", "gligen", "--scheduler", "euler"])
    assert code == 3 and "steps by a loop of its own, which it needs" in capsys.readouterr().err


def test_an_unknown_name_is_one_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "a ball", "--preset", "own.json", "--scheduler", "dpm++2m"]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Did you mean 'dpm++-2m'" in said
    values = json.loads(own.read_text())
    values["roles"]["text_to_image"]["scheduler"] = "eulr"
    own.write_text(json.dumps(values))
    assert main(["validate", "own.json"]) == 3
    assert "/roles/text_to_image/scheduler: no scheduler 'eulr'. Did you mean 'euler'" in capsys.readouterr().err


def test_a_picture_says_its_loras_without_their_folders(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft")
    values = json.loads(own.read_text())
    (own.parent / "loras").mkdir()
    save_lora(tiny_unet(), own.parent / "loras/ink.safetensors")
    values["roles"]["text_to_image"]["lora"] = [{"source": "loras/ink.safetensors", "weight": 0.8}]
    plain, _ = draw(capsys, "--method", "sd")
    own.write_text(json.dumps(values))
    record, _ = draw(capsys, "--method", "sd")
    assert record.image is not None and plain.image is not None and record.image.sha256 != plain.image.sha256
    used = record.provenance[-1].models[0].lora
    assert used is not None and (used[0].source, used[0].weight) == ("loras/ink.safetensors", 0.8)
    assert main(["show", record.image.path]) == 0
    assert "loras/ink.safetensors x 0.8" in capsys.readouterr().out
