"""The toybox's answerer: a small `Blip2ForConditionalGeneration` on a T5, with a tokenizer of whole words.

The vision transformer is that of the toybox's CLIP and stays frozen, as BLIP-2 does it with a CLIP of its own size.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from torch import Tensor, nn
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

from llmgen.diffusion.answering.latents import MEAN, STD
from llmgen.toybox.world.questions.asking import wordings
from llmgen.toybox.world.scenes import SIZE
from llmgen.toybox.world.vocabulary import words

WIDTH: Final = 128
QUERIES: Final = 32
PAD, END, UNKNOWN, IMAGE = "<pad>", "</s>", "<unk>", "<image>"

_OF_QUESTIONS: Final = (
    "air all always anything as away back balloon bang barks becomes behind best birds birthday blows bounces brings build "
    "burst change cheers child clothes cloudless clouds colour comes cream crying dirt down drink drive dry "
    "everybody everything falls far feel feels fine flakes for fresh friend from front further gets gives go goes good "
    "grass ground half hands hat he heavy her here him his home hours how ice if into joins jumps late lemon lets light "
    "like live longer look looks loud love means melts middle moves needs nests new off opposite or others out outside "
    "paints pair people places plum points present pumpkin puts rabbit ripe round runs sea she shopping somebody "
    "something spring strong suddenly sun swims taken takes that their thin this tomato turns twelve twin twinkles umbrella "
    "unlike up vanishes very wanted weather were wet what when white will wind winter wishes wonderful work year"
)
"""Words of the usual questions that no caption has."""
_WORD: Final = re.compile(r"[a-z]+")
_GAP: Final = re.compile(r"{\w+}")


def question_words() -> tuple[str, ...]:
    """Every word that is one token, sorted, each once: those that trainings say and ask. Any other is spelled by letters."""
    asked = " ".join(wording for ways in wordings().values() for wording in ways)
    return tuple(sorted({*words(), *_OF_QUESTIONS.split(), *_WORD.findall(_GAP.sub(" ", asked).lower())}))


def build_answer_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer as T5 wants it: no start token, `</s>` at the end. Words of the world are whole, others are spelled."""
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789", "'"]
    pieces = [PAD, END, UNKNOWN, IMAGE, *question_words()]
    pieces += [piece for letter in letters for piece in (letter, f"##{letter}")]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=40))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, vocabulary[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=[IMAGE],
        model_max_length=77,
        clean_up_tokenization_spaces=False,
    )


def build_answerer(tokenizer: PreTrainedTokenizerFast) -> Blip2ForConditionalGeneration:
    """The answerer with fresh weights.

    Args:
        tokenizer: Gives the size of the vocabulary and the special tokens.

    Returns:
        Four layers of vision as in the toybox's CLIP, 32 queries, T5 of three and three layers, all 128 wide.
    """
    identity = {name: tokenizer.convert_tokens_to_ids(token) for name, token in (("pad", PAD), ("end", END))}
    config = Blip2Config(
        vision_config=Blip2VisionConfig(
            hidden_size=WIDTH,
            intermediate_size=3 * WIDTH,
            num_hidden_layers=4,
            num_attention_heads=2,
            image_size=SIZE,
            patch_size=8,
            hidden_act="gelu",
            layer_norm_eps=1e-5,
            initializer_range=0.02,
        ).to_dict(),
        qformer_config=Blip2QFormerConfig(
            vocab_size=2,
            hidden_size=WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=3 * WIDTH,
            encoder_hidden_size=WIDTH,
            cross_attention_frequency=2,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ).to_dict(),
        text_config=T5Config(
            vocab_size=len(tokenizer),
            d_model=WIDTH,
            d_kv=32,
            d_ff=3 * WIDTH,
            num_layers=3,
            num_decoder_layers=3,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            dense_act_fn="gelu",
            dropout_rate=0.0,
            decoder_start_token_id=identity["pad"],
            bos_token_id=identity["end"],
            eos_token_id=identity["end"],
            pad_token_id=identity["pad"],
        ).to_dict(),
        num_query_tokens=QUERIES,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
    )
    model = Blip2ForConditionalGeneration(config)
    # The class leaves the queries at zero, where all of them would learn the same.
    nn.init.normal_(model.query_tokens, std=0.02)
    model.generation_config.pad_token_id = identity["pad"]
    model.generation_config.eos_token_id = identity["end"]
    model.generation_config.decoder_start_token_id = identity["pad"]
    return model


@torch.no_grad()
def take_tower(model: Blip2ForConditionalGeneration, clip: Mapping[str, Tensor], pictures: Tensor) -> None:
    """Give the answerer the vision transformer of a CLIP.

    BLIP-2 has no normalisation before the first layer. Its centring and its scale go into the first weights, and so does its division by
    the spread, which is taken for constant: the layers normalise what they read anyway, so they hardly notice.

    Args:
        model: Gets the weights.
        clip: Weights of a `CLIPModel` of the same shape, whose pixels go to -1..1.
        pictures: float32 [N, 3, H, W] in -1..1, to measure the spread on.
    """
    tower = {
        name.removeprefix("vision_model."): value for name, value in clip.items() if name.startswith("vision_model.")
    }
    embeddings, encoder = model.vision_model.embeddings, model.vision_model.encoder
    patches, positions = tower["embeddings.patch_embedding.weight"], tower["embeddings.position_embedding.weight"]
    tokens = (
        nn.functional.conv2d(pictures, patches, stride=patches.shape[-1]).flatten(2).transpose(1, 2) + positions[1:]
    )
    spread = tokens.std(dim=-1, unbiased=False).mean()
    scale, shift = tower["pre_layrnorm.weight"] / spread, tower["pre_layrnorm.bias"]

    def normalised(values: Tensor) -> Tensor:
        """Without their mean over the channels, which come first, and scaled."""
        return (values - values.mean(dim=0)) * scale.reshape(-1, *[1] * (values.ndim - 1))

    # CLIP's pixels here are 2 p - 1, BLIP-2's are (p - mean) / std.
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    weight = normalised(patches)
    embeddings.patch_embedding.weight.copy_(weight * (2 * std)[:, None, None])
    embeddings.patch_embedding.bias.copy_((weight * (2 * mean - 1)[:, None, None]).sum(dim=(1, 2, 3)))
    embeddings.position_embedding.copy_((normalised(positions.T).T + shift)[None])
    embeddings.class_embedding.copy_(normalised(tower["embeddings.class_embedding"])[None, None])
    for index, layer in enumerate(encoder.layers):
        own = {name.removeprefix(p): v for name, v in tower.items() if name.startswith(p := f"encoder.layers.{index}.")}
        for kind in ("weight", "bias"):
            parts = [own[f"self_attn.{part}_proj.{kind}"] for part in "qkv"]
            getattr(layer.self_attn.qkv, kind).copy_(torch.cat(parts))
            getattr(layer.self_attn.projection, kind).copy_(own[f"self_attn.out_proj.{kind}"])
            for name in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"):
                layer.get_submodule(name).get_parameter(kind).copy_(own[f"{name}.{kind}"])


def load_answerer(folder: Path) -> tuple[Blip2ForConditionalGeneration, Any]:
    """A saved answerer with its tokenizer, in float32."""
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), PreTrainedTokenizerFast.from_pretrained(folder)
