"""Recipe of the segmenter: box or point to mask, as in SAM, at toybox size.

Follows Kirillov et al. 2023, appendix A ("Losses", "Training algorithm"), with one round of prompts: focal + dice loss on the
best of three masks, squared error on the predicted IoU of all; a single mask from a box.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
import torch.nn.functional as F
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

from llmgen.diffusion.segmentation import SamConfig, build_sam, save_sam
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.positions import sine_positions
from llmgen.toybox.recipes.autoencoder_damage import AutoencoderDamage
from llmgen.toybox.recipes.contact_sheet import tile, tint, to_pil
from llmgen.toybox.recipes.growth import grow_from, read_weights
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.scene_batches import SceneBatch, degrade, draw_scenes, zoom
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson
from llmgen.training.loop import FitSettings

TOYBOX_SAM: Final = SamConfig(
    image_size=128,
    patch_size=8,
    encoder_embed_dim=128,
    encoder_depth=3,
    encoder_num_heads=2,
    encoder_mlp_ratio=3.0,
    encoder_window_size=8,
    encoder_global_attn_indexes=(1, 2),
    encoder_use_rel_pos=False,
    prompt_embed_dim=96,
    mask_in_chans=8,
    decoder_depth=2,
    decoder_mlp_dim=192,
    decoder_num_heads=4,
    iou_head_depth=2,
    iou_head_hidden_dim=96,
    pixel_mean=(127.5, 127.5, 127.5),
    pixel_std=(63.75, 63.75, 63.75),
)
"""One million parameters; a picture of 128 pixels is 16 x 16 patches."""


@dataclass(frozen=True)
class SegmenterRecipe(Recipe):
    """Everything that shapes the segmenter's training."""

    folder: ClassVar[str] = "segmenter"
    minutes: ClassVar[float] = 12
    model: SamConfig = TOYBOX_SAM
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(learning_rate=1.5e-3, warmup_steps=100, weight_decay=0.02, ema_decay=0.998)
    )
    batch_size: int = 24
    prompts_per_batch: int = 48
    point_share: float = 0.2
    """Share of prompts that are one point inside the object instead of a box."""
    background_share: float = 0.05
    """Share of pictures whose prompts are boxes without an object: the masks must be empty, the IoU zero."""
    box_jitter: float = 0.1
    """Standard deviation of a box side's shift, as a share of the box size (at most 0.25 of it)."""
    softened_share: float = 0.3

    def lesson(self, run: TrainingRun) -> "SegmenterLesson":
        """See `Recipe.lesson`; the autoencoder whose damage is mixed in is that of `run.weights`."""
        return SegmenterLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> Sam:
        """See `Recipe.load`."""
        sam = build_sam(self.model)
        sam.load_state_dict(load_averaged_weights(out_dir))
        return sam.eval()


@dataclass
class SegmenterBatch:
    """Pictures, prompts about them and the masks wanted."""

    images: Tensor
    """``[B, 3, H, W]`` in 0..1."""
    owner: Tensor
    """``[P]`` index of the picture of each prompt."""
    prompts: "Prompts"
    wanted: Tensor
    """``[P, H, W]`` in 0..1."""
    softened: Tensor
    """``[B]`` bool: the picture goes through the autoencoder."""


