"""LoRAs: what they add, several at once, and every fault of their files before anything is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_lora import lora_pairs, save_lora
from tiny_models import tiny_context, tiny_pipeline, tiny_preset, tiny_unet
from tiny_xl import tiny_xl_pipeline, tiny_xl_preset

from llmgen.diffusion.loading import ModelPool
from llmgen.engine.fingerprint import weights_digest
from llmgen.errors import PresetError
from llmgen.presets import LoraSpec, Preset, load_preset


def with_loras(preset: Preset, *loras: tuple[Path, float]) -> Preset:
    named = tuple(LoraSpec(source=str(path), weight=weight) for path, weight in loras)
    roles = {role: spec.model_copy(update={"lora": named}) for role, spec in preset.roles.items()}
    return preset.model_copy(update={"roles": roles})


def unet_of(preset: Preset) -> Any:
    return ModelPool(preset, device="cpu", dtype="float32").stable_diffusion("text_to_image").unet


def test_several_loras_are_added_by_their_weights_in_either_form(tmp_path: Path) -> None:
    preset, plain = tiny_preset(tmp_path), tiny_unet()
    first = save_lora(plain, tmp_path / "first.safetensors", seed=1)
    second = save_lora(plain, tmp_path / "second.safetensors", seed=2, form="kohya")
    changed = unet_of(with_loras(preset, (first, 0.8), (second, -0.5)))
    for name, (down, up) in lora_pairs(plain, 1).items():
        other_down, other_up = lora_pairs(plain, 2)[name]
        wanted = plain.get_submodule(name).weight + 0.8 * up @ down - 0.5 * other_up @ other_down
        assert torch.allclose(changed.get_submodule(name).weight, wanted, atol=1e-5)
    # What methods see is a plain model: names and classes are those without LoRAs.
    assert [*changed.state_dict()] == [*plain.state_dict()]
    assert {type(module) for module in changed.modules()} == {type(module) for module in plain.modules()}
    assert torch.equal(changed.conv_in.weight, plain.conv_in.weight)


def test_a_lora_of_both_the_unet_and_the_text_encoder_of_sdxl(tmp_path: Path) -> None:
    preset, plain = tiny_xl_preset(tmp_path), tiny_xl_pipeline()
    tensors = {}
    for part in ("unet", "text_encoder"):
        layers = lora_pairs(getattr(plain, part), 3, ("to_v", "v_proj"))
        for name, (down, up) in layers.items():
            prefix = name if part == "unet" else f"text_model.{name.removeprefix('text_model.')}"
            tensors |= {f"{part}.{prefix}.lora_A.weight": down, f"{part}.{prefix}.lora_B.weight": up}
    save_file(tensors, tmp_path / "both.safetensors")
    pipe = ModelPool(with_loras(preset, (tmp_path / "both.safetensors", 1.0)), device="cpu", dtype="float32")
    changed = pipe.stable_diffusion("text_to_image")
    for part in ("unet", "text_encoder"):
        before, after = getattr(plain, part).state_dict(), getattr(changed, part).state_dict()
        assert any((before[name] != after[name]).any() for name in before)


def test_what_has_no_place_in_the_model_is_refused(tmp_path: Path) -> None:
    preset = tiny_preset(tmp_path)
    down, up = torch.ones(2, 32), torch.ones(16, 2)
    name = "unet.down_blocks.7.attentions.0.transformer_blocks.0.attn2.to_k"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, tmp_path / "other.safetensors")
    with pytest.raises(PresetError, match=r"the LoRA '.*other.safetensors' does not fit the model"):
        unet_of(with_loras(preset, (tmp_path / "other.safetensors", 1.0)))


def test_the_record_and_the_journal_know_the_loras(tmp_path: Path) -> None:
    plain = tiny_context(tmp_path)
    path = save_lora(tiny_unet(), tmp_path / "style.safetensors")
    preset = with_loras(plain.preset, (path, 0.8))
    use = ModelPool(preset, device="cpu", dtype="float32").use("text_to_image")
    assert use.lora is not None and [(lora.source, lora.weight) for lora in use.lora] == [(str(path), 0.8)]
    assert plain.models.use("text_to_image").lora is None
    assert weights_digest(preset).keys() - weights_digest(plain.preset).keys() == {str(path)}


def test_every_fault_of_loras_in_one_go_before_loading(tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path / "sd")
    save_lora(tiny_xl_pipeline().unet, tmp_path / "xl.safetensors")
    save_lora(tiny_unet(), tmp_path / "flow.safetensors", part="transformer")
    save_file({"a": torch.zeros(1)}, tmp_path / "none.safetensors")
    (tmp_path / "old.pt").write_bytes(b"pickle")
    sources = ["xl.safetensors", "flow.safetensors", "none.safetensors", "gone.safetensors", "old.pt"]
    roles = {
        "text_to_image": {"source": "sd", "family": "stable-diffusion", "lora": [{"source": name} for name in sources]},
        "refiner": {"source": "sd", "family": "stable-diffusion", "lora": [{"source": "sd", "weight": 11}]},
        "detector": {"source": "sd", "family": "owlv2", "lora": [{"source": "xl.safetensors"}]},
    }
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"name": "own", "width": 64, "height": 64, "roles": roles}))
    with pytest.raises(PresetError) as caught:
        load_preset(str(path))
    said = str(caught.value)
    for words in (
        "/roles/text_to_image/lora/0/source: ",
        "was made for another architecture: it attends to text of width 48, the model here to 32",
        "/roles/text_to_image/lora/1/source: ",
        "was made for a transformer; the model here is a U-Net",
        "holds no LoRA: none of its tensors is named",
        "/roles/text_to_image/lora/3/source: there is no file gone.safetensors",
        "old.pt is a pickle",
        "/roles/refiner/lora/0/weight: Input should be less than or equal to 10",
        "a model of the family 'owlv2' takes none",
    ):
        assert words in said, (words, said)
