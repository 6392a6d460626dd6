"""What LGD's training needs at real sizes, counted on the meta device: no weight is downloaded, nothing is computed.

    python benchmarks/lgd_memory.py [--width 4096]

Static memory is weights, gradients, both moments of AdamW and the average, in float32; activations come on top and depend on the batch.
Saved are the model as it is used (weights and average) and the state that a training resumes from (weights, average, both moments).
Sizes of the models: `lgd.md`, section 2; the original's static memory is an estimate: both language models and the U-Net's training.
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import nn
from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2QFormerConfig, Blip2VisionConfig, T5Config

from llmgen.diffusion.answering.bridge import Bridge
from llmgen.generate.lgd_training.steps import AdapterStep, EditorStep
from llmgen.training.loop import Average

GB = 1e9
FLAN_T5 = {
    2048: {"d_ff": 5120, "num_layers": 24, "num_heads": 32, "d_kv": 64},
    4096: {"d_ff": 10240, "num_layers": 24, "num_heads": 64, "d_kv": 64},
}
"""FLAN-T5-XL and -XXL."""
TARGETS = {"static": 18.0, "saved": 7.1, "resumable": 14.2}


def editor_step(width: int) -> EditorStep:
    """Stage B at real size: Stable Diffusion's U-Net with eight channels, and the bridge."""
    unet = UNet2DConditionModel(
        sample_size=64,
        in_channels=8,
        out_channels=4,
        cross_attention_dim=768,
        attention_head_dim=8,
        block_out_channels=(320, 640, 1280, 1280),
    )
    return EditorStep(unet, Bridge(width, 768), torch.zeros(1, 77, width), DDPMScheduler(beta_schedule="scaled_linear"))


def answerer(width: int) -> Blip2ForConditionalGeneration:
    """BLIP-2 at real size, FLAN-T5-XL or -XXL."""
    return Blip2ForConditionalGeneration(
        Blip2Config(
            vision_config=Blip2VisionConfig(image_size=364).to_dict(),
            qformer_config=Blip2QFormerConfig().to_dict(),
            text_config=T5Config(
                vocab_size=32128, d_model=width, feed_forward_proj="gated-gelu", dense_act_fn="gelu", **FLAN_T5[width]
            ).to_dict(),
            num_query_tokens=32,
            image_token_index=32100,
        )
    )


def size_of(module: nn.Module) -> int:
    """Parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def measured(step: nn.Module, averaged: bool) -> dict[str, float]:
    """Gigabytes by what is counted: of the tensors that training really keeps."""
    optimizer = torch.optim.AdamW(step.parameters())
    for parameter in step.parameters():
        parameter.grad = torch.empty_like(parameter)
    optimizer.step()
    weights = {name: value.numel() * value.element_size() for name, value in step.state_dict().items()}
    moments = sum(v.numel() * 4 for state in optimizer.state.values() for v in state.values() if v.ndim)
    average = sum(value.numel() * 4 for value in Average(step).state.values()) if averaged else 0
    total = sum(weights.values())
    gradients = sum(p.numel() * 4 for p in step.parameters())
    return {
        "parameters": size_of(step) / 1e6,
        "static": (total + gradients + moments + average) / GB,
        "saved": (total + average) / GB,
        "resumable": (total + average + moments) / GB,
    }


def main() -> None:
    """Count and print; a figure above its target ends with 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=4096, choices=sorted(FLAN_T5), help="of the language model")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    with torch.device("meta"):
        editor, blip2 = editor_step(options.width), answerer(options.width)
        adapter = AdapterStep(blip2, nn.Linear(options.width, options.width), torch.zeros(1, 77, options.width))
        figures = {"stage B": measured(editor, True), "stage A, what is trained": measured(adapter, False)}
        frozen = size_of(blip2) - (size_of(adapter) - size_of(adapter.head))
    figures["stage A, what is trained"]["frozen, bf16"] = 2 * frozen / GB
    for name, values in figures.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in values.items()))
    # Two language models in bf16 and float32, the vision transformer in fp16, and everything trained in one.
    encoder = size_of(blip2.language_model.encoder)
    whole = (
        figures["stage B"]["static"]
        + figures["stage A, what is trained"]["static"]
        + 2 * frozen / GB
        + 4 * encoder / GB
    )
    print(f"the original, all at once, estimated: static {whole:.1f}")
    over = [key for key, most in TARGETS.items() if figures["stage B"][key] > most]
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if over:
        raise SystemExit(f"above the target: {', '.join(over)}")


if __name__ == "__main__":
    main()