class SegmenterLesson(Lesson[SegmenterBatch]):
    """The segmenter in training."""

    def __init__(self, recipe: SegmenterRecipe, run: TrainingRun) -> None:
        """Make the segmenter.

        Args:
            recipe: Settings.
            run: Device, seed, start and the autoencoder.
        """
        self._recipe, self._run = recipe, run
        self._soften = AutoencoderDamage.load(run.weights / "text_to_image" / "vae", run.device)
        sam = build_sam(recipe.model)
        grid = recipe.model.image_size // recipe.model.patch_size
        with torch.no_grad():
            positions = sine_positions(grid, recipe.model.encoder_embed_dim)
            sam.image_encoder.pos_embed.copy_(0.3 * positions.view(1, grid, grid, -1))
        if run.start is not None:
            grow_from(sam, read_weights(run.start), {})
        self.module = self._sam = sam.to(run.device)

    def draw(self, step: int) -> SegmenterBatch:
        """Damaged scenes, prompts and masks."""
        rng, recipe = self._run.numpy_rng(step), self._recipe
        scenes = zoom(draw_scenes(rng, recipe.batch_size, with_masks=True), rng)
        owner, prompts, wanted = draw_prompts(scenes, rng, recipe)
        softened = torch.from_numpy(rng.random(recipe.batch_size) < recipe.softened_share)
        return SegmenterBatch(degrade(scenes.images, rng), owner, prompts, wanted, softened)

    def losses(self, batch: SegmenterBatch) -> dict[str, Tensor]:
        """See `Lesson.losses`."""
        sam, device = self._sam, self._run.device
        images = batch.images.to(device)
        if self._soften is not None:
            images = self._soften(images, batch.softened)
        with self._run.autocast():
            embeddings = sam.image_encoder((images * 255 - sam.pixel_mean) / sam.pixel_std)
            masks, quality = predict_masks(sam, embeddings[batch.owner.to(device)], batch.prompts.to(device))
        return mask_losses(masks.float(), quality.float(), batch.wanted.to(device))

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the segmenter and its masks in held-out scenes."""
        averaged = self._recipe.load(self._run.out_dir)
        save_sam(averaged, self._recipe.model, self._run.out_dir / MODEL)
        save_masks_sheet(averaged, self._run.out_dir / "sheet.png", seed=(self._run.seed or 0) + 1)


def save_masks_sheet(sam: Sam, path: Path, *, seed: int, count: int = 12) -> None:
    """Draw the best-rated masks of all objects in damaged scenes that no step trained on; the rest is bleached."""
    rng = np.random.default_rng([seed, 3])
    batch = draw_scenes(rng, count)
    predictor = SamPredictor(sam)
    pictures = []
    for image, boxes, present in zip(to_pil(degrade(batch.images, rng)), batch.boxes, batch.present, strict=True):
        predictor.set_image(np.asarray(image))
        masks = []
        for box in boxes[present].numpy():
            proposed, scores, _ = predictor.predict(box=box, multimask_output=True)
            masks.append(proposed[int(scores.argmax())])
        pictures.append(tint(image, masks))
    tile(pictures, columns=6).save(path)


@dataclass(frozen=True)
class Prompts:
    """Prompts of a batch, boxes first.

    Attributes:
        boxes: ``[Pb, 4]`` xyxy pixels.
        points: ``[Pp, 2]`` xy pixels.
    """

    boxes: Tensor
    points: Tensor

    def to(self, device: str | torch.device) -> "Prompts":
        """A copy on another device."""
        return Prompts(self.boxes.to(device), self.points.to(device))


def draw_prompts(
    batch: SceneBatch, rng: np.random.Generator, recipe: SegmenterRecipe
) -> tuple[Tensor, Prompts, Tensor]:
    """Choose objects and how they are asked for.

    Args:
        batch: scenes with masks.
        rng: source of chance.
        recipe: how many of which.

    Returns:
        Index of the picture of each prompt ``[P]``, the prompts, and the masks wanted ``[P, H, W]`` in 0..1.

    Raises:
        ValueError: if the batch has no masks.
    """
    if batch.masks is None:
        raise ValueError("a batch with masks is needed")
    pairs = torch.nonzero(batch.present).numpy()
    pairs = pairs[rng.permutation(len(pairs))[: recipe.prompts_per_batch]]
    as_point = rng.random(len(pairs)) < recipe.point_share
    box_pairs, point_pairs = pairs[~as_point], pairs[as_point]
    side = batch.images.shape[-1]

    boxes = batch.boxes[box_pairs[:, 0], box_pairs[:, 1]].numpy()
    extent = np.concatenate([boxes[:, 2:] - boxes[:, :2]] * 2, axis=1)
    shift = np.clip(rng.normal(0, recipe.box_jitter, boxes.shape), -0.25, 0.25) * (rng.random((len(boxes), 1)) < 0.75)
    boxes = np.clip(boxes + shift * extent, 0, side)
    wanted = batch.masks[box_pairs[:, 0], box_pairs[:, 1]]

    # Boxes on nothing: a detector errs, and a confident mask there would hide it.
    empty = max(1, round(recipe.background_share * len(boxes)))
    where = rng.integers(len(batch.images), size=empty)
    corner, size = rng.uniform(0, side - 40, (empty, 2)), rng.uniform(24, 40, (empty, 2))
    nothing = np.concatenate([corner, corner + size], axis=1)
    free = [
        not _touches(nothing[i], batch.boxes[where[i]][batch.present[where[i]] | batch.ignored[where[i]]])
        for i in range(empty)
    ]
    where, nothing = where[free], nothing[free]

    points = np.zeros((len(point_pairs), 2))
    for index, (picture, slot) in enumerate(point_pairs):
        rows, columns = np.nonzero(batch.masks[picture, slot].numpy() > 0.5)
        pick = rng.integers(len(rows))
        points[index] = columns[pick] + 0.5, rows[pick] + 0.5
    owner = np.concatenate([box_pairs[:, 0], where, point_pairs[:, 0]])
    wanted = torch.cat(
        [wanted, torch.zeros(len(where), side, side), batch.masks[point_pairs[:, 0], point_pairs[:, 1]]], dim=0
    )
    all_boxes = np.concatenate([boxes, nothing]).astype(np.float32)
    prompts = Prompts(torch.from_numpy(all_boxes), torch.from_numpy(points.astype(np.float32)))
    return torch.from_numpy(owner), prompts, wanted


def _touches(box: np.ndarray, others: Tensor) -> bool:
    return any(box[0] < x1 and x0 < box[2] and box[1] < y1 and y0 < box[3] for x0, y0, x1, y1 in others.tolist())


def predict_masks(sam: Sam, embeddings: Tensor, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """Masks of prompts that belong to different pictures.

    `MaskDecoder.predict_masks` repeats one picture's embedding for all prompts; here each prompt brings its own picture,
    otherwise the computation is the same.

    Args:
        sam: the model.
        embeddings: ``[P, C, h, w]``, the picture of each prompt, boxes first.
        prompts: P prompts.

    Returns:
        Mask logits ``[P, 4, 4h, 4w]`` (the single mask, then the three) and predicted IoU ``[P, 4]``.
    """
    sparse = []
    with torch.autocast(embeddings.device.type, enabled=False):  # the prompt encoder writes in place, in float32
        if len(prompts.boxes):
            sparse.append(sam.prompt_encoder(points=None, boxes=prompts.boxes, masks=None)[0])
        if len(prompts.points):
            labels = torch.ones(len(prompts.points), 1, dtype=torch.int, device=prompts.points.device)
            # Without a box the encoder pads with a "not a point", which makes both kinds two tokens long.
            sparse.append(sam.prompt_encoder(points=(prompts.points[:, None], labels), boxes=None, masks=None)[0])
    decoder = sam.mask_decoder
    outputs = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])[None].expand(len(embeddings), -1, -1)
    tokens = torch.cat([outputs, torch.cat(sparse)], dim=1)
    _, channels, height, width = embeddings.shape
    dense = sam.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    where = sam.prompt_encoder.get_dense_pe().expand(len(embeddings), -1, -1, -1)
    states, source = decoder.transformer(embeddings + dense, where, tokens)
    upscaled = decoder.output_upscaling(source.transpose(1, 2).reshape(-1, channels, height, width))
    weights = torch.stack(
        [mlp(states[:, 1 + index]) for index, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1
    )
    masks = torch.einsum("pkc,pchw->pkhw", weights, upscaled)
    return masks, decoder.iou_prediction_head(states[:, 0])


def mask_losses(masks: Tensor, quality: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """SAM's losses.

    Args:
        masks: logits ``[P, 4, h, w]``: the single mask and the three.
        quality: predicted IoU ``[P, 4]``.
        wanted: ``[P, H, W]`` in 0..1 with H a multiple of h.

    Returns:
        ``mask`` (20 focal + dice, best of three plus the single one) and ``quality``.
    """
    target = F.interpolate(wanted[:, None], masks.shape[-2:], mode="area")
    probability = masks.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(masks, target.expand_as(masks), reduction="none")
    focal = (entropy * (target - probability).abs() ** 2).mean(dim=(2, 3))
    overlap = (probability * target).sum(dim=(2, 3))
    dice = 1 - (2 * overlap + 1) / ((probability + target).sum(dim=(2, 3)) + 1)
    each = 20 * focal + dice
    best = each[:, 1:].min(dim=1).values
    with torch.no_grad():
        # The IoU that the user will see: masks at full size, cut at zero.
        full = F.interpolate(masks, wanted.shape[-2:], mode="bilinear", align_corners=False) > 0
        truth = wanted[:, None] > 0.5
        iou = (full & truth).sum(dim=(2, 3)) / (full | truth).sum(dim=(2, 3)).clamp(min=1)
    # A little of the mean keeps the two masks that are not best from drifting off.
    mask_loss = (best + each[:, 0] + 0.1 * each[:, 1:].mean(dim=1)).mean()
    return {"mask": mask_loss, "quality": F.mse_loss(quality, iou)}
