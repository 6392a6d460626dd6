"""The sampler on tiny real models; against the original: tests/parity/test_instancediffusion_sampling.py."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import PNDMScheduler
from tiny_instances import tiny_unifusion
from tiny_models import tiny_scheduler, tiny_unet
from torch import Tensor

from llmgen.diffusion.instances.fusers import attach_grounding, gated_fusers
from llmgen.diffusion.instances.unifusion import InstanceGrounding
from llmgen.errors import InputError
from llmgen.generate.instancediffusion.sampler import (
    Plan,
    Runs,
    Solver,
    grounded_steps,
    joint_steps,
    merge_runs,
    sample_runs,
)

PLAN = Plan(guidance_scale=3.0, grounded_steps=4, joint_steps=2, batch_size=64)
STEPS = 5


def unet() -> Any:
    made = tiny_unet()
    attach_grounding(made)
    return made


def runs(*instances: int) -> Runs:
    """Random runs of as many pictures as there are numbers, with so many instances each."""
    random = torch.Generator().manual_seed(0)
    picture = [p for p, n in enumerate(instances) for _ in range(n + 1)]
    count, model = len(picture), tiny_unifusion()
    slots = int(model.config.max_objs)
    boxes = torch.rand(count, slots, 2, generator=random).repeat(1, 1, 2) * 0.5
    boxes[..., 2:] += 0.4
    grounding = InstanceGrounding(
        boxes,
        torch.ones(count, slots),
        torch.randn(count, slots, 32, generator=random),
        torch.rand(count, slots, 2, generator=random),
        *(torch.zeros(count, slots, size) for size in (40, 128)),
        torch.zeros(count, slots, 1, 1),
    )
    with torch.no_grad():
        told, null = (model.conditioning(g, ("box", "point")) for g in (grounding, grounding.rows([0]).null()))
    alone: list[tuple[float, float, float, float] | None] = [tuple(box) for box in boxes[:, 0].tolist()]
    whole = [i for i, p in enumerate(picture) if p not in picture[:i]]
    return Runs(
        noise=torch.randn(len(instances), 4, 8, 8, generator=random),
        negative=torch.randn(len(instances), 24, 32, generator=random),
        picture=picture,
        boxes=[None if i in whole else box for i, box in enumerate(alone)],
        text=torch.randn(count, 24, 32, generator=random),
        conditioning=told,
        null=null,
    )


def sample(told: Runs, plan: Plan = PLAN, name: Any = "plms", model: Any = None, **options: Any) -> Tensor:
    return sample_runs(model or unet(), told, plan, Solver(name, tiny_scheduler(**options), STEPS))[0]


def only(told: Runs, picture: int) -> Runs:
    rows = [i for i, p in enumerate(told.picture) if p == picture]
    return replace(
        told,
        noise=told.noise[[picture]],
        negative=told.negative[[picture]],
        picture=[0] * len(rows),
        boxes=[told.boxes[i] for i in rows],
        text=told.text[rows],
        conditioning={name: value[rows] for name, value in told.conditioning.items()},
    )


@pytest.mark.parametrize("merge", ["mean", "crop-paste"])
@pytest.mark.parametrize("name", ["plms", "ddim"])
def test_all_runs_in_one_batch_give_what_each_picture_gives_row_by_row(name: str, merge: Any) -> None:
    told, plan = runs(2, 0, 3), replace(PLAN, merge=merge)
    together = sample(told, plan, name)
    scale = float(together.abs().max())
    for picture in range(3):
        alone = sample(only(told, picture), replace(plan, batch_size=1), name)
        assert float((alone[0] - together[picture]).abs().max()) < 1e-4 * scale
    assert float((together[0] - together[1]).abs().max()) > 0.1


def test_velocity_and_noise_predictions_of_the_same_thing_give_the_same_picture() -> None:
    table = tiny_scheduler().alphas_cumprod

    def noise(latents: Tensor, time: int, *_: Any, **__: Any) -> tuple[Tensor]:
        return (torch.tanh(latents) * (0.5 + time / 1000),)

    def velocity(latents: Tensor, time: int, *_: Any, **__: Any) -> tuple[Tensor]:
        alpha = table[time]
        clean = (latents - (1 - alpha).sqrt() * noise(latents, time)[0]) / alpha.sqrt()
        return (alpha.sqrt() * noise(latents, time)[0] - (1 - alpha).sqrt() * clean,)

    told = runs(1)
    by_noise = sample(told, name="ddim", model=noise, prediction_type="epsilon")
    by_velocity = sample(told, name="ddim", model=velocity, prediction_type="v_prediction")
    assert torch.allclose(by_noise, by_velocity, rtol=1e-3, atol=1e-3 * float(by_noise.abs().max()))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_plms_mixes_outputs_as_the_stock_scheduler_does(prediction_type: str) -> None:
    def model(latents: Tensor, time: int, *_: Any, **__: Any) -> tuple[Tensor]:
        return (torch.tanh(latents) * (0.5 + time / 1000),)

    told, scheduler = (
        runs(0),
        PNDMScheduler.from_config(
            tiny_scheduler(prediction_type=prediction_type).config,
            skip_prk_steps=True,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
    )
    scheduler.set_timesteps(STEPS)
    latents = told.noise
    for time in scheduler.timesteps:
        latents = scheduler.step(model(latents, int(time))[0], time, latents).prev_sample
    made = sample(told, replace(PLAN, guidance_scale=1.0), "plms", model, prediction_type=prediction_type)
    assert torch.allclose(made, latents, atol=1e-5 * float(latents.abs().max()))


@pytest.mark.parametrize(
    ("name", "plan", "calls", "grounded", "plain"),
    [
        # 3 pictures, 4 instances, 7 runs: 3 + 7 rows at first, 14 until the merge, then 6.
        ("plms", PLAN, 6, 10 + 14 + 14 + 6 + 6, 6),
        ("ddim", PLAN, 5, 10 + 14 + 6 + 6, 6),
        ("plms", replace(PLAN, joint_steps=0, grounded_steps=0), 6, 0, 36),
        ("plms", replace(PLAN, guidance_scale=1), 6, 7 * 3 + 3 * 2, 3),
        ("plms", replace(PLAN, joint_steps=5, grounded_steps=5), 6, 10 + 14 * 5, 0),
        # 8 rows to a call: 2 + 2 + 2 calls for 10, 14 and 14 rows.
        ("plms", replace(PLAN, batch_size=4), 9, 10 + 14 + 14 + 6 + 6, 6),
    ],
)
def test_evaluations_are_counted_and_fusers_skipped(
    name: Any, plan: Plan, calls: int, grounded: int, plain: int
) -> None:
    model = unet()
    seen, fused = [], []
    model.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    gated_fusers(model)[0].register_forward_pre_hook(lambda _, args: fused.append(len(args[0])))
    cost = sample_runs(model, runs(1, 0, 3), plan, Solver(name, tiny_scheduler(), STEPS))[1]
    assert (cost.calls, cost.grounded_rows, cost.plain_rows) == (calls, grounded, plain)
    assert (len(seen), sum(seen), sum(fused)) == (calls, grounded + plain, grounded)


def test_a_run_with_another_phrase_changes_the_picture_until_it_is_left_out() -> None:
    told = runs(2)
    other = replace(told, text=torch.cat([told.text[:2], told.text[2:] + 1]))
    assert not torch.allclose(sample(told), sample(other))
    without = replace(PLAN, joint_steps=0)
    assert torch.equal(sample(told, without), sample(other, without))


def test_boxes_are_pasted_in_order_and_transposed_only_on_request() -> None:
    told = replace(runs(2), boxes=[None, (0.0, 0.5, 1.0, 1.0), (0.5, 0.0, 0.51, 1.0)])
    latents = torch.arange(3.0)[:, None, None, None].expand(3, 1, 4, 4).contiguous()
    pasted = merge_runs(latents, told, replace(PLAN, merge="crop-paste"))
    assert pasted[0, 0].tolist() == [[0, 0, 2, 0], [0, 0, 2, 0], [1, 1, 2, 1], [1, 1, 2, 1]]
    transposed = merge_runs(latents, told, replace(PLAN, merge="crop-paste", orientation="reference"))
    assert torch.equal(transposed[0, 0], pasted[0, 0].T)
    assert merge_runs(latents, told, PLAN)[0].unique().tolist() == [1.0]


def test_schedules() -> None:
    assert Solver("plms", tiny_scheduler(), 50).times[:4] == (981, 961, 961, 941)
    assert Solver("ddim", tiny_scheduler(), 30).times[::29] == (958, 1)
    assert Solver("plms", tiny_scheduler(), 1).steps == (0,)
    with pytest.raises(InputError, match="350 steps would span 700 of 1000"):
        Solver("plms", tiny_scheduler(), 350)
    # As the original's floating point has it.
    assert (grounded_steps(0.58, 50), grounded_steps(0.8, 50), joint_steps(0.36, 50)) == (28, 40, 18)
