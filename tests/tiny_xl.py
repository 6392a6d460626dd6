"""SDXL at a tiny size: the real pipeline with both text encoders, random weights that are the same every time."""

from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from tiny_models import SIZE, TOKENS, tiny_scheduler, tiny_tokenizer, tiny_vae
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from llmgen.presets import Preset, RoleSpec

FIRST, SECOND, POOLED = 16, 32, 24
"""Widths of the two encoders' states and of the pooled vector."""


def second_tokenizer() -> CLIPTokenizer:
    """The same words as `tiny_tokenizer`, but padded with another token, as SDXL's second one."""
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "!"
    return tokenizer


def text_config(tokenizer: CLIPTokenizer, width: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        projection_dim=POOLED,
        bos_token_id=len(tokenizer) - 2,
        eos_token_id=len(tokenizer) - 1,
        pad_token_id=tokenizer.pad_token_id,
    )


def tiny_xl_pipeline() -> StableDiffusionXLPipeline:
    """A pipeline of three levels; eight pixels to the smallest cell that a side must be a multiple of, times two."""
    torch.manual_seed(0)
    first, second = tiny_tokenizer(), second_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),
        cross_attention_dim=FIRST + SECOND,
        attention_head_dim=2,
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=POOLED + 6 * 8,
    )
    pipe = StableDiffusionXLPipeline(
        vae=tiny_vae("kl"),
        text_encoder=CLIPTextModel(text_config(first, FIRST)).eval(),
        text_encoder_2=CLIPTextModelWithProjection(text_config(second, SECOND)).eval(),
        tokenizer=first,
        tokenizer_2=second,
        unet=unet.eval(),
        scheduler=tiny_scheduler(),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tiny_xl_preset(folder: Path) -> Preset:
    """A preset that draws from text by such a pipeline, saved in `folder`."""
    tiny_xl_pipeline().save_pretrained(folder / "sdxl")
    spec = RoleSpec(
        source=str(folder / "sdxl"),
        family="stable-diffusion-xl",
        files=("unet/diffusion_pytorch_model.safetensors", "text_encoder_2/model.safetensors"),
        licence="MIT",
        memory_gb=0,
    )
    return Preset(name="tiny", description="", width=SIZE, height=SIZE, roles={"text_to_image": spec})
