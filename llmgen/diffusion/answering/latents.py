"""BLIP-2 as Latent-Guided Diffusion reads it: the states of its language model's encoder, not its words.

The picture goes through a vision transformer and a query transformer into 32 rows of the language model's input; the question follows.
What the encoder of the language model makes of them is the latent. Functions here are differentiable; `LatentReader` is not.

Source: Latent-Guided Diffusion (Li et al. 2023), image-answering; sections 2, 3 and 10.1 of the specification.
"""

import copy
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from llmgen.diffusion.answering.wording import QUESTION_TOKENS, TEXT_TOKENS
from llmgen.diffusion.offloading import device_of

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
STD: Final = (0.26862954, 0.26130258, 0.27577711)
#: Of the original's vision LayerNorm; transformers takes that of the whole vision model, 1e-6. It moves the latent by 1e-5.
VISION_NORM_EPS: Final = 1e-5


def question_pixels(images: Sequence[Image.Image], side: int) -> Tensor:
    """Pictures as BLIP-2 sees them: squashed to a square by Pillow's bicubic filter, in CLIP's colours.

    Args:
        images: RGB pictures of any size.
        side: Of the square in pixels.

    Returns:
        `float32[n, 3, side, side]`.
    """
    resized = [image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC) for image in images]
    values = np.stack([np.asarray(image, dtype=np.float32) for image in resized]) / 255
    values = (values - np.array(MEAN, dtype=np.float32)) / np.array(STD, dtype=np.float32)
    return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous()


def tokenize(tokenizer: Any, texts: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask `int64[n, length]`, padded and cut; what is cut keeps its end token."""
    found = tokenizer(list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    return found.input_ids, found.attention_mask


def with_queries(blip2: Any, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Ids and mask for the call of the whole model: the image token in place of each query, then the question."""
    n, queries = len(ids), blip2.config.num_query_tokens
    tokens = torch.full((n, queries), blip2.config.image_token_index, dtype=ids.dtype, device=ids.device)
    return torch.cat([tokens, ids], dim=1), torch.cat([torch.ones_like(tokens), mask], dim=1)


def encode_question(blip2: Any, pixel_values: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """The latent, slot A: all rows of the encoder, those of padding included.

    Args:
        blip2: `Blip2ForConditionalGeneration` on a T5.
        pixel_values: `[n, 3, side, side]`.
        ids: Tokens of the question, `[n, length]`.
        mask: 1 for its tokens, `[n, length]`.

    Returns:
        `[n, queries + length, width]`.
    """
    return encode_projected(blip2, project_picture(blip2, pixel_values), ids, mask)


def project_picture(blip2: Any, pixel_values: Tensor) -> Tensor:
    """The queries' states in the language model's width, `[n, queries, width]`. The question does not enter them."""
    return blip2.get_image_features(pixel_values, interpolate_pos_encoding=True).pooler_output


def encode_projected(blip2: Any, projected: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """The latent of pictures that are projected already; arguments as of `encode_question`."""
    words = blip2.get_input_embeddings()(ids)
    inputs = torch.cat([projected.to(words.dtype), words], dim=1)
    attention = torch.cat([mask.new_ones(projected.shape[:2]), mask], dim=1)
    encoder = blip2.language_model.get_encoder()
    return encoder(inputs_embeds=inputs, attention_mask=attention).last_hidden_state


def sentence_encoder(blip2: Any) -> Any:
    """The plain text encoder of BLIP-2's language model; it shares its weights, so it costs no memory.

    BLIP-2 runs T5 with the exact GELU, FLAN-T5 by itself with its approximation. The original encodes answer sentences by a second, plain
    FLAN-T5.
    """
    from transformers import T5EncoderModel

    language = blip2.language_model
    config = copy.deepcopy(language.config)
    if config.dense_act_fn == "gelu":
        config.dense_act_fn = "gelu_new"
    with torch.device("meta"):
        plain = T5EncoderModel(config)
    shared = {f"encoder.{name}": value for name, value in language.get_encoder().state_dict().items()}
    shared["shared.weight"] = shared["encoder.embed_tokens.weight"] = language.get_input_embeddings().weight.data
    plain.load_state_dict(shared, assign=True)
    return plain.eval().requires_grad_(False)


def encode_sentences(encoder: Any, ids: Tensor) -> Tensor:
    """Slot B, `[n, length, width]`; padding is attended to, as in the original.

    Args:
        encoder: From `sentence_encoder`.
        ids: Padded tokens, `[n, length]`.
    """
    return encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state


class LatentReader:
    """BLIP-2 with its tokenizer, ready to read questions about pictures.

    Args:
        blip2: `Blip2ForConditionalGeneration` on a T5; its vision LayerNorm gets the original's epsilon.
        tokenizer: Of the language model.
        side: Of the square that pictures are squashed to, in pixels; the vision model's own by default.
        code_head: Maps the latent to the predictive code, where the editor was trained on that.
    """

    def __init__(
        self, blip2: Any, tokenizer: Any, *, side: int | None = None, code_head: nn.Module | None = None
    ) -> None:
        blip2.vision_model.post_layernorm.eps = VISION_NORM_EPS
        self.blip2, self.tokenizer, self.code_head = blip2, tokenizer, code_head
        self.side = side or int(blip2.config.vision_config.image_size)
        self.question_tokens = QUESTION_TOKENS
        """Tokens of a question; a longer one loses its end."""
        self._encoder: Any = None

    def num_tokens(self, text: str) -> int:
        """How many tokens a text has, the end token included."""
        return len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    @torch.no_grad()
    def latents(self, images: Sequence[Image.Image], questions: Sequence[str]) -> Tensor:
        """Slot A of questions about pictures, `[n, queries + 45, width]`; a question that is too long loses its end."""
        pixel_values, ids, mask = self._inputs(images, questions)
        latent = encode_question(self.blip2, pixel_values, ids, mask)
        return latent if self.code_head is None else self.code_head(latent)

    @torch.no_grad()
    def sentences(self, sentences: Sequence[str]) -> Tensor:
        """Slot B of answer sentences, `[n, 77, width]`; a sentence that is too long loses its end."""
        if self._encoder is None:
            self._encoder = sentence_encoder(self.blip2)
        ids, _ = tokenize(self.tokenizer, sentences, TEXT_TOKENS)
        return encode_sentences(self._encoder, ids.to(device_of(self.blip2)))

    @torch.no_grad()
    def answers(
        self,
        images: Sequence[Image.Image],
        questions: Sequence[str],
        *,
        num_beams: int = 5,
        max_new_tokens: int = TEXT_TOKENS,
    ) -> list[str]:
        """BLIP-2's own answers in words. Beam search without sampling, so that an answer depends on nothing but its question."""
        pixel_values, ids, mask = self._inputs(images, questions)
        ids, mask = with_queries(self.blip2, ids, mask)
        found = self.blip2.generate(
            pixel_values,
            input_ids=ids,
            attention_mask=mask,
            interpolate_pos_encoding=True,
            num_beams=num_beams,
            max_new_tokens=max_new_tokens,
            do_sample=False,
        )
        return [" ".join(text.split()) for text in self.tokenizer.batch_decode(found, skip_special_tokens=True)]

    def _inputs(self, images: Sequence[Image.Image], questions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        device = device_of(self.blip2)
        ids, mask = tokenize(self.tokenizer, questions, self.question_tokens)
        values = question_pixels(images, self.side).to(device, self.blip2.dtype)
        return values, ids.to(device), mask.to(device)
