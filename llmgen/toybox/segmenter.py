"""The toybox segmenter: segment-anything's own modules at toybox size.

The model is built, saved and loaded by `llmgen.diffusion.segmentation`, like any other `Sam`; only its sizes are said here.
"""

from typing import Final

from llmgen.diffusion.segmentation import SamConfig, build_sam, build_sam_from_config, save_sam

__all__ = ["TOYBOX_SAM", "SamConfig", "build_sam", "build_sam_from_config", "save_sam"]

TOYBOX_SAM: Final = SamConfig(
    image_size=128,
    patch_size=8,
    encoder_embed_dim=128,
    encoder_depth=3,
    encoder_num_heads=2,
    encoder_mlp_ratio=3.0,
    encoder_window_size=8,
    encoder_global_attn_indexes=(1, 2),
    encoder_use_rel_pos=False,
    prompt_embed_dim=96,
    mask_in_chans=8,
    decoder_depth=2,
    decoder_mlp_dim=192,
    decoder_num_heads=4,
    iou_head_depth=2,
    iou_head_hidden_dim=96,
    pixel_mean=(127.5, 127.5, 127.5),
    pixel_std=(63.75, 63.75, 63.75),
)
"""One million parameters; a picture of 128 pixels is 16 x 16 patches."""
