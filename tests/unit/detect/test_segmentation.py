from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import SamConfig as HubSamConfig
from transformers import SamImageProcessor, SamModel, SamProcessor

from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.segmentation import (
    SamSegmenter,
    TransformersSamSegmenter,
    build_sam_from_config,
    save_sam,
)
from llmgen.errors import InputError, MissingRequirementError
from llmgen.presets import Preset, RoleSpec
from llmgen.vision.masks import best_masks

from .tiny import TINY_SAM, tiny_sam

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 80, 3), dtype=np.uint8))
BOXES = [(1.0, 2.0, 30.0, 40.0), (20.0, 5.0, 70.0, 45.0)]


def test_masks_have_the_size_of_the_picture() -> None:
    segmenter = SamSegmenter(tiny_sam())
    masks, trust = segmenter.segment(IMAGE, BOXES)
    assert masks.shape == (2, 3, 50, 80) and masks.dtype == bool
    assert trust.shape == (2, 3) and trust.dtype == np.float32
    alone, _ = segmenter.segment(IMAGE, BOXES[1:])
    assert np.mean(alone[0] == masks[1]) > 0.999
    chosen = best_masks(masks, trust)
    assert np.array_equal(chosen[0], masks[0, trust[0].argmax()])


def test_no_boxes_no_masks() -> None:
    masks, trust = SamSegmenter(tiny_sam()).segment(IMAGE, [])
    assert masks.shape == (0, 3, 50, 80) and trust.shape == (0, 3)


def test_folder_round_trip_is_strict(tmp_path: Path) -> None:
    sam = tiny_sam()
    save_sam(sam, TINY_SAM, tmp_path, torch.float32)
    again = build_sam_from_config(tmp_path)
    assert np.array_equal(SamSegmenter(again).segment(IMAGE, BOXES)[0], SamSegmenter(sam).segment(IMAGE, BOXES)[0])
    (tmp_path / "config.json").write_text(TINY_SAM.model_copy(update={"encoder_depth": 3}).model_dump_json())
    with pytest.raises(InputError, match="do not fit"):
        build_sam_from_config(tmp_path)
    (tmp_path / "config.json").write_text('{"depth": 3}')
    with pytest.raises(InputError, match="not valid"):
        build_sam_from_config(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(MissingRequirementError, match="model.safetensors"):
        build_sam_from_config(tmp_path)


def test_hub_class_answers_alike(tmp_path: Path) -> None:
    torch.manual_seed(0)
    width = {"hidden_size": 32, "mlp_dim": 32}
    model = SamModel(
        HubSamConfig(
            vision_config={
                **width,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 64,
                "patch_size": 8,
                "output_channels": 32,
                "window_size": 4,
                "global_attn_indexes": [0],
                "num_pos_feats": 16,
            },
            prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 8, "image_embedding_size": 8},
            mask_decoder_config={**width, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
        )
    )
    processor = SamProcessor(SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}))
    masks, trust = TransformersSamSegmenter(model, processor).segment(IMAGE, BOXES)
    assert masks.shape == (2, 3, 50, 80) and masks.dtype == bool
    assert trust.shape == (2, 3)
    assert TransformersSamSegmenter(model, processor).segment(IMAGE, [])[0].shape == (0, 3, 50, 80)
    # Transformers from its version 5 on keeps the processor in `processor_config.json` alone.
    model.save_pretrained(tmp_path / "sam")
    processor.save_pretrained(tmp_path / "sam")
    assert not (tmp_path / "sam/preprocessor_config.json").exists()
    files = ("config.json", "model.safetensors", "processor_config.json")
    role = RoleSpec(source=str(tmp_path / "sam"), family="sam", files=files)
    preset = Preset(name="own", width=64, height=64, roles={"segmenter": role})
    read = ModelPool(preset, device="cpu", dtype="float32").segmenter()
    assert np.array_equal(read.segment(IMAGE, BOXES)[0], masks)
