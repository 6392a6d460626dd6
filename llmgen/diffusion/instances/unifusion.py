"""UniFusion: boxes, points, scribbles and masks of up to N instances, each with a phrase, as grounding tokens.

Every format has its own tokenizer and always emits its tokens, whether it is used or not: what is not used, or not there,
is a learned null vector beside the text. So the number of tokens never changes, and the phrases always reach the U-Net.

Source: InstanceDiffusion (Wang et al., CVPR 2024), section 3.2.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal, Self, get_args

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

Format = Literal["box", "point", "scribble", "mask"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


@dataclass(frozen=True)
class InstanceGrounding:
    """Where the instances of B pictures are and what they are, in N slots each; all positions are shares of the picture.

    Attributes:
        boxes: `[B, N, 4]` xyxy.
        masks: `[B, N]`, 1 for an instance, 0 for an empty slot.
        text: `[B, N, D]` pooled text states of the phrases.
        points: `[B, N, 2]` xy.
        scribbles: `[B, N, 2 P]`, P points x y x y ...; zeros for an instance without one.
        polygons: `[B, N, 2 Q]`, Q points of the mask; zeros for an instance without one.
        segments: `[B, N, S, S]` binary masks, any S; zeros for an instance without one.
    """

    boxes: Tensor
    masks: Tensor
    text: Tensor
    points: Tensor
    scribbles: Tensor
    polygons: Tensor
    segments: Tensor

    def __len__(self) -> int:
        """B."""
        return len(self.boxes)

    def rows(self, rows: Sequence[int]) -> Self:
        """Some of the pictures."""
        return type(self)(*(getattr(self, f.name)[list(rows)] for f in fields(self)))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same elsewhere; the dtype is that of the floats."""

        def moved(value: Tensor) -> Tensor:
            return value.to(device, dtype if value.is_floating_point() else None)

        return type(self)(*(moved(getattr(self, f.name)) for f in fields(self)))

    def null(self) -> Self:
        """As many pictures without any instance: what the unconditional branch is told."""
        return type(self)(*(torch.zeros_like(getattr(self, f.name)) for f in fields(self)))

    def only(self, slot: int) -> Self:
        """Each picture with one of its instances, moved to the first slot, and nothing else."""

        def moved(value: Tensor) -> Tensor:
            alone = torch.zeros_like(value)
            alone[:, 0] = value[:, slot]
            return alone

        return type(self)(*(moved(getattr(self, f.name)) for f in fields(self)))


def stack_groundings(parts: Sequence[InstanceGrounding]) -> InstanceGrounding:
    """Several groundings of the same sizes as one, pictures in order."""
    return InstanceGrounding(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(InstanceGrounding)))


