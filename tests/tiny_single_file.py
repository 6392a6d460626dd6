"""Single-file checkpoints at tiny sizes: the weights of a diffusers pipeline under the names of the original programs.

The renaming is the inverse of what diffusers reads; source: diffusers, scripts/convert_diffusers_to_original_stable_diffusion.py and
its sibling for SDXL.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

UNET, VAE = "model.diffusion_model.", "first_stage_model."
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_ENDS = {"conv_norm_out": "norm_out", "mid_block.attentions.0": "mid.attn_1", "conv_shortcut": "nin_shortcut"}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "fc1": "c_fc", "fc2": "c_proj", "self_attn": "attn"}


def _renamed(name: str, table: dict[str, str]) -> str:
    for old, new in table.items():
        name = name.replace(old, new)
    return name


def _unet_name(name: str, layers: int) -> str:
    for old, new in _UNET_ENDS.items():
        if name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    place, *rest = name.split(".")
    if place == "mid_block":
        kind, number, *inner = rest
        at = f"middle_block.{1 if kind == 'attentions' else 2 * int(number)}"
    else:
        block, kind, number, *inner = rest
        first = int(block) * (layers + 1)
        if kind == "downsamplers":
            return f"input_blocks.{first + layers + 1}.0.op.{inner[-1]}"
        up = place == "up_blocks"
        if kind == "upsamplers":
            return f"output_blocks.{first + layers}.UP.conv.{inner[-1]}"
        at = f"{'output' if up else 'input'}_blocks.{first + int(number) + (not up)}.{int(kind == 'attentions')}"
    inside = ".".join(inner)
    return f"{at}.{_renamed(inside, _RESNET) if kind == 'resnets' else inside}"


def unet_weights(unet: Any) -> dict[str, Tensor]:
    state = {_unet_name(name, unet.config.layers_per_block): value for name, value in unet.state_dict().items()}
    found = {}
    for name, value in state.items():
        if ".UP." in name:
            block = name.partition(".UP.")[0]
            name = name.replace(".UP.", ".2." if any(other.startswith(f"{block}.1.") for other in state) else ".1.")
        found[UNET + name] = value.contiguous()
    return found


def vae_weights(vae: Any) -> dict[str, Tensor]:
    found, last = {}, len(vae.config.block_out_channels) - 1
    for name, value in vae.state_dict().items():
        parts = name.split(".")
        if "down_blocks" in name:
            new = f"{parts[0]}.down.{parts[2]}." + name.split(".", 3)[3]
        elif "up_blocks" in name:
            new = f"{parts[0]}.up.{last - int(parts[2])}." + name.split(".", 3)[3]
        else:
            new = name
        new = (
            new.replace("downsamplers.0", "downsample")
            .replace("upsamplers.0", "upsample")
            .replace("resnets.", "block.")
        )
        new = new.replace("mid_block.block.0", "mid.block_1").replace("mid_block.block.1", "mid.block_2")
        new = _renamed(new, _VAE_ENDS)
        if "mid.attn_1" in new:
            new = _renamed(new, _VAE_ATTENTION)
            value = value[:, :, None, None] if value.ndim == 2 else value
        found[VAE + new] = value.contiguous()
    return found


def clip_weights(model: Any, prefix: str) -> dict[str, Tensor]:
    """As transformers name them, with the wrapper that `CLIPTextModel` had when these files were written."""
    return {
        f"{prefix}text_model.{name.removeprefix('text_model.')}": value for name, value in model.state_dict().items()
    }


def open_clip_weights(model: Any, prefix: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    state = {name.removeprefix("text_model."): value for name, value in model.state_dict().items()}
    for name, value in state.items():
        if name == "text_projection.weight":
            found["text_projection"] = value.T.contiguous()
        elif name.startswith("embeddings."):
            table = {
                "position_embedding.weight": "positional_embedding",
                "token_embedding.weight": "token_embedding.weight",
            }
            found[table[name.removeprefix("embeddings.")]] = value
        elif name.startswith("final_layer_norm."):
            found[name.replace("final_layer_norm", "ln_final")] = value
        elif ".q_proj." in name:
            whole = torch.cat([state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")])
            new = name.replace("encoder.layers.", "transformer.resblocks.").replace(
                "self_attn.q_proj.", "attn.in_proj_"
            )
            found[new] = whole
        elif ".k_proj." not in name and ".v_proj." not in name:
            found[_renamed(name.replace("encoder.layers.", "transformer.resblocks."), _OPEN_CLIP)] = value
    return {prefix + name: value for name, value in found.items()}


def save_single_file(pipe: Any, path: Path) -> Path:
    """A checkpoint of a pipeline of Stable Diffusion, SDXL or its refiner, as people share them."""
    state = unet_weights(pipe.unet) | vae_weights(pipe.vae)
    first, second = getattr(pipe, "text_encoder", None), getattr(pipe, "text_encoder_2", None)
    if second is None:
        state |= clip_weights(first, "cond_stage_model.transformer.")
    elif first is None:
        state |= open_clip_weights(second, "conditioner.embedders.0.model.")
    else:
        state |= clip_weights(first, "conditioner.embedders.0.transformer.")
        state |= open_clip_weights(second, "conditioner.embedders.1.model.")
    save_file({name: value.clone() for name, value in state.items()}, path)
    return path


def save_configs(pipe: Any, folder: Path) -> Path:
    """What such a file lacks: configurations and tokenizers, without weights."""
    pipe.save_pretrained(folder)
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()
    return folder
