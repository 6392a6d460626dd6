from llmgen.pipeline.checkup import examine
from llmgen.presets import Preset, RoleSpec


def preset(tmp_path, **changes):
    def role(source, **more):
        return RoleSpec(source=source, family="sam", licence="MIT", memory_gb=1.5, **more)

    (tmp_path / "there").mkdir()
    (tmp_path / "there/config.json").write_text("{}")
    roles = {
        "detector": role(str(tmp_path / "there"), files=("config.json", "model.safetensors")),
        "segmenter": role("package:toybox/weights/none"),
        "judge": role("package:toybox/weights/none"),
        "refiner": role("someone/nothing", revision="abc", gated=True),
    }
    return Preset(name="p", description="d", width=8, height=8, roles=roles, **changes)


def test_what_is_missing_is_said_with_its_remedy(tmp_path, monkeypatch):
    found = preset(tmp_path, planner="openai")
    monkeypatch.setattr("llmgen.pipeline.checkup.load_preset", lambda name: found)
    status = examine(["p"])["presets"]["p"]
    assert status["memory_gb"] == 4.5
    lines = status["missing"]
    assert lines[0] == f"detector: {tmp_path / 'there'} lacks model.safetensors"
    assert lines[1].startswith("segmenter, judge: the folder package:toybox/weights/none is not there")
    assert "hf download someone/nothing --revision abc" in lines[2] and "licence" in lines[2]
    assert "OPENAI_API_KEY" in lines[3]


def test_a_preset_that_has_everything(tmp_path, monkeypatch):
    found = preset(tmp_path)
    (tmp_path / "there/model.safetensors").write_text("")
    found = found.model_copy(update={"roles": {"detector": found.roles["detector"]}})
    monkeypatch.setattr("llmgen.pipeline.checkup.load_preset", lambda name: found)
    assert examine(["p"])["presets"]["p"] == {"memory_gb": 1.5, "missing": []}