def box_centers(boxes: Tensor) -> Tensor:
    """Centres `[..., 2]` of boxes `[..., 4]`: the points of instances that were given none."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def fourier_features(coordinates: Tensor, frequencies: int = 16) -> Tensor:
    """Sines and cosines of coordinates, without the usual factor 2 pi.

    Args:
        coordinates: `[..., D]`.
        frequencies: K; frequency k is `100 ** (k / K)`.

    Returns:
        `[..., 2 K D]`: for each frequency the sines of all D coordinates, then their cosines.
    """
    scales = 100 ** (torch.arange(frequencies, device=coordinates.device, dtype=coordinates.dtype) / frequencies)
    angles = coordinates[..., None, :] * scales[:, None]
    return torch.stack([angles.sin(), angles.cos()], dim=-2).flatten(-3)


class SegmentEncoder(nn.Module):
    """All masks of a picture as one small image, through a ConvNeXt, as a fixed number of features."""

    def __init__(self, slots: int, resize: int, tokens: int, dims: Sequence[int], depths: Sequence[int]) -> None:
        """Make the encoder.

        Args:
            slots: N, the channels of the stack of masks.
            resize: Side to which the masks are brought, a multiple of 32.
            tokens: T, the tokens that come out.
            dims: Widths of the four stages.
            depths: Blocks of the four stages.
        """
        super().__init__()
        self.resize, self.tokens = resize, tokens
        self.in_conv = nn.Conv2d(slots, 3, kernel_size=3, padding=1)
        outs = [*dims[1:], None]
        stages = [CNBlockConfig(width, out, depth) for width, out, depth in zip(dims, outs, depths, strict=True)]
        self.trunk = ConvNeXt(stages).features
        self.width = dims[-1] * (resize // 32) ** 2 // tokens

    def forward(self, segments: Tensor) -> Tensor:
        """Encode `[B, N, S, S]` masks as `[B, T, width]`.

        The reshape is one of memory: a token is not a patch, it holds for every channel a comb of positions.
        """
        stack = F.interpolate(segments.to(self.in_conv.weight.dtype), size=(self.resize, self.resize), mode="nearest")
        features: Tensor = self.trunk(self.in_conv(stack))
        return features.contiguous().view(len(features), -1, self.tokens).transpose(1, 2)


def _tokenizer(width_in: int, hidden: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width_in, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, width_out)
    )


class UniFusion(ModelMixin, ConfigMixin):
    """The grounding tokenizer; the defaults are the published model's."""

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_dim: int = 768,
        out_dim: int = 768,
        mid_dim: int = 3072,
        max_objs: int = 30,
        n_scribble_points: int = 20,
        n_polygon_points: int = 256,
        fourier_freqs: int = 16,
        seg_resize: int = 512,
        seg_tokens: int = 64,
        convnext_dims: Sequence[int] = (96, 192, 384, 768),
        convnext_depths: Sequence[int] = (3, 3, 9, 3),
    ) -> None:
        """Make the tokenizer.

        Args:
            in_dim: Width of a phrase's pooled text state.
            out_dim: Width of a token.
            mid_dim: Hidden width of the five perceptrons.
            max_objs: N, the slots.
            n_scribble_points: Points of a scribble.
            n_polygon_points: Points of a mask.
            fourier_freqs: Frequencies of a coordinate.
            seg_resize: Side to which masks are brought, in pixels.
            seg_tokens: Tokens of all masks of a picture.
            convnext_dims: Widths of the mask encoder.
            convnext_depths: Depths of the mask encoder.
        """
        super().__init__()
        width = {
            "box": 2 * fourier_freqs * 4,
            "point": 2 * fourier_freqs * 2,
            "scribble": 2 * fourier_freqs * 2 * n_scribble_points,
            "polygon": 2 * fourier_freqs * 2 * n_polygon_points,
        }
        self.segment_encoder = SegmentEncoder(max_objs, seg_resize, seg_tokens, convnext_dims, convnext_depths)
        segment = self.segment_encoder.width
        self.tokenizers = nn.ModuleDict(
            {name: _tokenizer(in_dim + size, mid_dim, out_dim) for name, size in width.items()}
        )
        self.tokenizers["segment"] = _tokenizer(segment, mid_dim, out_dim)
        self.null_text = nn.Parameter(torch.zeros(in_dim))
        self.null_location = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(size)) for name, size in (width | {"segment": segment}).items()}
        )
        self.segment_positions = nn.Parameter(torch.zeros(1, seg_tokens, segment))

    def forward(self, grounding: InstanceGrounding, use: Collection[Format] = ("box", "point")) -> Tensor:
        """Turn instances into tokens.

        Args:
            grounding: Instances of B pictures.
            use: Formats that count. None at all means boxes, as in the original.

        Returns:
            `[B, 4 N + T, out_dim]`: boxes, points, scribbles, polygons, masks.
        """
        kept = frozenset(use) or frozenset({"box"})
        real = grounding.masks[..., None]
        text = torch.where(real > 0, grounding.text, self.null_text.to(grounding.text.dtype))
        drawn: dict[str, tuple[bool, Tensor]] = {
            "box": ("box" in kept, grounding.boxes),
            "point": ("point" in kept, grounding.points),
            "scribble": ("scribble" in kept, grounding.scribbles),
            "polygon": ("mask" in kept, grounding.polygons),
        }
        tokens = []
        for name, (used, coordinates) in drawn.items():
            present = real
            if name in ("scribble", "polygon"):
                # An instance without a scribble or mask is told zeros, not the null vector: so was the original trained.
                present = coordinates.sum(-1, keepdim=True) + real
            null = self.null_location[name].to(coordinates.dtype)
            if used:
                location = torch.where(present > 0, fourier_features(coordinates, self.config.fourier_freqs), null)
            else:
                location = null.expand(*coordinates.shape[:2], -1)
            tokens.append(self.tokenizers[name](torch.cat([text, location], dim=-1)))
        tokens.append(self.tokenizers["segment"](self._segment_features(grounding.segments, "mask" in kept)))
        return torch.cat(tokens, dim=1)

    def _segment_features(self, segments: Tensor, used: bool) -> Tensor:
        null = self.null_location["segment"]
        features = null.expand(len(segments), self.config.seg_tokens, -1)
        if used:
            present = segments.flatten(1).any(dim=1)
            # The encoder is most of the cost: it runs only for the pictures that have a mask.
            if segments.is_meta or bool(present.any()):
                rows = slice(None) if segments.is_meta else present.nonzero()[:, 0]
                features = features.clone()
                features[rows] = self.segment_encoder(segments[rows]).to(features.dtype)
        return features + self.segment_positions

    def conditioning(self, grounding: InstanceGrounding, use: Collection[Format]) -> dict[str, Tensor]:
        """What the U-Net is given as `cross_attention_kwargs={"gligen": ...}`.

        Args:
            grounding: Instances of B pictures.
            use: Formats that count.

        Returns:
            Tensors whose first axis is the picture: `objs`, the tokens, and whatever a subclass adds.
        """
        return {"objs": self(grounding, use)}
