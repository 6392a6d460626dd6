"""BLIP-2's states, the bridge, the autoencoder, the U-Net and the sampler give what the original gave, on CPU in float32."""

import copy
import re

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from parity.goldens import GoldenSet
from parity.lgd_goldens import (
    STATES,
    blip2_of,
    bridge_of,
    code_head_of,
    config,
    schedule,
    unet_of,
    vae_of,
)
from torch import Tensor

from llmgen.diffusion.answering.bridge import fill_slots
from llmgen.diffusion.answering.editor import decode_cut
from llmgen.diffusion.answering.latents import encode_question, encode_sentences, sentence_encoder, with_queries
from llmgen.diffusion.answering.sampling import EditCondition, GuidedEditor, ancestral_levels, sample_ancestral
from llmgen.diffusion.answering.unet import widen_input

FAMILY = "lgd"


def _near(golden_set: GoldenSet, got: Tensor, name: str, tolerance: float) -> None:
    """Equal to a golden within an absolute tolerance; the sidecar's are absolute."""
    expected = golden_set[name]
    assert got.shape == expected.shape, name
    difference = (got.double() - expected.double()).abs().max().item()
    assert difference <= tolerance, f"{golden_set.name} {name}: {difference:.3g}, allowed {tolerance:.3g}"


@torch.no_grad()
def test_latent_of_the_question(golden_set: GoldenSet) -> None:
    inputs = (golden_set[f"train.inputs.{name}"] for name in ("pixel_values", "question_ids", "question_mask"))
    _near(golden_set, encode_question(blip2_of(golden_set), *inputs), "train.A", golden_set.tolerance(STATES))


@torch.no_grad()
def test_whole_call_gives_the_same_latent_and_the_logits(golden_set: GoldenSet) -> None:
    blip2 = blip2_of(golden_set)
    pixel_values, ids, mask = (
        golden_set[f"train.inputs.{name}"] for name in ("pixel_values", "question_ids", "question_mask")
    )
    answers, valid = golden_set["train.inputs.answer_ids"], golden_set["train.inputs.answer_mask"].bool()
    all_ids, all_mask = with_queries(blip2, ids, mask)
    made = blip2(
        pixel_values,
        input_ids=all_ids,
        attention_mask=all_mask,
        labels=answers.masked_fill(~valid, -100),
        interpolate_pos_encoding=True,
    )
    latent = made.language_model_outputs.encoder_last_hidden_state
    assert torch.allclose(latent, encode_question(blip2, pixel_values, ids, mask), atol=1e-6)
    expected = golden_set["train.logits"]
    difference = (made.logits - expected)[valid].abs().max().item()
    assert difference <= golden_set.tolerance(STATES)


@torch.no_grad()
def test_sentences_and_the_empty_text(golden_set: GoldenSet) -> None:
    encoder, tolerance = sentence_encoder(blip2_of(golden_set)), golden_set.tolerance(STATES)
    ids = golden_set["train.inputs.slot_b_ids"]
    _near(golden_set, encode_sentences(encoder, ids), "train.B", tolerance)
    tokens = golden_set.sidecar["tokenizer"]
    empty = torch.full((1, ids.shape[1]), tokens["pad"])
    empty[0, 0] = tokens["end"]
    _near(golden_set, encode_sentences(encoder, empty), "null", tolerance)


@torch.no_grad()
def test_predictive_code(golden_set: GoldenSet) -> None:
    dropped = (golden_set["train.draws.u_cpc"] < 0.1).view(-1, 1, 1)
    latent = torch.where(dropped, golden_set["null"], golden_set["train.A"])
    _near(golden_set, code_head_of(golden_set)(latent), "train.predictive_code", golden_set.tolerance(STATES))


@torch.no_grad()
def test_context_of_training(golden_set: GoldenSet) -> None:
    made = bridge_of(golden_set)(golden_set["train.A_after_dropout"], golden_set["train.B_after_dropout"])
    _near(golden_set, made, "train.context", golden_set.tolerance("context"))


