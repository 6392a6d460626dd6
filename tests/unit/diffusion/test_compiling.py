"""Compiled models: full batches of one shape, the same pictures, and a word where nothing compiles."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import SIZE, tiny_context
from torch import Tensor

from llmgen.artifacts import Layout, Record
from llmgen.diffusion import compiling
from llmgen.diffusion.compiling import FilledDecoder, FilledUNet, trouble
from llmgen.engine.context import StageContext
from llmgen.errors import InputError, MissingRequirementError
from llmgen.generate.sd import TextGenerate, TextGenerateConfig


class Doubling:
    """Stands for a U-Net and an autoencoder: doubles what it is given, and counts rows."""

    config = "its own"

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, sample: Tensor, timestep: int, encoder_hidden_states: Tensor, **more: Any) -> tuple[Tensor]:
        added = more.get("added_cond_kwargs") or {}
        assert {len(sample)} == {len(encoder_hidden_states), *map(len, added.values()), len(sample)}
        self.rows.append(len(sample))
        return (sample * 2 + encoder_hidden_states.sum(dim=(1, 2))[:, None, None, None],)

    def decode(self, latents: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        self.rows.append(len(latents))
        return (latents * 2,)


def test_a_batch_that_is_not_quite_full_is_filled_up_and_all_else_is_left_to_the_model() -> None:
    plain, full = Doubling(), Doubling()
    unet = FilledUNet(plain, full, rows=6, grid=(2, 2))
    sample, hidden = torch.randn(4, 1, 2, 2), torch.randn(4, 3, 5)
    told = {"encoder_hidden_states": hidden, "added_cond_kwargs": {"time_ids": torch.zeros(4, 6)}, "return_dict": False}
    assert torch.equal(unet(sample, 1, **told)[0], plain(sample, 1, hidden)[0])
    assert full.rows == [6] and unet.config == "its own"
    wide, many = torch.randn(4, 1, 2, 3), torch.randn(8, 1, 2, 2)
    unet(wide, 1, encoder_hidden_states=hidden)
    unet(many, 1, encoder_hidden_states=torch.randn(8, 3, 5))
    unet(sample[:3], 1, encoder_hidden_states=hidden[:3])  # half of it, as when memory ran out
    assert full.rows == [6] and plain.rows == [4, 4, 8, 3]


def test_a_decoder_is_filled_up_too() -> None:
    plain, rows = Doubling(), list[int]()

    def full(latents: Tensor) -> Tensor:
        rows.append(len(latents))
        return latents * 2

    vae = FilledDecoder(plain, full, rows=3, grid=(2, 2))
    latents = torch.randn(2, 1, 2, 2)
    assert torch.equal(vae.decode(latents, return_dict=False)[0], latents * 2) and rows == [3]
    assert vae.decode(torch.zeros(1, 1, 2, 4), return_dict=False)[0].shape == (1, 1, 2, 4) and plain.rows == [1]


@pytest.fixture
def compiles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A compiler that leaves everything as it is; what it was given."""
    given: list[str] = []

    def leave(model: Callable[..., Any], *, dynamic: bool) -> Callable[..., Any]:
        given.append(type(model).__name__)
        return model

    monkeypatch.setattr(torch, "compile", leave)
    trouble.cache_clear()
    return given


def drawn(context: StageContext, count: int, **settings: Any) -> tuple[TextGenerate, list[np.ndarray]]:
    method = TextGenerate(context, TextGenerateConfig(num_inference_steps=2, **settings))
    made = method([Record(id=f"r{i}", prompt=f"{i} balls", seed=i) for i in range(count)])
    return method, [np.asarray(context.images.load(r.image)).astype(int) for r in made if r.image]


def test_pictures_are_the_same_and_what_is_drawn_otherwise_says_so(tmp_path: Path, compiles: list[str]) -> None:
    context, said, remarks = tiny_context(tmp_path), list[str](), list[str]()
    context.batch_size = 2
    context.progress, context.remark_on = said.append, lambda _, text: remarks.append(text)
    _, plain = drawn(context, 2)
    assert compiles == []
    method, fast = drawn(context, 2, compile="always")
    assert compiles == ["function", "UNet2DConditionModel", "partial"]  # the trial, and both models
    assert max(np.abs(a - b).max() for a, b in zip(plain, fast, strict=True)) <= 1
    assert [line for line in said if "compiling" in line] == [
        f"compiling the {name}, once for the whole run" for name in ("U-Net", "decoder")
    ]
    assert remarks == []
    wide = Layout(width=2 * SIZE, height=SIZE, background_prompt="", instances=())
    method([Record(id=name, prompt="a ball", seed=1, layout=layout) for name, layout in (("a", None), ("b", wide))])
    assert remarks == [
        "drawn uncompiled, 1 at once; batches of 2 are compiled",
        f"drawn uncompiled, on {2 * SIZE}x{SIZE}; {SIZE}x{SIZE} is compiled",
    ]


def test_where_nothing_compiles_a_run_that_must_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: object, *, dynamic: bool) -> None:
        raise RuntimeError("no compiler\nand more")

    monkeypatch.setattr(torch, "compile", refuse)
    trouble.cache_clear()
    assert trouble("cpu") == "no compiler"
    with pytest.raises(MissingRequirementError, match=r"nothing compiles here \(no compiler\).*--set compile=never"):
        drawn(tiny_context(tmp_path), 1, compile="always")
    said: list[str] = []
    config = TextGenerate.settled(tiny_context(tmp_path), TextGenerateConfig(), True, said.append)
    assert config.compile == "never" and len(said) == 1 and "no compiler" in said[0]
    trouble.cache_clear()


def test_models_in_main_memory_are_not_compiled(tmp_path: Path, compiles: list[str]) -> None:
    context = tiny_context(tmp_path)
    context.offload = "model"
    assert TextGenerate.settled(context, TextGenerateConfig(), True, print).compile == "never"
    with pytest.raises(InputError, match="does not go with"):
        drawn(context, 1, compile="always")


@pytest.mark.slow
def test_a_compiler_is_tried() -> None:
    trouble.cache_clear()
    assert trouble("cpu") is None or trouble("cpu")
    assert compiling.trouble.cache_info().misses == 1
