"""Families: how the components of a repository become the object that a method works with, one function each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from llmgen.artifacts.schedulers import OWN
from llmgen.diffusion.adapters import add_loras
from llmgen.diffusion.checkpoints import kind_of, read_shapes
from llmgen.diffusion.schedulers import OwnScheduler, make_scheduler, with_scheduler
from llmgen.diffusion.sources import Parts
from llmgen.errors import PresetError


def _scheduler(parts: Parts) -> Any:
    """The scheduler that the preset names, else the one of the repository, whichever class that is."""
    own = (parts.base() if parts.single_file else parts).load(OwnScheduler, "scheduler")
    return own if parts.spec.scheduler == OWN else make_scheduler(parts.spec.scheduler, own.config)


def _ready(pipe: Any, parts: Parts) -> Any:
    """A pipeline that is quiet, with its LoRAs, and steps as the preset says."""
    pipe.set_progress_bar_config(disable=True)
    add_loras(pipe, parts.spec.lora)
    return with_scheduler(pipe, parts.spec.scheduler)


def _load_stable_diffusion(parts: Parts) -> Any:
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    if parts.single_file:
        absent = {"safety_checker": None, "feature_extractor": None, "image_encoder": None}
        pipe = parts.checkpoint(
            StableDiffusionPipeline, scheduler=_scheduler(parts), requires_safety_checker=False, **absent
        )
        return _ready(pipe, parts)
    # GLIGEN repositories carry an old config key that diffusers ignores, which would drop the grounding weights silently.
    gated = {"attention_type": "gated"} if parts.spec.classes.get("grounding") == "gligen" else {}
    pipe = StableDiffusionPipeline(
        vae=parts.weights(AutoencoderKL, "vae"),
        text_encoder=parts.weights(CLIPTextModel, "text_encoder"),
        tokenizer=parts.load(CLIPTokenizer, "tokenizer"),
        unet=parts.complete(UNet2DConditionModel, "unet", **gated),
        scheduler=_scheduler(parts),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _ready(pipe, parts)


def _load_stable_diffusion_xl(parts: Parts) -> Any:
    from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    if parts.single_file:
        pipe = parts.checkpoint(
            StableDiffusionXLPipeline,
            scheduler=_scheduler(parts),
            feature_extractor=None,
            image_encoder=None,
            force_zeros_for_empty_prompt=True,
            add_watermarker=False,
        )
        _keep_in_range(pipe.vae, parts)
        return _ready(pipe, parts)
    pipe = StableDiffusionXLPipeline(
        vae=_keep_in_range(parts.weights(AutoencoderKL, "vae"), parts),
        text_encoder=parts.weights(CLIPTextModel, "text_encoder"),
        text_encoder_2=parts.weights(CLIPTextModelWithProjection, "text_encoder_2"),
        tokenizer=parts.load(CLIPTokenizer, "tokenizer"),
        tokenizer_2=parts.load(CLIPTokenizer, "tokenizer_2"),
        unet=parts.complete(UNet2DConditionModel, "unet"),
        scheduler=_scheduler(parts),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )
    return _ready(pipe, parts)


def _keep_in_range(vae: Any, parts: Parts) -> Any:
    """SDXL's autoencoder, in single precision where half precision would make black pictures: its numbers grow beyond it."""
    return vae.float() if parts.dtype == torch.float16 and getattr(vae.config, "force_upcast", False) else vae


def _load_sdxl_refiner(parts: Parts) -> Any:
    from diffusers import StableDiffusionXLImg2ImgPipeline

    if parts.single_file:
        absent = {"feature_extractor": None, "image_encoder": None, "text_encoder": None, "tokenizer": None}
        own = {"requires_aesthetics_score": True, "force_zeros_for_empty_prompt": False, "add_watermarker": False}
        pipe = parts.checkpoint(StableDiffusionXLImg2ImgPipeline, scheduler=_scheduler(parts), **absent, **own)
        return _ready(pipe, parts)
    return _ready(
        parts.load(StableDiffusionXLImg2ImgPipeline, **parts.files(), dtype=parts.dtype).to(parts.device), parts
    )


def _load_z_image(parts: Parts) -> Any:
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import AutoModel, AutoTokenizer

    pipe = ZImagePipeline(
        scheduler=parts.load(FlowMatchEulerDiscreteScheduler, "scheduler"),
        vae=parts.weights(AutoencoderKL, "vae"),
        text_encoder=parts.weights(AutoModel, "text_encoder"),
        tokenizer=parts.load(AutoTokenizer, "tokenizer"),
        transformer=parts.complete(ZImageTransformer2DModel, "transformer"),
    )
    return _ready(pipe, parts)


