"""InstanceDiffusion's multi-instance sampler: one run after the other as published, against all runs as rows of one batch.

    python benchmarks/instancediffusion.py                       # tiny, toybox and Stable Diffusion 1.5 size; minutes
    python benchmarks/instancediffusion.py --sizes tiny toybox   # a quick look
    python benchmarks/instancediffusion.py --device cuda         # the same on an accelerator

As published: every run by itself, both branches of guidance by themselves, tokens made anew for every evaluation, fusers run
and multiplied by zero in the steps without grounding. Both must give the same latents; the largest difference is printed as a
share of the largest latent. `tiny` and `sd15` have random weights, `toybox` those that ship with llmgen.

FLOPs are those of PyTorch's counter, times the numbers of evaluations. The last table is at full size, 512 x 512, on the meta
device: nothing is computed there.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from llmgen.diffusion.instances.fusers import attach_grounding, gated_fusers
from llmgen.diffusion.instances.scaleu import ScaleU, backbone_widths
from llmgen.diffusion.instances.unifusion import Format, InstanceGrounding, UniFusion, stack_groundings
from llmgen.diffusion.loading import ModelPool
from llmgen.generate.instancediffusion.sampler import (
    Evaluations,
    Plan,
    Runs,
    Solver,
    grounded_steps,
    joint_steps,
    sample_runs,
)
from llmgen.presets import load_preset

USE: tuple[Format, ...] = ("box", "point")
GUIDANCE = 7.5


@dataclass
class Model:
    """A model of one size, with what a benchmark must know of it."""

    unet: Any
    unifusion: UniFusion
    scheduler: Any
    latent: int
    tokens: int = 77


@dataclass(frozen=True)
class Task:
    """One picture."""

    instances: int
    steps: int
    alpha: float = 0.8
    mis: float = 0.36

    @property
    def grounded(self) -> int:
        """Steps with grounding."""
        return grounded_steps(self.alpha, self.steps)

    @property
    def joint(self) -> int:
        """Steps of the instances alone."""
        return joint_steps(self.mis, self.steps)

    def published(self) -> int:
        """Evaluations of the published sampler."""
        rest = self.steps - self.joint if self.joint else self.steps + 1
        return 2 * ((self.instances + 1) * (self.joint + 1) * bool(self.joint) + rest)


def attached(unet: UNet2DConditionModel, unifusion: UniFusion, latent: int) -> Model:
    """Random weights as a model: with gates open and scales that do something."""
    attach_grounding(unet)
    scales = ScaleU(backbone_widths(unet))
    with torch.no_grad():
        for fuser in gated_fusers(unet):
            fuser.alpha_attn.fill_(0.5)
            fuser.alpha_dense.fill_(0.5)
        for parameter in scales.parameters():
            parameter.fill_(0.1)
    scales.attach(unet)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    for module in (unet, unifusion, scales):
        module.eval().requires_grad_(False)
    return Model(unet, unifusion, scheduler, latent)


def tiny() -> Model:
    """Few channels, all levels."""
    unet = UNet2DConditionModel(
        block_out_channels=(32, 32, 64, 64), attention_head_dim=4, cross_attention_dim=32, attention_type="gated"
    )
    return attached(unet, UniFusion(32, 32, 28, 6, convnext_dims=(8, 16, 24, 32), convnext_depths=(1, 1, 2, 1)), 24)


def toybox() -> Model:
    """The weights that ship with llmgen."""
    made = ModelPool(load_preset("toybox"), device="cpu", dtype="float32").instance_diffusion()
    return Model(made.pipe.unet, made.unifusion, made.pipe.scheduler, 16, made.pipe.tokenizer.model_max_length)


def sd15(latent: int) -> Model:
    """All channels of Stable Diffusion 1.5."""
    return attached(UNet2DConditionModel(cross_attention_dim=768, attention_type="gated"), UniFusion(), latent)


def ground(model: Model, instances: int, device: str) -> InstanceGrounding:
    """One picture with random boxes and phrases."""
    sizes = model.unifusion.config
    n, kwargs = int(sizes.max_objs), dict[str, Any](device=device)
    corners = torch.rand(1, n, 2, **kwargs) * 0.5
    real = (torch.arange(n, **kwargs) < instances).float()[None]
    return InstanceGrounding(
        torch.cat([corners, corners + 0.4], dim=-1) * real[..., None],
        real,
        torch.randn(1, n, sizes.in_dim, **kwargs) * real[..., None],
        (corners + 0.2) * real[..., None],
        torch.zeros(1, n, 2 * sizes.n_scribble_points, **kwargs),
        torch.zeros(1, n, 2 * sizes.n_polygon_points, **kwargs),
        torch.zeros(1, n, 64, 64, **kwargs),
    )


@dataclass(frozen=True)
class Scene:
    """What one picture is made of: its noise, its texts, its instances."""

    noise: Tensor
    texts: Tensor
    negative: Tensor
    whole: InstanceGrounding

    def groundings(self) -> list[InstanceGrounding]:
        """Of the whole and of each instance."""
        return [self.whole, *(self.whole.only(slot) for slot in range(len(self.texts) - 1))]


def scene(model: Model, task: Task, device: str) -> Scene:
    """A random picture."""
    torch.manual_seed(1)
    length, width = model.tokens, model.unet.config.cross_attention_dim
    texts = torch.randn(task.instances + 2, length, width, device=device)
    noise = torch.randn(1, 4, model.latent, model.latent, device=device)
    return Scene(noise, texts[:-1], texts[-1:], ground(model, task.instances, device))


@contextmanager
def zeroed_fusers(unet: Any) -> Iterator[None]:
    """Run the fusers and multiply what they give by zero."""
    branches = [branch for fuser in gated_fusers(unet) for branch in (fuser.attn, fuser.ff)]
    hooks = [branch.register_forward_hook(lambda _, __, output: output * 0) for branch in branches]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def as_published(model: Model, task: Task, told: Scene) -> tuple[Tensor, Evaluations]:
    """Each run after the other."""
    cost = Evaluations()

    def evaluate(latents: Tensor, t: int, text: Tensor, grounding: InstanceGrounding, grounded: bool) -> Tensor:
        gligen = model.unifusion.conditioning(grounding, USE)
        cost.add(Evaluations(1, 1, 0))
        given = {"encoder_hidden_states": text, "cross_attention_kwargs": {"gligen": gligen}, "return_dict": False}
        if grounded:
            return model.unet(latents, t, **given)[0]
        # The toybox paints a map beside the tokens; it counts as little as they do.
        gligen |= {name: value * 0 for name, value in gligen.items() if name != "objs"}
        with zeroed_fusers(model.unet):
            return model.unet(latents, t, **given)[0]

    def advance(
        solver: Any, latents: Tensor, text: Tensor, grounding: InstanceGrounding, start: int, stop: int
    ) -> Tensor:
        for i, t in enumerate(solver.timesteps.tolist()):
            step = max(0, i - 1)
            if start <= step < stop:
                grounded = step < task.grounded
                wanted = evaluate(latents, t, text, grounding, grounded)
                free = evaluate(latents, t, told.negative, grounding.null(), grounded)
                output = free + GUIDANCE * (wanted - free)
                latents = solver.step(output, t, latents, return_dict=False)[0]
        return latents

    def solver() -> Any:
        config = {"set_alpha_to_one": False, "steps_offset": 1, "skip_prk_steps": True}
        config["prediction_type"] = model.scheduler.config.prediction_type
        made = PNDMScheduler(trained_betas=model.scheduler.betas.tolist(), **config)
        made.set_timesteps(task.steps)
        return made

    groundings, first = told.groundings(), solver()
    latents = told.noise
    if task.joint:
        ends = []
        for run, grounding in enumerate(groundings):
            own = first if run == 0 else solver()
            ends.append(advance(own, told.noise, told.texts[run : run + 1], grounding, 0, task.joint))
        latents = torch.stack(ends).mean(dim=0)
    return advance(first, latents, told.texts[:1], groundings[0], task.joint, task.steps), cost


@torch.no_grad()
def as_one_batch(model: Model, task: Task, told: Scene) -> tuple[Tensor, Evaluations]:
    """The sampler of llmgen."""
    groundings = told.groundings()
    runs = Runs(
        told.noise,
        told.negative,
        [0] * len(groundings),
        [None, *(tuple(box) for box in told.whole.boxes[0, : task.instances].tolist())],
        told.texts,
        model.unifusion.conditioning(stack_groundings(groundings), USE),
        model.unifusion.conditioning(told.whole.null(), USE),
    )
    plan = Plan(GUIDANCE, task.grounded, task.joint, batch_size=32)
    return sample_runs(model.unet, runs, plan, Solver("plms", model.scheduler, task.steps))


def flops(work: Callable[[], Any]) -> int:
    """Floating point operations of some work."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def per_row(model: Model, device: str) -> tuple[int, int, int]:
    """FLOPs of one row of the U-Net with and without fusers, and of the tokens of one row."""
    sizes = model.unet.config.cross_attention_dim
    z, text = (
        torch.zeros(1, 4, model.latent, model.latent, device=device),
        torch.zeros(1, model.tokens, sizes, device=device),
    )
    grounding = ground(model, 1, device)
    told = model.unifusion.conditioning(grounding, USE)
    with_fusers = flops(lambda: model.unet(z, 1, text, cross_attention_kwargs={"gligen": told}))
    return (
        with_fusers,
        flops(lambda: model.unet(z, 1, text)),
        flops(lambda: model.unifusion.conditioning(grounding, USE)),
    )


