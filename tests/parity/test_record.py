"""ReCorD's drawing gives what the published code gave: both versions, run on CPU on tiny models, and its functions one by one.

Sizes, steps, indices and tolerances come from the sidecar. The shipped set is a part of the whole: a second folder may hold per-step
latents of candidates, every pass of the controller, and more.
"""

import functools
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from parity.goldens import GoldenSet
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from llmgen.diffusion.box_energies import smoothing_kernel
from llmgen.diffusion.interaction.alignment import Alignment, align, bounds, token_spans, word_schedule, word_tokens
from llmgen.diffusion.interaction.control import Borrowing, Control, Enough, Layer, controlled
from llmgen.diffusion.interaction.drawing import Drawn, Pair, PairSampler, PairText, pair_noise
from llmgen.diffusion.interaction.energy import PlacedWord, box_cells, box_terms, pair_energy, smoothed, token_image
from llmgen.diffusion.interaction.pairs import pair_text
from llmgen.diffusion.interaction.passes import ROWS, PairSettings, guided_passes
from llmgen.diffusion.sampling import make_levels
from llmgen.diffusion.text import TextEncoder
from llmgen.diffusion.text_xl import XLTextEncoder
from llmgen.errors import InputError
from llmgen.vision.thresholds import attention_box, largest_box, otsu_mask

FAMILY = "record"
FRAME = 512


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


BOTH = pytest.mark.parametrize("version", ["sd", "xl"])


def has_version(goldens: GoldenSet, version: str) -> Variant:
    if version not in goldens.sidecar["variants"]:
        pytest.skip(f"{goldens.name} has no version {version!r}")
    return variant(goldens, version)