@torch.no_grad()
def test_slots_of_sampling(golden_set: GoldenSet) -> None:
    bridge, null = bridge_of(golden_set), golden_set["null"]
    latent, sentence = golden_set["sample.A"], golden_set["sample.B_generated"]
    for slots in ("feat", "sent", "both"):
        made = bridge(*fill_slots(slots, latent, sentence, null))
        _near(golden_set, made, f"sample.{slots}.context", golden_set.tolerance("context"))
    _near(golden_set, bridge(null, null), "sample.null_context", golden_set.tolerance("context"))


@torch.no_grad()
def test_autoencoder(golden_set: GoldenSet) -> None:
    vae, tolerance = vae_of(golden_set), golden_set.tolerance("vae")
    target = vae.encode(golden_set["train.inputs.target_image"]).latent_dist
    _near(golden_set, target.mean, "vae.mean", tolerance)
    _near(golden_set, target.logvar, "vae.logvar", tolerance)
    source = vae.encode(golden_set["train.inputs.source_image"]).latent_dist.mode()
    _near(golden_set, source, "vae.mode_source", tolerance)
    scaled = (target.mean + target.std * golden_set["train.draws.posterior_noise"]) * vae.config.scaling_factor
    _near(golden_set, scaled, "vae.z_scaled_sample", tolerance)
    decoded = vae.decode(scaled / vae.config.scaling_factor).sample
    _near(golden_set, decoded, "vae.decode_of_z", tolerance)


@torch.no_grad()
def test_unet_alone_at_fractions_and_whole_times(golden_set: GoldenSet) -> None:
    unet, tolerance = unet_of(golden_set), golden_set.tolerance("unet_out")
    x, context = golden_set["unet.x"], golden_set["unet.context"]
    _near(golden_set, unet(x, golden_set["unet.t"], context).sample, "unet.out", tolerance)
    _near(golden_set, unet(x, golden_set["unet.t_int"], context).sample, "unet.out_t_int", tolerance)


@torch.no_grad()
def test_prediction_of_the_training_step(golden_set: GoldenSet) -> None:
    times, noise = golden_set["train.draws.t"], golden_set["train.draws.eps"]
    noisy = schedule().add_noise(golden_set["vae.z_scaled_sample"], noise, times)
    _near(golden_set, noisy, "train.z_noisy", 2e-6)
    inputs = torch.cat([noisy, golden_set["train.c_concat"]], dim=1)
    _near(golden_set, inputs, "train.unet_input", 2e-6)
    predicted = unet_of(golden_set)(inputs, times, golden_set["train.context"]).sample
    _near(golden_set, predicted, "train.eps_pred", golden_set.tolerance("eps_pred"))


def test_noise_of_training(golden_set: GoldenSet) -> None:
    _near(golden_set, schedule().betas, "schedule.betas", 1e-8)
    _near(golden_set, schedule().alphas_cumprod, "schedule.alphas_cumprod", 1e-6)


def test_new_input_channels(golden_set: GoldenSet) -> None:
    before = golden_set["surgery.conv_in_4"]
    sizes = config(golden_set, "unet") | {"in_channels": before.shape[1]}
    unet = UNet2DConditionModel(**sizes)
    with torch.no_grad():
        unet.conv_in.weight.copy_(before)
    widen_input(unet)
    _near(golden_set, unet.conv_in.weight, "surgery.conv_in_8", 0.0)


def test_levels_of_sampling(golden_set: GoldenSet) -> None:
    levels = ancestral_levels(schedule(), golden_set.sidecar["sampling"]["steps"])
    _near(golden_set, torch.tensor(levels.sigmas), "sample.sigmas", golden_set.tolerance("sigmas"))
    _near(golden_set, torch.tensor(levels.timesteps), "sample.timesteps", golden_set.tolerance("timesteps"))


def _editor(golden_set: GoldenSet, slots: str, count: int, text: float, image: float, batch_size: int) -> GuidedEditor:
    def repeated(name: str) -> Tensor:
        return golden_set[name].expand(count, *golden_set[name].shape[1:])

    condition = EditCondition(
        repeated(f"sample.{slots}.context"), repeated("sample.null_context"), repeated("sample.c_image")
    )
    levels = ancestral_levels(schedule(), golden_set.sidecar["sampling"]["steps"])
    return GuidedEditor(
        unet_of(golden_set), condition, levels, text_guidance=text, image_guidance=image, batch_size=batch_size
    )


