"""The diffusion machinery gives what the reference repositories of SLD and LMD gave, run on CPU in their own library versions."""

import math
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from compared import check
from diffusers import DDIMScheduler, UNet2DConditionModel
from parity.conftest import golden_folder
from parity.deviations import PHRASES, right_for
from parity.goldens import Case, named_cases
from torch import Tensor

from llmgen.diffusion.attention import capture_attention, guidance_layers
from llmgen.diffusion.grounding import Grounding
from llmgen.diffusion.guidance import (
    EnergySettings,
    GuidedPhrase,
    attention_energy,
    boxes_on_grid,
    find_phrases,
    guidance_iterations,
    phrase_energy,
    total_energy,
)
from llmgen.diffusion.inversion import invert
from llmgen.diffusion.latents import blend_noise, compose_layers, make_noise
from llmgen.diffusion.sampling import (
    GuidedUNet,
    Levels,
    fast_timesteps,
    freeze_from,
    make_levels,
    sample,
)
from llmgen.diffusion.steering import Steering, SteeringRule, noise_rate

FAMILY = "sld"
SCHEDULER = DDIMScheduler(
    num_train_timesteps=1000,
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    clip_sample=False,
    set_alpha_to_one=False,
    steps_offset=1,
)


def _rectangle(numbers: list[int], rows: int = 64, columns: int = 64) -> Tensor:
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    y0, y1, x0, x1 = numbers
    mask[y0:y1, x0:x1] = True
    return mask


def _fake(guidance: float) -> Callable[[Tensor, int, int], Tensor]:
    def predict(x: Tensor, t: int, index: int) -> Tensor:
        free, wanted = (0.1 * x + c * torch.tanh(x) + 0.0001 * t for c in (0.2, 0.5))
        return free + guidance * (wanted - free)

    return predict


def _fake_inversion(guidance: float, steps: int) -> Tensor:
    clean = torch.linspace(-1.5, 1.5, 16384).reshape(1, 4, 64, 64)
    return invert(_fake(guidance), clean, make_levels(SCHEDULER, steps), convention="source")


# One check per family of cases: input to what llmgen gives, in the form of `expected`.


def _noise(case: Case) -> Any:
    x = case.input
    values = make_noise(x["seed"], x["shape"]).flatten()
    return {"first": values[: len(case.expected["first"])].tolist(), "at": [values[p].item() for p in x["positions"]]}


def _blend(case: Case) -> Any:
    x = case.input
    return blend_noise(torch.tensor(x["bg"]), torch.tensor(x["fg"]), torch.tensor(x["mask"]), x["ratio"]).tolist()


def _compose(case: Case) -> Any:
    x = case.input
    levels = int(case.told(r"T\+1=(\d+) stored", "T+1=51 stored")[0])
    layers = [(torch.full((levels, 4, 64, 64), float(value)), _rectangle(box)) for value, box in x["layers"]]
    noise = make_noise(x["bg_seed"], (1, 4, 64, 64))
    background = torch.full((levels, 4, 64, 64), float(x["background"]))
    composed, frozen = compose_layers(layers, noise, _rectangle(x["removal"]), background)
    values = [composed[tuple(p)].item() for p in x["probes"]]
    for n, (t, _, row, column) in enumerate(x["probes"]):
        # Cells in no layer are noise at the first level only: no later one is ever looked at, and the original fills them all.
        if t > 0 and not frozen[row, column]:
            assert values[n] == composed[0, x["probes"][n][1], row, column].item()
            values[n] = case.expected["values"][n]
    return {"values": values, "frozen_cells": int(frozen.sum())}


def _timesteps(case: Case) -> Any:
    steps = len(case.expected["forward"])
    asked: list[int] = []

    def predict(z: Tensor, t: int, index: int) -> Tensor:
        asked.append(t)
        return z

    levels = make_levels(SCHEDULER, steps)
    invert(predict, torch.zeros(1, 1, 1, 1), levels, convention="source")
    return {"forward": list(levels.timesteps), "inverse": asked}


