"""The original's state dict in the names of a stock U-Net, of UniFusion and of ScaleU, with every key accounted for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from llmgen.diffusion.instances.scaleu import ScaleU, backbone_widths
from llmgen.diffusion.instances.unifusion import UniFusion
from llmgen.errors import InputError

_FORMATS: Final = ("box", "point", "scribble", "polygon", "segment")
_NULLS: Final = {"position": "box", "point": "point", "scribble": "scribble", "polygon": "polygon", "seg": "segment"}
_RESNET: Final = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_MIDDLE: Final = {"0": "resnets.0", "1": "attentions.0", "2": "resnets.1"}
_AROUND: Final = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_CONVNEXT: Final = {"dwconv": "block.0", "norm": "block.2", "pwconv1": "block.3", "pwconv2": "block.5"}


@dataclass(frozen=True)
class Architecture:
    """Sizes of a checkpoint; the defaults are the published one's.

    Attributes:
        unet: Arguments of `UNet2DConditionModel` beside its defaults.
        unifusion: Arguments of `UniFusion` beside its defaults.
    """

    unet: Mapping[str, Any] = field(
        default_factory=lambda: {"sample_size": 64, "cross_attention_dim": 768, "attention_type": "gated"}
    )
    unifusion: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Components:
    """One thing for each of the three parts: modules, or their state dicts."""

    unet: Any
    unifusion: Any
    scaleu: Any

    def items(self) -> Iterator[tuple[str, Any]]:
        """Folder and thing, in the order of the fields."""
        yield from vars(self).items()


def empty_components(architecture: Architecture) -> Components:
    """The three modules without memory, the U-Net without GLIGEN's position net."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(**architecture.unet)
        unet.position_net = nn.Module()
        return Components(unet, UniFusion(**architecture.unifusion), ScaleU(backbone_widths(unet)))


def convert(state: Mapping[str, Tensor], architecture: Architecture) -> Components:
    """Translate a checkpoint of the original.

    Args:
        state: Its U-Net, 1199 tensors in the published one.
        architecture: What it must fit.

    Returns:
        State dicts. Their tensors share the memory of the input.

    Raises:
        InputError: If a tensor is missing, is not known or has another shape; the message names the first of them.
    """
    found = Components({}, {}, {})
    original: dict[str, str] = {}
    unknown = []
    for key, value in state.items():
        part, name = target(key) or ("", "")
        if not part or f"{part}/{name}" in original:
            unknown.append(key)
            continue
        original[f"{part}/{name}"] = key
        getattr(found, part)[name] = value[:, None, None] if name.endswith(".layer_scale") else value
    missing, misshapen = [], []
    for part, module in empty_components(architecture).items():
        wanted, tensors = module.state_dict(), getattr(found, part)
        missing += [f"{part}/{name}" for name in wanted if name not in tensors]
        for name, value in tensors.items():
            if name not in wanted:
                unknown.append(original[f"{part}/{name}"])
            elif value.shape != wanted[name].shape:
                shapes = f"{list(value.shape)} is not {list(wanted[name].shape)}"
                misshapen.append(f"{original[f'{part}/{name}']} ({shapes})")
    faults = (
        _fault(unknown, "not known"),
        _fault(missing, "missing"),
        _fault(misshapen, "of another shape"),
    )
    if any(faults):
        raise InputError(f"this is no checkpoint of InstanceDiffusion on SD 1.5: {'; '.join(filter(None, faults))}")
    return found


def _fault(names: Sequence[str], what: str) -> str:
    shown = ", ".join(names[:3])
    return f"{len(names)} tensors {what}: {shown}{', ...' if len(names) > 3 else ''}" if names else ""


def target(key: str) -> tuple[str, str] | None:
    """Where a tensor of the original goes.

    Args:
        key: Its name in the original.

    Returns:
        `unet`, `unifusion` or `scaleu`, and its name there; None if the original has no such name.
    """
    if match := re.fullmatch(r"scaleu_([bs])_(\d+)", key):
        return "scaleu", f"{'backbone' if match[1] == 'b' else 'skip'}.{match[2]}"
    if key.startswith("position_net."):
        name = _unifusion(key.removeprefix("position_net."))
        return ("unifusion", name) if name else None
    name = _unet(key)
    return ("unet", name) if name else None


def _unifusion(key: str) -> str | None:
    if key == "pos_embedding":
        return "segment_positions"
    if key == "null_positive_feature":
        return "null_text"
    if key.startswith("in_conv."):
        return f"segment_encoder.{key}"
    if match := re.fullmatch(r"null_(\w+)_feature", key):
        return f"null_location.{_NULLS[match[1]]}" if match[1] in _NULLS else None
    if match := re.fullmatch(r"linears_list\.([0-4])\.(.+)", key):
        return f"tokenizers.{_FORMATS[int(match[1])]}.{match[2]}"
    trunk, _, rest = key.partition(".")
    if trunk != "convnext_tiny_backbone":
        return None
    # torchvision has one list in which the stem and the downsamplings alternate with the stages.
    if match := re.fullmatch(r"downsample_layers\.(\d)\.(.+)", rest):
        return f"segment_encoder.trunk.{2 * int(match[1])}.{match[2]}"
    if match := re.fullmatch(r"stages\.(\d)\.(\d+)\.(.+)", rest):
        block = f"segment_encoder.trunk.{2 * int(match[1]) + 1}.{match[2]}"
        if match[3] == "gamma":
            return f"{block}.layer_scale"
        layer, _, kind = match[3].partition(".")
        return f"{block}.{_CONVNEXT[layer]}.{kind}" if layer in _CONVNEXT else None
    return None


def _unet(key: str) -> str | None:
    module, _, kind = key.rpartition(".")
    if module in _AROUND:
        return f"{_AROUND[module]}.{kind}"
    if match := re.fullmatch(r"middle_block\.([0-2])\.(.+)", key):
        return _inside(f"mid_block.{_MIDDLE[match[1]]}", match[2])
    match = re.fullmatch(r"(input|output)_blocks\.(\d+)\.([0-2])\.(.+)", key)
    if match is None:
        return None
    # Per level three blocks: down, two residual ones and the downsampling; up, three residual ones.
    side = "down" if match[1] == "input" else "up"
    level, block = divmod(int(match[2]) - (side == "down"), 3)
    place = f"{side}_blocks.{level}"
    if match[4].startswith("op."):
        return f"{place}.downsamplers.0.conv.{kind}"
    if match[4].startswith("conv."):
        return f"{place}.upsamplers.0.conv.{kind}"
    return _inside(f"{place}.{'resnets' if match[3] == '0' else 'attentions'}.{block}", match[4])


def _inside(place: str, key: str) -> str | None:
    if ".attentions." in place:
        return f"{place}.{key}"
    module, _, kind = key.rpartition(".")
    return f"{place}.{_RESNET[module]}.{kind}" if module in _RESNET else None