def _load_inpainting(parts: Parts) -> Any:
    from diffusers import AutoPipelineForInpainting, StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline

    if parts.single_file:
        absent = {"feature_extractor": None, "image_encoder": None}
        if kind_of(read_shapes(Path(parts.source).expanduser())) == "stable-diffusion-xl":
            made = parts.checkpoint(
                StableDiffusionXLInpaintPipeline, scheduler=_scheduler(parts), add_watermarker=False, **absent
            )
            return _ready(made, parts)
        absent |= {"safety_checker": None}
        made = parts.checkpoint(
            StableDiffusionInpaintPipeline, scheduler=_scheduler(parts), requires_safety_checker=False, **absent
        )
        return _ready(made, parts)
    return _ready(parts.load(AutoPipelineForInpainting, **parts.files(), dtype=parts.dtype).to(parts.device), parts)


def _load_owlv2(parts: Parts) -> Any:
    from transformers import Owlv2ForObjectDetection, Owlv2Processor

    from llmgen.diffusion.phrase_detection import Owlv2PhraseDetector

    processor = parts.load(Owlv2Processor, "processor" if "processor" in parts.spec.classes else None)
    return Owlv2PhraseDetector(parts.weights(Owlv2ForObjectDetection), processor, parts.device)


def _load_grounding_dino(parts: Parts) -> Any:
    from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

    from llmgen.diffusion.phrase_grounding import GroundingDinoPhraseDetector

    # MM-Grounding-DINO and LLMDet: the preset names `transformers:MMGroundingDinoForObjectDetection` as the class of `model`.
    processor = parts.load(GroundingDinoProcessor, "processor" if "processor" in parts.spec.classes else None)
    return GroundingDinoPhraseDetector(parts.weights(GroundingDinoForObjectDetection), processor, parts.device)


def _load_mask_rcnn(parts: Parts) -> Any:
    from llmgen.diffusion.mask_rcnn import MaskRcnnDetector, load_mask_rcnn

    if not parts.local:
        raise PresetError(
            f"the role at {parts.spec.source!r} lists no `files`: a Mask R-CNN is config.json and model.safetensors"
        )
    return MaskRcnnDetector(*load_mask_rcnn(parts.source), parts.device)


def _load_clip(parts: Parts) -> Any:
    from transformers import CLIPModel, CLIPProcessor

    from llmgen.diffusion.phrase_scoring import ClipPhraseScorer

    return ClipPhraseScorer(parts.weights(CLIPModel), parts.load(CLIPProcessor), parts.device)


def _load_vitpose(parts: Parts) -> Any:
    from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

    from llmgen.diffusion.pose_estimation import VitPoseEstimator

    processor = parts.load(VitPoseImageProcessor)
    return VitPoseEstimator(parts.weights(VitPoseForPoseEstimation), processor, parts.device)


def _load_phrase_detector(parts: Parts) -> Any:
    if "model" not in parts.spec.classes:
        raise PresetError(f"the role at {parts.spec.source!r} needs `classes.model`, the detector's `module:Class`")
    detector = parts.load(None)
    return detector.to(parts.device) if hasattr(detector, "to") else detector


def _load_sam(parts: Parts) -> Any:
    from llmgen.diffusion.segmentation import SamSegmenter, TransformersSamSegmenter, build_sam_from_config

    # Transformers writes the second since its version 5; a folder with neither is one of our own small models.
    processors = ("preprocessor_config.json", "processor_config.json")
    if parts.local and not any((Path(parts.source) / name).is_file() for name in processors):
        return SamSegmenter(build_sam_from_config(parts.source).to(parts.device))
    from transformers import SamModel, SamProcessor

    return TransformersSamSegmenter(parts.weights(SamModel), parts.load(SamProcessor))


def _load_instance_diffusion(parts: Parts) -> Any:
    from llmgen.diffusion.instances.loading import load_instance_diffusion

    return load_instance_diffusion(parts)


def _load_blip2(parts: Parts) -> Any:
    from llmgen.diffusion.answering.loading import load_answerer

    return load_answerer(parts)


def _load_instruct_pix2pix(parts: Parts) -> Any:
    from llmgen.diffusion.answering.loading import load_instruct_pix2pix

    return load_instruct_pix2pix(parts)


def _load_lgd(parts: Parts) -> Any:
    from llmgen.diffusion.answering.loading import load_lgd

    return load_lgd(parts)


#: Family to loader.
FAMILIES: dict[str, Callable[[Parts], Any]] = {
    "stable-diffusion": _load_stable_diffusion,
    "stable-diffusion-xl": _load_stable_diffusion_xl,
    "stable-diffusion-xl-refiner": _load_sdxl_refiner,
    "inpainting": _load_inpainting,
    "z-image": _load_z_image,
    "owlv2": _load_owlv2,
    "grounding-dino": _load_grounding_dino,
    "mask-rcnn": _load_mask_rcnn,
    "clip": _load_clip,
    "sam": _load_sam,
    "vitpose": _load_vitpose,
    "phrase-detector": _load_phrase_detector,
    "instancediffusion": _load_instance_diffusion,
    "blip2": _load_blip2,
    "instruct-pix2pix": _load_instruct_pix2pix,
    "lgd": _load_lgd,
}