def _inverse_steps(case: Case) -> Any:
    x = case.input
    stride = int(case.told(r"target level is t\+(\d+)", "target level is t+20")[0])
    levels = make_levels(SCHEDULER, 1000 // stride)
    eps, start = torch.tensor(x["eps"]), torch.tensor(x["x"])
    results = []
    for t in x["t"]:
        index = levels.timesteps.index(t + stride)
        clean, noise = levels.predicted(eps, start, index + 1)
        results.append(levels.renoise(clean, noise, index).tolist())
    return results


def _inversion_loop(case: Case) -> Any:
    x = case.input
    stored = _fake_inversion(x["guidance"], x["steps"])[0].flatten(1)
    (told,) = case.told(r"flat positions ([\d,]*\d)", "flat positions 0,5000,12345,16383")
    return {level: stored[int(level)][[int(place) for place in told.split(",")]].tolist() for level in case.expected}


def _final_loop(case: Case) -> Any:
    x = case.input
    (steps,) = case.told(r"(\d+) DDIM steps", "50 DDIM steps")
    (guidance,) = case.told(r"guidance (\d+\.?\d*)", "guidance 2.5")
    (seed,) = case.told(r"noise\(seed (\d+)\)", "noise(seed 6666)")
    stored = _fake_inversion(float(guidance), int(steps))
    held = (~_hole(case)).float()[None, None]
    start = stored[:, 0] * held + make_noise(int(seed), (1, 4, 64, 64)) * (1 - held)
    after = freeze_from(stored, held, x["frozen_steps"])
    final = sample(_fake(float(guidance)), start, make_levels(SCHEDULER, int(steps)), after_step=after)[0, -1]
    return [final[tuple(p)].item() for p in x["probes"]]


def _hole(case: Case) -> Tensor:
    """The cells that are not frozen; rows and columns are told with both ends."""
    default = "mask = 1 except rows 10..39, columns 20..49"
    y0, y1, x0, x1 = (int(v) for v in case.told(r"except rows (\d+)\.\.(\d+), columns (\d+)\.\.(\d+)", default))
    return _rectangle([y0, y1 + 1, x0, x1 + 1])


def _settings(x: Any, reference: float = 0.0) -> EnergySettings:
    return EnergySettings(
        top_inside=x["fg_top_p"],
        top_outside=x["bg_top_p"],
        weight_inside=x["fg_weight"],
        weight_outside=x["bg_weight"],
        weight_reference=reference,
    )


def _energy_map(case: Case) -> Any:
    x = case.input
    attention = torch.tensor(x["attention"])
    side = math.isqrt(attention.shape[1])
    return sum(
        attention_energy(attention, boxes_on_grid(boxes, side, side).flatten(), tokens, _settings(x)).item()
        for boxes, tokens in zip(x["boxes_per_object"], x["token_positions"], strict=True)
    )


def _energy_total(case: Case) -> Any:
    x = case.input
    maps = {str(i): torch.tensor(m) for i, m in enumerate(x["layers"])}
    side = max(math.isqrt(m.shape[1]) for m in maps.values())
    shape = (side, side)
    phrases = [
        GuidedPhrase(tuple(map(tuple, b)), tuple(t), w)
        for b, t, w in zip(x["boxes_per_object"], x["token_positions"], x["word_tokens"], strict=True)
    ]
    reference = [
        [{str(i): torch.tensor(m) for i, m in enumerate(maps_of)}] * len(phrase.boxes)
        for maps_of, phrase in zip(x["reference"], phrases, strict=True)
    ]
    return {
        "without_reference": total_energy(maps, phrases, shape, _settings(x)).item(),
        "with_reference": total_energy(maps, phrases, shape, _settings(x, x["ref_weight"]), reference).item(),
    }


def _iterations(case: Case) -> Any:
    return [guidance_iterations(i) for i in range(len(case.expected))]


def _fast(case: Case) -> Any:
    (steps, after, rate) = (
        int(v)
        for v in case.told(
            r"\((\d+)\) with fast_after_steps (\d+) and rate (\d+)", "(50) with fast_after_steps 30 and rate 2"
        )
    )
    return list(fast_timesteps(make_levels(SCHEDULER, steps).timesteps, after, rate))


def _phrases(case: Case) -> Any:
    x = case.input
    prompt, places = find_phrases(x["prompt"], x["phrases"], lambda text: ["<bos>", *text.split(), "<eos>"])
    words = [
        place[phrase.split().index(word)] for place, phrase, word in zip(places, x["phrases"], x["words"], strict=True)
    ]
    return {"positions": places, "word_positions": words, "prompt": prompt}


# The small network, rebuilt from names.


def named(name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))


