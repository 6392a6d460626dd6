"""Plain DDIM sampling of many prompts at once, for contact sheets and quality tables of the toybox.

The product samples through diffusers' pipelines; this loop exists so that a training can look at itself cheaply.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDIMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel
from llmgen.toybox.world.scenes import SIZE, Scene

GUIDANCE: Final = 3.0
STEPS: Final = 20


def build_scheduler() -> DDIMScheduler:
    """Make the schedule that the denoiser is trained for.

    Returns:
        Scaled-linear betas, velocity prediction.
    """
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )


@dataclass(slots=True)
class TextToImage:
    """The frozen parts around the denoiser, and the denoiser.

    Attributes:
        tokenizer: Words to ids.
        text_encoder: Ids to states.
        vae: Pictures to latents and back.
        unet: The denoiser; None while it is in training elsewhere.
    """

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderTiny
    unet: PositionedUNet2DConditionModel | None = None

    @classmethod
    def from_pretrained(cls, folder: Path | None = None, device: str = "cpu") -> "TextToImage":
        """Load the shipped set, in float32.

        Args:
            folder: Holds tokenizer, text_encoder, vae and perhaps unet; None takes the shipped weights.
            device: Torch device.

        Returns:
            The models in evaluation mode.
        """
        folder = folder or WEIGHTS / "text_to_image"
        unet = None
        if (folder / "unet" / "config.json").is_file():
            unet = PositionedUNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
            unet = unet.to(device).eval()
        return cls(
            CLIPTokenizer.from_pretrained(folder / "tokenizer"),
            CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).to(device).eval(),
            AutoencoderTiny.from_pretrained(folder / "vae", torch_dtype=torch.float32).to(device).eval(),
            unet,
        )

    @torch.no_grad()
    def states(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode prompts.

        Args:
            texts: Prompts.

        Returns:
            [B, 40, 128] token states.
        """
        ids = self.tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt").input_ids
        return self.text_encoder(ids.to(self.text_encoder.device)).last_hidden_state

    @torch.no_grad()
    def pooled(self, phrases: Sequence[str]) -> torch.Tensor:
        """Encode phrases as GLIGEN's pipeline does.

        Args:
            phrases: Phrases.

        Returns:
            [B, 128] pooled states.
        """
        ids = self.tokenizer(list(phrases), padding=True, return_tensors="pt").to(self.text_encoder.device)
        return self.text_encoder(**ids).pooler_output


def grounding_of_scenes(models: TextToImage, scenes: Sequence[Scene], slots: int = 4) -> dict[str, torch.Tensor]:
    """The boxes and phrases of scenes in GLIGEN's form.

    Args:
        models: Gives the phrase embeddings.
        scenes: One a picture.
        slots: Places for boxes in each picture.

    Returns:
        "boxes" [B, slots, 4] in 0..1, "positive_embeddings" [B, slots, 128], "masks" [B, slots].
    """
    boxes, masks = torch.zeros(len(scenes), slots, 4), torch.zeros(len(scenes), slots)
    embeddings = torch.zeros(len(scenes), slots, 128)
    for row, scene in enumerate(scenes):
        if not scene.objects:
            continue
        count = len(scene.objects)
        boxes[row, :count] = torch.tensor([o.box_xyxy for o in scene.objects]) / SIZE
        embeddings[row, :count] = models.pooled([o.phrase for o in scene.objects]).cpu()
        masks[row, :count] = 1
    return {"boxes": boxes, "positive_embeddings": embeddings, "masks": masks}


@torch.no_grad()
def generate(
    models: TextToImage,
    prompts: Sequence[str],
    *,
    grounding: dict[str, torch.Tensor] | None = None,
    grounded_share: float = 1.0,
    guidance: float = GUIDANCE,
    steps: int = STEPS,
    seed: int = 0,
    batch: int = 24,
) -> list[np.ndarray]:
    """Draw pictures.

    Args:
        models: With a denoiser.
        prompts: One a picture.
        grounding: As from `grounding_of_scenes`, or None for text alone.
        grounded_share: Share of the steps, from the first, that see the boxes.
        guidance: Scale of classifier-free guidance.
        steps: Denoising steps.
        seed: Of the noise; picture i depends on seed and i only.
        batch: Pictures at once.

    Returns:
        uint8 [128, 128, 3] each.
    """
    unet = models.unet
    assert unet is not None
    device, images = unet.device, []
    shape = (unet.config.in_channels, SIZE // 8, SIZE // 8)
    for start in range(0, len(prompts), batch):
        chosen = slice(start, start + batch)
        count = len(prompts[chosen])
        noise = [
            torch.randn(shape, generator=torch.Generator().manual_seed(seed * 1_000_003 + start + i))
            for i in range(count)
        ]
        latents = torch.stack(noise).to(device)
        states = torch.cat([models.states([""] * count), models.states(prompts[chosen])])
        kwargs: dict[str, Any] | None = None
        if grounding is not None:
            part = {key: value[chosen].to(device) for key, value in grounding.items()}
            doubled = {key: torch.cat([value, value]) for key, value in part.items()}
            doubled["masks"] = torch.cat([torch.zeros_like(part["masks"]), part["masks"]])
            kwargs = {"gligen": doubled}
        scheduler = build_scheduler()
        scheduler.set_timesteps(steps)
        for index, timestep in enumerate(scheduler.timesteps):
            grounded = kwargs if index < grounded_share * steps else None
            with torch.autocast(device.type, torch.bfloat16):
                both = unet(torch.cat([latents, latents]), timestep, states, cross_attention_kwargs=grounded).sample
            without, with_text = both.float().chunk(2)
            velocity = without + guidance * (with_text - without)
            latents = scheduler.step(velocity, timestep, latents).prev_sample
        pictures = models.vae.decoder(latents / models.vae.config.scaling_factor).clamp(-1, 1)
        images += list(((pictures.float().cpu() + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return images


def write_model_index(folder: Path) -> None:
    """Write the index by which diffusers' pipelines find the parts.

    Args:
        folder: Holds the parts.
    """
    index = {
        "_class_name": "StableDiffusionGLIGENPipeline",
        "_diffusers_version": "0.42.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        # diffusers loads only classes of libraries that it knows. The caller passes our subclass as `unet`; a load that
        # forgets to fails loudly on the wider first convolution.
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderTiny"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
