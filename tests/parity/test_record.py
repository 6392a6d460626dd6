"""ReCorD's drawing gives what the published code gave: its runs step by step, and its attention controller.

Sizes, steps, indices and tolerances come from the sidecar.
"""

import functools
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from parity.goldens import GoldenSet
from parity.record_goldens import BOTH, FRAME, Variant, difference, has_version, tokenizer, unit
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from llmgen.diffusion.interaction.alignment import align, token_spans, word_schedule
from llmgen.diffusion.interaction.control import Borrowing, Control, Enough, controlled
from llmgen.diffusion.interaction.drawing import Drawn
from llmgen.diffusion.interaction.energy import PlacedWord
from llmgen.diffusion.interaction.layers import Layer
from llmgen.diffusion.interaction.pairs import pair_text
from llmgen.diffusion.interaction.passes import ROWS, guided_passes
from llmgen.diffusion.text import TextEncoder
from llmgen.diffusion.text_xl import XLTextEncoder
from llmgen.vision.thresholds import attention_box

FAMILY = "record"


# The runs ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@BOTH
def test_without_altered_steps_it_is_the_plain_loop(golden_set: GoldenSet, version: str) -> None:
    """The golden holds what the first and the last step left of both prompts."""
    one = has_version(golden_set, version)
    expected = one.told("plain.latents_per_step")
    latents: list[Tensor] = []
    one.sampler(altered_steps=0).draw(
        [one.pair(one["inputs.start_latents"], boxes=False)],
        keep_first=True,
        watch=lambda _, first, full: latents.append(torch.stack([first[0], full[0]])),
    )
    for index in (0, -1):
        assert difference(latents[index], expected[index]) < golden_set.tolerance("latents_atol")


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("run", ["plain", "candidate", "candidate_b", "correct"])
def test_decoded_pictures(golden_set: GoldenSet, version: str, run: str) -> None:
    one = has_version(golden_set, version)
    expected = one.told(f"{run}.image_avgpool8")
    latents = one[f"{run}.final_latents"] if one.has(f"{run}.final_latents") else one[f"{run}.latents_per_step"][-1]
    vae = AutoencoderKL(**one.said["config"]["vae"]).eval()
    vae.load_state_dict(one.weights("vae"))
    with torch.no_grad():
        images = vae.decode(latents / vae.config.scaling_factor).sample
    pooled = functional.avg_pool2d((images / 2 + 0.5).clamp(0, 1), 8)
    assert difference(pooled, expected) < golden_set.tolerance("image_avgpool8_atol")


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


@functools.cache
def _first_maps(one: Variant) -> list[tuple[Layer, Tensor]]:
    """The layers of the first gradient pass and their maps, `[heads, cells, keys]`, as the published store holds them."""
    sampler, pair = one.sampler(savings=False), one.pair(one["inputs.start_latents"], boxes=True)
    control = Control(sampler.layers, sampler.settings, [pair.borrowing], tuple(pair.noise.shape[-2:]))
    stored: list[tuple[Layer, Tensor]] = []
    read = Control._read

    def noted(control: Control, layer: Layer, *given: Any) -> Tensor:
        before = len(control.stored)
        attended = read(control, layer, *given)
        stored.extend((layer, maps[0]) for maps in control.stored[before:])
        return attended

    with pytest.MonkeyPatch.context() as patch, torch.no_grad(), controlled(one.unet, control):
        patch.setattr(Control, "_read", noted)
        control.begin_gradient()
        sampler._call([pair], ("c1",), pair.noise[None], 0)
    return stored


@pytest.mark.slow
@BOTH
def test_which_maps_are_stored_and_how_many_are_dropped(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    said, stored = one.said["correct"], _first_maps(one)
    for kind, shapes in said["layer_shapes"].items():
        way, attends = kind.split("_")
        found = [m for layer, m in stored if layer.name.startswith(way) and layer.cross == (attends == "cross")]
        assert [list(maps.shape) for maps in found] == shapes, kind
    boxed = [(layer, len(maps)) for layer, maps in stored if layer.boxed]
    kept = [heads - layer.energy_heads for layer, heads in boxed if layer.energy_heads is not None]
    total, cut = said["n_maps_total_and_cut"]
    assert (sum(heads for _, heads in boxed), sum(kept)) == (total, total - cut)


@pytest.mark.slow
@BOTH
def test_maps_of_the_objects_word(golden_set: GoldenSet, version: str) -> None:
    """Head by head, in the order of the published store: up, down, mid."""
    one = has_version(golden_set, version)
    expected = one.told("correct.grad_pass0.layer_token_maps")
    stored = [(way, layer, maps) for way in ("up", "down", "mid") for layer, maps in _first_maps(one)]
    boxed = [maps for way, layer, maps in stored if layer.boxed and layer.name.startswith(way)]
    for token, maps in zip(one.case["indices_to_alter"], expected, strict=True):
        made = torch.cat([own[:, :, token].unflatten(1, maps.shape[-2:]) for own in boxed])
        assert difference(made, maps) < golden_set.tolerance("token_image_atol")


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
