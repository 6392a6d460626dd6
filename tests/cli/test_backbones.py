"""Prompt to picture to finer picture by presets of one's own, for each backbone, through the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import tiny_preset
from tiny_single_file import save_configs, save_single_file
from tiny_xl import tiny_xl_pipeline, tiny_xl_preset
from tiny_z_image import tiny_z_image_preset

from llmgen.artifacts.io import read_records
from llmgen.cli import main
from llmgen.presets import Preset, RoleSpec, load_preset


def single_file(folder: Path) -> Preset:
    save_single_file(tiny_xl_pipeline(), folder / "xl.safetensors")
    save_configs(tiny_xl_pipeline(), folder / "configs")
    spec = RoleSpec(source="xl.safetensors", family="stable-diffusion-xl", base="configs", scheduler="euler-a")
    return Preset(name="own", width=64, height=64, roles={"text_to_image": spec})


PRESETS = {"sd": tiny_preset, "sdxl": tiny_xl_preset, "z-image": tiny_z_image_preset, "single-file": single_file}


@pytest.mark.parametrize("make", PRESETS.values(), ids=PRESETS)
def test_from_a_prompt_to_a_refined_picture(
    make: Callable[[Path], Preset], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = workplace / "mine"
    own.mkdir()
    preset = make(own)
    drawing = preset.roles["text_to_image"]
    roles = {"text_to_image": drawing, "refiner": drawing}
    # As a person writes it: no methods, sources beside the preset.
    values = json.loads(
        preset.model_copy(update={"roles": roles, "methods": {}}).model_dump_json(exclude_defaults=True)
    )
    for role in values["roles"].values():
        role["source"] = Path(role["source"]).name
    (own / "preset.json").write_text(json.dumps(values))

    def run(*arguments: str) -> str:
        code = main([*arguments, "--preset", "mine/preset.json"])
        said = capsys.readouterr().err
        assert code == 0, said
        return said

    assert main(["validate", "mine/preset.json"]) == 0
    capsys.readouterr()
    run("generate", "a red ball", "--steps", "3", "-o", "images.json")
    run("refine", "images.json", "--set", "whole_image=true", "--steps", "4", "--strength", "0.5", "-o", "fine.json")
    (record,) = read_records("fine.json").records
    assert [entry.stage for entry in record.history] == ["generate", "refine"]
    assert record.history[0].image.sha256 != record.history[1].image.sha256
    steppers = [made.models[0].scheduler for made in record.provenance]
    assert steppers[0] == steppers[1] and steppers[0] is not None


def test_record_on_sdxl(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Candidates and their correction from both text encoders, with the settings of `record-sdxl`, which has no segmenter."""
    roles = {
        **tiny_xl_preset(workplace).roles,
        "detector": RoleSpec(source="package:toybox/weights/detector", family="owlv2"),
    }
    shipped = load_preset("record-sdxl")
    assert "segmenter" not in shipped.roles
    preset = Preset(
        name="own",
        width=64,
        height=64,
        roles=roles,
        methods=shipped.methods,
        defaults=shipped.defaults,
        planner="rules",
    )
    (workplace / "xl.json").write_text(preset.model_dump_json(exclude_defaults=True))

    def run(*arguments: str) -> None:
        code = main([*arguments, "--preset", "xl.json"])
        said = capsys.readouterr().err
        assert code == 0, said

    few = ("--set", "num_inference_steps=2", "--set", "altered_steps=1")
    published = ("--set", "profile=reference")
    run("layout", "a boy is kicking a cup", "-o", "layouts.json")
    run("generate", "layouts.json", "-n", "2", *few, "-o", "candidates.json")
    run("correct", "candidates.json", *published, *few, "-o", "corrected.json")
    (record,) = read_records("corrected.json").records
    assert record.error is None and record.chosen is not None and len(record.samples) == 2
    assert len(record.history[-1].energies) == 1 and record.image != record.chosen.image
    assert all(made.models[-1].source.endswith("sdxl") for made in record.provenance[1:])
