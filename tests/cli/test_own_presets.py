"""A preset of one's own: begun from a template, checked, read from anywhere, with sensible methods."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from llmgen.presets import load_preset
from llmgen.registry import DEFAULT_METHODS, STAGES, methods, resolve

LEAST = {
    "name": "own",
    "width": 64,
    "height": 64,
    "roles": {"text_to_image": {"source": "a/b", "family": "stable-diffusion"}},
}


@pytest.mark.parametrize("template", ["sd", "sdxl"])
def test_a_template_is_a_valid_preset(llmgen, workplace, monkeypatch, template):
    done = llmgen("models", "--template", template)
    assert done.code == 0 and "llmgen validate mine.json" in done.err
    (workplace / "mine.json").write_text(done.out)
    monkeypatch.setattr("llmgen.registry.methods", methods)
    done = llmgen("validate", "mine.json")
    assert done.code == 0 and "preset 'mine'" in done.err, done.err


def test_the_template_of_a_single_file_wants_the_file_and_names_what_it_needs_beside_it(llmgen, workplace, monkeypatch):
    monkeypatch.setattr("llmgen.registry.methods", methods)
    done = llmgen("models", "--template", "single-file")
    assert done.code == 0 and "put your file in the place of model.safetensors" in done.err
    (workplace / "mine.json").write_text(done.out)
    done = llmgen("validate", "mine.json")
    assert done.code == 3 and "/roles/text_to_image/source: there is no file model.safetensors" in done.err
    weights = {
        "cond_stage_model.a": np.zeros(1, np.float32),
        "model.diffusion_model.input_blocks.0.0.weight": np.zeros((4, 4, 1, 1), np.float32),
    }
    save_file(weights, workplace / "model.safetensors")
    assert llmgen("validate", "mine.json").code == 0
    done = llmgen("doctor", "--preset", "mine.json")
    assert "hf download stable-diffusion-v1-5/stable-diffusion-v1-5 --revision" in " ".join(done.out.split()), done.out


def test_the_least_preset(llmgen, workplace):
    (workplace / "own.json").write_text(json.dumps(LEAST))
    assert llmgen("validate", "own.json").code == 0
    assert "own" in json.loads(llmgen("models", "--preset", "own.json", "--json").out)


def test_every_fault_at_once(llmgen, workplace):
    faulty = {
        **LEAST,
        "widht": 3,
        "height": 0,
        "methods": {"draw": "sd", "generate": "tinny"},
        "defaults": {"generate.tiny": {"labell": "x"}},
        "roles": {"painter": {}, "detector": {"source": "a/b", "family": "owl", "licens": "MIT"}},
    }
    (workplace / "own.json").write_text(json.dumps(faulty))
    for command in (["validate", "own.json"], ["generate", "a red ball", "--preset", "own.json", "--method", "tiny"]):
        done = llmgen(*command)
        assert done.code == 3
        for words in ("/widht: unknown field; did you mean 'width'?", "/height", "no stage 'draw'", "/roles/painter/source",
                      "no family of models 'owl'", "/roles/detector/licens: unknown field; did you mean 'licence'?"):  # fmt: skip
            assert words in done.err, (words, done.err)
        assert "no role 'painter'" in done.err
    assert "(3 problems)" in (err := llmgen("validate", "own.json").err)
    assert "/methods/generate: no generate method 'tinny'" in err and "Did you mean 'label'?" in err


def test_faults_of_names_and_folders(llmgen, workplace):
    faulty = {
        **LEAST,
        "methods": {"generate": "tinny"},
        "defaults": {"generate.tiny": {"labell": "x"}, "detect.none": {}},
        "roles": {"text_to_image": {"source": "./weights", "family": "stable-diffusion"}},
    }
    (workplace / "own.json").write_text(json.dumps(faulty))
    done = llmgen("validate", "own.json")
    assert done.code == 3 and "(4 problems)" in done.err
    for words in (
        "/methods/generate",
        "Did you mean 'label'?",
        "/defaults/detect.none",
        "there is no folder ./weights",
    ):
        assert words in done.err, (words, done.err)


def test_folders_lie_beside_the_preset(workplace, monkeypatch):
    (workplace / "models/sd").mkdir(parents=True)
    roles = {
        "text_to_image": {"source": "sd", "family": "stable-diffusion"},
        "refiner": {"source": "hub/sd", "family": "stable-diffusion"},
        "detector": {"source": "./absent", "family": "owlv2"},
        "judge": {"source": "package:toybox/weights/judge", "family": "owlv2"},
        "instances_to_image": {"source": "sd", "base": "sd", "family": "instancediffusion"},
    }
    (workplace / "models/own.json").write_text(json.dumps({**LEAST, "roles": roles}))
    (workplace / "elsewhere").mkdir()
    for cwd, name in ((workplace, "models/own.json"), (workplace / "elsewhere", "../models/own.json")):
        monkeypatch.chdir(cwd)
        found = load_preset(name).roles
        folder = name.removesuffix("/own.json")
        assert found["text_to_image"].source == found["instances_to_image"].base == f"{folder}/sd"
        assert found["refiner"].source == "hub/sd" and found["detector"].source == f"./{folder}/absent"
        assert found["judge"].source.startswith("package:")


def test_methods_that_nobody_names_are_the_usual_ones():
    assert set(DEFAULT_METHODS) == set(STAGES)
    for stage, method in DEFAULT_METHODS.items():
        assert resolve(stage).name == method and method in methods(stage)


def test_the_schema_names_what_there_is(llmgen):
    schema = json.loads(llmgen("schema", "preset").out)
    assert "text_to_image" in schema["properties"]["roles"]["propertyNames"]["enum"]
    assert "stable-diffusion" in schema["$defs"]["RoleSpec"]["properties"]["family"]["enum"]
    assert set(schema["required"]) == {"name", "width", "height", "roles"}
