"""What the presets for questions about pictures say of their models, against the published sizes."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2QFormerConfig, Blip2VisionConfig, T5Config

from llmgen.diffusion.answering.bridge import Bridge
from llmgen.presets import load_preset

CONFIGS = json.loads((Path(__file__).parents[2] / "data" / "public_configs.json").read_text(encoding="utf-8"))
T5_SIZES = {
    "xl": {"d_model": 2048, "d_kv": 64, "d_ff": 5120, "num_layers": 24, "num_heads": 32},
    "xxl": {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64},
}


def _billions(*models: torch.nn.Module) -> float:
    return sum(p.numel() for model in models for p in model.parameters()) / 1e9


@pytest.mark.parametrize("size", ["xl", "xxl"])
def test_what_blip2_and_lgd_weigh(size: str) -> None:
    sizes = T5_SIZES[size]
    text = T5Config(vocab_size=32128, feed_forward_proj="gated-gelu", dense_act_fn="gelu", **sizes)
    config = Blip2Config(
        vision_config=Blip2VisionConfig().to_dict(),
        qformer_config=Blip2QFormerConfig().to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=32,
    )
    with torch.device("meta"):
        blip2 = Blip2ForConditionalGeneration(config)
        unet = UNet2DConditionModel.from_config(CONFIGS["gligen_unet"], in_channels=8)
        vae, bridge = AutoencoderKL.from_config(CONFIGS["sd_vae"]), Bridge(sizes["d_model"], 768)
    # The checkpoint's output layer has its own weights; a fresh model shares them with the embeddings.
    head = 32128 * sizes["d_model"] / 1e9
    preset = load_preset(f"lgd-blip2-{size}")
    assert preset.role("answerer").memory_gb == pytest.approx(2 * (_billions(blip2) + head), rel=0.02)
    assert preset.role("answerer").largest_gb == pytest.approx(2 * (_billions(blip2.language_model) + head), rel=0.02)
    assert preset.role("answer_to_image").memory_gb == pytest.approx(2 * _billions(unet, vae, bridge), rel=0.01)
    assert preset.role("answer_to_image").largest_gb == pytest.approx(2 * _billions(unet), rel=0.01)


@pytest.mark.parametrize("name", ["instruct-pix2pix", "lgd-blip2-xl", "lgd-blip2-xxl"])
def test_licences_and_files(name: str) -> None:
    preset = load_preset(name)
    assert preset.role("edit").licence == "MIT"
    assert all(not file.endswith((".bin", ".ckpt", ".pt")) for spec in preset.roles.values() for file in spec.files)
    assert {"lgd": "lgd", "ins": "question-guided"}[name[:3]] == preset.methods["generate"]
