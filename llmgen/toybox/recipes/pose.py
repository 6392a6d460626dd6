"""Recipe of the pose model: a small ViTPose that finds the thirteen joints of a character in its box.

The class is the stock ``VitPoseForPoseEstimation`` with the simple decoder. Heat maps of Gaussian bumps and their squared error as in
Xu et al. 2022, "ViTPose"; crops and coordinates are those of the stock processor (unbiased data processing, Huang et al. 2020).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessor

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.positions import sine_positions
from llmgen.toybox.recipes.autoencoder_damage import AutoencoderDamage
from llmgen.toybox.recipes.contact_sheet import draw_skeletons, tile, to_pil
from llmgen.toybox.recipes.growth import grow_from, read_weights
from llmgen.toybox.recipes.pose_quality import find_joints
from llmgen.toybox.recipes.quality import held_out_scenes
from llmgen.toybox.recipes.run import MODEL, Recipe, TrainingRun
from llmgen.toybox.recipes.scene_batches import OPEN, SceneBatch, degrade, draw_scenes, zoom
from llmgen.toybox.recipes.shipping import save_transformer
from llmgen.toybox.world.vocabulary import KEYPOINTS
from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.lesson import Lesson
from llmgen.training.loop import FitSettings

_PADDING = 1.25
"""How much larger than the box the crop is; the processor's."""


@dataclass(frozen=True)
class PoseRecipe(Recipe):
    """Everything that shapes the training of the pose model."""

    folder: ClassVar[str] = "pose"
    minutes: ClassVar[float] = 5
    height: int = 128
    """Of a crop, in pixels; its width is three quarters of it."""
    patch_size: int = 8
    width: int = 96
    layers: int = 4
    heads: int = 3
    fit: FitSettings = field(
        default_factory=lambda: FitSettings(learning_rate=1.5e-3, warmup_steps=50, weight_decay=0.02, ema_decay=0.995)
    )
    scenes_per_batch: int = 32
    crops: int = 24
    """Most crops of a batch."""
    bump_cells: float = 2.0
    """Standard deviation of the bump on a joint, in cells of the heat map, which are two pixels of the crop wide."""
    box_jitter: float = 0.06
    """Standard deviation of the error of a box edge, as a share of the box size."""
    softened_share: float = 0.3
    """Share of the pictures that pass through the toybox autoencoder, when there is one."""

    def lesson(self, run: TrainingRun) -> "PoseLesson":
        """See `Recipe.lesson`; the autoencoder whose damage is mixed in is that of `run.weights`."""
        return PoseLesson(self, run)

    def load(self, out_dir: Path, weights: Path = WEIGHTS) -> VitPoseForPoseEstimation:
        """See `Recipe.load`."""
        model = build_pose(self)
        model.load_state_dict(load_averaged_weights(out_dir))
        return model.eval()


