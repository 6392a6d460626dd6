"""Small untrained detectors and a small untrained SAM, through their real classes."""

from typing import Any

import torch
from segment_anything.modeling import Sam
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
    ResNetConfig,
)

from llmgen.diffusion.mask_rcnn import MaskRcnnConfig, SmallShape, build_mask_rcnn
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


TINY_SHAPE = SmallShape(
    channels=(8, 8, 16), levels=(1, 2), pyramid_channels=8, anchor_sizes=(12, 32), box_width=16, mask_layers=(8,)
)


def tiny_mask_rcnn(classes: tuple[str, ...] = ("ball", "house"), **settings: Any) -> tuple[Any, MaskRcnnConfig]:
    """A Mask R-CNN of random weights that finds something in noise."""
    config = MaskRcnnConfig(classes=classes, min_size=64, max_size=96, small=TINY_SHAPE, **settings)
    torch.manual_seed(0)
    model = build_mask_rcnn(config).eval()
    with (
        torch.no_grad()
    ):  # a fresh model is sure of nothing and paints half of every box: bring both into a range where they differ
        model.roi_heads.box_predictor.cls_score.weight.mul_(30)
        model.roi_heads.mask_predictor.mask_fcn_logits.weight.mul_(30)
    return model, config


WORDS = ("red", "blue", "ball", "car", "tall", "palm", "tree", "of")


def tiny_grounding_dino(relative: bool = False) -> tuple[Any, Any]:
    """A Grounding DINO of random weights, or its relative, MM-Grounding-DINO.

    Its tokenizer has BERT's ids of the tokens that the model knows by number.
    """
    names = [f"[unused{i}]" for i in range(1030)]
    names[0], names[100], names[101], names[102] = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
    names[1012], names[1029] = ".", "?"
    names[200 : 200 + len(WORDS)] = WORDS
    tokenizer = BertTokenizer(vocab={name: i for i, name in enumerate(names)})
    config = (MMGroundingDinoConfig if relative else GroundingDinoConfig)(
        backbone_config=ResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 8, 16, 16],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            out_features=["stage3", "stage4"],
        ),
        text_config=BertConfig(
            vocab_size=len(names), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        ),
        num_queries=12,
        encoder_layers=1,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        d_model=32,
        num_feature_levels=2,
        max_text_len=12,
        disable_custom_kernels=True,
    )
    torch.manual_seed(0)
    model = (MMGroundingDinoForObjectDetection if relative else GroundingDinoForObjectDetection)(config).eval()
    images = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    return model, GroundingDinoProcessor(images, tokenizer)
