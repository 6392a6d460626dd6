"""Sampling against the original, to 5e-5 of the largest magnitude: schedule, PLMS, DDIM, the multi-instance sampler."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from parity.instance_goldens import Goldens
from torch import Tensor

from llmgen.diffusion.instances.unifusion import Format, stack_groundings
from llmgen.generate.instancediffusion.sampler import (
    Plan,
    Runs,
    Solver,
    grounded_steps,
    joint_steps,
    sample_runs,
)

TOLERANCE = 5e-5
PLMS, DDIM = "out.sample.plms.", "out.sample.ddim."
MIS, CROP_PASTE = "out.sample.mis.", "out.sample.mis_crop_paste."


def base_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", set_alpha_to_one=False, steps_offset=1
    )


def runs(goldens: Goldens, use: Sequence[Format]) -> Runs:
    whole = goldens.grounding("in.sample.global.")
    pictures = len(whole)
    count = int(goldens.sidecar["sampling"]["n_instances"])
    contexts = goldens["in.sample.instance_contexts"]
    parts, texts, boxes, picture = [], [], [], []
    for p in range(pictures):
        own = whole.rows([p])
        parts += [own, *(own.only(i) for i in range(count))]
        texts += [goldens["in.sample.context"][p], *(contexts[i, p] for i in range(count))]
        boxes += [None, *(tuple(own.boxes[0, i].tolist()) for i in range(count))]
        picture += [p] * (count + 1)
    with torch.no_grad():
        told = goldens.unifusion.conditioning(stack_groundings(parts), use)
        null = goldens.unifusion.conditioning(whole.rows([0]).null(), use)
    text = torch.stack(texts)
    return Runs(goldens["in.sample.x_T"], goldens["in.sample.uc"], picture, boxes, text, told, null)


def sample(goldens: Goldens, config: str, name: str = "plms", **given: Any) -> tuple[Tensor, list[Tensor], int]:
    settings = goldens.sidecar["sampling"]
    steps = settings["steps"]
    plan = Plan(
        **{
            "guidance_scale": settings["guidance_scale"],
            "grounded_steps": grounded_steps(settings["alpha_type"][0], steps),
            "joint_steps": 0,
            **given,
        }
    )
    kept: list[Tensor] = []
    solver = Solver(name, base_scheduler(), steps)
    told = runs(goldens, goldens.use(config))
    if given.get("merge") == "crop-paste":
        # The original pastes all pictures by the boxes of the first.
        first = told.boxes[: told.picture.count(0)]
        told = replace(told, boxes=list(first) * len(told.noise))
    final, cost = sample_runs(goldens.unet, told, plan, solver, after_step=lambda _, latents: kept.append(latents))
    return final, kept, cost.rows


def configs(goldens: Goldens, prefix: str, ending: str = "") -> list[str]:
    found = set(goldens.names_from(prefix))
    return [name for name in goldens.sidecar["drop_configurations"]["values"] if prefix + name + ending in found]


def test_schedule(instance_goldens: Goldens) -> None:
    settings = instance_goldens.sidecar["sampling"]
    steps = settings["steps"]
    base = base_scheduler()
    instance_goldens.close(base.alphas_cumprod, "out.schedule.alphas_cumprod", 1e-6)
    assert Solver("ddim", base, steps).times == tuple(settings["timesteps"])
    times = Solver("plms", base, steps).times
    assert (times[0], *times[2:]) == tuple(settings["timesteps"])
    table = base.alphas_cumprod
    now = table[list(settings["timesteps"])].flip(0)
    before = torch.cat([table[:1], now[:-1]])
    instance_goldens.close(now, "out.schedule.ddim_alphas", 1e-6)
    instance_goldens.close(before, "out.schedule.ddim_alphas_prev", 1e-6)
    lambdas = settings["alphas_per_step"]
    assert grounded_steps(settings["alpha_type"][0], steps) == sum(lambdas) == lambdas.index(0.0)
    assert joint_steps(settings["mis"], steps) == settings["mis_steps"]


def test_plms(instance_goldens: Goldens) -> None:
    for config in configs(instance_goldens, PLMS):
        final, kept, rows = sample(instance_goldens, config)
        instance_goldens.close(final, PLMS + config, TOLERANCE)
        instance_goldens.close(torch.stack(kept), f"{PLMS}{config}.trajectory", TOLERANCE)
        assert rows == 2 * (len(kept) + 1) * len(final)


def test_plms_without_guidance_always_grounded(instance_goldens: Goldens) -> None:
    steps = instance_goldens.sidecar["sampling"]["steps"]
    for config in configs(instance_goldens, PLMS, "_always_grounded_cfg1"):
        final, _, rows = sample(instance_goldens, config, guidance_scale=1, grounded_steps=steps)
        instance_goldens.close(final, f"{PLMS}{config}_always_grounded_cfg1", TOLERANCE)
        assert rows == (steps + 1) * len(final)


def test_ddim(instance_goldens: Goldens) -> None:
    for config in configs(instance_goldens, DDIM):
        final, kept, rows = sample(instance_goldens, config, "ddim")
        instance_goldens.close(final, DDIM + config, TOLERANCE)
        assert rows == 2 * len(kept) * len(final)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_multi_instance_sampler(instance_goldens: Goldens, batch_size: int) -> None:
    m = instance_goldens.sidecar["sampling"]["mis_steps"]
    n, steps = instance_goldens.sidecar["sampling"]["n_instances"], instance_goldens.sidecar["sampling"]["steps"]
    for config in configs(instance_goldens, MIS):
        final, kept, rows = sample(instance_goldens, config, joint_steps=m, batch_size=batch_size)
        instance_goldens.close(final, MIS + config, TOLERANCE)
        pictures = len(final)
        alone = torch.stack(kept[:m]).unflatten(1, (pictures, n + 1)).permute(2, 0, 1, 3, 4, 5)
        instance_goldens.close(alone, f"{MIS}{config}.instance_trajectories", TOLERANCE)
        instance_goldens.close(torch.stack(kept[m:]), f"{MIS}{config}.trajectory_after_merge", TOLERANCE)
        # The original evaluates the unconditional branch n times more at the first time.
        assert rows == pictures * (2 * ((n + 1) * (m + 1) + steps - m) - n)


def test_crop_paste(instance_goldens: Goldens) -> None:
    m = instance_goldens.sidecar["sampling"]["mis_steps"]
    given = {"joint_steps": m, "merge": "crop-paste", "orientation": "reference"}
    for config in configs(instance_goldens, CROP_PASTE):
        final, _, _ = sample(instance_goldens, config, **given)
        instance_goldens.close(final, CROP_PASTE + config, TOLERANCE)