@torch.no_grad()
def test_guidance_at_one_level(golden_set: GoldenSet) -> None:
    sigma, z = float(golden_set["guidance.sigma"]), golden_set["guidance.z"]
    names = golden_set.names_from("guidance.denoised.")
    assert len(names) >= 4
    times = torch.linspace(0, 999, 1000)
    table = ((1 - schedule().alphas_cumprod) / schedule().alphas_cumprod).sqrt().log()
    # The original finds the time of a level the other way round: between two logarithms.
    high = int((table < torch.tensor(sigma).log()).sum())
    weight = (torch.tensor(sigma).log() - table[high - 1]) / (table[high] - table[high - 1])
    time = float(times[high - 1] + weight)
    for name in names:
        text, image = (float(scale) for scale in re.findall(r"[0-9.]+", name.removeprefix("guidance.denoised.")))
        editor = _editor(golden_set, "feat", 1, text, image, 1)
        editor.levels = type(editor.levels)((time,), (sigma, 0.0), "epsilon")
        _near(golden_set, editor(z, 0), name, golden_set.tolerance("latents_per_step (values up to 70)"))


class _Watch:
    def __init__(self, seen: list[tuple[Tensor, Tensor]]) -> None:
        self.seen = seen

    def __call__(self, latents: Tensor, clean: Tensor, step: int) -> None:
        self.seen.append((latents, clean))


@pytest.mark.parametrize("slots", ["feat", "sent", "both"])
def test_latents_and_pictures_of_every_step(golden_set: GoldenSet, slots: str) -> None:
    told, tolerance = golden_set.sidecar["sampling"], golden_set.tolerance("latents_per_step (values up to 70)")
    vae = vae_of(golden_set)
    for seed in told["seeds_with_full_record"]:
        prefix = f"sample.{slots}.seed{seed}"
        editor = _editor(golden_set, slots, 1, told["cfg_text"], told["cfg_image"], 1)
        seen: list[tuple[Tensor, Tensor]] = []
        shape = golden_set["sample.c_image"].shape[1:]
        final = sample_ancestral(editor, editor.levels, shape, [seed], watch=_Watch(seen))
        if f"{prefix}.denoised" in golden_set.names:
            _near(golden_set, seen[0][0], f"{prefix}.init_latents", tolerance)
            _near(golden_set, torch.cat([latents for latents, _ in seen]), f"{prefix}.latents_before_step", tolerance)
            _near(golden_set, torch.cat([clean for _, clean in seen]), f"{prefix}.denoised", tolerance)
        _near(golden_set, final, f"{prefix}.final_latents", tolerance)
        _near(golden_set, _picture(vae, final), f"{prefix}.image", golden_set.tolerance("image"))
        cut = torch.from_numpy(np.array(decode_cut(vae, final)[0])).permute(2, 0, 1)[None]
        levels = (cut.int() - golden_set[f"{prefix}.image_uint8"].int()).abs()
        # A value within 1e-5 of a whole number may be cut to either side of it.
        assert levels.max() <= 1 and (levels > 0).float().mean() < 0.01
        assert editor.calls == told["steps"]


def test_seeds_together_are_seeds_alone(golden_set: GoldenSet) -> None:
    told, tolerance = golden_set.sidecar["sampling"], golden_set.tolerance("latents_per_step (values up to 70)")
    seeds = told["seeds"]
    editor = _editor(golden_set, "feat", len(seeds), told["cfg_text"], told["cfg_image"], len(seeds))
    final = sample_ancestral(editor, editor.levels, golden_set["sample.c_image"].shape[1:], seeds)
    _near(golden_set, final, "sample.feat.final_all_seeds", tolerance)
    assert editor.calls == told["steps"]


@torch.no_grad()
def _picture(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    return (vae.decode(latents / vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)


def test_wrong_rules_do_not_pass(golden_set: GoldenSet) -> None:
    """The goldens can tell: without the first linear layer, the context is another."""
    bridge = copy.deepcopy(bridge_of(golden_set))
    bridge.latent_mlp = torch.nn.Identity()
    made = bridge(golden_set["train.A_after_dropout"], golden_set["train.B_after_dropout"])
    assert (made - golden_set["train.context"]).abs().max() > 100 * golden_set.tolerance("context")
