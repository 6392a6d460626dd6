"""Models of a larger vocabulary start from the rows that a smaller one has."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTokenizer

from llmgen.errors import InputError
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.tokenizer import build_tokenizer
from llmgen.toybox.recipes.growth import grow_from, read_weights, rows_by_name, rows_by_token


def test_rows_follow_their_names() -> None:
    assert rows_by_name(("ball", "boy", "car"), ("car", "ball")) == {0: 1, 2: 0}
    head, earlier = nn.Linear(2, 3), nn.Linear(2, 2)
    fresh = head.weight.detach().clone()
    rows = rows_by_name(("ball", "boy", "car"), ("car", "ball"))
    lacking = grow_from(head, {"weight": earlier.weight.detach()}, {"weight": rows, "bias": rows})
    assert lacking == ["bias"]
    assert torch.equal(head.weight[0], earlier.weight[1]) and torch.equal(head.weight[2], earlier.weight[0])
    assert torch.equal(head.weight[1], fresh[1])


def test_tokens_keep_their_embeddings() -> None:
    old = CLIPTokenizer.from_pretrained(WEIGHTS / "detector")
    rows = rows_by_token(build_tokenizer(), old)
    new = build_tokenizer()
    for word in ("ball</w>", "red</w>", "<|endoftext|>"):
        assert rows[new.convert_tokens_to_ids(word)] == old.convert_tokens_to_ids(word)


def test_another_shape_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"weight is \(2, 2\).*\(3, 2\) here"):
        grow_from(nn.Linear(2, 3), nn.Linear(2, 2).state_dict(), {})
    with pytest.raises(InputError, match="another kind of model"):
        grow_from(nn.Linear(2, 3), {"other": torch.zeros(2)}, {})
    with pytest.raises(InputError, match="no weights to start from"):
        read_weights(tmp_path)
    save_file({"a": torch.ones(2).half()}, tmp_path / "model.safetensors")
    assert read_weights(tmp_path)["a"].dtype == torch.float32
