"""ReCorD's goldens of drawing: both versions, on CPU on tiny models of the sizes that the sidecar says.

The shipped set is a part of the whole: a second folder may hold per-step latents of candidates, every pass of the controller, and more.
"""

import functools
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from parity.goldens import GoldenSet
from torch import Tensor
from transformers import CLIPTokenizer

from llmgen.diffusion.interaction.alignment import Alignment, align, token_spans, word_schedule
from llmgen.diffusion.interaction.control import Borrowing
from llmgen.diffusion.interaction.drawing import Pair, PairSampler, PairText, pair_noise
from llmgen.diffusion.interaction.energy import PlacedWord
from llmgen.diffusion.interaction.passes import PairSettings
from llmgen.diffusion.sampling import make_levels

FRAME = 512
BOTH = pytest.mark.parametrize("version", ["sd", "xl"])


class Variant:
    """One version of the published code in a set of goldens."""

    def __init__(self, goldens: GoldenSet, name: str) -> None:
        self.goldens, self.name = goldens, name
        self.said = goldens.sidecar["variants"][name]
        self.case, self.xl = self.said["case"], name == "xl"

    def __getitem__(self, name: str) -> Tensor:
        return self.goldens[f"{self.name}.{name}"]

    def has(self, name: str) -> bool:
        return f"{self.name}.{name}" in self.goldens.names

    def told(self, name: str) -> Tensor:
        """One of the tensors that the shipped set leaves out for their size; the test is skipped with a line where there is none."""
        if not self.has(name):
            pytest.skip(f"{self.goldens.name} has no {self.name}.{name}")
        return self[name]

    @functools.cached_property
    def unet(self) -> Any:
        unet = UNet2DConditionModel(**self.said["config"]["unet"])
        unet.load_state_dict(self.weights("unet"))
        return unet.eval().requires_grad_(False)

    def weights(self, part: str) -> dict[str, Tensor]:
        prefix = f"{self.name}.weights.{part}."
        return {name.removeprefix(prefix): self.goldens[name] for name in self.goldens.names_from(prefix)}

    @property
    def suppression(self) -> Any:
        return "others" if self.xl else "object"

    def settings(self, **changed: Any) -> PairSettings:
        case = self.case
        given = {
            "steps": case["num_inference_steps"],
            "guidance": self.goldens.sidecar["conventions"]["guidance_scale"],
            "altered_steps": case["max_iter_to_alter"],
            "scale": float(case["scale_factor"]),
            "self_replace": case["cross_attention_kwargs"]["n_self_replace"],
            "top_share": case["P"],
            "corner_cells": case["L"],
            "least_cells": 0,
            "attention_grid": case["attention_res"],
            "suppression_grid": 32,
            "suppression": self.suppression,
        }
        return PairSettings(**{**given, **changed})

    def pair(self, noise: Tensor, *, boxes: bool) -> Pair:
        case = self.case
        ids = [case["token_ids"][prompt] for prompt in case["prompts"]]
        alignment = align(*ids)
        replace = case["cross_attention_kwargs"]["n_cross_replace"]
        spans = token_spans(case["prompts"][1], tokenizer(self.goldens))
        schedule = word_schedule(case["prompts"][1], spans, case["num_inference_steps"], replace)
        placed = zip(case["indices_to_alter"], case["bbox"], strict=True)
        words = tuple(PlacedWord((token,), unit(box)) for token, box in placed) if boxes else ()
        watched = (case["indices_to_alter"][0],)
        borrowing = Borrowing(alignment.places, schedule * alignment.shared, max(map(len, ids)), words, watched)
        states = torch.cat([self["inputs.negative_prompt_embeds"], self["inputs.prompt_embeds"]])
        added = {}
        if self.xl:
            pooled = [self["inputs.negative_pooled_prompt_embeds"], self["inputs.pooled_prompt_embeds"]]
            added = {"text_embeds": torch.cat(pooled), "time_ids": self["inputs.time_ids"].expand(4, -1)}
        return Pair(PairText(states, added), noise, borrowing)

    def sampler(self, **changed: Any) -> PairSampler:
        settings = self.settings(**changed)
        levels = make_levels(DDIMScheduler(**self.said["config"]["ddim"]), settings.steps)
        assert list(levels.timesteps) == self.said["timesteps"]
        return PairSampler(self.unet, levels, settings)

    def noise(self, seed: int) -> Tensor:
        channels, rows, columns = self["inputs.start_latents"].shape
        return pair_noise(seed, (channels, rows, columns), second_draw=self.xl)


def unit(box: list[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (side / FRAME for side in box)
    return (x0, y0, x1, y1)


@functools.cache
def tokenizer(goldens: GoldenSet) -> Any:
    said = goldens.sidecar["tokenizer"]
    merges = [tuple(pair.split()) if isinstance(pair, str) else tuple(pair) for pair in said["merges"]]
    return CLIPTokenizer(vocab=said["vocab"], merges=merges, model_max_length=77)


@functools.cache
def variant(goldens: GoldenSet, name: str) -> Variant:
    return Variant(goldens, name)


def has_version(goldens: GoldenSet, version: str) -> Variant:
    if version not in goldens.sidecar["variants"]:
        pytest.skip(f"{goldens.name} has no version {version!r}")
    return variant(goldens, version)


def difference(got: Tensor, expected: Tensor) -> float:
    assert got.shape == expected.shape
    return (got.double() - expected.double()).abs().max().item()


def check_alignment(made: Alignment, places: list[int], shared: list[int], last: int, total: float) -> None:
    assert made.places[: len(places)].tolist() == places
    assert made.shared[: len(shared)].tolist() == shared
    assert made.places[-1].item() == last
    assert made.shared.sum().item() == total


def as_xywh(box: tuple[int, int, int, int] | None) -> list[int] | None:
    return None if box is None else [box[0], box[1], box[2] - box[0], box[3] - box[1]]
