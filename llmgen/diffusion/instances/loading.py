"""InstanceDiffusion from its folder: a U-Net with ScaleU attached, UniFusion beside it, the rest from the base model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from llmgen.diffusion.instances.checkpoint import PUBLISHED, SUFFIXES, build_components, load_checkpoint
from llmgen.diffusion.instances.conversion import Components
from llmgen.diffusion.instances.fusers import attach_grounding
from llmgen.diffusion.instances.scaleu import ScaleU
from llmgen.diffusion.instances.unifusion import UniFusion
from llmgen.diffusion.sources import Parts, first_line, one_of
from llmgen.errors import InputError, MissingRequirementError, PresetError

FUSERS = "fusers/diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class InstanceDiffusion:
    """What draws instances.

    Attributes:
        pipe: A `StableDiffusionPipeline`. Its U-Net has ScaleU attached and takes the values of `UniFusion.conditioning` as
            `cross_attention_kwargs={"gligen": ...}`; without that entry the fusers do not run.
        unifusion: The grounding tokenizer.
    """

    pipe: Any
    unifusion: UniFusion

    @property
    def components(self) -> dict[str, Any]:
        """What may wait in main memory until it is called."""
        components: dict[str, Any] = self.pipe.components
        return components


def load_instance_diffusion(parts: Parts) -> InstanceDiffusion:
    """Load the folder of a role of the family `instancediffusion`.

    Args:
        parts: The folder holds `unifusion/`, `scaleu/`, and either `unet/` or `fusers/`; with `fusers/` the U-Net is a copy of
            the base's with these weights loaded over its own. Or it is a repository or folder of which the role lists one
            file, the original's checkpoint; that is converted as it is loaded.

    Raises:
        PresetError: If the role has no base.
        MissingRequirementError: If weights are missing or do not fit.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    if parts.spec.base is None:
        raise PresetError(
            f"the role at {parts.spec.source!r} needs `base`, the Stable Diffusion that it was trained on"
        )
    base = parts.base()
    checkpoint = _checkpoint(parts)
    if checkpoint is not None:
        made = _built(parts, checkpoint)
        unet, unifusion, scales = made.unet, made.unifusion, made.scaleu
    else:
        if parts.local and not (Path(parts.source) / "unet").is_dir():
            unet = base.weights(UNet2DConditionModel, "unet")
            _load_fusers(unet, Path(parts.source) / FUSERS, parts.spec.source)
        else:
            unet = parts.complete(UNet2DConditionModel, "unet", spare="position_net")
        attach_grounding(unet)
        unifusion = parts.complete(UniFusion, "unifusion")
        scales = parts.complete(ScaleU, "scaleu")
    try:
        scales.attach(unet)
    except ValueError as error:
        raise MissingRequirementError(f"{parts.spec.source!r} does not fit its U-Net: {error}") from error
    pipe = StableDiffusionPipeline(
        vae=base.weights(AutoencoderKL, "vae"),
        text_encoder=base.weights(CLIPTextModel, "text_encoder"),
        tokenizer=base.load(CLIPTokenizer, "tokenizer"),
        unet=unet,
        scheduler=base.load(DDIMScheduler, "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    # Coordinates lose too much in half precision, and the tokens are made once for a picture.
    return InstanceDiffusion(pipe, unifusion.float())


def _checkpoint(parts: Parts) -> Path | None:
    """The original's checkpoint, if that is the one file that the role lists."""
    names = parts.spec.files
    single = len(names) == 1 and names[0].endswith(SUFFIXES) and "/" not in names[0]
    return Path(parts.source) / names[0] if parts.local and single else None


def _built(parts: Parts, checkpoint: Path) -> Components:
    try:
        states, _ = load_checkpoint(checkpoint, PUBLISHED)
    except InputError as error:
        raise MissingRequirementError(f"{parts.spec.source!r} cannot be used: {first_line(error)}") from error
    made = build_components(states, parts.dtype, PUBLISHED)
    for _, module in made.items():
        module.to(parts.device)
    return made


def _load_fusers(unet: Any, path: Path, source: str) -> None:
    """Load a file of fusers over a U-Net's own; it must hold all of them and nothing that the U-Net does not have."""
    try:
        weights = load_file(path)
    except OSError as error:
        raise MissingRequirementError(f"{source!r} has neither `unet/` nor `{FUSERS}`: {first_line(error)}") from error
    own = {name: value.shape for name, value in unet.state_dict().items()}
    lost = [name for name in own if ".fuser." in name and name not in weights]
    strange = [name for name, value in weights.items() if own.get(name) != value.shape]
    if lost:
        raise MissingRequirementError(f"`fusers/` of {source!r} lacks the weights {one_of(lost)}")
    if strange:
        raise MissingRequirementError(f"`fusers/` of {source!r} does not fit its U-Net: {one_of(strange)}")
    unet.load_state_dict(weights, strict=False)
