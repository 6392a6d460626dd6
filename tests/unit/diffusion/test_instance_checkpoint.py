"""A checkpoint is read without running what is in it, refused if it does not fit, and written as a folder."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoint import TINY, save_training, tiny_state
from tiny_models import tiny_preset

from llmgen.diffusion.instances import checkpoint as module
from llmgen.diffusion.instances import loading
from llmgen.diffusion.instances.checkpoint import load_checkpoint, write_folder
from llmgen.diffusion.instances.conversion import Components, convert
from llmgen.diffusion.loading import ModelPool
from llmgen.errors import InputError, MissingRequirementError, OutputError
from llmgen.presets import Preset


def same(got: Components, expected: Components) -> bool:
    pairs = [(getattr(got, part), state) for part, state in expected.items()]
    return all(a.keys() == b.keys() and all(a[name].equal(b[name]) for name in b) for a, b in pairs)


def test_a_pth_with_foreign_objects_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, averaged = tiny_state(0), tiny_state(1)
    path = save_training(tmp_path / "a.pth", monkeypatch, model=model, ema=averaged)
    states, entry = load_checkpoint(path, TINY)
    assert entry == "ema" and same(states, convert(averaged, TINY))
    path = save_training(tmp_path / "b.pth", monkeypatch, model=model)
    states, entry = load_checkpoint(path, TINY)
    assert entry == "model" and same(states, convert(model, TINY))
    save_file(model, tmp_path / "c.safetensors")
    states, entry = load_checkpoint(tmp_path / "c.safetensors", TINY)
    assert entry == "model" and same(states, convert(model, TINY))


def test_averages_that_do_not_fit_are_left_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, averaged = tiny_state(0), tiny_state(1)
    del averaged["scaleu_s_3"]
    states, entry = load_checkpoint(save_training(tmp_path / "a.pth", monkeypatch, model=model, ema=averaged), TINY)
    assert entry == "model" and same(states, convert(model, TINY))
    assert "scaleu/skip.3" in caplog.text


class Bomb:
    def __init__(self, function: object, *arguments: str) -> None:
        self.what = function, arguments

    def __reduce__(self) -> object:
        return self.what


@pytest.mark.parametrize("function", [os.mkdir, os.system, exec, Path.touch])
def test_nothing_in_a_checkpoint_is_run(tmp_path: Path, function: object) -> None:
    mark = tmp_path / "ran"
    argument = {os.mkdir: str(mark), Path.touch: mark}.get(function, f"import os; os.mkdir({str(mark)!r})")
    if function is os.system:
        argument = f"mkdir {mark}"
    path = tmp_path / "bomb.pth"
    torch.save({"model": tiny_state(), "bomb": Bomb(function, argument)}, path)
    try:
        load_checkpoint(path, TINY)  # what PyTorch does not block is replaced by a stand-in
    except InputError as error:
        assert "cannot be read safely" in str(error)
    assert not mark.exists()
    torch.save({"model": Bomb(function, argument)}, path)
    with pytest.raises(InputError):
        load_checkpoint(path, TINY)
    assert not mark.exists()


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = save_training(tmp_path / "whole.pth", monkeypatch, model=tiny_state()).read_bytes()
    contents = {
        "text.pth": b"not a checkpoint",
        "empty.pth": b"",
        "cut.pth": whole[: len(whole) // 2],
        "cut.safetensors": b"\x10\x00\x00\x00\x00\x00\x00\x00{",
        "whole.zip": whole,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name) as error:
            load_checkpoint(tmp_path / name, TINY)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(tmp_path / "none.pth", TINY)
    things: dict[str, object] = {
        "list.pth": [1],
        "without.pth": {"weights": {}},
        "words.pth": {"model": {"scaleu_s_0": "text"}},
        "integers.pth": {"model": {"scaleu_s_0": torch.ones(1, dtype=torch.int64)}},
        "sparse.pth": {"model": {"scaleu_s_0": torch.ones(1).to_sparse()}},
    }
    for name, thing in things.items():
        torch.save(thing, tmp_path / name)
        with pytest.raises(InputError):
            load_checkpoint(tmp_path / name, TINY)


def test_the_first_tensors_that_do_not_fit_are_named() -> None:
    state = tiny_state()
    with pytest.raises(InputError, match=r"1 tensors missing: unet/down_blocks.0.downsamplers.0.conv.weight"):
        convert({k: v for k, v in state.items() if k != "input_blocks.3.0.op.weight"}, TINY)
    shape = state["position_net.pos_embedding"]
    with pytest.raises(InputError, match=r"of another shape: position_net.pos_embedding \(\[1, 5, .* is not \[1, 4"):
        convert(state | {"position_net.pos_embedding": torch.zeros(1, 5, shape.shape[-1])}, TINY)
    extra = ["scaleu_b_12", "input_blocks.9.1.norm.weight", "position_net.null_other_feature", "out.1.weight", "x"]
    for name in extra:
        with pytest.raises(InputError, match=f"1 tensors not known: {name}"):
            convert(state | {name: torch.zeros(1)}, TINY)
    # Two names for one place: neither may win in silence.
    with pytest.raises(InputError, match="not known: input_blocks.2.0.op.weight"):
        convert(state | {"input_blocks.2.0.op.weight": state["input_blocks.3.0.op.weight"]}, TINY)
    with pytest.raises(InputError, match="1199 tensors missing"):
        convert({}, TINY)


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    states = convert(tiny_state(), TINY)
    folder = tmp_path / "new" / "folder"
    write_folder(states, folder, {"README.md": "card"}, architecture=TINY, dtype=torch.float16)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    parts = {f"{part}/{name}" for part, _ in states.items() for name in ("config.json", module._WEIGHTS)}
    assert found == parts | {"README.md"}
    assert {value.dtype for value in load_file(folder / "unet" / module._WEIGHTS).values()} == {torch.float16}
    assert json.loads((folder / "scaleu/config.json").read_text())["widths"] == [16] * 7 + [8] * 3 + [4] * 2
    with pytest.raises(OutputError, match="exists already"):
        write_folder(states, folder, {}, architecture=TINY)
    assert (folder / "README.md").read_text() == "card"

    def fail(part: str) -> None:
        if part == "scaleu":
            raise OSError("disk full")

    with pytest.raises(OutputError, match="disk full"):
        write_folder(states, tmp_path / "other", {}, architecture=TINY, progress=fail)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]


def instances(folder: Path, source: Path, *files: str) -> Preset:
    preset = tiny_preset(folder)
    update = {"source": str(source), "base": str(folder / "sd"), "family": "instancediffusion", "files": files}
    spec = preset.roles["text_to_image"].model_copy(update=update)
    return preset.model_copy(update={"roles": {**preset.roles, "instances_to_image": spec}})


def test_checkpoint_and_folder_load_as_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "PUBLISHED", TINY)
    (tmp_path / "downloaded").mkdir()
    path = save_training(tmp_path / "downloaded" / "model.pth", monkeypatch, model=tiny_state())
    write_folder(load_checkpoint(path, TINY)[0], tmp_path / "converted", {}, architecture=TINY)
    direct = instances(tmp_path, path.parent, path.name)
    converted = instances(tmp_path, tmp_path / "converted")
    torch.manual_seed(0)
    z, text, tokens = torch.randn(1, 4, 8, 8), torch.randn(1, 24, 32), torch.randn(1, 24, 32)
    results = []
    for preset in (direct, converted):
        made = ModelPool(preset, device="cpu", dtype="float32").instance_diffusion()
        with torch.no_grad():
            options = {"cross_attention_kwargs": {"gligen": {"objs": tokens}}, "return_dict": False}
            results.append(made.pipe.unet(z, 5, text, **options)[0])
            free = made.pipe.unet(z, 5, text, return_dict=False)[0]
        assert not made.unifusion.training and made.unifusion.config.max_objs == 5
    torch.testing.assert_close(*results)
    assert not torch.allclose(results[0], free)
    path.write_bytes(b"damaged")
    with pytest.raises(MissingRequirementError, match="cannot be used"):
        ModelPool(direct, device="cpu", dtype="float32").instance_diffusion()
