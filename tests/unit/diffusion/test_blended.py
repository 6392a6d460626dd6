"""A denoiser of eight channels in diffusers' inpainting pipeline, which knows four and nine."""

import numpy as np
import torch
from PIL import Image

from llmgen.diffusion.blended import PLAIN, BlendedDenoiser
from llmgen.diffusion.loading import ModelPool
from llmgen.presets import load_preset
from llmgen.toybox.world.scenes import Scene, render_image


def test_the_toybox_denoiser_inpaints_inside_the_mask_alone() -> None:
    pipe = ModelPool(load_preset("toybox"), device="cpu", dtype="float32").inpainting("text_to_image")
    assert isinstance(pipe.unet, BlendedDenoiser)
    assert pipe.unet.config.in_channels == PLAIN and pipe.vae.config.latent_channels == 8
    picture = Image.fromarray(render_image(Scene("meadow", (), seed=1)))
    mask = Image.fromarray(np.pad(np.full((64, 64), 255, np.uint8), 32))
    drawn = pipe(
        prompt="a red ball", image=picture, mask_image=mask, num_inference_steps=4, strength=1.0, width=128, height=128,
        generator=torch.Generator().manual_seed(0),
    ).images[0]  # fmt: skip
    changed = np.abs(np.asarray(drawn, np.int16) - np.asarray(picture, np.int16)).max(axis=2)
    assert changed[56:72, 56:72].mean() > 3 * changed[:16].mean()


def test_everything_but_the_number_of_channels_is_the_denoisers_own() -> None:
    unet = ModelPool(load_preset("toybox"), device="cpu", dtype="float32").stable_diffusion("text_to_image").unet
    told = BlendedDenoiser(unet)
    assert told.dtype == unet.dtype and told.config.cross_attention_dim == unet.config.cross_attention_dim
    x, states = torch.zeros(1, 8, 16, 16), torch.zeros(1, 4, unet.config.cross_attention_dim)
    with torch.no_grad():
        assert torch.equal(told(x, 5, states).sample, unet(x, 5, states).sample)
