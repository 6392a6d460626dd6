"""Start a model of a larger vocabulary from the weights of a smaller one: rows are copied by word and by class."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from llmgen.errors import InputError

logger = logging.getLogger(__name__)

_FILES: Final = ("model.safetensors", "diffusion_pytorch_model.safetensors")
Rows = Mapping[int, int]
"""New index to old index, of the rows that both have."""


def rows_by_name(new: Sequence[str], old: Sequence[str]) -> dict[int, int]:
    """Which row of a head is which of an earlier head.

    Args:
        new: Names of the new rows.
        old: Names of the old rows.

    Returns:
        New index to old index for the names that both have.
    """
    places = {name: index for index, name in enumerate(old)}
    return {index: places[name] for index, name in enumerate(new) if name in places}


def rows_by_token(new: PreTrainedTokenizerBase, old: PreTrainedTokenizerBase) -> dict[int, int]:
    """Which row of a token embedding is which of an earlier one.

    Args:
        new: Tokenizer of the new model.
        old: Tokenizer of the earlier one.

    Returns:
        New id to old id for the tokens that both have.
    """
    places = old.get_vocab()
    return {index: places[token] for token, index in new.get_vocab().items() if token in places}


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Weights of a saved model, in float32.

    Raises:
        InputError: If the folder holds none.
    """
    file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if file is None:
        raise InputError(f"no weights to start from in {folder}: expected {' or '.join(_FILES)}")
    return {name: value.float() if value.is_floating_point() else value for name, value in load_file(file).items()}


@torch.no_grad()
def grow_from(module: nn.Module, weights: Mapping[str, Tensor], rows: Mapping[str, Rows]) -> list[str]:
    """Give a fresh model the weights of an earlier one.

    Args:
        module: The model; what the earlier one lacks stays as it is.
        weights: Of the earlier one, by name.
        rows: By name of a tensor, which of its rows are which of the earlier tensor's; other tensors must agree in shape.

    Returns:
        Names of the tensors that the earlier model lacks.

    Raises:
        InputError: If a tensor has another shape and no rows were given, or none of the weights has a place here.
    """
    lacking = []
    for name, target in module.state_dict().items():
        source = weights.get(name)
        if source is None:
            lacking.append(name)
        elif name in rows:
            new, old = (torch.tensor(list(part), dtype=torch.long) for part in (rows[name].keys(), rows[name].values()))
            target[new.to(target.device)] = source[old].to(target)
        elif source.shape == target.shape:
            target.copy_(source)
        else:
            raise InputError(
                f"{name} is {tuple(source.shape)} in the weights to start from, {tuple(target.shape)} here"
            )
    if len(lacking) == len(module.state_dict()):
        raise InputError("the weights to start from are those of another kind of model")
    logger.info("started from earlier weights; %d tensors are new", len(lacking))
    return lacking
