"""The toybox denoiser: diffusers' U-Net, told where its cells are and which cells a box covers.

A U-Net this small has no notion of position, so the box tokens of GLIGEN have nothing to match against. Two inputs mend
that without any pipeline knowing: fixed coordinate channels, and the boxes painted at latent resolution beside the
tokens. The interface is that of GLIGEN: `cross_attention_kwargs={"gligen": {boxes, positive_embeddings, masks}}`.
"""

import functools
from typing import Any, Final

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import GatedSelfAttentionDense
from torch import nn
from torch.nn import functional

LATENT_CHANNELS: Final = 8
"""Of the autoencoder and so of the denoiser: four, as Stable Diffusion 1 has, lose faces and patterns of a few pixels."""
COORDINATE_CHANNELS: Final = 10
PHRASE_CHANNELS: Final = 48
GEOMETRY_CHANNELS: Final = 5
LAYOUT_CHANNELS: Final = 32


def coordinate_channels(height: int, width: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Fixed channels that tell each cell where it is.

    Args:
        height: Cells from top to bottom.
        width: Cells from left to right.
        device: Of the result.
        dtype: Of the result.

    Returns:
        [1, 10, height, width]: x and y in -1..1, and sine and cosine of two frequencies of each.
    """
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height * 2 - 1
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width * 2 - 1
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    channels = [grid_x, grid_y]
    for frequency in (torch.pi, 2 * torch.pi):
        for grid in (grid_x, grid_y):
            channels += [(frequency * grid).sin(), (frequency * grid).cos()]
    return torch.stack(channels)[None].to(dtype)


def box_coverage(boxes: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Paint boxes on a grid of cells.

    Args:
        boxes: [B, N, 4] xyxy in 0..1.
        height: Cells from top to bottom.
        width: Cells from left to right.

    Returns:
        The share of each cell that each box covers, [B, N, height, width] in 0..1; the position of each column within
        each box, [B, N, width] in -1..1 inside it; the same of each row, [B, N, height].
    """
    shares, positions = [], []
    for low, high, cells in ((boxes[..., 1], boxes[..., 3], height), (boxes[..., 0], boxes[..., 2], width)):
        edges = torch.arange(cells + 1, device=boxes.device, dtype=boxes.dtype) / cells
        overlap = torch.minimum(high[..., None], edges[1:]) - torch.maximum(low[..., None], edges[:-1])
        shares.append(overlap.clamp(min=0) * cells)
        middle = (edges[1:] + edges[:-1]) / 2
        size = (high - low).clamp(min=1e-3)[..., None]
        positions.append(((middle - (low + high)[..., None] / 2) / size * 2).clamp(-1.5, 1.5))
    return shares[0][..., :, None] * shares[1][..., None, :], positions[1], positions[0]


def paint_boxes(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """What a grid of cells shows of each box.

    Args:
        boxes: [B, N, 4] xyxy in 0..1.
        height: Cells from top to bottom.
        width: Cells from left to right.

    Returns:
        [B, N, 5, height, width]: the share of the cell that the box covers, and that share times the cell's place in the
        box (x, y in -1..1) and times the logarithms of the box's sides.
    """
    coverage, u, v = box_coverage(boxes, height, width)
    sizes = torch.log((boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-2))
    ones = torch.ones_like(coverage)
    geometry = torch.stack(
        [
            ones,
            u[..., None, :] * ones,
            v[..., :, None] * ones,
            sizes[..., 0, None, None] * ones,
            sizes[..., 1, None, None] * ones,
        ],
        dim=2,
    )
    return geometry * coverage[:, :, None]


class LayoutPainter(nn.Module):
    """Turns boxes and the embeddings of their phrases into a map at latent resolution."""

    def __init__(self, phrase_width: int) -> None:
        """Make the painter.

        Args:
            phrase_width: Width of a phrase embedding.
        """
        super().__init__()
        self.phrase = nn.Linear(phrase_width, PHRASE_CHANNELS)
        self.mix = nn.Sequential(
            nn.Conv2d(PHRASE_CHANNELS + GEOMETRY_CHANNELS, 64, 1),
            nn.SiLU(),
            nn.Conv2d(64, LAYOUT_CHANNELS, 3, padding=1),
        )

    def forward(
        self, boxes: torch.Tensor, positive_embeddings: torch.Tensor, masks: torch.Tensor, height: int, width: int
    ) -> torch.Tensor:
        """Paint the boxes of each picture.

        Args:
            boxes: [B, N, 4] xyxy in 0..1.
            positive_embeddings: [B, N, D] pooled phrase embeddings.
            masks: [B, N], 1 for a box that counts and 0 for an empty slot.
            height: Cells from top to bottom.
            width: Cells from left to right.

        Returns:
            [B, 32, height, width]; exactly zero for a picture without boxes.
        """
        return self.compose(paint_boxes(boxes.float(), height, width), positive_embeddings, masks.float())

    def compose(self, painting: torch.Tensor, positive_embeddings: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """Merge what was painted of each object, with its phrase, into one map.

        Args:
            painting: [B, N, 5, H, W] as from `paint_boxes`.
            positive_embeddings: [B, N, D] pooled phrase embeddings.
            masks: [B, N], 1 for an object that counts.

        Returns:
            [B, 32, H, W]; exactly zero for a picture without objects.
        """
        dtype = self.phrase.weight.dtype
        painting = painting * masks[..., None, None, None]
        phrases = self.phrase(positive_embeddings.to(dtype))
        content = torch.einsum("bnhw,bnd->bdhw", painting[:, :, 0].to(phrases.dtype), phrases)
        mixed = self.mix(torch.cat([content, painting.sum(1).to(content.dtype)], dim=1))
        # The biases of the convolutions must not tell a picture without boxes from one that was never asked.
        return mixed * masks.amax(1).to(mixed.dtype)[:, None, None, None]


class PositionedUNet2DConditionModel(UNet2DConditionModel):
    """`UNet2DConditionModel` of attention type "gated" with coordinate channels and painted boxes at its input.

    The configuration is that of the parent, `in_channels` included, so pipelines need not know. Grounding is off, and the
    result is that of text alone, when the "gligen" entry is missing, when all its masks are zero, or when the gated
    modules are disabled (`enabled = False`), as GLIGEN's scheduled sampling does.
    """

    # `wraps` keeps the parent's signature, from which diffusers reads the names of the configuration.
    @functools.wraps(UNet2DConditionModel.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the network; the arguments are those of the parent."""
        super().__init__(*args, **kwargs)
        width = self.config.cross_attention_dim
        out = self.config.block_out_channels[0]
        self.conv_in = nn.Conv2d(
            self.config.in_channels + COORDINATE_CHANNELS + LAYOUT_CHANNELS, out, kernel_size=3, padding=1
        )
        self.layout_painter = LayoutPainter(width if isinstance(width, int) else width[0])

    def open_gates(self) -> None:
        """Set the gates of the fusers to one; from their zeros a training from scratch never opens them."""
        for module in self.modules():
            if isinstance(module, GatedSelfAttentionDense):
                nn.init.ones_(module.alpha_attn)
                nn.init.ones_(module.alpha_dense)

    def _grounding_enabled(self) -> bool:
        return any(m.enabled for m in self.modules() if isinstance(m, GatedSelfAttentionDense))

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float | int,
        encoder_hidden_states: torch.Tensor,
        *args: Any,
        cross_attention_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Predict the velocity.

        Args:
            sample: [B, C, H, W] noisy latents, H and W even.
            timestep: One step, or [B].
            encoder_hidden_states: [B, L, D] token states of the text encoder.
            *args: As for the parent.
            cross_attention_kwargs: May hold "gligen": {"boxes" [B, N, 4] xyxy in 0..1, "positive_embeddings" [B, N, D],
                "masks" [B, N]}, or tokens and map of a `ToyboxUniFusion`: {"objs" [B, T, D], "map" [B, 32, h, w]}.
            **kwargs: As for the parent.

        Returns:
            What the parent returns.
        """
        height, width = sample.shape[-2:]
        coordinates = coordinate_channels(height, width, sample.device, sample.dtype)
        layout = sample.new_zeros(len(sample), LAYOUT_CHANNELS, height, width)
        gligen = (cross_attention_kwargs or {}).get("gligen")
        if gligen is not None:
            # On the meta device there is nothing to look at, and compiled code does not stop to look: the general case is computed.
            may_look = "masks" in gligen and not gligen["masks"].is_meta and not torch.compiler.is_compiling()
            known_empty = may_look and not bool(gligen["masks"].any())
            if known_empty or not self._grounding_enabled():
                cross_attention_kwargs = {k: v for k, v in (cross_attention_kwargs or {}).items() if k != "gligen"}
            elif "objs" in gligen:
                layout = functional.interpolate(gligen["map"].to(sample.dtype), size=(height, width), mode="bilinear")
                cross_attention_kwargs = {**(cross_attention_kwargs or {}), "gligen": {"objs": gligen["objs"]}}
            else:
                layout = self.layout_painter(**gligen, height=height, width=width).to(sample.dtype)
        widened = torch.cat([sample, coordinates.expand(len(sample), -1, -1, -1), layout], dim=1)
        return super().forward(
            widened, timestep, encoder_hidden_states, *args, cross_attention_kwargs=cross_attention_kwargs, **kwargs
        )


def build_unet(text_width: int = 128) -> PositionedUNet2DConditionModel:
    """Make the denoiser with fresh weights and open gates.

    Args:
        text_width: Width of the text encoder.

    Returns:
        Two resolutions, 96 and 160 channels, attention at both and in the middle.
    """
    unet = PositionedUNet2DConditionModel(
        sample_size=16,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(96, 160),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=text_width,
        attention_type="gated",
    )
    unet.open_gates()
    return unet
