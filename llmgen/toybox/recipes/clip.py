"""Recipe of the picture-text model: a small CLIP that tells which caption fits a scene and which phrase fits a crop.

The class is the stock ``CLIPModel``. It may start from the towers of the toybox detector, which have its shape; the contrastive loss
is that of Radford et al. 2021, with every text that fits a picture as a right answer.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.positions import sine_positions
from llmgen.toybox.models.tokenizer import build_tokenizer
from llmgen.toybox.recipes.autoencoder_damage import AutoencoderDamage
from llmgen.toybox.recipes.growth import grow_from, read_weights, rows_by_token
from llmgen.toybox.recipes.phrase_exam import PhraseExam
from llmgen.toybox.recipes.phrase_queries import Looks, sample_queries
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.scene_batches import batch_scenes, degrade
from llmgen.toybox.recipes.shipping import save_transformer
from llmgen.toybox.world.captions import sample_caption
from llmgen.toybox.world.held_out import is_held_out
from llmgen.toybox.world.scenes import SIZE, Scene, sample_scene
from llmgen.toybox.world.vocabulary import BACKGROUNDS, CHARACTERS, COLORS, MOODS, PATTERNS, VERBS
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson
from llmgen.training.loop import FitSettings

_MARGIN: Final = 0.05
"""Of a crop, as a share of the box."""


@dataclass(frozen=True)
class ClipRecipe(Recipe):
    """Everything that shapes the training of the picture-text model."""

    folder: ClassVar[str] = "clip"
    minutes: ClassVar[float] = 6
    width: int = 128
    vision_layers: int = 4
    text_layers: int = 2
    heads: int = 2
    patch_size: int = 8
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(learning_rate=8e-4, warmup_steps=50, weight_decay=0.05, ema_decay=0.995)
    )
    scenes: int = 20
    """Whole pictures of a batch, each with its caption and that of a scene that differs in one thing."""
    crops: int = 16
    """Crops of objects of a batch, each with a phrase."""
    exam_weight: float = 0.3
    """Weight of the exam of the text tower, see `phrase_exam`."""
    softened_share: float = 0.15
    """Share of the pictures that pass through the toybox autoencoder, which blurs what captions say of faces and patterns."""

    def lesson(self, run: TrainingRun) -> "ClipLesson":
        """See `Recipe.lesson`; the autoencoder is that of `run.weights`, and without a start so are the towers, of its detector."""
        return ClipLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> CLIPModel:
        """See `Recipe.load`."""
        model = build_clip(self, build_tokenizer())
        model.load_state_dict(load_averaged_weights(out_dir))
        return model.eval()


def build_clip(recipe: ClipRecipe, tokenizer: CLIPTokenizer) -> CLIPModel:
    """A picture-text model with fresh weights."""
    shared = {
        "hidden_size": recipe.width,
        "intermediate_size": 3 * recipe.width,
        "num_attention_heads": recipe.heads,
        "hidden_act": "gelu",
        "projection_dim": recipe.width,
    }
    text = {
        "vocab_size": len(tokenizer),
        "num_hidden_layers": recipe.text_layers,
        "max_position_embeddings": tokenizer.model_max_length,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = {"num_hidden_layers": recipe.vision_layers, "image_size": SIZE, "patch_size": recipe.patch_size}
    config = CLIPConfig(text_config=shared | text, vision_config=shared | vision, projection_dim=recipe.width)
    model = CLIPModel(config)
    with torch.no_grad():
        positions = sine_positions(SIZE // recipe.patch_size, recipe.width)
        model.vision_model.embeddings.position_embedding.weight[1:] = 0.15 * positions
    return model


def build_processor(tokenizer: CLIPTokenizer) -> CLIPProcessor:
    """The stock processor; crops of any shape are stretched to the picture's, as in training, and pixels go to -1..1."""
    images = CLIPImageProcessor(
        size={"height": SIZE, "width": SIZE}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return CLIPProcessor(image_processor=images, tokenizer=tokenizer)


@dataclass
class ClipBatch:
    """Pictures and texts.

    Attributes:
        images: ``[S + C, 3, H, W]`` in 0..1, scenes before crops.
        captions: of the scenes, then of the scenes that differ in one thing, 2 S.
        phrases: texts that crops are compared with, P.
        asked: ``[P, 4]`` indices of what the phrases ask for.
        fitting: ``[C, P]`` bool, the phrase fits the crop.
        softened: ``[S + C]`` bool: the picture goes through the autoencoder.
    """

    images: Tensor
    captions: list[str]
    phrases: list[str]
    asked: Tensor
    fitting: Tensor
    softened: Tensor


class ClipLesson(Lesson[ClipBatch]):
    """The picture-text model in training."""

    def __init__(self, recipe: ClipRecipe, run: TrainingRun) -> None:
        """Make the model.

        Args:
            recipe: Settings.
            run: Device, seed, start, the autoencoder and the detector.
        """
        self._recipe, self._run = recipe, run
        self._tokenizer = build_tokenizer()
        self._soften = AutoencoderDamage.load(run.weights / "text_to_image" / "vae", run.device)
        model = build_clip(recipe, self._tokenizer)
        start = run.start if run.start is not None else run.weights / "detector"
        if (start / "config.json").is_file():
            weights = _as_clip(read_weights(start))
            rows = rows_by_token(self._tokenizer, CLIPTokenizer.from_pretrained(start))
            grow_from(model, weights, {"text_model.embeddings.token_embedding.weight": rows})
        if run.on_cpu:
            # The fused attention kernel's backward pass is slow on a CPU at these sizes.
            model.set_attn_implementation("eager")
        self._model, self._exam = model.to(run.device), PhraseExam(recipe.width).to(run.device)
        self.module, self.shipped = nn.ModuleDict({"model": self._model, "exam": self._exam}), self._model

    def draw(self, step: int) -> ClipBatch:
        """Damaged scenes and crops with texts."""
        rng, recipe, chance = self._run.numpy_rng(step), self._recipe, random.Random(self._run.key(step))
        scenes = [sample_scene(chance) for _ in range(recipe.scenes)]
        batch = batch_scenes(scenes)
        captions = [sample_caption(chance, scene).text for scene in scenes]
        captions += [sample_caption(chance, differing(scene, chance)).text for scene in scenes]
        pick = torch.from_numpy(rng.permutation(int(batch.present.sum()))[: recipe.crops])
        crops = crop_objects(batch.images, batch.boxes, batch.present)[pick]
        looks = torch.stack([batch.nouns, batch.colors, batch.patterns, batch.moods], dim=-1)[batch.present][pick]
        queries = sample_queries(rng, present=[Looks.of(*row) for row in looks.tolist()], foreign=0)
        asked = torch.tensor([query.indices for query in queries])
        fitting = ((asked == looks[:, None]) | (asked < 0)).all(dim=-1)
        # A phrase that leaves all open fits everything and teaches nothing.
        kept = [i for i, query in enumerate(queries) if any(query.asks)]
        softened = torch.from_numpy(rng.random(len(scenes) + len(crops)) < recipe.softened_share)
        images = degrade(torch.cat([batch.images, crops]), rng)
        return ClipBatch(images, captions, [queries[i].text for i in kept], asked[kept], fitting[:, kept], softened)

    def losses(self, batch: ClipBatch) -> dict[str, Tensor]:
        """See `Lesson.losses`."""
        model, device = self._model, self._run.device
        images = batch.images.to(device)
        if self._soften is not None:
            images = self._soften(images, batch.softened)
        texts = self._tokenizer([*batch.captions, *batch.phrases], padding=True, return_tensors="pt").to(device)
        with self._run.autocast():
            seen = model.get_image_features(pixel_values=images * 2 - 1).pooler_output
            said = model.get_text_features(**texts).pooler_output
        count, captions = len(batch.images) - len(batch.fitting), len(batch.captions)
        exam = self._exam(said[captions:], batch.asked.to(device))
        seen, said = F.normalize(seen.float(), dim=-1), F.normalize(said.float(), dim=-1)
        logits = model.logit_scale.exp().clamp(max=100) * seen @ said.T
        scenes = logits[:count, :captions]
        own = torch.arange(count, device=device)
        crops, fitting = logits[count:, captions:], batch.fitting.to(device)
        right = (scenes.argmax(1) == own).float().mean().detach()
        return {
            "exam": self._recipe.exam_weight * exam,
            "caption": F.cross_entropy(scenes, own),
            "scene": F.cross_entropy(scenes[:, :count].T, own),
            "phrase": multi_positive(crops, fitting),
            "crop": multi_positive(crops.T, fitting.T),
            "captions right": right,
        }

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the model."""
        folder = self._run.out_dir / MODEL
        save_transformer(folder, self._model.config, average, build_processor(self._tokenizer), "CLIPModel")


def multi_positive(logits: Tensor, fitting: Tensor) -> Tensor:
    """Cross-entropy with several right answers, all equally right; rows without one do not count.

    Args:
        logits: ``[N, M]``.
        fitting: ``[N, M]`` bool.
    """
    rows = fitting.any(dim=1)
    if not bool(rows.any()):
        return logits.sum() * 0
    share = fitting[rows].float()
    share = share / share.sum(dim=1, keepdim=True)
    return -(share * logits[rows].log_softmax(dim=1)).sum(dim=1).mean()


def crop_objects(images: Tensor, boxes: Tensor, present: Tensor) -> Tensor:
    """Cut the objects out of pictures and stretch them to the size of a picture.

    Args:
        images: ``[B, 3, H, W]``.
        boxes: ``[B, slots, 4]`` xyxy in pixels.
        present: ``[B, slots]`` bool.

    Returns:
        ``[N, 3, H, W]`` in the order of ``nonzero``.
    """
    owner, _ = torch.nonzero(present, as_tuple=True)
    kept = boxes[present]
    margin = _MARGIN * (kept[:, 2:] - kept[:, :2]).repeat(1, 2) * torch.tensor([-1.0, -1.0, 1.0, 1.0])
    rois = torch.cat([owner[:, None].float(), (kept + margin).clamp(0, images.shape[-1])], dim=1)
    return roi_align(images, rois, images.shape[-1], sampling_ratio=1, aligned=True)


def differing(scene: Scene, rng: random.Random) -> Scene:
    """A scene that differs in one thing that its caption says: a colour, a pattern, a mood, a verb or the background.

    It is only described, never drawn, and never one that is held out.
    """
    while is_held_out(changed := _change_one(scene, rng)):
        pass
    return changed


def _change_one(scene: Scene, rng: random.Random) -> Scene:

    def other(words: tuple[str, ...], now: str | None) -> str:
        return rng.choice([word for word in words if word != now])

    objects = list(scene.objects)
    index = rng.randrange(len(objects))
    item, kind = objects[index], rng.random()
    if kind < 0.2:
        return replace(scene, background=other(BACKGROUNDS, scene.background))
    if kind < 0.65:
        objects[index] = replace(item, color=other(tuple(COLORS), item.color))
    elif item.noun in CHARACTERS and item.verb is not None:
        objects[index] = replace(item, verb=other(VERBS, item.verb))
    elif item.noun in CHARACTERS:
        objects[index] = replace(item, mood=other(MOODS, item.mood))
    else:
        objects[index] = replace(item, pattern=other(PATTERNS, item.pattern))
    return replace(scene, objects=tuple(objects))


def _as_clip(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a detector under the names that CLIP gives them; those of a CLIP stay as they are."""
    renamed = {
        name.removeprefix("owlv2.").replace("pre_layernorm", "pre_layrnorm"): value for name, value in weights.items()
    }
    # The detector's cosines are scaled elsewhere; its own scale was never trained.
    return renamed if "owlv2.logit_scale" not in weights else {k: v for k, v in renamed.items() if k != "logit_scale"}
