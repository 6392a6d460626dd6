"""What is sent to the web API of A1111 and Forge, with the constants of the published context loop.

Source: GPT4-Contextual-Diffusion (2023), its image client and pipeline file. Specification: sections 2 and 5 of the context loop.
"""

from collections.abc import Mapping
from typing import Any, Final

PORT: Final = 7860
"""Of the server, on the same machine."""
CHECKPOINT: Final = "pastelmix-better-vae-fp32.ckpt [943a810f75]"
STYLE: Final = "Anime-Image Baseline"
"""A preset of the author's own server; nobody else has it."""
SAMPLER: Final = "DPM++ 2M Karras"

OPTIONS: Final[dict[str, Any]] = {"sd_model_checkpoint": CHECKPOINT}
TXT2IMG: Final[dict[str, Any]] = {
    "styles": [STYLE],
    "sampler_index": SAMPLER,
    "steps": 20,
    "width": 640,
    "height": 360,
    "enable_hr": True,
    "hr_upscaler": "Latent",
    "hr_scale": 2,
    "hr_second_pass_steps": 20,
    "denoising_strength": 0.6,
}
IMG2IMG: Final[dict[str, Any]] = {
    "styles": [STYLE],
    "resize_mode": 0,
    "mask_blur": 30,
    "inpainting_mask_invert": 0,
    "inpainting_fill": 1,
    "inpaint_full_res": False,
    "inpaint_full_res_padding": 35,
    "steps": 40,
    "sampler_index": SAMPLER,
    "denoising_strength": 0.6,
}
LOOP_MASK_BLUR: Final = 20
"""The pipeline file overrides the client's 30."""


def merged(defaults: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overlaid by what is given, key by key; new keys come last."""
    return {**defaults, **override}
