"""The quality table of the toybox: every shipped model on held-out seeds, against its target."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor
from transformers import (
    CLIPModel,
    CLIPProcessor,
    Owlv2ForObjectDetection,
    Owlv2Processor,
    VitPoseForPoseEstimation,
    VitPoseImageProcessor,
)

from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.mask_rcnn import MaskRcnnDetector, load_mask_rcnn
from llmgen.diffusion.segmentation import build_sam_from_config
from llmgen.presets import load_preset
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.answerer import load_answerer
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.recipes import instance_progress
from llmgen.toybox.recipes.blip2 import exact_answers
from llmgen.toybox.recipes.catalogue import load_recipe, shipped
from llmgen.toybox.recipes.clip_quality import clip_quality
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.detector_quality import detail_answers, detector_quality
from llmgen.toybox.recipes.inpaint import ASKED, InpaintRecipe, with_details
from llmgen.toybox.recipes.mask_rcnn_quality import mask_quality
from llmgen.toybox.recipes.mask_truths import OBJECTS, PARTS_OF_OBJECTS, ClassList
from llmgen.toybox.recipes.pose_quality import pose_pck
from llmgen.toybox.recipes.progress import held_out_prompts, judge_pictures, look
from llmgen.toybox.recipes.quality import judge_accuracy, judge_details, segmenter_quality
from llmgen.toybox.recipes.question_files import HeldOut
from llmgen.toybox.recipes.sampling import TextToImage
from llmgen.toybox.recipes.scene_batches import degrade
from llmgen.toybox.recipes.vae import psnr_on_renders, to_tensor
from llmgen.toybox.world.captions import DETAIL_PROMPT_TYPES, PROMPT_TYPES
from llmgen.toybox.world.scenes import render_image, sample_plain_scene, sample_scene
from llmgen.toybox.world.vocabulary import COLORS, NOUNS, object_phrase


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


def quality_table(count: int = 100, device: str = "cpu", names: Collection[str] = ()) -> Iterator[Row]:
    """Measure the shipped models, one row as soon as it is known.

    Args:
        count: Pictures a measure.
        device: Torch device of the denoiser and the parts around it; the others are small.
        names: Of the models to measure, as recipes are named; none measures all.

    Yields:
        The rows of the models that are shipped.
    """
    for name, measure in _MEASURES.items():
        if (not names or name in names) and shipped(load_recipe(name)) is not None:
            yield from measure(count, device)


def _vae_rows(count: int, device: str) -> Iterator[Row]:
    models = TextToImage.from_pretrained(device=device)
    seeds = range(910_000, 910_000 + count)
    for shown, sample in (("plain things", sample_plain_scene), ("the whole world", sample_scene)):
        yield Row("vae", f"PSNR on {shown}, dB", psnr_on_renders(models.vae, seeds, sample), 30.0, count)
    prompts = held_out_prompts(count, seed=8_000_000)
    truth = [render_image(prompt.scene) for prompt in prompts]
    right = judge_pictures(prompts, reconstruct(models, truth))
    if right is None:
        return
    yield Row("vae", "judge right on reconstructions", sum(right) / count, 0.97, count)
    judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")

    def through(images: Tensor, _rng: np.random.Generator) -> Tensor:
        pictures = reconstruct(models, [np.asarray(image) for image in to_pil(images)])
        return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255

    for name, share in judge_details(judge, count=2 * count, damage=through).items():
        if name != "found":
            yield Row("vae", f"{name} read on reconstructions, mean over its answers", share, None, 2 * count)


def _text_rows(count: int, device: str) -> Iterator[Row]:
    models = TextToImage.from_pretrained(device=device)
    phrases = [object_phrase(noun, color) for noun in NOUNS for color in COLORS]
    pooled = models.pooled(phrases)
    centred = torch.nn.functional.normalize(pooled - pooled.mean(0), dim=-1)
    nearest = (centred @ centred.T - 2 * torch.eye(len(phrases), device=centred.device)).max()
    yield Row("text", "greatest cosine of two phrases, centred", float(nearest), None, len(phrases))


def _denoiser_rows(count: int, device: str) -> Iterator[Row]:
    models = TextToImage.from_pretrained(device=device)
    for types, asked in ((PROMPT_TYPES, "things"), (DETAIL_PROMPT_TYPES, "characters and details")):
        shares = look(models, None, count=count, seed=8_000_000, types=types)
        if not shares:
            return
        yield Row("denoiser", f"right from text alone, {asked}", shares["text"], None, count)
        yield Row("denoiser", f"right with boxes, {asked}", shares["boxes"], 0.75, count)
        for name, share in shares.items():
            if "/" in name:
                way, kind = name.split("/")
                label = f"{kind}, {'from text alone' if way == 'text' else 'with boxes'}"
                yield Row("denoiser", label, share, None, count // len(types))


def _details_rows(count: int, device: str) -> Iterator[Row]:
    models = TextToImage.from_pretrained(device=device)
    assert models.unet is not None
    # The denoiser first: the LoRA goes into its weights.
    for name in ("the denoiser alone", "with the LoRA"):
        shares = look(models, None, count=count, seed=8_000_000, types=ASKED)
        for kind in ASKED:
            yield Row("inpaint", f"{kind}s right with boxes, {name}", shares[f"boxes/{kind}"], None, count // 2)
        with_details(models.unet, WEIGHTS / InpaintRecipe.folder)


def _instance_rows(count: int, _device: str) -> Iterator[Row]:
    attached = ModelPool(load_preset("toybox"), device="cpu", dtype="float32").instance_diffusion()
    models = replace(TextToImage.from_pretrained(), unet=attached.pipe.unet)
    for name, share in instance_progress.look(models, attached.unifusion, None, count=count, seed=8_000_000).items():
        way, _, placed = name.partition("/")
        measure = "objects in their places" if placed else "right pictures"
        told = "told nothing (control)" if way == "none" else f"told {way}"
        yield Row("instances", f"{measure}, {told}", share, None, count)


def _judge_rows(count: int, _device: str) -> Iterator[Row]:
    judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
    yield Row("judge", "exact scenes on renders", judge_accuracy(judge, count=count), 0.99, count)
    damaged = judge_accuracy(judge, count=count, damage=degrade)
    yield Row("judge", "exact scenes on damaged renders", damaged, None, count)
    # Some answers are rare: the mean over answers needs more pictures than the others.
    for name, share in judge_details(judge, count=4 * count).items():
        measure = "objects found" if name == "found" else f"{name}, mean over its answers"
        yield Row("judge", measure, share, 0.97, 4 * count)
    for name, share in judge_details(judge, count=4 * count, damage=degrade).items():
        if name != "found":
            yield Row("judge", f"{name}, on damaged renders", share, None, 4 * count)
    unseen = judge_details(judge, count=2 * count, held_out=True)
    for name in ("pattern", "verb"):
        yield Row("judge", f"{name}, in combinations held out", unseen[name], None, 2 * count)


def _detector_rows(count: int, _device: str) -> Iterator[Row]:
    detector = Owlv2ForObjectDetection.from_pretrained(WEIGHTS / "detector", dtype=torch.float32).eval()
    processor = Owlv2Processor.from_pretrained(WEIGHTS / "detector")
    for shown, plain in (("the whole world", False), ("plain things", True)):
        found = detector_quality(detector, processor, count=count, plain=plain)
        yield Row("detector", f"AP50 on {shown}", found.ap50, 0.90, count)
        yield Row("detector", f"AP over IoU 0.5 to 0.95 on {shown}", found.ap, None, count)
    low, high = np.quantile(found.true_scores or (0.0,), 0.01), np.quantile(found.false_scores or (0.0,), 0.99)
    yield Row("detector", "score, 1st percentile of right hits", float(low), None, count)
    yield Row("detector", "score, 99th percentile of wrong hits", float(high), None, count)
    for name, share in detail_answers(detector, processor, count=2 * count).items():
        yield Row("detector", f"{name} of an object, mean over its answers", share, None, 2 * count)


def _mask_rcnn_rows(name: str, learns: ClassList) -> Callable[[int, str], Iterator[Row]]:
    def rows(count: int, _device: str) -> Iterator[Row]:
        detector = MaskRcnnDetector(*load_mask_rcnn(WEIGHTS / load_recipe(name).folder))
        found = mask_quality(detector, learns, count=2 * count)
        yield Row(name, "mask AP50 on renders", found.ap50, 0.85, 2 * count)
        yield Row(name, "mask AP over IoU 0.5 to 0.95 on renders", found.ap, None, 2 * count)
        yield Row(name, "box AP50 on renders", found.box_ap50, None, 2 * count)
        worst = min(found.by_class, key=lambda label: found.by_class[label])
        yield Row(name, f"mask AP50 of the worst class, {worst}", found.by_class[worst], None, 2 * count)
        for said, damage, held_out in (
            ("on damaged renders", degrade, False),
            ("in combinations held out", None, True),
        ):
            other = mask_quality(detector, learns, count=2 * count, damage=damage, held_out=held_out)
            yield Row(name, f"mask AP50 {said}", other.ap50, None, 2 * count)

    return rows


def _clip_rows(count: int, _device: str) -> Iterator[Row]:
    clip = CLIPModel.from_pretrained(WEIGHTS / "clip", dtype=torch.float32).eval()
    found = clip_quality(clip, CLIPProcessor.from_pretrained(WEIGHTS / "clip"), count=2 * count)
    yield Row("clip", "caption of a scene among those of 50", found.caption_of_50, None, 2 * count)
    yield Row("clip", "caption or one that differs in one thing", found.caption_or_differing, None, 2 * count)
    yield Row("clip", "noun and colour of a crop among all", found.phrase_of_all, None, 2 * count)
    yield Row("clip", "colour of a crop", found.color, None, 2 * count)


def _segmenter_rows(count: int, _device: str) -> Iterator[Row]:
    sam = build_sam_from_config(WEIGHTS / "segmenter")
    yield Row("segmenter", "mean IoU from boxes", segmenter_quality(sam, count=count).mean_iou, 0.85, count)
    loose = segmenter_quality(sam, count=count, jitter=0.1)
    yield Row("segmenter", "mean IoU from boxes off by up to 10 %", loose.mean_iou, 0.85, count)
    yield Row("segmenter", "IoU that nine tenths of those exceed", loose.worst_tenth, None, count)


def _pose_rows(count: int, _device: str) -> Iterator[Row]:
    pose = VitPoseForPoseEstimation.from_pretrained(WEIGHTS / "pose", dtype=torch.float32).eval()
    processor = VitPoseImageProcessor.from_pretrained(WEIGHTS / "pose")
    shares = pose_pck(pose, processor, count=2 * count)
    yield Row("pose", "PCK@0.1 of the figure's height", shares["all"], 0.90, 2 * count)
    worst = min(shares, key=lambda name: shares[name])
    yield Row("pose", f"PCK@0.1 of the worst joint, {worst.replace('_', ' ')}", shares[worst], None, 2 * count)
    damaged = pose_pck(pose, processor, count=2 * count, damage=degrade)["all"]
    yield Row("pose", "PCK@0.1 on damaged renders", damaged, None, 2 * count)


def _answerer_rows(count: int, device: str) -> Iterator[Row]:
    model, _ = load_answerer(WEIGHTS / load_recipe("blip2").folder)
    model.to(device)
    for name, held_out in _HELD_OUT.items():
        yield Row("blip2", f"exact answers, {name}", exact_answers(model, count, held_out), None, count)


_HELD_OUT: Final[dict[str, HeldOut]] = {
    "other scenes and words": "none",
    "templates held out": "templates",
    "scenes held out": "scenes",
}
_MEASURES: Final[dict[str, Callable[[int, str], Iterator[Row]]]] = {
    "vae": _vae_rows,
    "text": _text_rows,
    "judge": _judge_rows,
    "detector": _detector_rows,
    "mask-rcnn-objects": _mask_rcnn_rows("mask-rcnn-objects", OBJECTS),
    "mask-rcnn-parts": _mask_rcnn_rows("mask-rcnn-parts", PARTS_OF_OBJECTS),
    "clip": _clip_rows,
    "segmenter": _segmenter_rows,
    "pose": _pose_rows,
    "diffusion": _denoiser_rows,
    "inpaint": _details_rows,
    "instances": _instance_rows,
    "blip2": _answerer_rows,
}
"""By the name of the recipe, in the order in which they train."""
