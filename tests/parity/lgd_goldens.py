"""Goldens of Latent-Guided Diffusion: models of the tiny sizes that the sidecar says, with the original's weights.

The set in `tests/data` leaves out U-Net and autoencoder, for their size: a test that needs them is skipped there and says so.
"""

import copy
from functools import cache
from typing import Any

import pytest
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from parity.goldens import DATA, GoldenSet
from torch import Tensor, nn
from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2QFormerConfig, Blip2VisionConfig, T5Config

from llmgen.diffusion.answering.bridge import Bridge
from llmgen.diffusion.answering.latents import VISION_NORM_EPS

WEIGHTS = "weights."
STATES = "features_A_B_null"


def weights(golden: GoldenSet, part: str) -> dict[str, Tensor]:
    """The weights of a part by its own names."""
    prefix = f"{WEIGHTS}{part}."
    if golden.path.parent == DATA and not any(name.startswith(prefix) for name in golden.names):
        pytest.skip(f"{golden.name} has no {prefix}*; --goldens DIR names the folder of a complete set")
    return {name.removeprefix(prefix): golden[name] for name in golden.names_from(prefix)}


def config(golden: GoldenSet, part: str) -> Any:
    """The configuration of a part, whatever class the sidecar says beside its name."""
    sections = golden.sidecar["config"]
    found = next(values for name, values in sections.items() if name.split(" ")[0] == part)
    return copy.deepcopy(found)


@cache
def unet_of(golden: GoldenSet) -> UNet2DConditionModel:
    """The editor's U-Net."""
    unet = UNet2DConditionModel(**config(golden, "unet"))
    unet.load_state_dict(weights(golden, "unet"))
    return unet.eval()


@cache
def vae_of(golden: GoldenSet) -> AutoencoderKL:
    """The autoencoder."""
    vae = AutoencoderKL(**config(golden, "vae"))
    vae.load_state_dict(weights(golden, "vae"))
    return vae.eval()


@cache
def blip2_of(golden: GoldenSet) -> Blip2ForConditionalGeneration:
    """BLIP-2, its output layer untied from the embeddings."""
    sizes = config(golden, "blip2")
    model = Blip2ForConditionalGeneration(
        Blip2Config(
            vision_config=Blip2VisionConfig(**sizes["vision"]).to_dict(),
            qformer_config=Blip2QFormerConfig(**sizes["qformer"]).to_dict(),
            text_config=T5Config(**sizes["text"]).to_dict(),
            num_query_tokens=sizes["num_query_tokens"],
            image_token_index=sizes["image_token_index"],
        )
    )
    head = model.language_model.lm_head
    head.weight = nn.Parameter(head.weight.detach().clone())
    missing, unexpected = model.load_state_dict(weights(golden, "blip2"), strict=False)
    assert not unexpected and all(name.endswith("embed_tokens.weight") for name in missing), missing
    model.vision_model.post_layernorm.eps = VISION_NORM_EPS
    return model.eval()


@cache
def bridge_of(golden: GoldenSet) -> Bridge:
    """The two linear layers."""
    sizes = golden.sidecar["config"]
    bridge = Bridge(sizes["d"], sizes["context_width"])
    for name in ("latent_mlp", "mlp"):
        getattr(bridge, name).load_state_dict(weights(golden, name))
    return bridge.eval()


@cache
def code_head_of(golden: GoldenSet) -> nn.Linear:
    """The predictive head."""
    head = nn.Linear(golden.sidecar["config"]["d"], golden.sidecar["config"]["d"])
    head.load_state_dict(weights(golden, "predictive_proj"))
    return head.eval()


def schedule() -> DDPMScheduler:
    """The noise of training."""
    return DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
