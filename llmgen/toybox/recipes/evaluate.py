"""The quality table of the toybox: every shipped model on held-out seeds, against its target."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from llmgen.diffusion.loading import ModelPool
from llmgen.presets import load_preset
from llmgen.toybox import WEIGHTS
from llmgen.toybox.recipes import instance_progress
from llmgen.toybox.recipes.progress import held_out_prompts, judge_pictures, look
from llmgen.toybox.recipes.sampling import GUIDANCE, TextToImage
from llmgen.toybox.recipes.vae import psnr_on_renders, to_tensor
from llmgen.toybox.world.captions import DETAIL_PROMPT_TYPES, PROMPT_TYPES
from llmgen.toybox.world.scenes import render_image


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        model: Which model.
        measure: What was measured.
        value: The figure.
        target: The least it should be, or None where the figure only informs.
        count: How many pictures it rests on.
    """

    model: str
    measure: str
    value: float
    target: float | None
    count: int


@torch.no_grad()
def reconstruct(models: TextToImage, images: list[np.ndarray]) -> list[np.ndarray]:
    """Send pictures through the autoencoder.

    Args:
        models: Give the autoencoder.
        images: uint8 [128, 128, 3] each.

    Returns:
        uint8 [128, 128, 3] each.
    """
    outputs: list[np.ndarray] = []
    for start in range(0, len(images), 25):
        batch = to_tensor(images[start : start + 25]).to(models.vae.device)
        decoded = models.vae.decoder(models.vae.encoder(batch)).float().cpu().clamp(-1, 1)
        outputs += list(((decoded + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return outputs


def quality_table(count: int = 100, device: str = "cpu", guidance: float = GUIDANCE) -> Iterator[Row]:
    """Measure the shipped models, one row as soon as it is known.

    Args:
        count: Pictures a measure.
        device: Torch device.
        guidance: Scale of classifier-free guidance of the denoiser.

    Yields:
        The rows of the models that are shipped.
    """
    models = TextToImage.from_pretrained(device=device)
    yield Row("vae", "PSNR on renders, dB", psnr_on_renders(models.vae, range(910_000, 910_000 + count)), 30.0, count)
    prompts = held_out_prompts(count, seed=8_000_000)
    truth = [render_image(prompt.scene) for prompt in prompts]
    right = judge_pictures(prompts, reconstruct(models, truth))
    if right is not None:
        yield Row("vae", "judge right on reconstructions", sum(right) / count, 0.97, count)
        yield from _judge_rows(WEIGHTS, count)
    yield from _perception_rows(WEIGHTS, count)
    if models.unet is not None:
        for types, asked in ((PROMPT_TYPES, "things"), (DETAIL_PROMPT_TYPES, "characters and details")):
            shares = look(models, None, count=count, guidance=guidance, seed=8_000_000, types=types)
            yield Row("denoiser", f"right from text alone, {asked}", shares["text"], None, count)
            yield Row("denoiser", f"right with boxes, {asked}", shares["boxes"], 0.75, count)
            for name, share in shares.items():
                if "/" in name:
                    way, kind = name.split("/")
                    label = f"{kind}, {'from text alone' if way == 'text' else 'with boxes'}"
                    yield Row("denoiser", label, share, None, count // len(types))
    if (WEIGHTS / "instancediffusion" / "unifusion" / "config.json").is_file():
        yield from _instance_rows(models, count)


def _instance_rows(models: TextToImage, count: int) -> Iterator[Row]:
    shipped = ModelPool(load_preset("toybox"), device="cpu", dtype="float32").instance_diffusion()
    attached = replace(models, unet=shipped.pipe.unet)
    for name, share in instance_progress.look(attached, shipped.unifusion, None, count=count, seed=8_000_000).items():
        way, _, placed = name.partition("/")
        measure = "objects in their places" if placed else "right pictures"
        told = "told nothing (control)" if way == "none" else f"told {way}"
        yield Row("instances", f"{measure}, {told}", share, None, count)


def _judge_rows(weights: Path, count: int) -> Iterator[Row]:
    from llmgen.toybox.models.judge import ToyboxJudge
    from llmgen.toybox.recipes.quality import judge_accuracy, judge_details
    from llmgen.toybox.recipes.scene_batches import degrade

    judge = ToyboxJudge.from_pretrained(weights / "judge")
    yield Row("judge", "exact scenes on renders", judge_accuracy(judge, count=count), 0.99, count)
    damaged = judge_accuracy(judge, count=count, damage=degrade)
    yield Row("judge", "exact scenes on damaged renders", damaged, None, count)
    # Some answers are rare: the mean over answers needs more pictures than the others.
    for name, share in judge_details(judge, count=4 * count).items():
        yield Row(
            "judge", f"{name}, mean over its answers" if name != "found" else "objects found", share, 0.97, 4 * count
        )
    for name, share in judge_details(judge, count=4 * count, damage=degrade).items():
        if name != "found":
            yield Row("judge", f"{name}, on damaged renders", share, None, 4 * count)
    unseen = judge_details(judge, count=2 * count, held_out=True)
    for name in ("pattern", "verb"):
        yield Row("judge", f"{name}, in combinations held out", unseen[name], None, 2 * count)


def _perception_rows(weights: Path, count: int) -> Iterator[Row]:
    from llmgen.toybox.recipes.scene_batches import degrade

    if (weights / "detector" / "config.json").is_file():
        yield from _detector_rows(weights, count)
    if (weights / "segmenter" / "config.json").is_file():
        from llmgen.diffusion.segmentation import build_sam_from_config
        from llmgen.toybox.recipes.quality import segmenter_quality

        sam = build_sam_from_config(weights / "segmenter")
        yield Row("segmenter", "mean IoU from boxes", segmenter_quality(sam, count=count).mean_iou, 0.85, count)
        loose = segmenter_quality(sam, count=count, jitter=0.1)
        yield Row("segmenter", "mean IoU from boxes off by up to 10 %", loose.mean_iou, 0.85, count)
        yield Row("segmenter", "IoU that nine tenths of those exceed", loose.worst_tenth, None, count)
    if (weights / "pose" / "config.json").is_file():
        from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

        from llmgen.toybox.recipes.pose_quality import pose_pck

        pose = VitPoseForPoseEstimation.from_pretrained(weights / "pose", dtype=torch.float32).eval()
        joints = VitPoseImageProcessor.from_pretrained(weights / "pose")
        shares = pose_pck(pose, joints, count=2 * count)
        yield Row("pose", "PCK@0.1 of the figure's height", shares["all"], 0.90, 2 * count)
        worst = min(shares, key=lambda name: shares[name])
        yield Row("pose", f"PCK@0.1 of the worst joint, {worst.replace('_', ' ')}", shares[worst], None, 2 * count)
        damaged = pose_pck(pose, joints, count=2 * count, damage=degrade)["all"]
        yield Row("pose", "PCK@0.1 on damaged renders", damaged, None, 2 * count)
    if (weights / "clip" / "config.json").is_file():
        from transformers import CLIPModel, CLIPProcessor

        from llmgen.toybox.recipes.clip_quality import clip_quality

        clip = CLIPModel.from_pretrained(weights / "clip", dtype=torch.float32).eval()
        found = clip_quality(clip, CLIPProcessor.from_pretrained(weights / "clip"), count=2 * count)
        yield Row("clip", "caption of a scene among those of 50", found.caption_of_50, None, 2 * count)
        yield Row("clip", "caption or one that differs in one thing", found.caption_or_differing, None, 2 * count)
        yield Row("clip", "noun and colour of a crop among all", found.phrase_of_all, None, 2 * count)
        yield Row("clip", "colour of a crop", found.color, None, 2 * count)


def _detector_rows(weights: Path, count: int) -> Iterator[Row]:
    from transformers import Owlv2ForObjectDetection, Owlv2Processor

    from llmgen.toybox.recipes.detector_quality import detail_answers, detector_quality

    detector = Owlv2ForObjectDetection.from_pretrained(weights / "detector", dtype=torch.float32).eval()
    processor = Owlv2Processor.from_pretrained(weights / "detector")
    found = detector_quality(detector, processor, count=count)
    yield Row("detector", "AP50 on renders", found.ap50, 0.90, count)
    yield Row("detector", "AP over IoU 0.5 to 0.95", found.ap, None, count)
    low, high = np.quantile(found.true_scores or (0.0,), 0.01), np.quantile(found.false_scores or (0.0,), 0.99)
    yield Row("detector", "score, 1st percentile of right hits", float(low), None, count)
    yield Row("detector", "score, 99th percentile of wrong hits", float(high), None, count)
    for name, share in detail_answers(detector, processor, count=2 * count).items():
        yield Row("detector", f"{name} of an object, mean over its answers", share, None, 2 * count)
