"""Recipe of the open-vocabulary detector: a small OWLv2 with its own text encoder, learned from scratch.

The class is the stock ``Owlv2ForObjectDetection``; only the training differs from Minderer et al. 2023: every patch near the
middle of an object is a positive (dense assignment as in FCOS, Tian et al. 2019) instead of a bipartite matching, because
256 patches and at most four objects leave nothing to match.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import generalized_box_iou_loss
from transformers import (
    CLIPTokenizer,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
    Owlv2TextConfig,
    Owlv2VisionConfig,
)

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.positions import sine_positions
from llmgen.toybox.models.tokenizer import build_tokenizer
from llmgen.toybox.recipes.autoencoder_damage import AutoencoderDamage
from llmgen.toybox.recipes.contact_sheet import draw_boxes, tile, to_pil
from llmgen.toybox.recipes.detector_quality import find_phrases
from llmgen.toybox.recipes.drawn_pictures import DrawnPictures
from llmgen.toybox.recipes.growth import grow_from, read_weights, rows_by_token
from llmgen.toybox.recipes.phrase_exam import PhraseExam
from llmgen.toybox.recipes.phrase_queries import Looks, PhraseQuery, sample_queries
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.scene_batches import COLOR_NAMES, SceneBatch, degrade, draw_scenes, zoom
from llmgen.toybox.recipes.shipping import save_transformer
from llmgen.toybox.world.vocabulary import COLORS, NOUNS, object_phrase
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson
from llmgen.training.loop import FitSettings


@dataclass(frozen=True)
class DetectorRecipe(Recipe):
    """Everything that shapes the detector's training."""

    folder: ClassVar[str] = "detector"
    minutes: ClassVar[float] = 24
    width: int = 128
    vision_layers: int = 4
    text_layers: int = 2
    heads: int = 2
    patch_size: int = 8
    image_size: int = 128
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(learning_rate=1.5e-3, warmup_steps=200, weight_decay=0.02, ema_decay=0.998)
    )
    batch_size: int = 32
    detailed: float = 0.6
    """Share of the scenes that surely show a pattern, a mood, an action or a part in an unusual state."""
    class_weight: float = 1.0
    detail_weight: float = 5.0
    """Weight of the class loss of queries that name a pattern or a mood: the few that tell them apart drown in the others."""
    box_weight: float = 5.0
    giou_weight: float = 2.0
    exam_weight: float = 0.3
    """Weight of the exam of the text tower, see `phrase_exam`."""
    softened_share: float = 0.15
    """Share of the pictures that pass through the toybox autoencoder, when there is one."""
    drawn: Path | None = None
    """Folder of drawn pictures with known boxes that join the renders; see `drawn_pictures`."""
    drawn_share: float = 0.3
    """Share of the pictures that are drawn ones, when there are any."""

    def lesson(self, run: TrainingRun) -> "DetectorLesson":
        """See `Recipe.lesson`; the autoencoder whose damage is mixed in is that of `run.weights`."""
        return DetectorLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> Owlv2ForObjectDetection:
        """See `Recipe.load`."""
        detector = build_detector(self, build_tokenizer())
        detector.load_state_dict(load_averaged_weights(out_dir))
        return detector.eval()