def measure(name: str, model: Model, task: Task, device: str) -> None:
    """Run both ways and print a row for each."""
    model.unet.to(device)
    model.unifusion.to(device)
    told = scene(model, task, device)
    grounded, plain, tokens = per_row(model, device)
    made = {}
    for way, work in (("as published", as_published), ("one batch", as_one_batch)):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        latents, cost = work(model, task, told)
        if device == "cuda":
            torch.cuda.synchronize()
        spent = time.perf_counter() - started
        rows = task.instances + 2 if way == "one batch" else cost.rows
        total = cost.grounded_rows * grounded + cost.plain_rows * plain + rows * tokens
        made[way] = latents
        print(
            f"{name:8s} {task.instances:2d} {task.steps:3d}  {way:13s} {cost.calls:6d} {cost.rows:6d} {spent:9.2f} {total / 1e9:12.1f}",
            flush=True,
        )
    a, b = made.values()
    print(
        f"{'':17s}largest difference {float((a - b).abs().max() / a.abs().max()):.1e} of the largest latent", flush=True
    )


def full_size() -> None:
    """Print what pictures of 512 x 512 cost, by arithmetic."""
    with torch.device("meta"):
        model = sd15(64)
    grounded, plain, tokens = per_row(model, "meta")
    masks = ground(model, 1, "meta")
    # The original encodes masks in every evaluation, whether they count or not.
    published_tokens = flops(lambda: model.unifusion.conditioning(masks, ("box", "point", "mask")))
    print(
        f"\nStable Diffusion 1.5, 512 x 512, one row: U-Net {plain / 1e12:.3f} TFLOP, fusers {(grounded - plain) / 1e12:.3f}, "
        f"tokens {published_tokens / 1e12:.3f}, without masks {tokens / 1e12:.3f}"
    )
    print(
        f"{'n':>3s} {'S':>3s} {'alpha':>5s} {'mis':>4s}   evaluations published, calls and rows here   TFLOP published, here"
    )
    for task in (
        Task(4, 50),
        Task(4, 50, mis=0),
        Task(10, 50),
        Task(28, 50),
        Task(7, 50, mis=0.2),
        Task(4, 50, alpha=1),
    ):
        runs, m = task.instances + 1, task.joint
        joint = 2 * runs * (m + 1) - task.instances if m else 0
        rows = joint + 2 * (task.steps - m if m else task.steps + 1)
        without = 2 * (task.steps - task.grounded)
        published = task.published() * (grounded + published_tokens)
        here = (rows - without) * grounded + without * plain + (runs + 1 if m else 2) * tokens
        print(
            f"{task.instances:3d} {task.steps:3d} {task.alpha:5.2f} {task.mis:4.2f} {task.published():12d} {task.steps + 1:16d} {rows:6d} "
            f"{published / 1e12:25.1f} {here / 1e12:8.1f}   {100 * (here / published - 1):+.1f} %"
        )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["tiny", "toybox", "sd15"], choices=["tiny", "toybox", "sd15"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--sd15-latent", type=int, default=16, help="side of its latents; 64 are 512 x 512")
    parser.add_argument("--sd15-steps", type=int, default=3)
    parser.add_argument("--sd15-instances", type=int, default=2)
    args = parser.parse_args()

    print(f"{'size':8s} {'n':>2s} {'S':>3s}  {'':13s} {'calls':>6s} {'rows':>6s} {'seconds':>9s} {'GFLOP':>12s}")
    for size in args.sizes:
        torch.manual_seed(0)
        if size == "sd15":
            measure(size, sd15(args.sd15_latent), Task(args.sd15_instances, args.sd15_steps), args.device)
        else:
            measure(size, tiny() if size == "tiny" else toybox(), Task(4, 10 if size == "tiny" else 20), args.device)
    full_size()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.device}", file=sys.stderr)


if __name__ == "__main__":
    main()