@pytest.fixture(scope="module")
def network() -> UNet2DConditionModel:
    unet = UNet2DConditionModel(
        sample_size=64,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 16, 16, 16),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=768,
        attention_head_dim=2,
        norm_num_groups=4,
        attention_type="gated",
    )
    with torch.no_grad():
        for name, p in unet.named_parameters():
            r = named(name, tuple(p.shape))
            if name.endswith(("alpha_attn", "alpha_dense")):
                p.fill_(0.7)
            elif p.ndim >= 2:
                p.copy_(r / p[0].numel() ** 0.5)
            elif "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.1 * r)
            else:
                p.copy_(0.1 * r)
    return unet.eval().requires_grad_(False)


LATENT, TEXT = named("latent", (1, 4, 64, 64)), named("text", (2, 77, 768))


class Network(NamedTuple):
    """The network, and where its protocol has the cat and the dog: as the case of one forward pass tells."""

    unet: UNet2DConditionModel
    cat: tuple[float, ...] = (0.1, 0.2, 0.5, 0.7)
    dog: tuple[float, ...] = (0.55, 0.3, 0.95, 0.8)


def _grounding(**objects: tuple[float, ...]) -> Grounding:
    boxes, embeddings, masks = torch.zeros(1, 30, 4), torch.zeros(1, 30, 768), torch.zeros(1, 30)
    for i, (name, box) in enumerate(objects.items()):
        boxes[0, i], embeddings[0, i], masks[0, i] = torch.tensor(box), named(f"phrase:a {name}", (768,)), 1
    return Grounding(boxes, embeddings, masks)


def _guided(unet: Any, guidance: float, grounding: Grounding | None, on: int) -> GuidedUNet:
    return GuidedUNet(unet, TEXT[1:], TEXT[:1], guidance, grounding=grounding, grounding_steps=on)


def _probe(values: Tensor, x: Any) -> list[float]:
    return [values[tuple(p)].item() for p in x["probes"]]


def _tiny_forward(case: Case, net: Network) -> Any:
    x = case.input
    (t,) = case.told(r"forward at t=(\d+)", "forward at t=481")
    both = _grounding(**{name.removeprefix("a "): box for name, box in x["boxes"].items()}).both_halves()
    with torch.no_grad(), capture_attention(net.unet, guidance_layers(net.unet)) as watched:
        latents = torch.cat([LATENT, LATENT])
        out = net.unet(latents, int(t), encoder_hidden_states=TEXT, cross_attention_kwargs=both).sample
        maps = [p.probabilities[1] for p in watched.values() if p.probabilities is not None]
    names = list(case.expected["attention"])
    return {
        "epsilon": _probe(out[1], x),
        "attention": {
            n: [m[tuple(p)].item() for p in x["attention_probes"] if p[1] < m.shape[1]]
            for n, m in zip(names, maps, strict=True)
        },
    }


def _steering(
    unet: Any,
    levels: Levels,
    phrases: list[GuidedPhrase],
    settings: EnergySettings,
    grounding: Grounding,
    iterations: Callable[[int], int],
) -> Steering:
    energy = phrase_energy(phrases, (64, 64), settings)
    rule = SteeringRule(iterations, noise_rate(levels, 5.0), threshold=0.002)
    return Steering(unet, TEXT[1:], [energy], levels, rule, layers=guidance_layers(unet), grounding=grounding)


