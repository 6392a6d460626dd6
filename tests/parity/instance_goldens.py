"""Goldens of InstanceDiffusion: every size, seed and box comes from the sidecar, none from here.

A folder may hold several sets. The one in `tests/data` leaves out the U-Net, for its size: a test that needs one is skipped
there and says so; `--goldens DIR` names the folder of a complete set. Whatever else is not there is a failure, so that a wrong name
cannot pass for a missing tensor.
"""

from functools import cache, cached_property
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from diffusers import UNet2DConditionModel
from parity.goldens import DATA, GoldenSet
from torch import Tensor

from llmgen.diffusion.instances.conversion import Architecture, convert, target
from llmgen.diffusion.instances.fusers import attach_grounding
from llmgen.diffusion.instances.scaleu import ScaleU, backbone_widths
from llmgen.diffusion.instances.unifusion import FORMATS, Format, InstanceGrounding, UniFusion

WEIGHTS = "weights."
LEFT_OUT = (
    "weights.",
    "in.unet.",
    "out.unet.",
    "in.sample.",
    "out.sample.",
    "in.masked.unet_x",
    "out.masked.unet",
)
"""Groups of tensors that the shipped set lacks, or has in part."""
_SWITCH: dict[Format, str] = {
    "box": "drop_boxes",
    "point": "drop_points",
    "scribble": "drop_scribbles",
    "mask": "drop_masks",
}


class Goldens(GoldenSet):
    """One set: `<name>.safetensors` with `<name>.json` beside it."""

    def _miss(self, name: str) -> NoReturn:
        if self.path.parent == DATA and name.startswith(LEFT_OUT):
            pytest.skip(f"{self.name} has no {name}; --goldens DIR names the folder of a complete set")
        super()._miss(name)

    def use(self, config: str) -> list[Format]:
        """Formats that a drop configuration keeps."""
        known = self.sidecar["drop_configurations"]
        dropped = dict(zip(known["order"], known["values"][config], strict=True))
        return [name for name in FORMATS if not dropped[_SWITCH[name]]]

    def grounding(self, prefix: str = "in.") -> InstanceGrounding:
        """The instances under a prefix, `in.` or `in.sample.global.`."""
        names = ("boxes", "masks", "text_embeddings", "points", "scribbles", "polygons")
        return InstanceGrounding(*(self[prefix + name] for name in names), self[prefix + "segs_u8"].float())

    @cached_property
    def architecture(self) -> Architecture:
        """The sizes of this set."""
        unifusion = {k: v for k, v in self.sidecar["unifusion_config"].items() if k != "convnext_feature_dim"}
        return Architecture(self.sidecar["diffusers_config"], unifusion)

    @cached_property
    def checkpoint(self) -> dict[str, Tensor]:
        """The state dict in the original's names."""
        self[WEIGHTS + "time_embed.0.weight"]
        return {name.removeprefix(WEIGHTS): self[name] for name in self.names_from(WEIGHTS)}

    @cached_property
    def unifusion(self) -> UniFusion:
        """The grounding tokenizer; a set may hold it without the U-Net."""
        model = UniFusion(**self.architecture.unifusion)
        targets = {name: target(name.removeprefix(WEIGHTS)) for name in self.names_from(WEIGHTS + "position_net.")}
        state = {found[1]: self[name] for name, found in targets.items() if found is not None}
        shapes = {name: value.shape for name, value in model.state_dict().items()}
        model.load_state_dict({name: value.reshape(shapes[name]) for name, value in state.items()})
        return model.eval()

    @cached_property
    def unet(self) -> UNet2DConditionModel:
        """The whole U-Net, ScaleU attached."""
        parts = convert(self.checkpoint, self.architecture)
        unet = UNet2DConditionModel(**self.architecture.unet)
        attach_grounding(unet)
        unet.load_state_dict(parts.unet)
        scales = ScaleU(backbone_widths(unet))
        scales.load_state_dict(parts.scaleu)
        scales.attach(unet)
        return unet.eval()


@cache
def instance_sets(folder: Path) -> list[Goldens]:
    """All sets in a folder that hold a U-Net's configuration, whatever they are called."""
    sets = []
    for path in sorted(folder.glob("instancediffusion*.safetensors")):
        sidecar = path.with_suffix(".json")
        if sidecar.is_file() and '"unifusion_config"' in sidecar.read_text(encoding="utf-8"):
            sets.append(Goldens(path))
    return sets


def predict(unet: UNet2DConditionModel, x: Tensor, t: Tensor, context: Tensor, **gligen: Tensor) -> Tensor:
    """One evaluation of the U-Net."""
    with torch.no_grad():
        return unet(x, t, context, cross_attention_kwargs={"gligen": gligen}).sample
