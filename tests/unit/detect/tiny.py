"""A small untrained OWLv2 and a small untrained SAM, through their real classes."""

from typing import Any

import torch
from segment_anything.modeling import Sam
from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor, Owlv2Processor

from llmgen.diffusion.segmentation import SamConfig, build_sam
from llmgen.toybox.models.tokenizer import build_tokenizer

TINY_SAM = SamConfig(
    image_size=64,
    patch_size=8,
    encoder_embed_dim=32,
    encoder_depth=2,
    encoder_num_heads=2,
    encoder_global_attn_indexes=(1,),
    encoder_window_size=4,
    prompt_embed_dim=32,
    decoder_num_heads=2,
    decoder_mlp_dim=32,
    iou_head_hidden_dim=16,
)


def tiny_owlv2(side: int = 96) -> tuple[Any, Any]:
    tokenizer = build_tokenizer()
    config = Owlv2Config(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 16,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": side,
            "patch_size": 16,
        },
        projection_dim=32,
    )
    torch.manual_seed(0)
    model = Owlv2ForObjectDetection(config).eval()
    with torch.no_grad():  # a fresh model saturates: bring scores and boxes into the range where they differ
        model.class_head.logit_scale.weight.zero_()
        model.class_head.logit_scale.bias.fill_(3)
        model.class_head.logit_shift.weight.zero_()
        model.box_head.dense2.weight.mul_(0.2)
    processor = Owlv2Processor(Owlv2ImageProcessor(size={"height": side, "width": side}), tokenizer)
    return model, processor


def tiny_sam() -> Sam:
    torch.manual_seed(0)
    return build_sam(TINY_SAM)
