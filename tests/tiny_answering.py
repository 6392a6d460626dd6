"""BLIP-2, an InstructPix2Pix editor and an LGD model at tiny sizes, with random weights that are the same every time."""

from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from tiny_models import tiny_pipeline
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

from llmgen.diffusion.answering.bridge import Bridge
from llmgen.diffusion.answering.latents import LatentReader
from llmgen.diffusion.answering.saved import LgdSettings, save_bridge, save_null, write_settings
from llmgen.engine.context import StageContext
from llmgen.presets import Preset, RoleSpec
from llmgen.vision.images import ImageStore

WIDTH = 48
"""Of the language model's states."""
CONTEXT = 32
SIDE = 64
"""Canvas in pixels."""
WORDS = (
    "what happens when the sun goes down why is cat sad will dog do if red ball door opens it dark now gone and".split()
)


def tiny_word_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; the end token comes last, as T5 has it."""
    vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def tiny_blip2(seed: int = 0) -> Blip2ForConditionalGeneration:
    """BLIP-2 on a T5; its queries are drawn, since the library's zeros would make them all alike."""
    torch.manual_seed(seed)
    vision = Blip2VisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
        initializer_range=0.02,
    )
    qformer = Blip2QFormerConfig(
        vocab_size=99,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        encoder_hidden_size=32,
    )
    text = T5Config(
        vocab_size=100,
        d_model=WIDTH,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dense_act_fn="gelu",
        decoder_start_token_id=0,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=1,
    )
    config = Blip2Config(
        vision_config=vision.to_dict(),
        qformer_config=qformer.to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=32,
        image_token_index=99,
    )
    model = Blip2ForConditionalGeneration(config)
    with torch.no_grad():
        model.query_tokens.normal_(0, 0.5)
    return model.eval()


def tiny_editor_unet(seed: int = 0) -> UNet2DConditionModel:
    """A U-Net with eight input channels."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=CONTEXT,
        attention_head_dim=2,
        norm_num_groups=4,
    ).eval()


def save_answerer(folder: Path, seed: int = 0) -> LatentReader:
    """BLIP-2 with its tokenizer in a folder."""
    tokenizer, model = tiny_word_tokenizer(), tiny_blip2(seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return LatentReader(model, tokenizer)


def save_lgd(folder: Path, reader: LatentReader, seed: int = 0, **settings: Any) -> LgdSettings:
    """An LGD model in a folder, its average included."""
    torch.manual_seed(seed)
    said = LgdSettings(width=WIDTH, context_width=CONTEXT, **settings)
    write_settings(folder, said)
    tiny_editor_unet(seed).save_pretrained(folder / "unet_ema")
    save_bridge(folder, Bridge(WIDTH, CONTEXT), averaged=True)
    save_null(folder, reader.sentences([""]))
    return said


def save_editor(folder: Path, vae: str = "tiny") -> None:
    """An InstructPix2Pix model in a folder, and the Stable Diffusion that it was started from beside it."""
    pipe = tiny_pipeline("epsilon", vae)
    pipe.save_pretrained(folder / "sd")
    tiny_editor_unet(1).save_pretrained(folder / "edit" / "unet")


def answering_preset(folder: Path) -> Preset:
    """A preset whose roles for answering are tiny models saved in a folder."""
    save_editor(folder)
    reader = save_answerer(folder / "blip2")
    save_lgd(folder / "lgd", reader)
    tiny = {"vae": "diffusers:AutoencoderTiny"}

    def role(name: str, family: str, **more: Any) -> RoleSpec:
        return RoleSpec(source=str(folder / name), family=family, licence="MIT", memory_gb=0.0, **more)

    base = str(folder / "sd")
    return Preset(
        name="tiny",
        description="",
        width=SIDE,
        height=SIDE,
        roles={
            "answerer": role("blip2", "blip2"),
            "edit": role("edit", "instruct-pix2pix", base=base, classes=tiny),
            "answer_to_image": role("lgd", "lgd", base=base, classes=tiny),
        },
        methods={"detect": "owlv2"},
    )


def answering_context(folder: Path, **options: Any) -> StageContext:
    """A stage context on that preset, pictures in `folder`."""
    return StageContext(answering_preset(folder), ImageStore(folder), "cpu", "float32", **options)
