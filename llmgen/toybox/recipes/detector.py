"""Recipe of the open-vocabulary detector: a small OWLv2 with its own text encoder, learned from scratch.

The class is the stock ``Owlv2ForObjectDetection``; only the training differs from Minderer et al. 2023: every patch near the
middle of an object is a positive (dense assignment as in FCOS, Tian et al. 2019) instead of a bipartite matching, because
256 patches and at most four objects leave nothing to match.

``run`` is called by ``llmgen train toybox detector``.
"""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
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
from llmgen.toybox.recipes.autoencoder_damage import AutoencoderDamage
from llmgen.toybox.recipes.checkpoint import save_atomically, to_half
from llmgen.toybox.recipes.contact_sheet import draw_boxes, tile, to_pil
from llmgen.toybox.recipes.phrase_queries import PhraseQuery, sample_queries
from llmgen.toybox.recipes.quality import find_phrases
from llmgen.toybox.recipes.scene_batches import COLOR_NAMES, SceneBatch, degrade, draw_scenes, zoom
from llmgen.toybox.recipes.training import FitSettings, Trainer
from llmgen.toybox.world.vocabulary import COLORS, NOUNS, object_phrase

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectorRecipe:
    """Everything that shapes the detector's training."""

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
    class_weight: float = 1.0
    box_weight: float = 5.0
    giou_weight: float = 2.0
    softened_share: float = 0.3
    """Share of the pictures that pass through the toybox autoencoder, when there is one."""


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


def run(
    out_dir: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    resume: bool = False,
    recipe: DetectorRecipe | None = None,
    tokenizer_dir: Path | None = None,
    autoencoder_dir: Path | None = None,
) -> Owlv2ForObjectDetection:
    """Train the detector and leave it in ``out_dir/model``.

    Args:
        out_dir: working folder: checkpoint, log, contact sheet ``sheet.png`` and the model.
        minutes: time budget.
        steps: step budget; at least one of the two.
        seed: of the weights and of all data.
        device: a torch device.
        resume: continue from the checkpoint in ``out_dir``.
        recipe: settings; the default is what shipped.
        tokenizer_dir: the toybox tokenizer; None takes the bundled one.
        autoencoder_dir: an autoencoder whose damage is mixed in; None takes the bundled one if it is there.

    Returns:
        The detector with averaged weights, in evaluation mode.
    """
    recipe = recipe or DetectorRecipe()
    weights_dir = WEIGHTS / "text_to_image"
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_dir or weights_dir / "tokenizer")
    soften = AutoencoderDamage.load(autoencoder_dir or weights_dir / "vae", device)
    processor = build_processor(recipe, tokenizer)
    torch.manual_seed(seed)
    detector = build_detector(recipe, tokenizer).to(device)
    if torch.device(device).type == "cpu":
        # The fused attention kernel's backward pass takes half of a step on a CPU; the plain one a tenth.
        detector.set_attn_implementation("eager")
    trainer = Trainer(detector, out_dir, recipe.fit, minutes=minutes, steps=steps, resume=resume)

    def loss_of_step(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([seed, 1, step])
        batch = zoom(draw_scenes(rng, recipe.batch_size), rng)
        images = batch.images.to(device)
        if soften is not None:
            images = soften(images, rng, share=recipe.softened_share)
        images = degrade(images.cpu(), rng).to(device)
        queries = sample_queries(rng)
        tokens = tokenizer([query.text for query in queries], padding=True, return_tensors="pt").to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            text = detector.owlv2.get_text_features(**tokens).pooler_output
            features = detector.image_embedder(images * 2 - 1)[0]
        flat = features.float().flatten(1, 2)
        logits = detector.class_predictor(flat, text.float()[None].expand(len(flat), -1, -1))[0]
        boxes = detector.box_predictor(flat, features)
        objectness = detector.objectness_predictor(flat)
        return detector_losses(logits, boxes, objectness, batch, queries, recipe)

    def on_checkpoint(_ended: bool) -> None:
        save_detector(out_dir / "model", detector.config, trainer.average.state, processor)
        save_found_sheet(out_dir / "model", out_dir / "sheet.png", seed=seed + 1)

    detector.load_state_dict(trainer.fit(loss_of_step, on_checkpoint))
    return detector.eval()


def save_detector(folder: Path, config: Owlv2Config, weights: dict[str, Tensor], processor: Owlv2Processor) -> None:
    """Write config, processor and fp16 weights so that ``from_pretrained`` loads them, in float32 unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    config.architectures = ["Owlv2ForObjectDetection"]
    config.save_pretrained(folder)
    path = folder / "config.json"
    # Half precision is for the file only: an fp16 forward pass on a CPU is slow, so the config asks for float32.
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
    processor.save_pretrained(folder)
    save_atomically(to_half(weights), folder / "model.safetensors", {"format": "pt"})


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
    queries: list[PhraseQuery],
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
        queries: the Q queries.
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

    fits = torch.tensor(
        [[[query.fits(noun, color) for color in COLOR_NAMES] for noun in NOUNS] for query in queries], device=device
    )  # [Q, nouns, colors]
    answers = fits[:, batch.nouns.to(device), batch.colors.to(device)].permute(1, 2, 0)  # [B, slots, Q]
    target = (positive[..., None] & answers[:, :, None]).any(dim=1)  # [B, P, Q]
    # Around the middle a right answer is neither wanted nor wrong; a wrong answer is wrong everywhere.
    spared = ((central & ~positive)[..., None] & answers[:, :, None]).any(dim=1) & ~target
    counted = ~spared & ~cut.any(dim=1)[..., None]
    count = positive.sum().clamp(min=1)

    entropy = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    surprise = (target.float() - logits.sigmoid()).abs() ** 2
    class_loss = (surprise * entropy * counted).sum() / count

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
