import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from tiny_models import tiny_preset

from llmgen.diffusion.loading import ModelPool
from llmgen.errors import InputError, MissingRequirementError
from llmgen.presets import Preset, RoleSpec


def pool(preset: Preset) -> ModelPool:
    return ModelPool(preset, device="cpu", dtype="float16")


def changed(preset: Preset, **fields: object) -> Preset:
    spec = preset.roles["text_to_image"].model_copy(update=fields)
    return preset.model_copy(update={"roles": {"text_to_image": spec, "layout_to_image": spec}})


def test_equal_roles_share_one_model_in_float32_on_the_cpu(tmp_path: Path) -> None:
    models = pool(tiny_preset(tmp_path))
    pipe = models.stable_diffusion("text_to_image")
    assert pipe is models.stable_diffusion("layout_to_image")
    assert str(pipe.unet.dtype) == "torch.float32"
    assert models.image_to_image("refiner").unet is pipe.unet
    assert models.text("text_to_image") is models.text("layout_to_image")


def test_an_outdated_configuration_is_said_in_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Diffusers prints all of it, as a warning of twenty lines, and mends it."""
    preset = tiny_preset(tmp_path)
    path = tmp_path / "sd/scheduler/scheduler_config.json"
    old = {
        "_class_name": "PNDMScheduler",
        "beta_schedule": "scaled_linear",
        "skip_prk_steps": True,
        "trained_betas": None,
    }
    path.write_text(json.dumps(old))
    pipe = pool(preset).stable_diffusion("text_to_image")
    assert pipe.scheduler.config.steps_offset == 1
    (line,) = caplog.messages
    assert "`steps_offset` should be set to 1" in line and "\n" not in line and "beta_schedule" not in line


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    preset = tiny_preset(tmp_path)
    (tmp_path / "sd/unet/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(MissingRequirementError, match="unet/diffusion_pytorch_model.safetensors"):
        pool(preset).stable_diffusion("text_to_image")


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    preset = changed(tiny_preset(tmp_path), files=())
    weights = tmp_path / "sd/unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("diffusion_pytorch_model.bin"))
    with pytest.raises(MissingRequirementError, match="unet"):
        pool(preset).stable_diffusion("text_to_image")


def test_a_hub_model_that_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    preset = changed(tiny_preset(tmp_path), source="nobody/nothing", files=(), revision="abc")
    with pytest.raises(MissingRequirementError, match="hf download nobody/nothing --revision abc"):
        pool(preset).stable_diffusion("text_to_image")


def test_missing_package_weights_say_so(tmp_path: Path) -> None:
    preset = changed(tiny_preset(tmp_path), source="package:toybox/weights/no-such-model")
    with pytest.raises(MissingRequirementError, match="llmgen train toybox"):
        pool(preset).stable_diffusion("text_to_image")


def test_lost_grounding_weights_are_an_error(tmp_path: Path) -> None:
    preset = tiny_preset(tmp_path)
    models = pool(preset)
    config = dict(models.stable_diffusion("text_to_image").unet.config, attention_type="default")
    UNet2DConditionModel.from_config(config).save_pretrained(tmp_path / "sd/unet")
    again = pool(preset)
    again.stable_diffusion("text_to_image")
    with pytest.raises(MissingRequirementError, match="position_net"):
        again.stable_diffusion("layout_to_image")


def test_a_grounding_checkpoint_without_its_weights_is_an_error(tmp_path: Path) -> None:
    """As the half-precision file of a public GLIGEN repository: the configuration promises what the file lacks."""
    preset = tiny_preset(tmp_path)
    weights = tmp_path / "sd/unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    save_file({k: v for k, v in tensors.items() if not k.startswith("position_net.")}, weights, {"format": "pt"})
    for role in ("layout_to_image", "text_to_image"):
        with pytest.raises(MissingRequirementError, match=r"lacks the weights .*position_net\."):
            pool(preset).stable_diffusion(role)


def test_a_grounding_checkpoint_whose_configuration_forgot_it_needs_the_preset_to_say_so(tmp_path: Path) -> None:
    preset = tiny_preset(tmp_path)
    file = tmp_path / "sd/unet/config.json"
    config = json.loads(file.read_text())
    del config["attention_type"]
    file.write_text(json.dumps({**config, "use_gated_attention": True}))
    with pytest.raises(MissingRequirementError, match="position_net"):
        pool(preset).stable_diffusion("layout_to_image")
    saved = load_file(tmp_path / "sd/unet/diffusion_pytorch_model.safetensors")
    unet = pool(changed(preset, classes={"grounding": "gligen", **preset.roles["text_to_image"].classes}))
    unet = unet.stable_diffusion("layout_to_image").unet
    torch.testing.assert_close(
        unet.position_net.null_positive_feature, saved["position_net.null_positive_feature"], rtol=0, atol=0
    )
    assert unet.get_submodule("mid_block.attentions.0.transformer_blocks.0.fuser").enabled


def test_unknown_families_and_roles_are_refused(tmp_path: Path) -> None:
    preset = changed(tiny_preset(tmp_path), family="sorcery")
    with pytest.raises(InputError, match="sorcery"):
        pool(preset).stable_diffusion("text_to_image")
    with pytest.raises(InputError, match="judge"):
        pool(preset).phrase_detector("judge")
    nothing = RoleSpec(source=str(tmp_path), family="phrase-detector", licence="MIT", memory_gb=0)
    with pytest.raises(InputError, match="classes.model"):
        pool(preset.model_copy(update={"roles": {"judge": nothing}})).phrase_detector("judge")


def test_a_model_that_is_missing_is_named_with_its_role(tmp_path: Path) -> None:
    gone = changed(tiny_preset(tmp_path), source=str(tmp_path / "gone"))
    with pytest.raises(MissingRequirementError, match="^role text_to_image: .*gone"):
        pool(gone).stable_diffusion("text_to_image")
