"""A tiny InstanceDiffusion folder, saved as the converter and the toybox save theirs."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny_models import tiny_preset, tiny_unet

from llmgen.diffusion.instances.scaleu import ScaleU, backbone_widths
from llmgen.diffusion.instances.unifusion import UniFusion
from llmgen.engine.context import StageContext
from llmgen.presets import Preset
from llmgen.vision.images import ImageStore

SLOTS = 5


def tiny_unifusion(dim: int = 32) -> UniFusion:
    """Five slots; every null vector and position is random, so that nothing is zero by accident."""
    torch.manual_seed(3)
    model = UniFusion(dim, dim, 16, SLOTS, 20, 64, 4, 32, 4, (4, 4, 4, 8), (1, 1, 1, 1))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "null" in name or "positions" in name:
                parameter.normal_()
    return model.eval()


def tiny_instances(folder: Path, *, kind: str = "fusers", prediction_type: str = "v_prediction") -> Preset:
    """The tiny preset with the role `instances_to_image`, whose weights are saved in `folder`.

    Args:
        folder: Receives `sd/` and `instances/`.
        kind: `fusers`, or `unet` for a U-Net of its own.
        prediction_type: Of the base.
    """
    preset = tiny_preset(folder, prediction_type)
    own = folder / "instances"
    unet = tiny_unet(seed=1)
    tiny_unifusion().save_pretrained(own / "unifusion")
    scales = ScaleU(backbone_widths(unet))
    with torch.no_grad():
        for parameter in scales.parameters():
            parameter.fill_(0.1)
    scales.save_pretrained(own / "scaleu")
    if kind == "unet":
        del unet.position_net
        unet.save_pretrained(own / "unet")
    else:
        (own / "fusers").mkdir()
        weights = {name: value for name, value in unet.state_dict().items() if ".fuser." in name}
        save_file(weights, own / "fusers/diffusion_pytorch_model.safetensors")
    update = {"source": str(own), "base": str(folder / "sd"), "family": "instancediffusion", "files": ()}
    spec = preset.roles["text_to_image"].model_copy(update=update)
    return preset.model_copy(update={"roles": {**preset.roles, "instances_to_image": spec}})


def tiny_instance_context(folder: Path, **options: Any) -> StageContext:
    """A stage context on that preset, pictures in `folder`."""
    return StageContext(tiny_instances(folder), ImageStore(folder), "cpu", "float32", **options)
