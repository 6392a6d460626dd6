"""Pictures from texts by a pipeline of diffusers, whichever backbone it has: a U-Net, or the transformer of Z-Image."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.latents import decode_latents
from llmgen.diffusion.progress import Steps, telling
from llmgen.diffusion.schedulers import quiet_steps
from llmgen.diffusion.text import TextEncoder, pipeline_texts
from llmgen.errors import ModelError

MOST_TOKENS: Final = 512
"""Of a prompt that Z-Image's pipeline reads, the words of its chat included."""


def has_unet(pipe: Any) -> bool:
    """Whether a pipeline draws by a U-Net."""
    return getattr(pipe, "unet", None) is not None


def draw_texts(
    pipe: Any,
    prompts: Sequence[str],
    negative: str,
    size: tuple[int, int],
    *,
    steps: int,
    guidance: float,
    seeds: Sequence[int],
    told: Steps,
    what: str,
    encoder: TextEncoder | None = None,
) -> list[Image.Image]:
    """Draw pictures from texts.

    Args:
        pipe: `StableDiffusionPipeline`, `StableDiffusionXLPipeline` or `ZImagePipeline`.
        prompts: One for each picture.
        negative: What none of them should show; may be empty.
        size: Width and height in pixels.
        steps: Denoising steps.
        guidance: As the pipeline counts it: 1 switches it off, for Z-Image 0.
        seeds: One for each picture.
        told: Told of each step.
        what: The work, for messages.
        encoder: The pipeline's own, which remembers what it has encoded; of a pipeline with a U-Net.

    Raises:
        ModelError: If a number is not finite.
    """
    shared: dict[str, Any] = {
        "width": size[0],
        "height": size[1],
        "num_inference_steps": steps,
        "guidance_scale": guidance,
    }
    shared["callback_on_step_end"] = telling(told)
    noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    with torch.no_grad(), quiet_steps():
        if encoder is not None:
            negatives = encoder.negatives([negative] * len(prompts), size) if guidance > 1 else None
            texts = pipeline_texts(encoder.conditions(prompts, size), negatives)
            latents = pipe(**texts, generator=noise, output_type="latent", **shared).images
            return decode_latents(pipe.vae, check_finite(latents, what))
        # One by one: texts of one call are padded to the longest, which changes the last bits of the others' pictures.
        return [
            _checked(
                pipe([text], negative_prompt=[negative], generator=[own], output_type="np", **shared).images[0], what
            )
            for text, own in zip(prompts, noise, strict=True)
        ]


def _checked(values: Any, what: str) -> Image.Image:
    if not np.isfinite(values).all():
        raise ModelError(f"{what}: the model returned numbers that are not finite; use --dtype float32 or bfloat16")
    return Image.fromarray((values * 255).round().astype(np.uint8))


def cut_chats(pipe: Any, texts: Mapping[str, str]) -> list[str]:
    """Which texts Z-Image's pipeline reads without their ends.

    Args:
        pipe: The pipeline.
        texts: What each text is, for example `prompt`, to the text.

    Returns:
        One line for each that is cut, to be remarked on.
    """
    cut = []
    for what, prompt in texts.items():
        chat = [{"role": "user", "content": prompt}]
        text = pipe.tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True, enable_thinking=True
        )
        length = len(pipe.tokenizer(text, truncation=False, verbose=False)["input_ids"])
        if length > MOST_TOKENS:
            cut.append(f"its {what} has {length} tokens, the model reads the first {MOST_TOKENS}")
    return cut