def _tiny_guidance(case: Case, net: Network) -> Any:
    x = case.input
    stride = (1001 - x["t"]) // (1 + x["index"])
    levels = make_levels(SCHEDULER, 1000 // stride)
    index = levels.timesteps.index(x["t"])
    phrases = [GuidedPhrase((net.cat,), (3, 4), 4), GuidedPhrase((net.dog,), (7, 8), 8)]
    guide = _steering(
        net.unet, levels, phrases, EnergySettings(), _grounding(cat=net.cat, dog=net.dog), lambda i: x["iterations"]
    )
    latents = guide(LATENT, index)
    return {
        "last_energy_times_5": 5 * guide.last[0],
        "latent": _probe(latents[0], x),
        "change_norm": (latents - LATENT).norm().item(),
    }


def _tiny_object(case: Case, net: Network) -> Any:
    x = case.input
    kept: list[Tensor] = []
    (guidance,) = case.told(r"guidance (\d+\.?\d*)", "guidance 7.5")
    predict = _guided(net.unet, float(guidance), _grounding(cat=net.cat), int(x["beta"] * x["steps"]))
    layer = guidance_layers(net.unet)[1]
    with capture_attention(net.unet, [layer]) as watched:

        def keep(latents: Tensor, index: int) -> Tensor:
            probabilities = watched[layer].probabilities
            assert probabilities is not None
            kept.append(probabilities[1, :, :, 4])
            return latents

        run = sample(predict, LATENT, make_levels(SCHEDULER, x["steps"]), after_step=keep)[0]
    step, head, places = case.told(
        r"at step (\d+), head (\d+), positions ([\d, ]*\d)", "at step 3, head 1, positions 0, 100, 255"
    )
    stored = [key for key in case.expected if key.startswith("stored_")]
    return {
        "final": _probe(run[-1], x),
        **{key: _probe(run[int(key.removeprefix("stored_"))], x) for key in stored},
        "attention": [kept[int(step)][int(head), int(p)].item() for p in places.split(",")],
    }


def _tiny_inversion(case: Case, net: Network) -> Any:
    x = case.input
    predict = _guided(net.unet, x["guidance"], None, 0)
    stored = invert(predict, 0.5 * LATENT, make_levels(SCHEDULER, x["steps"]), convention="source")[0]
    return {level: _probe(stored[int(level)], x) for level in case.expected}


def _tiny_final(case: Case, net: Network) -> Any:
    x = case.input
    levels, layers = make_levels(SCHEDULER, x["steps"]), guidance_layers(net.unet)
    names = ("mid.0.0.0", "up.1.0.0", "up.1.1.0", "up.1.2.0")
    reference = [
        {
            layer: named(f"ref:{name}:{i}", (2, 64 if name.startswith("mid") else 256)).softmax(-1)
            for layer, name in zip(layers, names, strict=True)
        }
        for i in range(x["steps"])
    ]
    grounding = _grounding(cat=net.cat, dog=net.dog)
    phrases = [GuidedPhrase((net.cat,), (3, 4), 4, [reference])]
    settings = EnergySettings(weight_reference=x["ref_weight"])
    (guided,) = case.told(r"at step indices < (\d+)", "at step indices < 3")
    (guidance,) = case.told(r"guidance (\d+\.?\d*)", "guidance 2.5")
    (seed,) = case.told(r"manual_seed\((\d+)\)", "manual_seed(6666)")
    guide = _steering(
        net.unet, levels, phrases, settings, grounding, lambda i: x["iterations"] if i < int(guided) else 0
    )
    stored = torch.stack([named(f"stored:{i}", (1, 4, 64, 64)) for i in range(x["steps"] + 1)], dim=1)
    held = (~_hole(case)).float()[None, None]
    start = stored[:, 0] * held + make_noise(int(seed), (1, 4, 64, 64)) * (1 - held)
    predict = _guided(net.unet, float(guidance), grounding, int(x["beta"] * x["steps"]))
    after = freeze_from(stored, held, x["frozen_steps"])
    return _probe(sample(predict, start, levels, before_step=guide, after_step=after)[0, -1], x)


CASES: dict[str, Callable[..., Any]] = {
    "noise_": _noise,
    "blend_": _blend,
    "compose_": _compose,
    "ddim_timesteps": _timesteps,
    "ddim_inverse_single": _inverse_steps,
    "ddim_inversion_loop": _inversion_loop,
    "final_loop_": _final_loop,
    "energy_max_based": _energy_map,
    "energy_total": _energy_total,
    "guidance_iterations": _iterations,
    "fast_schedule": _fast,
    "phrases_": _phrases,
    "tiny_forward": _tiny_forward,
    "tiny_guidance": _tiny_guidance,
    "tiny_object": _tiny_object,
    "tiny_inversion": _tiny_inversion,
    "tiny_final": _tiny_final,
}


def _network(request: pytest.FixtureRequest) -> Network:
    told = [case.input["boxes"] for case in named_cases(golden_folder(request.config), FAMILY, ("tiny_forward",))]
    boxes = {name.removeprefix("a "): tuple(box) for name, box in told[0].items()} if told else {}
    return Network(request.getfixturevalue("network"), **boxes)


def test_case(case: Case, request: pytest.FixtureRequest) -> None:
    got = CASES[case.group](case, *([_network(request)] if case.group.startswith("tiny_") else []))
    expected, _ = right_for(case, PHRASES) if case.group == "phrases_" else (case.expected, "")
    check(got, expected, case.tolerance)


def test_check_can_fail() -> None:
    with pytest.raises(AssertionError):
        check({"a": [1.0]}, {"a": [1.1]}, 1e-3)
