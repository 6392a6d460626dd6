"""`llmgen models convert`: the folder, the preset beside it, and what it refuses."""

import json

import pytest
from tiny_checkpoint import TINY, save_training, tiny_state

from llmgen.diffusion.instances import checkpoint
from llmgen.presets import load_preset


@pytest.fixture
def pth(workplace, monkeypatch):
    monkeypatch.setattr(checkpoint, "PUBLISHED", TINY)
    return save_training(workplace / "tiny.pth", monkeypatch, model=tiny_state())


def test_convert_writes_a_folder_and_its_preset(llmgen, pth, workplace):
    done = llmgen("models", "convert", "tiny.pth", "models/own", "--base", "base-model", "--dtype", "float16")
    assert done.code == 0, done.err
    assert done.out == "models/own/preset.json\n"
    digest = checkpoint.sha256_of(pth)
    assert "all 1199 tensors of 'model'" in done.err and f"not the published file; its SHA-256 is {digest}" in done.err
    role = load_preset("models/own/preset.json").role("instances_to_image")
    assert (role.source, role.base, role.base_revision, role.files) == ("models/own", "base-model", None, ())
    for part in ("unet", "unifusion", "scaleu"):
        assert (workplace / "models/own" / part / "diffusion_pytorch_model.safetensors").is_file()
    card = (workplace / "models/own/README.md").read_text(encoding="utf-8")
    assert digest in card and "Apache-2.0" in card and "OpenRAIL-M" in card and str(workplace) not in card
    assert json.loads((workplace / "models/own/unet/config.json").read_text())["attention_type"] == "gated"


def test_convert_overwrites_nothing(llmgen, pth, workplace):
    (workplace / "out").mkdir()
    (workplace / "out" / "mine.txt").write_text("mine")
    done = llmgen("models", "convert", "tiny.pth", "out")
    assert done.code == 1 and "not overwritten" in done.err
    assert [path.name for path in (workplace / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("name", "said"), [("none.pth", "does not exist"), ("a.txt", "must end in"), ("b.pth", "safely")]
)
def test_convert_refuses_what_is_no_checkpoint(llmgen, pth, workplace, name, said):
    (workplace / "a.txt").write_text("x")
    (workplace / "b.pth").write_text("x")
    done = llmgen("models", "convert", name, "out")
    assert done.code == 3 and said in done.err and done.err.count("\n") == 1
    assert not (workplace / "out").exists()


def test_models_of_one_preset(llmgen):
    assert list(json.loads(llmgen("models", "--preset", "toybox", "--json").out)) == ["toybox"]
    assert "InstanceDiffusion" in llmgen("models").out
