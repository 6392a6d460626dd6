"""Real classes at tiny sizes, with random weights that are the same every time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from llmgen.engine.context import StageContext
from llmgen.presets import Preset, RoleSpec
from llmgen.vision.images import ImageStore

TOKENS = 24


def tiny_tokenizer(length: int = TOKENS) -> CLIPTokenizer:
    """A CLIP tokenizer that spells every word; the end token has the highest id."""
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=length)


def tiny_scheduler(prediction_type: str = "epsilon", spacing: str = "leading") -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
        timestep_spacing=spacing,
    )


def tiny_unet(seed: int = 0, dim: int = 32) -> UNet2DConditionModel:
    """A GLIGEN U-Net of two levels whose gates are open."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=dim,
        attention_head_dim=2,
        norm_num_groups=4,
        attention_type="gated",
    )
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if name.endswith(("alpha_attn", "alpha_dense")):
                parameter.fill_(0.7)
    return unet.eval()


def tiny_vae(kind: str = "tiny", seed: int = 0) -> AutoencoderTiny | AutoencoderKL:
    """An autoencoder with four pixels to the cell."""
    torch.manual_seed(seed)
    if kind == "kl":
        return AutoencoderKL(
            block_out_channels=(8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=4,
            norm_num_groups=4,
        ).eval()
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(1, 1, 1),
        num_decoder_blocks=(1, 1, 1),
        latent_channels=4,
    ).eval()


def tiny_pipeline(prediction_type: str = "epsilon", vae: str = "tiny", seed: int = 0) -> StableDiffusionPipeline:
    """A Stable Diffusion pipeline that draws noise, fast."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(seed)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=TOKENS,
            bos_token_id=len(tokenizer) - 2,
            eos_token_id=len(tokenizer) - 1,
        )
    ).eval()
    pipe = StableDiffusionPipeline(
        vae=tiny_vae(vae, seed),
        text_encoder=text,
        tokenizer=tokenizer,
        unet=tiny_unet(seed),
        scheduler=tiny_scheduler(prediction_type),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


SIZE = 64
"""Width and height of the tiny preset's canvas in pixels; 16 cells of 4 pixels."""


def tiny_preset(folder: Path, prediction_type: str = "v_prediction", vae: str = "tiny") -> Preset:
    """A preset whose diffusion roles are a tiny pipeline saved in `folder`."""
    tiny_pipeline(prediction_type, vae).save_pretrained(folder / "sd")
    spec = RoleSpec(
        source=str(folder / "sd"),
        family="stable-diffusion",
        classes={"vae": f"diffusers:{'AutoencoderTiny' if vae == 'tiny' else 'AutoencoderKL'}"},
        files=("unet/config.json", "unet/diffusion_pytorch_model.safetensors"),
        licence="MIT",
        memory_gb=0.0,
    )
    return Preset(
        name="tiny",
        description="",
        width=SIZE,
        height=SIZE,
        roles={"text_to_image": spec, "layout_to_image": spec, "refiner": spec},
        methods={"detect": "owlv2"},
    )


def tiny_context(folder: Path, **options: Any) -> StageContext:
    """A stage context on the tiny preset, pictures in `folder`."""
    return StageContext(tiny_preset(folder, **options), ImageStore(folder), "cpu", "float32")


class BoxSegmenter:
    """A segmenter that answers with the box, one pixel smaller on each side."""

    def segment(
        self, image: Image.Image, boxes_xyxy: Sequence[tuple[float, float, float, float]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        masks = np.zeros((len(boxes_xyxy), 3, image.height, image.width), dtype=bool)
        for i, (x0, y0, x1, y1) in enumerate(boxes_xyxy):
            masks[i, :, int(y0) + 1 : int(y1) - 1, int(x0) + 1 : int(x1) - 1] = True
        return masks, np.full((len(boxes_xyxy), 3), 0.9, dtype=np.float32)


def noise_image(seed: int = 0, width: int = SIZE, height: int = SIZE) -> Image.Image:
    """Colourful noise: any changed pixel shows."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))
