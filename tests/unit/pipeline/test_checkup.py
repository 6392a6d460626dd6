import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_hub import cache

from llmgen.cli import main
from llmgen.diffusion.sources import resolve_source
from llmgen.errors import MissingRequirementError
from llmgen.pipeline.checkup import examine
from llmgen.presets import Preset, RoleSpec, load_preset, preset_names


def role(source, **more):
    return RoleSpec(**{"source": source, "family": "sam", "licence": "MIT", "memory_gb": 1.5, **more})


def status_of(monkeypatch, roles, *, free_gb=100.0, device="cpu", own_dtype="bfloat16", **changes):
    found = Preset(name="p", description="d", width=8, height=8, roles=roles, **changes)
    monkeypatch.setattr("llmgen.pipeline.checkup.load_preset", lambda name: found)
    monkeypatch.setattr("llmgen.pipeline.checkup.resolve_device", lambda name: device)
    monkeypatch.setattr("llmgen.pipeline.checkup.resolve_dtype", lambda name, device: own_dtype)
    monkeypatch.setattr("llmgen.pipeline.checkup._free_gb", lambda device: free_gb)
    return examine(["p"])["presets"]["p"]


@pytest.fixture
def there(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/config.json").write_text("{}")
    return tmp_path / "there"


def test_what_is_missing_is_said_with_its_remedy(there, monkeypatch):
    roles = {
        "detector": role(str(there), files=("config.json", "model.safetensors")),
        "segmenter": role("package:toybox/weights/none"),
        "judge": role("package:toybox/weights/none"),
        "refiner": role("someone/nothing", revision="abc", gated=True),
        "clip": role("../no/such/folder"),
    }
    status = status_of(monkeypatch, roles, planner="openai")
    assert status["memory_gb"] == 6.0
    lines = status["missing"]
    assert lines[0] == f"detector: {there} lacks model.safetensors"
    assert lines[1].startswith("segmenter, judge: the folder package:toybox/weights/none is not there")
    assert "hf download someone/nothing --revision abc" in lines[2] and "accept its licence, MIT" in lines[2]
    assert lines[3].startswith("clip: model folder '../no/such/folder' is missing")
    assert "OPENAI_API_KEY" in lines[4]


def test_a_preset_that_has_everything(there, monkeypatch):
    roles = {"detector": role(str(there), files=("config.json",))}
    assert status_of(monkeypatch, roles) == {"memory_gb": 1.5, "largest_gb": 1.5, "missing": [], "remarks": []}


def test_what_is_cached_is_there_and_a_lost_file_is_named(there, tmp_path, monkeypatch):
    files = ("config.json", "model.safetensors")
    (there / "model.safetensors").write_text("")
    snapshot = cache(monkeypatch, tmp_path, "someone/something", there, revision="0" * 40)
    roles = {"detector": role("someone/something", revision="0" * 40, files=files)}
    assert status_of(monkeypatch, roles)["missing"] == []
    (snapshot / "model.safetensors").unlink()
    (line,) = status_of(monkeypatch, roles)["missing"]
    assert "only half downloaded, model.safetensors is missing" in line
    assert f"hf download someone/something --revision {'0' * 40} config.json model.safetensors" in line
    shutil.rmtree(snapshot)
    assert "is not downloaded" in status_of(monkeypatch, roles)["missing"][0]


def test_a_base_is_looked_for_too(there, monkeypatch):
    roles = {
        "instances_to_image": role(str(there), family="instancediffusion", base="someone/base", base_revision="1.5")
    }
    status = status_of(monkeypatch, roles)
    assert "hf download someone/base --revision 1.5 scheduler/" in status["missing"][0]
    assert "unet" not in status["missing"][0]
    assert "follows '1.5', which is no commit" in status["remarks"][0]


def test_what_is_not_pinned_is_remarked(monkeypatch):
    roles = {
        "detector": role("someone/a"),
        "judge": role("someone/a"),
        "segmenter": role("someone/b", revision="f" * 40),
    }
    assert status_of(monkeypatch, roles)["remarks"] == [
        "detector, judge: someone/a is not pinned: its files may change"
    ]


def test_memory_is_that_of_the_device(there, monkeypatch):
    half = role(str(there), dtype="float16", memory_gb=3, largest_gb=2)
    roles = {"text_to_image": half, "refiner": role(str(there), revision="x", memory_gb=4)}
    status = status_of(monkeypatch, roles)
    assert (status["memory_gb"], status["largest_gb"]) == (10, 4)
    assert "text_to_image: float16 is computed as float32 on the CPU" in status["remarks"][0]
    status = status_of(monkeypatch, roles, device="cuda", free_gb=4)
    assert (status["memory_gb"], status["largest_gb"]) == (5, 2)
    assert status["remarks"] == [
        "all models together are 5.0 GB, and 4 GB are free on cuda; --offload model needs 2.0 GB at a time"
    ]
    assert status["missing"] == []
    status = status_of(monkeypatch, roles, device="cuda", free_gb=1.9)
    assert status["missing"] == ["text_to_image, refiner: 2.0 GB of weights at once, and 1.9 GB are free on cuda"]


@pytest.mark.parametrize(("own", "count"), [("float16", 1), ("bfloat16", 0)])
def test_a_precision_that_the_gpu_lacks_is_remarked(there, monkeypatch, own, count):
    roles = {"text_to_image": role(str(there), dtype="bfloat16"), "refiner": role(str(there), dtype="float16")}
    remarks = status_of(monkeypatch, roles, device="cuda", own_dtype=own)["remarks"]
    assert [line.startswith("text_to_image: bfloat16 is not a precision") for line in remarks] == [True] * count


def test_a_package_that_is_not_installed_is_named(there, monkeypatch):
    monkeypatch.setattr("llmgen.pipeline.checkup._version", lambda name: None if name == "segment-anything" else "1")
    (line,) = status_of(monkeypatch, {"segmenter": role(str(there))})["missing"]
    assert line == "segmenter: the package segment-anything is not installed; run `pip install segment-anything`"


@pytest.mark.parametrize("name", preset_names())
def test_the_free_memory_is_known(name):
    assert examine([name])["system"]["free_gb"] > 0


def test_doctor_prints_commands_that_can_be_copied(workplace, capsys):
    assert main(["doctor", "--preset", "sd15"]) == 4
    said = capsys.readouterr()
    spec = load_preset("sd15").role("text_to_image")
    command = f"hf download {spec.source} --revision {spec.revision} {' '.join(spec.files)}"
    assert any(command in line for line in said.out.splitlines())
    assert "remark: layout_to_image: masterful/gligen-1-4-generation-text-box follows 'refs/pr/2'" in said.out
    assert main(["doctor"]) == 0
    assert "`llmgen doctor --preset sd15` says which" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (lambda whole: whole[:-7], "has {short} of {size} bytes; fetch it again"),
        (lambda whole: whole[:5], "is no safetensors file, or only its beginning (5 bytes)"),
        (lambda whole: b"", "is no safetensors file, or only its beginning (0 bytes)"),
        (
            lambda whole: b"version https://git-lfs.github.com/spec/v1\n",
            "is a pointer of Git LFS and not the file itself",
        ),
        (lambda whole: b"\x80\x04\x95" + bytes(300), "is no safetensors file"),
    ],
)
def test_weights_that_are_not_whole_are_found_without_loading_them(there, monkeypatch, left, said):
    save_file({"weight": np.zeros((4, 4), np.float32)}, there / "model.safetensors")
    roles = {"detector": role(str(there), files=("config.json", "model.safetensors"))}
    assert status_of(monkeypatch, roles)["missing"] == []
    whole = (there / "model.safetensors").read_bytes()
    (there / "model.safetensors").write_bytes(left(whole))
    (line,) = status_of(monkeypatch, roles)["missing"]
    assert said.format(short=len(whole) - 7, size=len(whole)) in line
    with pytest.raises(MissingRequirementError) as caught:
        resolve_source(roles["detector"])
    assert said.format(short=len(whole) - 7, size=len(whole)) in str(caught.value)
