"""Z-Image at a tiny size: the real pipeline with a Qwen3 text encoder, random weights that are the same every time."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from tiny_models import SIZE
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model
from transformers.convert_slow_tokenizer import bytes_to_unicode

from llmgen.presets import Preset, RoleSpec

CHAT = "{% for message in messages %}<|im_start|>{{ message['role'] }} {{ message['content'] }}<|im_end|>{% endfor %}"
WIDTH = 16


def chat_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that spells, with a chat's template."""
    letters = sorted(bytes_to_unicode().values())
    words = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<|endoftext|>", eos_token="<|im_end|>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    made.chat_template = CHAT
    return made


def tiny_z_image() -> ZImagePipeline:
    torch.manual_seed(0)
    tokenizer = chat_tokenizer()
    text = Qwen3Model(
        Qwen3Config(
            vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=2, head_dim=8, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    ).eval()  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4, norm_num_groups=4, use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.3611,
        shift_factor=0.1159,
    ).eval()  # fmt: skip
    transformer = ZImageTransformer2DModel(
        in_channels=4, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=WIDTH,
        axes_dims=[8, 4, 4], axes_lens=[1024, 64, 64],
    ).eval()  # fmt: skip
    with torch.no_grad():
        for name, values in transformer.named_parameters():
            if name.endswith("pad_token"):  # which the class leaves as it finds it
                values.normal_(std=0.02)
    pipe = ZImagePipeline(FlowMatchEulerDiscreteScheduler(shift=3.0), vae, text, tokenizer, transformer)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tiny_z_image_preset(folder: Path) -> Preset:
    """A preset that draws, refines and inpaints by such a pipeline, saved in `folder`."""
    tiny_z_image().save_pretrained(folder / "z")
    spec = RoleSpec(source=str(folder / "z"), family="z-image", licence="Apache-2.0")
    roles = dict.fromkeys(("text_to_image", "refiner", "inpaint"), spec)
    return Preset(name="tiny", width=SIZE, height=SIZE, roles=roles)