# The runs ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@BOTH
def test_candidates_of_two_seeds_in_one_batch(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    seed, tolerance = one.case["noise_seed"], golden_set.tolerance("latents_atol")
    assert torch.equal(one.noise(seed), one["inputs.start_latents"])
    assert torch.equal(one.noise(seed + 1), one["candidate_b.start_latents"])
    full: list[tuple[Tensor, Tensor]] = []
    before = {name: module.processor for name, module in one.unet.named_modules() if hasattr(module, "processor")}
    drawn = one.sampler().draw(
        [one.pair(one.noise(seed), boxes=False), one.pair(one.noise(seed + 1), boxes=False)],
        box_rows=ROWS,
        watch=lambda _, first, latents: full.append((first, latents)),
    )
    after = {name: module.processor for name, module in one.unet.named_modules() if hasattr(module, "processor")}
    assert before == after
    assert difference(drawn.latents[1], one["candidate_b.final_latents"][1]) < tolerance
    if one.has("candidate.latents_per_step"):
        for index, (step, (first, latents)) in enumerate(zip(one["candidate.latents_per_step"], full, strict=True)):
            assert difference(latents[0], step[1]) < tolerance
            # The last step of the intransitive prompt is left out: nobody reads it.
            assert index == len(full) - 1 or difference(first[0], step[0]) < tolerance
    _check_boxes(one, drawn)


def _check_boxes(one: Variant, drawn: Drawn) -> None:
    assert drawn.attention is not None
    for name, attention in zip(("candidate", "candidate_b"), drawn.attention, strict=True):
        assert difference(attention, one[f"{name}.otsu.mean_map"][0]) < 1e-5
        box = attention_box(attention.double().numpy(), FRAME, FRAME)
        assert list(box or (0, 0, 0, 0)) == one.said[name]["object_bbox"]


@pytest.mark.slow
@BOTH
def test_correction_by_steps(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    tolerance = golden_set.tolerance("latents_atol")
    latents: list[Tensor] = []
    masks: list[Tensor] = []
    sampler = one.sampler()
    begin = Control.end_gradient

    def end(control: Control) -> None:
        begin(control)
        assert control.masks is not None
        masks.append(control.masks[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Control, "end_gradient", end)
        drawn = sampler.draw(
            [one.pair(one["inputs.start_latents"], boxes=True)], watch=lambda _, first, full: latents.append(full[0])
        )
    for got, expected in zip(latents, one["correct.latents_per_step"], strict=True):
        assert difference(got, expected[1]) < tolerance
    losses = torch.tensor(drawn.energies[0])
    assert difference(losses, one["correct.grad_pass.loss"]) < golden_set.tolerance("loss_atol")
    for got, expected in zip(masks, one["correct.grad_pass.suppression_mask"], strict=True):
        assert difference(got, expected) < golden_set.tolerance("suppression_mask_atol")


@pytest.mark.slow
@BOTH
def test_one_step_without_the_savings(golden_set: GoldenSet, version: str) -> None:
    """Step M - 1, replayed: four rows, every map explicit, and the same slope as the published gradient pass."""
    one = has_version(golden_set, version)
    settings = one.settings(savings=False)
    sampler = one.sampler(savings=False)
    tolerance = golden_set.tolerance("latents_atol")
    stored, index = one["correct.latents_per_step"], settings.altered_steps - 1
    pairs = [one.pair(one["inputs.start_latents"], boxes=True)]
    control = Control(sampler.layers, settings, [pairs[0].borrowing], tuple(stored.shape[-2:]))
    drawn = Drawn(stored[0], stored[0], energies=[[]])
    with torch.no_grad(), controlled(one.unet, control):
        before = stored[index - 1, 1][None]
        moved = sampler._down_the_slope(pairs, before, index, control, drawn)
        slope = (before - moved)[0] / settings.step_size(index)
        expected = one["correct.grad_pass.grad"][index]
        share = golden_set.tolerance("grad_atol_relative_to_absmax")
        assert difference(slope, expected) < share * expected.abs().max().item()
        guided = guided_passes(settings, correcting=True)[index]
        control.begin_guided(guided, reads_box=False)
        first, full = sampler._step(pairs, guided, stored[index - 1, 0][None], moved, index)
    assert difference(first[0], stored[index, 0]) < tolerance
    assert difference(full[0], stored[index, 1]) < tolerance


def difference(got: Tensor, expected: Tensor) -> float:
    assert got.shape == expected.shape
    return (got.double() - expected.double()).abs().max().item()


# What goes in ------------------------------------------------------------------------------------------------------


@BOTH
def test_texts_and_tokens(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    case, words = one.case, tokenizer(golden_set)
    for prompt, ids in case["token_ids"].items():
        assert words(prompt)["input_ids"] == ids
    encoder = _encoder(one)
    text = pair_text(encoder, case["prompts"], "", (FRAME, FRAME))
    states = torch.cat([one["inputs.negative_prompt_embeds"], one["inputs.prompt_embeds"]])
    assert difference(text.states, states) < 1e-4
    if one.xl:
        assert difference(text.added["time_ids"][:1], one["inputs.time_ids"]) == 0
        assert difference(text.added["text_embeds"][2:], one["inputs.pooled_prompt_embeds"]) < 1e-4
        assert not text.added["text_embeds"][:2].any()
    alignment = align(*(case["token_ids"][prompt] for prompt in case["prompts"]))
    if one.has("controller.mapper"):
        assert torch.equal(alignment.places, one["controller.mapper"][0])
        assert torch.equal(alignment.shared, one["controller.alphas"].flatten())


def _encoder(one: Variant) -> TextEncoder:
    said, words = one.said["config"]["text_encoder"], tokenizer(one.goldens)
    acts = one.goldens.sidecar["conventions"]["text_encoder_hidden_act"]
    common = {
        "vocab_size": said["vocab_size"], "hidden_size": said["hidden_size"], "intermediate_size": said["intermediate_size"],
        "num_hidden_layers": said["num_hidden_layers"], "num_attention_heads": said["num_attention_heads"],
        "max_position_embeddings": said["max_position_embeddings"], "bos_token_id": said["bos"], "eos_token_id": said["eos"],
        "pad_token_id": said["pad"],
    }  # fmt: skip
    first = CLIPTextModel(CLIPTextConfig(**common, hidden_act=acts[f"{one.name}.text_encoder"])).eval()
    _load(first, one.weights("text_encoder"))
    if not one.xl:
        return TextEncoder(words, first)
    act, width = acts["xl.text_encoder_2"].split(" with projection_dim ")
    second = CLIPTextModelWithProjection(CLIPTextConfig(**common, hidden_act=act, projection_dim=int(width))).eval()
    _load(second, one.weights("text_encoder_2"))
    return XLTextEncoder(words, first, words, second)


def _load(model: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    own = set(model.state_dict())
    named = {name if name in own else name.removeprefix("text_model."): value for name, value in weights.items()}
    model.load_state_dict({name: value for name, value in named.items() if name in own})


# The controller on synthetic maps ----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("run", ["correct", "candidate"])
def test_controller(golden_set: GoldenSet, version: str, run: str) -> None:
    one = has_version(golden_set, version)
    said = one.said[f"fn_controller_{run}"]
    names = {name for name in golden_set.names if name.startswith(f"{version}.fn.controller.{run}.")}
    control, passes = _synthetic_control(one, said, run == "correct")
    checked = 0
    for entry in said["log"]:
        number, rows = entry["pass"], entry["rows"]
        if rows == 1:
            control.begin_gradient()
        else:
            guided = passes[number]
            control.begin_guided(guided, reads_box=False)
        for index, layer in enumerate(said["layers"]):
            own = _synthetic(rows, layer, index, number, said["phase"])
            made = _attend(control, control.layers[index], own)
            changed = [not torch.allclose(made[row], own[row], atol=1e-7) for row in range(rows)]
            assert changed == entry["changed"][index], (number, index)
            name = f"{version}.fn.controller.{run}.pass{number}.layer{index}"
            if name in names:
                expected = golden_set[name]
                strided = made[:, :: max(1, layer["N"] // 8)] if layer["N"] > 16 else made
                strided = strided[:, ::4] if rows == 1 and strided.shape[1] != expected.shape[1] else strided
                assert difference(strided, expected) < 1e-5, name
                checked += 1
        if rows == 1:
            control.end_gradient()
    assert checked == len(names)


def _synthetic_control(one: Variant, said: dict[str, Any], correcting: bool) -> tuple[Control, dict[int, Any]]:
    layers = []
    stored = [
        (place, i) for place in ("up", "down", "mid") for i, x in enumerate(said["layers"]) if x["place"] == place
    ]
    fine = [i for _, i in stored if said["layers"][i]["cross"] and said["layers"][i]["N"] == 1024]
    kept = set(fine[len(fine) // 2 :])
    limit = said["attn_res"][0] * said["attn_res"][1]
    for i, layer in enumerate(said["layers"]):
        block = {"up": "up_blocks", "down": "down_blocks", "mid": "mid_block"}[layer["place"]]
        read = 0 if i in kept else None
        layers.append(Layer(f"{block}.{i}", layer["cross"], layer["N"] <= limit, read, read))
    settings = one.settings(
        steps=said["num_steps"],
        altered_steps=said["max_iter_to_alter"],
        self_replace=said["n_self_replace"],
        savings=False,
    )
    words_of = tokenizer(one.goldens)
    ids = [words_of(prompt)["input_ids"] for prompt in said["prompts"]]
    alignment = align(*ids)
    spans = token_spans(said["prompts"][1], words_of)
    schedule = word_schedule(said["prompts"][1], spans, settings.steps, said["n_cross_replace"])
    words = tuple(
        PlacedWord((i,), unit(box)) for i, box in zip(said["indices"], said["bbox"], strict=bool(said["bbox"]))
    )
    borrowing = Borrowing(alignment.places, schedule * alignment.shared, max(map(len, ids)), words)
    passes = {each.number: each for each in guided_passes(settings, correcting=correcting)}
    return Control(layers, settings, [borrowing], (64, 64)), passes


def _synthetic(rows: int, layer: dict[str, Any], index: int, number: int, phase: float) -> Tensor:
    cells, keys = layer["N"], 77 if layer["cross"] else layer["N"]
    r = torch.arange(rows, dtype=torch.float64)[:, None, None]
    n = torch.arange(cells, dtype=torch.float64)[None, :, None]
    t = torch.arange(keys, dtype=torch.float64)
    waves = 1.5 * torch.sin(0.7 * r + 0.013 * n * (1 + 0.1 * index) + 0.9 * t + 0.31 * number + phase)
    return waves.softmax(dim=-1).float()


def _attend(control: Control, layer: Layer, maps: Tensor) -> Tensor:
    """What becomes of maps: queries whose scores are their logarithms, values that show them."""
    keys = torch.eye(maps.shape[-1]).expand(len(maps), 1, -1, -1)
    try:
        return control.attend(layer, maps.log()[:, None], keys, keys, 1.0)[:, 0]
    except Enough:
        return maps


# Functions one by one ----------------------------------------------------------------------------------------------


def test_energy_of_boxes(golden_set: GoldenSet) -> None:
    for number, case in enumerate(golden_set.sidecar["functions"]["box_loss"]):
        side = case["res"]
        attention = golden_set[f"fn.box_loss.A{side}"].clone().requires_grad_(True)
        boxes = [unit(box) for box in case["bbox"]]
        for box, cells in zip(boxes, case["grid_boxes"], strict=True):
            assert list(box_cells(box, side, side)) == cells
        settings = {"top_share": case.get("P", 0.2), "corner_cells": case.get("L", 1), "least_cells": 0}
        images = [token_image(attention, (token,)) for token in case["idx"]]
        images = [smoothed(image) if case.get("smooth", True) else image for image in images]
        if "error" in case:
            with pytest.raises(InputError, match="covers no cell"):
                box_terms(images[0], boxes[0], **settings)
            continue
        terms = [box_terms(image, box, **settings) for image, box in zip(images, boxes, strict=True)]
        for name in ("fg", "bg", "dx", "dy"):
            for term, expected in zip(terms, case[name], strict=True):
                value = getattr(term, name)
                assert value is None if expected == "nan" else value.item() == pytest.approx(expected, abs=2e-6)
        loss = torch.stack([term.loss for term in terms]).sum()
        assert loss.item() == pytest.approx(case["loss"], abs=5e-6)
        loss.backward()
        assert attention.grad is not None
        assert attention.grad.abs().sum().item() == pytest.approx(case["dA_abs_sum"], rel=2e-4)
        if f"fn.box_loss.case{number}.dA" in golden_set.names:
            expected = golden_set[f"fn.box_loss.case{number}.dA"]
            assert difference(attention.grad, expected) < 1e-4 * expected.abs().max().item() + 1e-7
        if case.get("smooth", True):
            words = [PlacedWord((token,), box) for token, box in zip(case["idx"], boxes, strict=True)]
            assert pair_energy(attention, words, **settings).item() == pytest.approx(case["loss"], abs=5e-6)


def test_smoothing_kernels(golden_set: GoldenSet) -> None:
    for name in golden_set.names_from("fn.gaussian_kernel_"):
        size, sigma = name.removeprefix("fn.gaussian_kernel_").split("_sigma")
        assert difference(smoothing_kernel(int(size.split("x")[0]), float(sigma)), golden_set[name]) < 1e-6


def test_otsu_of_maps(golden_set: GoldenSet) -> None:
    for name, expected in golden_set.sidecar["functions"]["otsu"].items():
        values = golden_set[f"fn.otsu.{name}.map"].double().numpy()
        mask = otsu_mask((values - values.min()) / (values.max() - values.min()) * 255)
        assert np.array_equal(mask, golden_set[f"fn.otsu.{name}.mask"].numpy() > 0), name
        assert as_xywh(largest_box(mask)) == expected["xywh"], name


def as_xywh(box: tuple[int, int, int, int] | None) -> list[int] | None:
    return None if box is None else [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def test_alignments_of_prompts(golden_set: GoldenSet) -> None:
    words = tokenizer(golden_set)
    for case in golden_set.sidecar["functions"]["alignment"]:
        ids = [words(case[name])["input_ids"] for name in ("base", "target")]
        assert ids == [case["base_ids"], case["target_ids"]]
        check_alignment(
            align(*ids), case["mapper_prefix"], case["alpha_prefix"], case["mapper_last"], case["alpha_sum"]
        )


def check_alignment(made: Alignment, places: list[int], shared: list[int], last: int, total: float) -> None:
    assert made.places[: len(places)].tolist() == places
    assert made.shared[: len(shared)].tolist() == shared
    assert made.places[-1].item() == last
    assert made.shared.sum().item() == total


def test_word_places(golden_set: GoldenSet) -> None:
    words = tokenizer(golden_set)
    for case in golden_set.sidecar["functions"]["word_inds"]:
        text, word = case["text"], case["word"]
        spans = token_spans(text, words)
        # The original also takes a number for the word at that place.
        found = word_tokens(text, word, spans) if isinstance(word, str) else (word + 1,)
        assert list(found) == case["inds"]


def test_word_schedules(golden_set: GoldenSet) -> None:
    words = tokenizer(golden_set)
    for case in golden_set.sidecar["functions"]["word_schedule"]:
        prompt = case["prompts"][1]
        made = word_schedule(prompt, token_spans(prompt, words), case["num_steps"], case["n_cross_replace"])
        count = len(case["ones_per_token_prefix"])
        assert made.sum(dim=0)[:count].tolist() == case["ones_per_token_prefix"]
        firsts = [int(column.argmax()) if column.any() else -1 for column in made.T[:count]]
        assert firsts == case["first_on_row"]


@BOTH
def test_step_sizes_and_self_replacement(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    settings = one.settings()
    sizes = [settings.step_size(index) for index in range(settings.altered_steps)]
    assert sizes == pytest.approx(one.said["correct"]["step_size"], rel=1e-12)
    first, last = one.said["controller"]["num_self_replace"]
    assert (first, last) == tuple(int(settings.steps * share) for share in bounds(settings.self_replace))
