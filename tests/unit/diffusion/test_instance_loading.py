import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_instances import SLOTS, tiny_instances

from llmgen.diffusion.loading import ModelPool
from llmgen.errors import InputError, MissingRequirementError
from llmgen.presets import Preset


def pool(preset: Preset) -> ModelPool:
    return ModelPool(preset, device="cpu", dtype="float32")


@pytest.mark.parametrize("kind", ["fusers", "unet"])
def test_an_instance_u_net_takes_tokens_and_leaves_the_base_alone(tmp_path: Path, kind: str) -> None:
    models = pool(tiny_instances(tmp_path, kind=kind))
    made = models.instance_diffusion()
    assert made is models.instance_diffusion()
    assert made.unifusion.config.max_objs == SLOTS
    assert not any(p.requires_grad or p.is_meta for p in made.pipe.unet.parameters())
    base, unet = models.stable_diffusion("layout_to_image").unet, made.pipe.unet
    assert base.position_net is not unet.position_net
    name = next(name for name in unet.state_dict() if name.endswith("fuser.linear.weight"))
    assert not torch.equal(base.state_dict()[name], unet.state_dict()[name])
    z, text, tokens = torch.randn(1, 4, 8, 8), torch.randn(1, 24, 32), torch.randn(1, 9, 32)
    with torch.no_grad():
        free = unet(z, 5, text, return_dict=False)[0]
        grounded = unet(z, 5, text, cross_attention_kwargs={"gligen": {"objs": tokens}}, return_dict=False)[0]
        plain = base(z, 5, text, return_dict=False)[0]
    assert not torch.equal(free, grounded)
    assert not torch.equal(free, plain)  # ScaleU is on one of them only
    assert models.text("instances_to_image").tokenizer is made.pipe.tokenizer


def lose(path: Path, part: str) -> None:
    weights = load_file(path)
    lost = [name for name in weights if part in name]
    assert lost
    save_file({name: value for name, value in weights.items() if name not in lost[:2]}, path)


@pytest.mark.parametrize(
    ("kind", "file", "part"),
    [
        ("unet", "unet/diffusion_pytorch_model.safetensors", ".fuser."),
        ("fusers", "fusers/diffusion_pytorch_model.safetensors", ".fuser."),
        ("fusers", "unifusion/diffusion_pytorch_model.safetensors", "null_location"),
        ("fusers", "scaleu/diffusion_pytorch_model.safetensors", "skip"),
    ],
)
def test_lost_weights_are_an_error(tmp_path: Path, kind: str, file: str, part: str) -> None:
    preset = tiny_instances(tmp_path, kind=kind)
    lose(tmp_path / "instances" / file, part)
    with pytest.raises(MissingRequirementError, match=f"lacks? (the )?weights .*{part}.* 1 other"):
        pool(preset).instance_diffusion()


@pytest.mark.parametrize("folder", ["fusers", "unifusion", "scaleu"])
def test_a_missing_part_is_named(tmp_path: Path, folder: str) -> None:
    preset = tiny_instances(tmp_path)
    (tmp_path / "instances" / folder / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(MissingRequirementError, match=folder):
        pool(preset).instance_diffusion()


def test_parts_of_different_models_do_not_go_together(tmp_path: Path) -> None:
    preset = tiny_instances(tmp_path)
    path = tmp_path / "instances/scaleu"
    widths = json.loads((path / "config.json").read_text())["widths"]
    (path / "config.json").write_text(json.dumps({"widths": widths[1:]}))
    weights = load_file(path / "diffusion_pytorch_model.safetensors")
    few = {f"{kind}.{i}": weights[f"{kind}.{i + 1}"] for kind in ("backbone", "skip") for i in range(len(widths) - 1)}
    save_file(few, path / "diffusion_pytorch_model.safetensors")
    with pytest.raises(MissingRequirementError, match="does not fit its U-Net"):
        pool(preset).instance_diffusion()


def test_a_base_is_needed_and_the_family_is_checked(tmp_path: Path) -> None:
    preset = tiny_instances(tmp_path)
    spec = preset.roles["instances_to_image"]
    without = preset.model_copy(update={"roles": {"instances_to_image": spec.model_copy(update={"base": None})}})
    with pytest.raises(InputError, match="base"):
        pool(without).instance_diffusion()
    with pytest.raises(InputError, match="stable-diffusion"):
        pool(preset).instance_diffusion("text_to_image")