def build_pose(recipe: PoseRecipe) -> VitPoseForPoseEstimation:
    """A pose model with fresh weights."""
    backbone = VitPoseBackboneConfig(
        image_size=[recipe.height, recipe.height * 3 // 4],
        patch_size=[recipe.patch_size, recipe.patch_size],
        hidden_size=recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        mlp_ratio=3,
    )
    names = dict(enumerate(KEYPOINTS))
    config = VitPoseConfig(
        backbone_config=backbone,
        scale_factor=recipe.patch_size // 2,
        id2label=names,
        label2id={name: index for index, name in names.items()},
    )
    model = VitPoseForPoseEstimation(config)
    rows = recipe.height // recipe.patch_size
    positions = sine_positions(rows, recipe.width).view(rows, rows, -1)[:, : rows * 3 // 4].flatten(0, 1)
    with torch.no_grad():
        # Start with positions that say where they are: from noise they take most of a short training.
        model.backbone.embeddings.position_embeddings[0, 1:] = 0.15 * positions
    return model


def build_processor(recipe: PoseRecipe) -> VitPoseImageProcessor:
    """The stock processor at the recipe's crop size; pixels go to -1..1."""
    size = {"height": recipe.height, "width": recipe.height * 3 // 4}
    return VitPoseImageProcessor(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3)


@dataclass
class PoseBatch:
    """Crops of characters and their joints.

    Attributes:
        crops: ``[N, 3, h, w]`` in 0..1.
        joints: ``[N, 13, 2]`` xy in cells of the heat map.
        softened: ``[N]`` bool: the crop goes through the autoencoder.
    """

    crops: Tensor
    joints: Tensor
    softened: Tensor


class PoseLesson(Lesson[PoseBatch]):
    """The pose model in training."""

    def __init__(self, recipe: PoseRecipe, run: TrainingRun) -> None:
        """Make the model.

        Args:
            recipe: Settings.
            run: Device, seed, start and the autoencoder.
        """
        self._recipe, self._run = recipe, run
        self._soften = AutoencoderDamage.load(run.weights / "text_to_image" / "vae", run.device)
        model = build_pose(recipe)
        if run.start is not None:
            grow_from(model, read_weights(run.start), {})
        if run.on_cpu:
            # The fused attention kernel's backward pass is slow on a CPU at these sizes.
            model.set_attn_implementation("eager")
        self.module = self._model = model.to(run.device)

    def draw(self, step: int) -> PoseBatch:
        """Damaged crops of characters."""
        rng, recipe = self._run.numpy_rng(step), self._recipe
        scenes = zoom(draw_scenes(rng, recipe.scenes_per_batch), rng)
        picture, slot = torch.nonzero(scenes.present & (scenes.verbs != OPEN), as_tuple=True)
        chosen = torch.from_numpy(rng.permutation(len(picture))[: recipe.crops])
        picture, slot = picture[chosen], slot[chosen]
        boxes = scenes.boxes[picture, slot]
        extent = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        boxes = boxes + torch.from_numpy(rng.normal(0, recipe.box_jitter, boxes.shape)).float() * extent
        crops = crop_boxes(scenes.images[picture], boxes, (recipe.height, recipe.height * 3 // 4))
        joints = to_cells(scenes.keypoints[picture, slot], boxes, (recipe.height // 2, recipe.height * 3 // 8))
        softened = torch.from_numpy(rng.random(len(crops)) < recipe.softened_share)
        return PoseBatch(degrade(crops, rng) if len(crops) else crops, joints, softened)

    def losses(self, batch: PoseBatch) -> dict[str, Tensor]:
        """See `Lesson.losses`."""
        device = self._run.device
        crops, joints = batch.crops.to(device), batch.joints.to(device)
        if self._soften is not None:
            crops = self._soften(crops, batch.softened)
        with self._run.autocast():
            heatmaps = self._model(crops * 2 - 1).heatmaps
        wanted = bumps(joints, heatmaps.shape[-2:], self._recipe.bump_cells)
        # Joints outside the crop are nowhere on the map: their target is empty.
        return {
            "bumps": (heatmaps.float() - wanted).square().sum(dim=(2, 3)).mean() if len(crops) else heatmaps.sum() * 0
        }

    def look(self, average: Mapping[str, Tensor], ended: bool) -> None:
        """Save the model and the joints that it finds in held-out scenes."""
        folder = self._run.out_dir / MODEL
        model, processor = self._recipe.load(self._run.out_dir), build_processor(self._recipe)
        save_transformer(folder, model.config, average, processor, "VitPoseForPoseEstimation")
        save_joints_sheet(model, processor, self._run.out_dir / "sheet.png")


def _crop_sizes(boxes: Tensor) -> Tensor:
    """Width and height ``[N, 2]`` of the crops of boxes: the box at three to four, and a margin."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(-1)
    return torch.stack([torch.maximum(width, 0.75 * height), torch.maximum(height, width / 0.75)], dim=-1) * _PADDING


def crop_boxes(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut boxes out of pictures as the stock processor does, black outside the picture.

    Args:
        images: ``[N, 3, H, W]``, one for each box.
        boxes: ``[N, 4]`` xyxy in pixels.
        size: height and width of a crop.

    Returns:
        ``[N, 3, *size]``.
    """
    middle, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, _crop_sizes(boxes)
    # The processor maps the first and the last pixel of the crop to the edges of the region, in units of pixel middles.
    steps = [torch.linspace(-0.5, 0.5, count) for count in size]
    y = middle[:, None, 1] + steps[0][None] * extent[:, None, 1]
    x = middle[:, None, 0] + steps[1][None] * extent[:, None, 0]
    height, width = images.shape[-2:]
    across = (x / (width - 1) * 2 - 1)[:, None, :].expand(-1, size[0], -1)
    down = (y / (height - 1) * 2 - 1)[:, :, None].expand(-1, -1, size[1])
    grid = torch.stack([across, down], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def to_cells(points: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels of the picture as cells of the heat map of a box.

    Args:
        points: ``[N, K, 2]`` xy in pixels.
        boxes: ``[N, 4]`` xyxy in pixels.
        size: height and width of the heat map.

    Returns:
        ``[N, K, 2]`` xy; 0 is the middle of the first cell.
    """
    middle, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, _crop_sizes(boxes)
    cells = torch.tensor([size[1] - 1.0, size[0] - 1.0])
    return ((points - middle[:, None]) / extent[:, None] + 0.5) * cells


def bumps(joints: Tensor, size: tuple[int, int], spread: float) -> Tensor:
    """Gaussian bumps of height 1 on joints.

    Args:
        joints: ``[N, K, 2]`` xy in cells.
        size: height and width of the map.
        spread: standard deviation in cells.

    Returns:
        ``[N, K, *size]``.
    """
    rows, columns = (torch.arange(count, device=joints.device) for count in size)
    dx = columns[None, None, None, :] - joints[..., 0, None, None]
    dy = rows[None, None, :, None] - joints[..., 1, None, None]
    return torch.exp(-(dx**2 + dy**2) / (2 * spread**2))


def save_joints_sheet(
    model: VitPoseForPoseEstimation, processor: VitPoseImageProcessor, path: Path, count: int = 24
) -> None:
    """Draw the joints found in the first dozen of some held-out scenes that show a character."""
    batch: SceneBatch = held_out_scenes(count)
    found = find_joints(model, processor, batch)
    shown = [index for index, joints in enumerate(found) if len(joints)][:12]
    images = to_pil(batch.images)
    tile([draw_skeletons(images[index], found[index].tolist()) for index in shown], columns=6).save(path)
