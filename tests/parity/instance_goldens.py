"""Goldens of InstanceDiffusion: every size, seed and box comes from the sidecar, none from here.

A folder may hold several sets. The one in `tests/data` leaves out the U-Net, for its size: a test that needs one is skipped
there and says so; `--goldens DIR` names the folder of a complete set. Whatever else is not there is a failure, so that a wrong name
cannot pass for a missing tensor.
"""

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors import safe_open
from torch import Tensor

from llmgen.diffusion.instances.conversion import Architecture, convert, target
from llmgen.diffusion.instances.fusers import attach_grounding
from llmgen.diffusion.instances.scaleu import ScaleU, backbone_widths
from llmgen.diffusion.instances.unifusion import FORMATS, Format, InstanceGrounding, UniFusion

WEIGHTS = "weights."
SHIPPED = Path(__file__).parents[1] / "data"
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


class Goldens:
    """One set: `<name>.safetensors` with `<name>.json` beside it."""

    def __init__(self, path: Path) -> None:
        self.name, self._shipped = path.stem, path.parent == SHIPPED
        self.sidecar: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self._file = safe_open(path, "pt")
        self.names = frozenset(self._file.keys())

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.names:
            self._miss(name)
        return self._file.get_tensor(name)

    def _miss(self, name: str) -> NoReturn:
        if self._shipped and name.startswith(LEFT_OUT):
            pytest.skip(f"{self.name} has no {name}; --goldens DIR names the folder of a complete set")
        pytest.fail(f"{self.name} has no {name}")

    def names_from(self, prefix: str) -> list[str]:
        """Names of the tensors that begin so."""
        found = sorted(name for name in self.names if name.startswith(prefix))
        if not found:
            self._miss(prefix)
        return found

    def close(self, got: Tensor, name: str, tolerance: float) -> None:
        """Equal to a golden within a share of its largest magnitude."""
        expected = self[name]
        assert got.shape == expected.shape, name
        difference = (got.double() - expected.double()).abs().max().item()
        largest = expected.double().abs().max().item()
        assert difference <= tolerance * largest, f"{self.name} {name}: {difference:.3g} of {largest:.3g}"

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
def golden_sets(folder: Path) -> list[Goldens]:
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
