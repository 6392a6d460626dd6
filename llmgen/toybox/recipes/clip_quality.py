"""How well the picture-text model tells captions and phrases apart on held-out scenes, through the stock processor."""

import random
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, CLIPProcessor

from llmgen.toybox.recipes.clip import crop_objects, differing
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.quality import HELD_OUT_SEED
from llmgen.toybox.recipes.scene_batches import COLOR_NAMES, batch_scenes
from llmgen.toybox.world.captions import sample_caption
from llmgen.toybox.world.scenes import sample_scene
from llmgen.toybox.world.vocabulary import NOUNS, object_phrase


@dataclass(frozen=True)
class ClipQuality:
    """Shares of right answers, 0 to 1."""

    caption_of_50: float
    """The caption of a scene fits best among those of fifty scenes."""
    caption_or_differing: float
    """The caption of a scene fits better than that of a scene that differs in one thing."""
    phrase_of_all: float
    """The crop of an object fits its noun and colour best, among all nouns in all colours."""
    color: float
    """Likewise among all colours of its noun."""


@torch.no_grad()
def cosines(model: CLIPModel, processor: CLIPProcessor, images: list[Image.Image], texts: list[str]) -> Tensor:
    """Cosine of every picture with every text, ``[pictures, texts]``."""
    pixels = processor.image_processor(images, return_tensors="pt")
    tokens = processor.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    seen = F.normalize(model.get_image_features(**pixels).pooler_output, dim=-1)
    said = F.normalize(model.get_text_features(**tokens).pooler_output, dim=-1)
    return seen @ said.T


def clip_quality(model: CLIPModel, processor: CLIPProcessor, *, count: int) -> ClipQuality:
    """Measure on held-out scenes.

    Args:
        model: the model, in evaluation mode.
        processor: its processor.
        count: number of scenes.
    """
    chance = random.Random(f"clip:{HELD_OUT_SEED}:{HELD_OUT_SEED}")
    scenes = [sample_scene(chance) for _ in range(count)]
    captions = [sample_caption(chance, scene).text for scene in scenes]
    others = [sample_caption(chance, differing(scene, chance)).text for scene in scenes]
    batch = batch_scenes(scenes)
    images = batch.images
    found = cosines(model, processor, to_pil(images), [*captions, *others])
    own = found.diagonal()
    groups = [list(range(start, min(start + 50, count))) for start in range(0, count, 50)]
    best = [group[int(found[i, group].argmax())] == i for group in groups for i in group]
    crops = crop_objects(images, batch.boxes, batch.present)
    phrases = [object_phrase(noun, color) for noun in NOUNS for color in COLOR_NAMES]
    fits = cosines(model, processor, to_pil(crops), phrases).view(len(crops), len(NOUNS), len(COLOR_NAMES))
    noun, color = batch.nouns[batch.present], batch.colors[batch.present]
    wanted = noun * len(COLOR_NAMES) + color
    return ClipQuality(
        caption_of_50=float(np.mean(best)),
        caption_or_differing=float((own > found[:, count:].diagonal()).float().mean()),
        phrase_of_all=float((fits.flatten(1).argmax(1) == wanted).float().mean()),
        color=float((fits[torch.arange(len(crops)), noun].argmax(1) == color).float().mean()),
    )
