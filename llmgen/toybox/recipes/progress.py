"""How far a denoiser has come: a contact sheet and the share of right pictures, with and without boxes."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes.sampling import GUIDANCE, STEPS, TextToImage, generate, grounding_of_scenes
from llmgen.toybox.world.captions import PROMPT_TYPES, Prompt, PromptType, sample_prompt
from llmgen.toybox.world.scenes import SIZE, render_image


def held_out_prompts(count: int, seed: int = 7_000_000, types: Sequence[PromptType] = PROMPT_TYPES) -> list[Prompt]:
    """Prompts that no training draws, all types in turn.

    Args:
        count: How many.
        seed: Picks them.
        types: What the prompts test.

    Returns:
        The prompts with their truths and scenes.
    """
    return [sample_prompt(random.Random(f"prompt:{seed}:{i}"), types[i % len(types)]) for i in range(count)]


def judge_pictures(prompts: Sequence[Prompt], images: Sequence[np.ndarray]) -> list[bool] | None:
    """Ask the shipped judge which pictures obey.

    Args:
        prompts: What was asked.
        images: uint8 [H, W, 3], one a prompt.

    Returns:
        One verdict a picture, or None where no judge is shipped yet.
    """
    if not (WEIGHTS / "judge" / "config.json").is_file():
        return None
    from llmgen.toybox.models.judge import ToyboxJudge

    judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
    seen = judge.look([Image.fromarray(image) for image in images])
    return [picture.is_right(prompt.truth) for prompt, picture in zip(prompts, seen, strict=True)]


def paste_rows(rows: Sequence[Sequence[np.ndarray]], verdicts: Sequence[Sequence[bool] | None], path: Path) -> None:
    """Save rows of pictures, the right ones framed in green.

    Args:
        rows: uint8 [128, 128, 3] pictures.
        verdicts: One row of verdicts a row of pictures, or None.
        path: PNG to write.
    """
    step = SIZE + 6
    sheet = Image.new("RGB", (step * max(map(len, rows)), step * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for y, (row, right) in enumerate(zip(rows, verdicts, strict=True)):
        for x, image in enumerate(row):
            if right is not None and right[x]:
                draw.rectangle((x * step, y * step, x * step + step - 1, y * step + step - 1), fill=(0, 190, 60))
            sheet.paste(Image.fromarray(image), (x * step + 3, y * step + 3))
    sheet.save(path)


def look(
    models: TextToImage,
    path: Path | None,
    count: int = 48,
    guidance: float = GUIDANCE,
    seed: int = 7_000_000,
    types: Sequence[PromptType] = PROMPT_TYPES,
    steps: int = STEPS,
) -> dict[str, float]:
    """Draw held-out prompts from text and from boxes and count the right ones.

    Args:
        models: With a denoiser.
        path: PNG for the first twelve prompts (rows: text, boxes, truth), or None.
        count: How many prompts.
        guidance: Scale of classifier-free guidance.
        seed: Picks the prompts.
        types: What the prompts test.
        steps: Denoising steps.

    Returns:
        Shares of right pictures by "text" and "boxes", also by type as "text/numeracy"; empty without a judge.
    """
    prompts = held_out_prompts(count, seed, types)
    texts, scenes = [p.text for p in prompts], [p.scene for p in prompts]
    rows = {
        "text": generate(models, texts, guidance=guidance, steps=steps),
        "boxes": generate(models, texts, guidance=guidance, steps=steps, grounding=grounding_of_scenes(models, scenes)),
    }
    verdicts = {name: judge_pictures(prompts, images) for name, images in rows.items()}
    if path is not None:
        truth = [render_image(scene) for scene in scenes[:12]]
        paste_rows([*(images[:12] for images in rows.values()), truth], [*verdicts.values(), None], path)
    shares: dict[str, float] = {}
    for name, right in verdicts.items():
        if right is not None:
            shares[name] = sum(right) / count
            for kind in types:
                of_kind = [ok for ok, prompt in zip(right, prompts, strict=True) if prompt.type == kind]
                shares[f"{name}/{kind}"] = sum(of_kind) / max(len(of_kind), 1)
    return shares
