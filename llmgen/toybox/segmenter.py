"""The toybox segmenter: segment-anything's own modules, small, built from a config file.

Source of the architecture: Kirillov et al. 2023, "Segment Anything", through the `segment_anything` package; nothing is
re-implemented, so `SamPredictor` works on it unaware.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor, nn

from llmgen.toybox.fitting import save_atomically, to_half

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class SamConfig:
    """Sizes of a `Sam`; the names follow `segment_anything.build_sam`."""

    image_size: int = 128
    patch_size: int = 8
    encoder_embed_dim: int = 128
    encoder_depth: int = 3
    encoder_num_heads: int = 2
    encoder_mlp_ratio: float = 3.0
    encoder_window_size: int = 8
    """Blocks outside `encoder_global_attn_indexes` attend within windows of this many patches."""
    encoder_global_attn_indexes: tuple[int, ...] = (1, 2)
    encoder_use_rel_pos: bool = False
    prompt_embed_dim: int = 96
    mask_in_chans: int = 8
    decoder_depth: int = 2
    decoder_mlp_dim: int = 192
    decoder_num_heads: int = 4
    iou_head_depth: int = 2
    iou_head_hidden_dim: int = 96
    pixel_mean: tuple[float, ...] = (127.5, 127.5, 127.5)
    pixel_std: tuple[float, ...] = (63.75, 63.75, 63.75)


def build_sam(config: SamConfig) -> Sam:
    """A randomly initialised `Sam` of the given sizes, in evaluation mode."""
    grid = config.image_size // config.patch_size
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=config.image_size,
            patch_size=config.patch_size,
            embed_dim=config.encoder_embed_dim,
            depth=config.encoder_depth,
            num_heads=config.encoder_num_heads,
            mlp_ratio=config.encoder_mlp_ratio,
            out_chans=config.prompt_embed_dim,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=config.encoder_use_rel_pos,
            window_size=config.encoder_window_size,
            global_attn_indexes=config.encoder_global_attn_indexes,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=config.prompt_embed_dim,
            image_embedding_size=(grid, grid),
            input_image_size=(config.image_size, config.image_size),
            mask_in_chans=config.mask_in_chans,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=config.decoder_depth,
                embedding_dim=config.prompt_embed_dim,
                mlp_dim=config.decoder_mlp_dim,
                num_heads=config.decoder_num_heads,
            ),
            transformer_dim=config.prompt_embed_dim,
            iou_head_depth=config.iou_head_depth,
            iou_head_hidden_dim=config.iou_head_hidden_dim,
        ),
        pixel_mean=list(config.pixel_mean),
        pixel_std=list(config.pixel_std),
    )
    return sam.eval()


def build_sam_from_config(folder: Path | str) -> Sam:
    """Build a `Sam` from a folder with `config.json` and `model.safetensors`.

    Args:
        folder: for example `llmgen/toybox/weights/segmenter`.

    Returns:
        The model in float32 and evaluation mode; every weight came from the file.

    Raises:
        FileNotFoundError: if a file is missing.
        RuntimeError: if weights and config do not fit each other.
    """
    folder = Path(folder)
    raw = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    settings: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    config = SamConfig(**settings)
    sam = build_sam(config)
    sam.load_state_dict({name: value.float() for name, value in load_file(folder / _WEIGHTS).items()})
    return sam.eval()


def save_sam(folder: Path, config: SamConfig, weights: dict[str, Tensor]) -> None:
    """Write what `build_sam_from_config` reads, the weights in fp16."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _CONFIG).write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")
    save_atomically(to_half(weights), folder / _WEIGHTS)
