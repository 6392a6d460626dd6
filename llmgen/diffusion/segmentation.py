"""Boxes to masks with Segment Anything."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, ValidationError

from llmgen.artifacts import ArtifactModel
from llmgen.errors import InputError, MissingRequirementError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


class SamConfig(ArtifactModel):
    """Shape of a `segment_anything.modeling.Sam`; the defaults are ViT-H as published.

    Source:
        `segment_anything/build_sam.py`.
    """

    image_size: int = Field(default=1024, gt=0)
    """Side of the square the encoder sees, in pixels."""
    patch_size: int = Field(default=16, gt=0)
    encoder_embed_dim: int = 1280
    encoder_depth: int = 32
    encoder_num_heads: int = 16
    encoder_global_attn_indexes: tuple[int, ...] = (7, 15, 23, 31)
    encoder_window_size: int = 14
    """Side of the attention windows of the other blocks, in patches; 0 is global."""
    encoder_mlp_ratio: float = 4.0
    encoder_use_rel_pos: bool = True
    prompt_embed_dim: int = 256
    mask_in_chans: int = 16
    decoder_depth: int = 2
    decoder_num_heads: int = 8
    decoder_mlp_dim: int = 2048
    iou_head_depth: int = 3
    iou_head_hidden_dim: int = 256
    pixel_mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    pixel_std: tuple[float, float, float] = (58.395, 57.12, 57.375)


def build_sam(config: SamConfig) -> Any:
    """An untrained `Sam` of a shape, in evaluation mode."""
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    side = config.image_size // config.patch_size
    return Sam(
        image_encoder=ImageEncoderViT(
            img_size=config.image_size,
            patch_size=config.patch_size,
            embed_dim=config.encoder_embed_dim,
            depth=config.encoder_depth,
            num_heads=config.encoder_num_heads,
            mlp_ratio=config.encoder_mlp_ratio,
            out_chans=config.prompt_embed_dim,
            qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=config.encoder_use_rel_pos,
            window_size=config.encoder_window_size,
            global_attn_indexes=config.encoder_global_attn_indexes,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=config.prompt_embed_dim,
            image_embedding_size=(side, side),
            input_image_size=(config.image_size, config.image_size),
            mask_in_chans=config.mask_in_chans,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=config.decoder_depth,
                embedding_dim=config.prompt_embed_dim,
                num_heads=config.decoder_num_heads,
                mlp_dim=config.decoder_mlp_dim,
            ),
            transformer_dim=config.prompt_embed_dim,
            iou_head_depth=config.iou_head_depth,
            iou_head_hidden_dim=config.iou_head_hidden_dim,
        ),
        pixel_mean=list(config.pixel_mean),
        pixel_std=list(config.pixel_std),
    ).eval()


def save_sam(sam: Any, config: SamConfig, folder: Path | str, dtype: torch.dtype = torch.float16) -> None:
    """Write `config.json` and `model.safetensors` for `build_sam_from_config`."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(json.dumps(config.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    weights = {name: value.detach().to("cpu", dtype).contiguous() for name, value in sam.state_dict().items()}
    save_file(weights, folder / WEIGHTS_FILE)


def build_sam_from_config(folder: Path | str) -> Any:
    """Load a `Sam` from a folder with `config.json` (a `SamConfig`) and `model.safetensors`, in float32.

    Raises:
        MissingRequirementError: If one of the two files is not there.
        InputError: If the configuration is not valid or the weights do not fit it.
    """
    from safetensors.torch import load_file

    folder = Path(folder)
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise MissingRequirementError(f"segmenter: {folder / name} is missing")
    try:
        config = SamConfig.model_validate_json((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except ValidationError as error:
        raise InputError(f"segmenter: {folder / CONFIG_FILE} is not valid: {error.errors()[0]['msg']}") from error
    sam = build_sam(config)
    try:
        sam.load_state_dict({name: value.float() for name, value in load_file(folder / WEIGHTS_FILE).items()})
    except RuntimeError as error:
        raise InputError(f"segmenter: weights in {folder} do not fit {CONFIG_FILE}: {error}") from error
    return sam


class SamSegmenter:
    """Proposes masks for boxes; implements `llmgen.vision.protocols.Segmenter`.

    Args:
        sam: A `segment_anything.modeling.Sam` on its device.
    """

    def __init__(self, sam: Any) -> None:
        from segment_anything import SamPredictor

        self._predictor = SamPredictor(sam.eval())

    @torch.no_grad()
    def segment(
        self, image: Image.Image, boxes_xyxy: Sequence[tuple[float, float, float, float]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Propose three masks for each box; see `Segmenter.segment`."""
        if not boxes_xyxy:
            return _nothing(image)
        pixels = np.asarray(image.convert("RGB"))
        predictor = self._predictor
        predictor.set_image(pixels)
        boxes = predictor.transform.apply_boxes(np.asarray(boxes_xyxy, dtype=np.float32), pixels.shape[:2])
        masks, trust, _ = predictor.predict_torch(
            point_coords=None,
            point_labels=None,
            boxes=torch.as_tensor(boxes, dtype=torch.float32, device=predictor.device),
            multimask_output=True,
        )
        predictor.reset_image()
        return masks.cpu().numpy(), trust.float().cpu().numpy()


class TransformersSamSegmenter:
    """The same on `transformers.SamModel`, whose repositories on the hub carry safetensors.

    Args:
        model: A `transformers.SamModel` on its device.
        processor: Its `transformers.SamProcessor`.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model.eval()
        self.processor = processor

    @torch.no_grad()
    def segment(
        self, image: Image.Image, boxes_xyxy: Sequence[tuple[float, float, float, float]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Propose three masks for each box; see `Segmenter.segment`."""
        if not boxes_xyxy:
            return _nothing(image)
        inputs = self.processor(
            image.convert("RGB"), input_boxes=[[list(box) for box in boxes_xyxy]], return_tensors="pt"
        )
        device, dtype = self.model.device, self.model.dtype
        output = self.model(
            pixel_values=inputs["pixel_values"].to(device, dtype),
            input_boxes=inputs["input_boxes"].to(device, dtype),
            multimask_output=True,
        )
        masks = self.processor.image_processor.post_process_masks(
            output.pred_masks.float().cpu(), inputs["original_sizes"], inputs["reshaped_input_sizes"]
        )[0]
        return masks.numpy().astype(bool), output.iou_scores[0].float().cpu().numpy()


def _nothing(image: Image.Image) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    return np.zeros((0, 3, image.height, image.width), dtype=bool), np.zeros((0, 3), dtype=np.float32)
