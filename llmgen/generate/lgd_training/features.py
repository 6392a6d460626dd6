"""Causal features: states of the sentences of an answer, which the contrast holds the predictive code against.

The original's extraction is not published; its file is a pickle of "mean" states, so here each sentence of the answer gives the mean of
the frozen language model's states over its tokens. They are kept as safetensors.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from llmgen.diffusion.answering.latents import LatentReader, sentence_encoder, tokenize
from llmgen.diffusion.answering.wording import TEXT_TOKENS
from llmgen.diffusion.offloading import device_of
from llmgen.errors import InputError
from llmgen.training.saving import save_atomically

_SENTENCE_END: Final = re.compile(r"(?<=[.!?;])\s+|\s*\n+\s*|\s*->\s*")


def causal_sentences(answer: str) -> list[str]:
    """The sentences of an answer or of a chain of reasoning, without blank ones."""
    return [part.strip() for part in _SENTENCE_END.split(answer) if part.strip()]


@torch.no_grad()
def causal_features(reader: LatentReader, answers: Mapping[str, str]) -> dict[str, Tensor]:
    """Features of samples.

    Args:
        reader: Gives the frozen language model.
        answers: Sample to its answer; samples without one have no features.

    Returns:
        Sample to float32 [sentences, width], on the CPU.
    """
    encoder, features = sentence_encoder(reader.blip2), {}
    for name, answer in answers.items():
        sentences = causal_sentences(answer)
        if not sentences:
            continue
        ids, mask = (value.to(device_of(reader.blip2)) for value in tokenize(reader.tokenizer, sentences, TEXT_TOKENS))
        states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        features[name] = ((states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)).cpu()
    return features


def save_features(path: Path, features: Mapping[str, Tensor]) -> None:
    """Write features, by the names of their samples."""
    save_atomically(dict(features), path)


def load_features(path: Path, width: int) -> dict[str, Tensor]:
    """Read features.

    Args:
        path: Safetensors.
        width: Of the language model's states.

    Raises:
        InputError: If it is missing, a pickle, or does not fit.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of causal features; leave it out, and they are made from the answers")
    try:
        features = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is no safetensors file, and a pickle is not read, as it can run any code; leave it out, and the features are "
            "made from the answers"
        ) from error
    wrong = next((n for n, v in features.items() if v.ndim != 2 or v.shape[1] != width or not len(v)), None)
    if wrong is not None:
        raise InputError(f"{path}: the features of {wrong!r} are {list(features[wrong].shape)}, not [rows, {width}]")
    return {name: value.float() for name, value in features.items()}


def joined(rows: Sequence[Tensor]) -> Tensor:
    """Rows of several samples as one tensor, [B, most rows, D]; those of a sample with fewer are repeated from its last row."""
    most = max(len(own) for own in rows)
    return torch.stack([torch.cat([own, own[-1:].expand(most - len(own), -1)]) for own in rows])
