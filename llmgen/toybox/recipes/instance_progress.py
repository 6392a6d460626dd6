"""How far the toybox InstanceDiffusion has come: pictures from each format alone, against the truth."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from llmgen.diffusion.instances.unifusion import Format, InstanceGrounding
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.recipes.instance_batches import ground_scenes
from llmgen.toybox.recipes.progress import held_out_prompts, judge_pictures, paste_rows
from llmgen.toybox.recipes.sampling import GUIDANCE, STEPS, TextToImage, build_scheduler
from llmgen.toybox.world.scenes import SIZE, Scene, render_image

WAYS: Final[dict[str, tuple[Format, ...]]] = {
    "box": ("box", "point"),
    "point": ("point",),
    "scribble": ("scribble",),
    "mask": ("mask",),
    "all": ("box", "point", "scribble", "mask"),
}


@torch.no_grad()
def draw(
    models: TextToImage,
    unifusion: Any,
    prompts: Sequence[str],
    grounding: InstanceGrounding,
    use: Sequence[Format],
    batch: int = 24,
    steps: int = STEPS,
) -> list[np.ndarray]:
    """Draw pictures by plain DDIM, for contact sheets.

    Args:
        models: With a denoiser that takes tokens.
        unifusion: Makes them.
        prompts: One a picture.
        grounding: Instances of all pictures.
        use: Formats that count.
        batch: Pictures at once.
        steps: Denoising steps.

    Returns:
        uint8 [128, 128, 3] each.
    """
    unet, images = models.unet, []
    assert unet is not None
    for start in range(0, len(prompts), batch):
        texts = prompts[start : start + batch]
        part = grounding.rows(range(start, start + len(texts)))
        noise = [
            torch.randn(
                unet.config.in_channels, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(start + i)
            )
            for i in range(len(texts))
        ]
        latents = torch.stack(noise)
        states = torch.cat([models.states([""] * len(texts)), models.states(texts)])
        without, told = unifusion.conditioning(part.null(), use), unifusion.conditioning(part, use)
        both = {key: torch.cat([without[key], told[key]]) for key in told}
        scheduler = build_scheduler()
        scheduler.set_timesteps(steps)
        for timestep in scheduler.timesteps:
            with torch.autocast("cpu", torch.bfloat16):
                doubled = torch.cat([latents, latents])
                out = unet(doubled, timestep, states, cross_attention_kwargs={"gligen": both}).sample
            free, guided = out.float().chunk(2)
            latents = scheduler.step(free + GUIDANCE * (guided - free), timestep, latents).prev_sample
        pictures = models.vae.decoder(latents / models.vae.config.scaling_factor).clamp(-1, 1)
        images += list(((pictures.float() + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return images


def found_in_place(
    scenes: Sequence[Scene], images: Sequence[np.ndarray], judge: ToyboxJudge, within_px: float = 8.0
) -> float:
    """Share of the objects of scenes that a picture shows, by class and colour, where they should be.

    Args:
        scenes: What should be there.
        images: uint8 [128, 128, 3], one a scene.
        judge: Who looks.
        within_px: Greatest distance of the centres.
    """
    seen = judge.detect([Image.fromarray(image) for image in images])
    hits = total = 0
    for scene, sightings in zip(scenes, seen, strict=True):
        for item in scene.objects:
            total += 1
            hits += any(
                s[0] == item.noun
                and s[1] == item.color
                and np.hypot((s[2][0] + s[2][2]) / 2 - item.center[0], (s[2][1] + s[2][3]) / 2 - item.center[1])
                <= within_px
                for s in sightings
            )
    return hits / max(total, 1)


def look(
    models: TextToImage,
    unifusion: Any,
    path: Path | None,
    count: int = 32,
    seed: int = 7_000_000,
    steps: int = STEPS,
) -> dict[str, float]:
    """Draw held-out prompts from each format alone and measure them.

    Args:
        models: With a denoiser that takes tokens.
        unifusion: Makes the tokens of that denoiser.
        path: PNG for the first twelve prompts (a row a format, then the truth), or None.
        count: How many prompts.
        seed: Picks the prompts.
        steps: Denoising steps.

    Returns:
        By format, the share of right pictures and, as "box/placed", that of objects in their places; "none" is the
        control without grounding.
    """
    prompts = held_out_prompts(count, seed)
    texts, scenes = [p.text for p in prompts], [p.scene for p in prompts]
    config = unifusion.config
    grounding = ground_scenes(
        scenes,
        lambda scene, index: models.pooled([scene.objects[index].phrase])[0],
        random.Random(seed),
        slots=config.max_objs,
        width=config.in_dim,
        scribble_points=config.n_scribble_points,
        polygon_points=config.n_polygon_points,
    )
    rows = {name: draw(models, unifusion, texts, grounding, use, steps=steps) for name, use in WAYS.items()}
    rows["none"] = draw(models, unifusion, texts, grounding.null(), ("box",), steps=steps)
    verdicts = {name: judge_pictures(prompts, images) for name, images in rows.items()}
    if path is not None:
        truth = [render_image(scene) for scene in scenes[:12]]
        paste_rows([*(images[:12] for images in rows.values()), truth], [*verdicts.values(), None], path)
    shares: dict[str, float] = {}
    judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
    for name, right in verdicts.items():
        if right is not None:
            shares[name] = sum(right) / count
        shares[f"{name}/placed"] = found_in_place(scenes, rows[name], judge)
    return shares
