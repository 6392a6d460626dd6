"""BLIP-2, InstructPix2Pix and LGD from their folders."""

from pathlib import Path
from typing import Any

from llmgen.diffusion.answering.editor import LatentEditor, PictureEditor
from llmgen.diffusion.answering.latents import LatentReader
from llmgen.diffusion.answering.saved import load_adapter, load_bridge, load_null, read_settings, unet_folder
from llmgen.diffusion.sources import Parts, import_class
from llmgen.errors import MissingRequirementError, PresetError


def load_answerer(parts: Parts) -> LatentReader:
    """BLIP-2 with its tokenizer.

    Raises:
        PresetError: If its language model is no encoder and decoder, so that it has no latent.
        MissingRequirementError: If weights are missing.
    """
    from transformers import AutoTokenizer, Blip2ForConditionalGeneration

    model = parts.weights(Blip2ForConditionalGeneration)
    if not model.config.text_config.is_encoder_decoder:
        raise PresetError(
            f"the language model of {parts.spec.source!r} is no T5; LGD needs a BLIP-2 whose language model has an encoder, "
            "such as Salesforce/blip2-flan-t5-xl"
        )
    return LatentReader(model, parts.load(AutoTokenizer))


def load_instruct_pix2pix(parts: Parts) -> Any:
    """An InstructPix2Pix pipeline; what its folder has not comes from the role's base, where it names one.

    Raises:
        MissingRequirementError: If weights are missing, or the U-Net has no channels for a picture.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    rest = parts if parts.spec.base is None else parts.base()
    unet = parts.complete(UNet2DConditionModel, "unet")
    _check_channels(unet, parts.spec.source)
    pipe = StableDiffusionInstructPix2PixPipeline(
        vae=rest.weights(AutoencoderKL, "vae"),
        text_encoder=rest.weights(CLIPTextModel, "text_encoder"),
        tokenizer=rest.load(CLIPTokenizer, "tokenizer"),
        unet=unet,
        scheduler=rest.load(DDIMScheduler, "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def load_lgd(parts: Parts) -> LatentEditor:
    """An LGD model: its folder, and autoencoder and scheduler of the role's base.

    Raises:
        PresetError: If the role has no base.
        MissingRequirementError: If the folder is not complete, or does not fit.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    if parts.spec.base is None:
        raise PresetError(
            f"the role at {parts.spec.source!r} needs `base`, the Stable Diffusion whose latents it draws"
        )
    if not parts.local:
        raise MissingRequirementError(
            f"{parts.spec.source!r} must be a folder, or a repository whose files the role lists"
        )
    folder = Path(parts.source)
    settings, base = read_settings(folder), parts.base()
    classes = parts.spec.classes
    unet = parts.complete(
        import_class(classes["unet"]) if "unet" in classes else UNet2DConditionModel, unet_folder(folder)
    )
    _check_channels(unet, parts.spec.source)
    width = unet.config.cross_attention_dim
    if width != settings.context_width:
        raise MissingRequirementError(
            f"lgd.json of {parts.spec.source!r} says context_width {settings.context_width}, but its U-Net has {width}"
        )
    return LatentEditor(
        unet=unet,
        vae=base.weights(AutoencoderKL, "vae"),
        scheduler=base.load(DDIMScheduler, "scheduler"),
        bridge=load_bridge(folder, settings).to(parts.device, parts.dtype),
        null=load_null(folder, settings).to(parts.device, parts.dtype),
        settings=settings,
        folder=str(folder),
    )


def reader_for(editor: LatentEditor, answerer: LatentReader) -> LatentReader:
    """The answerer as an LGD model knows it: with what was trained of it. The given one stays as it is.

    Raises:
        MissingRequirementError: If they do not fit each other.
    """
    settings, blip2 = editor.settings, answerer.blip2
    width = blip2.language_model.config.d_model
    rows = blip2.config.num_query_tokens + answerer.question_tokens
    if (width, rows) != (settings.width, editor.null.shape[1]):
        raise MissingRequirementError(
            f"the LGD model in {editor.folder} was trained with {editor.null.shape[1]} states of width {settings.width}"
            + (f" ({settings.answerer})" if settings.answerer else "")
            + f", but the role 'answerer' gives {rows} of width {width}; name that BLIP-2 in the preset"
        )
    trained, head = load_adapter(Path(editor.folder), blip2, settings)
    if head is not None:
        head.to(blip2.device, blip2.dtype)
    return LatentReader(trained, answerer.tokenizer, side=settings.side or answerer.side, code_head=head)


def editor_of(pipe: Any) -> PictureEditor:
    """The picture editor in an InstructPix2Pix pipeline."""
    return PictureEditor(pipe.unet, pipe.vae, pipe.scheduler)


def _check_channels(unet: Any, source: str) -> None:
    if unet.config.in_channels != 2 * unet.config.out_channels:
        raise MissingRequirementError(
            f"the U-Net of {source!r} takes {unet.config.in_channels} channels, not {2 * unet.config.out_channels}: it draws, but "
            "edits no picture; use an InstructPix2Pix checkpoint"
        )
