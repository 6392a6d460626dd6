"""SDXL's refiner at a tiny size: the real pipeline with the second text encoder only, as the published one."""

from pathlib import Path

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, UNet2DConditionModel
from tiny_models import SIZE, TOKENS, tiny_scheduler, tiny_tokenizer, tiny_vae
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from llmgen.presets import Preset, RoleSpec


def tiny_refiner_preset(folder: Path) -> Preset:
    """A preset whose refiner is such a pipeline, saved in `folder` in half precision's file names."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        projection_dim=32,
        bos_token_id=len(tokenizer) - 2,
        eos_token_id=len(tokenizer) - 1,
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=32 + 5 * 8,
    )
    pipe = StableDiffusionXLImg2ImgPipeline(
        vae=tiny_vae("kl"),
        text_encoder=None,
        text_encoder_2=CLIPTextModelWithProjection(config).eval(),
        tokenizer=None,
        tokenizer_2=tokenizer,
        unet=unet.eval(),
        scheduler=tiny_scheduler(),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
    )
    pipe.save_pretrained(folder / "refiner", variant="fp16")
    spec = RoleSpec(
        source=str(folder / "refiner"),
        family="stable-diffusion-xl-refiner",
        files=("unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder_2/model.fp16.safetensors"),
        variant="fp16",
        licence="MIT",
        memory_gb=0,
    )
    return Preset(name="tiny", description="", width=SIZE, height=SIZE, roles={"refiner": spec})