def build_detector(recipe: DetectorRecipe, tokenizer: CLIPTokenizer) -> Owlv2ForObjectDetection:
    """A randomly initialised detector of the recipe's shape for the tokenizer's vocabulary."""
    shared = {
        "hidden_size": recipe.width,
        "intermediate_size": 3 * recipe.width,
        "num_attention_heads": recipe.heads,
        # One kernel instead of the three of quick_gelu.
        "hidden_act": "gelu",
    }
    config = Owlv2Config(
        text_config=Owlv2TextConfig(
            vocab_size=len(tokenizer),
            num_hidden_layers=recipe.text_layers,
            max_position_embeddings=tokenizer.model_max_length,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **shared,
        ).to_dict(),
        vision_config=Owlv2VisionConfig(
            num_hidden_layers=recipe.vision_layers, image_size=recipe.image_size, patch_size=recipe.patch_size, **shared
        ).to_dict(),
        projection_dim=recipe.width,
    )
    model = Owlv2ForObjectDetection(config)
    with torch.no_grad():
        # The class is made for loading weights: it leaves the heads at a standard deviation of one, far too wide to learn.
        for head in (model.box_head, model.objectness_head, model.class_head):
            for layer in head.modules():
                if isinstance(layer, torch.nn.Linear):
                    torch.nn.init.xavier_uniform_(layer.weight)
                    torch.nn.init.zeros_(layer.bias)
        # Start with positions that say where they are, as loud as the patches: from noise they take most of a short training.
        positions = sine_positions(recipe.image_size // recipe.patch_size, recipe.width)
        model.owlv2.vision_model.embeddings.position_embedding.weight[1:] = 0.15 * positions
        # The head says (cosine + shift) * (elu(scale) + 1): start at "nothing here" with enough reach to say "surely".
        for layer, bias in ((model.class_head.logit_scale, 9.0), (model.class_head.logit_shift, -0.5)):
            layer.weight.zero_()
            layer.bias.fill_(bias)
        # Boxes start as big as an object (5 patches), not as a patch; objectness starts rare.
        for layer in (model.box_head.dense2, model.objectness_head.dense2):
            layer.weight.mul_(0.1)
        model.box_head.dense2.bias.copy_(torch.tensor([0.0, 0.0, 1.9, 1.9]))
        model.objectness_head.dense2.bias.fill_(-4.0)
    return model


def build_processor(recipe: DetectorRecipe, tokenizer: CLIPTokenizer) -> Owlv2Processor:
    """The stock processor at the recipe's picture size; pixels go to -1..1."""
    images = Owlv2ImageProcessor(
        size={"height": recipe.image_size, "width": recipe.image_size}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return Owlv2Processor(image_processor=images, tokenizer=tokenizer)


@dataclass
class DetectorBatch:
    """Scenes and what is asked about them."""

    scenes: SceneBatch
    queries: list[PhraseQuery]
    softened: np.ndarray
    """``[B]`` bool: the picture goes through the autoencoder."""


class DetectorLesson(Lesson[DetectorBatch]):
    """The detector in training."""

    def __init__(self, recipe: DetectorRecipe, run: TrainingRun) -> None:
        """Make the detector.

        Args:
            recipe: Settings.
            run: Device, seed, start and the autoencoder.
        """
        self._recipe, self._run = recipe, run
        self._tokenizer = build_tokenizer()
        self._soften = AutoencoderDamage.load(run.weights / "text_to_image" / "vae", run.device)
        self._drawn = DrawnPictures.read(recipe.drawn) if recipe.drawn is not None else None
        detector = build_detector(recipe, self._tokenizer)
        if run.start is not None:
            weights = read_weights(run.start)
            rows = rows_by_token(self._tokenizer, CLIPTokenizer.from_pretrained(run.start))
            grow_from(detector, weights, {"owlv2.text_model.embeddings.token_embedding.weight": rows})
        if run.on_cpu:
            # The fused attention kernel's backward pass takes half of a step on a CPU; the plain one a tenth.
            detector.set_attn_implementation("eager")
        self._detector, self._exam = detector.to(run.device), PhraseExam(recipe.width).to(run.device)
        self.module, self.shipped = nn.ModuleDict({"detector": self._detector, "exam": self._exam}), self._detector

    def draw(self, step: int) -> DetectorBatch:
        """Damaged scenes and queries."""
        rng, recipe = self._run.numpy_rng(step), self._recipe
        scenes = draw_scenes(rng, recipe.batch_size, detailed=recipe.detailed)
        if self._drawn is not None:
            scenes = self._drawn.mixed_into(scenes, rng, share=recipe.drawn_share)
        scenes = zoom(scenes, rng)
        scenes = scenes.with_images(degrade(scenes.images, rng))
        queries = sample_queries(rng, present=looks_of(scenes))
        return DetectorBatch(scenes, queries, rng.random(recipe.batch_size) < recipe.softened_share)

    def losses(self, batch: DetectorBatch) -> dict[str, Tensor]:
        """See `Lesson.losses`."""
        detector, device = self._detector, self._run.device
        scenes = batch.scenes.to(device)
        images = scenes.images
        if self._soften is not None:
            images = self._soften(images, torch.from_numpy(batch.softened))
        tokens = self._tokenizer([query.text for query in batch.queries], padding=True, return_tensors="pt").to(device)
        with self._run.autocast():
            text = detector.owlv2.get_text_features(**tokens).pooler_output
            features = detector.image_embedder(images * 2 - 1)[0]
        flat = features.float().flatten(1, 2)
        logits = detector.class_predictor(flat, text.float()[None].expand(len(flat), -1, -1))[0]
        boxes = detector.box_predictor(flat, features)
        objectness = detector.objectness_predictor(flat)
        asked = torch.tensor([query.indices for query in batch.queries], device=device)
        exam = self._recipe.exam_weight * self._exam(text, asked)
        return {"exam": exam} | detector_losses(logits, boxes, objectness, scenes, asked, self._recipe)

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the detector and what it finds in held-out scenes."""
        folder = self._run.out_dir / MODEL
        processor = build_processor(self._recipe, self._tokenizer)
        save_transformer(folder, self._detector.config, average, processor, "Owlv2ForObjectDetection")
        save_found_sheet(folder, self._run.out_dir / "sheet.png", seed=(self._run.seed or 0) + 1)


def looks_of(batch: SceneBatch) -> list[Looks]:
    """What the objects of a batch look like, each look once."""
    rows = torch.stack([batch.nouns, batch.colors, batch.patterns, batch.moods], dim=-1)[batch.present]
    return [Looks.of(*row) for row in rows.unique(dim=0).tolist()]


def save_found_sheet(model_dir: Path, path: Path, *, seed: int, count: int = 12) -> None:
    """Draw what a saved detector finds in damaged scenes that no step trained on, asked for every noun in every colour."""
    rng = np.random.default_rng([seed, 3])
    images = degrade(draw_scenes(rng, count).images, rng)
    kinds = [(noun, color) for noun in NOUNS for color in COLOR_NAMES]
    found = find_phrases(
        Owlv2ForObjectDetection.from_pretrained(model_dir).eval(),
        Owlv2Processor.from_pretrained(model_dir),
        images,
        [object_phrase(noun, color) for noun, color in kinds],
        threshold=0.4,
        nms_iou=0.15,
    )
    pictures = []
    for image, hits in zip(to_pil(images), found, strict=True):
        labels = [kinds[label] for label in hits["labels"].tolist()]
        pictures.append(
            draw_boxes(
                image,
                [
                    (tuple(box), "#{:02x}{:02x}{:02x}".format(*COLORS[color]), f"{noun} {score:.2f}")
                    for box, score, (noun, color) in zip(
                        hits["boxes"].tolist(), hits["scores"].tolist(), labels, strict=True
                    )
                ],
            )
        )
    tile(pictures, columns=6).save(path)


def detector_losses(
    logits: Tensor,
    boxes: Tensor,
    objectness: Tensor,
    batch: SceneBatch,
    asked: Tensor,
    recipe: DetectorRecipe,
) -> dict[str, Tensor]:
    """Losses of a batch under dense assignment.

    A patch is positive for an object if its middle lies within 0.3 half sizes of the object's (or if it is the patch that holds
    the object's middle). Up to 0.6 it may give the right answers or not, further away every answer is wrong, and wrong answers are
    wrong everywhere; without that last rule the rim of a ball calls itself a heart. Boxes are learned within 0.6.

    Args:
        logits: ``[B, P, Q]`` for P patches in rows and Q queries.
        boxes: ``[B, P, 4]`` cxcywh in 0..1.
        objectness: ``[B, P]`` logits.
        batch: the truth.
        asked: ``[Q, 4]`` indices of what the queries ask for, see ``PhraseQuery.indices``.
        recipe: sizes and weights.

    Returns:
        ``class`` (sigmoid focal, Lin et al. 2017), ``l1``, ``giou`` and ``objectness``, each a scalar.
    """
    device = logits.device
    side = recipe.image_size // recipe.patch_size
    truth = batch.boxes.to(device) / recipe.image_size
    present, ignored = batch.present.to(device), batch.ignored.to(device)
    grid = (torch.arange(side, device=device) + 0.5) / side
    y, x = (axis.flatten() for axis in torch.meshgrid(grid, grid, indexing="ij"))
    left, top, right, bottom = (truth[..., axis, None] for axis in range(4))
    # Distance from the object's middle in half sizes, [B, slots, P].
    across = (x - (left + right) / 2) / ((right - left) / 2).clamp(min=1e-3)
    down = (y - (top + bottom) / 2) / ((bottom - top) / 2).clamp(min=1e-3)
    distance = (across**2 + down**2).sqrt()
    holds = ((x - (left + right) / 2).abs() <= 0.5 / side) & ((y - (top + bottom) / 2).abs() <= 0.5 / side)
    positive = ((distance < 0.3) | holds) & present[..., None]
    central = ((distance < 0.6) | holds) & present[..., None]
    cut = (across.abs() <= 1.1) & (down.abs() <= 1.1) & ignored[..., None]

    # A property that is left open is -1; a foreign query asks for a noun that nothing is.
    looks = torch.stack([batch.nouns, batch.colors, batch.patterns, batch.moods], dim=-1).to(device)
    answers = ((asked == looks[:, :, None]) | (asked < 0)).all(dim=-1)  # [B, slots, Q]
    target = (positive[..., None] & answers[:, :, None]).any(dim=1)  # [B, P, Q]
    # Around the middle a right answer is neither wanted nor wrong; a wrong answer is wrong everywhere.
    spared = ((central & ~positive)[..., None] & answers[:, :, None]).any(dim=1) & ~target
    counted = ~spared & ~cut.any(dim=1)[..., None]
    count = positive.sum().clamp(min=1)

    entropy = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    surprise = (target.float() - logits.sigmoid()).abs() ** 2
    detailed = (asked[:, 2:] >= 0).any(dim=1)
    weight = torch.where(detailed, recipe.detail_weight, 1.0)
    class_loss = (surprise * entropy * counted * weight).sum() / count

    example, slot, patch = torch.nonzero(central, as_tuple=True)
    found_cxcywh = boxes[example, patch]
    wanted = truth[example, slot]
    half = found_cxcywh[:, 2:] / 2
    found = torch.cat([found_cxcywh[:, :2] - half, found_cxcywh[:, :2] + half], dim=1)
    pieces = max(1, len(wanted))
    thing = positive.any(dim=1)
    sure = (thing | ~(central | cut).any(dim=1)).float()
    object_loss = F.binary_cross_entropy_with_logits(objectness, thing.float(), weight=sure, reduction="sum") / count
    return {
        "class": recipe.class_weight * class_loss,
        "l1": recipe.box_weight * (found - wanted).abs().sum() / pieces,
        "giou": recipe.giou_weight * generalized_box_iou_loss(found, wanted, reduction="sum") / pieces,
        "objectness": 0.1 * object_loss,
    }
