"""What a correction by ReCorD costs: as published, and without what nobody reads.

    python benchmarks/record.py                  # counted at full size on the meta device, timed at tiny size; minutes
    python benchmarks/record.py --models sdxl    # counts of one model only
    python benchmarks/record.py --device cuda    # times on an accelerator

Counted, nothing is computed: FLOPs by PyTorch's counter, with the slope down to the latents counted as it runs (`share`), and once more
with every slope counted as another forward pass of that way (`share*`), which is how costs are usually estimated; bytes that the gradient
pass keeps for its slope, weights left out; bytes of attention maps that a pass holds when it ends. Fused attention keeps queries, keys,
values, result and one number a row, as flash attention does: the meta device itself has only the explicit form. `as published` makes every
map explicit, keeps those of up to 1024 cells, carries all four rows to the end and does not freeze its weights. The second line has the
published arithmetic with the savings: it gives the same picture. The third has the savings and nothing of Q1 to Q5.

Timed in one run: the same picture drawn both ways by a tiny U-Net with random weights, and how far the two are apart.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from llmgen.diffusion.interaction.alignment import align
from llmgen.diffusion.interaction.control import Borrowing, Control, Enough, controlled
from llmgen.diffusion.interaction.drawing import Pair, PairSampler, PairText
from llmgen.diffusion.interaction.energy import PlacedWord
from llmgen.diffusion.interaction.passes import ROWS, PairSettings, Quirks, guided_passes
from llmgen.diffusion.loading import quiet_libraries
from llmgen.diffusion.sampling import Levels, make_levels

UNETS: dict[str, dict[str, Any]] = {
    "sd2-base": {
        "sample_size": 64,
        "block_out_channels": (320, 640, 1280, 1280),
        "attention_head_dim": (5, 10, 20, 20),
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
    },
    "sdxl": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "tiny": {
        "sample_size": 32,
        "block_out_channels": (32, 32, 64),
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 2,
        "cross_attention_dim": 32,
        "norm_num_groups": 8,
        "layers_per_block": 1,
    },
}
DTYPES = {"sd2-base": torch.float32, "sdxl": torch.float16, "tiny": torch.float32}
"""As published."""
PUBLISHED: dict[str, PairSettings] = {
    "sd2-base": PairSettings(),
    "sdxl": PairSettings(altered_steps=25, scale=20.0, attention_grid=32, suppression="others"),
    "tiny": PairSettings(steps=20, altered_steps=8, attention_grid=16, suppression_grid=32),
}
REPAIRED = Quirks(False, False, False, False, False)
TOKENS, PROMPT_TOKENS = 77, 8
TERA, GIGA = 1e12, 1e9


@dataclass
class Count:
    """What one way costs."""

    rows: int = 0
    """Of the guided passes."""
    gradient_passes: int = 0
    flops: float = 0.0
    flops_slope_as_pass: float = 0.0
    """With every slope counted as another forward pass."""
    kept_bytes: int = 0
    """For the slope of one gradient pass."""
    map_bytes: int = 0
    """Attention maps held at once, at most."""


def made_pair(unet: Any, device: str, dtype: torch.dtype, *, boxes: bool, seed: int = 0) -> Pair:
    """A pair of prompts as random states; one word of eight tokens has a box."""
    width, side = unet.config.cross_attention_dim, unet.config.sample_size

    def noise(*shape: int) -> Tensor:
        if device == "meta":
            return torch.empty(shape, device="meta")
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)

    states = noise(4, TOKENS, width).to(dtype)
    added = {}
    if unet.config.addition_embed_type == "text_time":
        added = {"text_embeds": noise(4, 1280).to(dtype), "time_ids": noise(4, 6).to(dtype)}
    alignment = align([0, 1, 2, 3, 4, 9], [0, 1, 2, 3, 4, 5, 6, 9], TOKENS)
    schedule = torch.ones(1001, TOKENS) * alignment.shared
    words = (PlacedWord((6,), (0.0, 0.6, 0.4, 0.8)),) if boxes else ()
    borrowing = Borrowing(alignment.places, schedule, PROMPT_TOKENS, words, (6,))
    return Pair(PairText(states, added), noise(4, side, side), borrowing)


def made_unet(name: str, device: str, dtype: torch.dtype) -> Any:
    """A U-Net with random weights, or none on the meta device."""
    torch.manual_seed(0)
    with torch.device("meta" if device == "meta" else "cpu"):
        unet = UNet2DConditionModel(**UNETS[name]).to(dtype)
    return unet.eval().requires_grad_(False).to(device)


@contextmanager
def kept_for_slope(unet: Any) -> Iterator[dict[int, int]]:
    """Storages that autograd keeps, with their bytes; those of the weights are left out."""
    weights = {p.untyped_storage()._cdata for p in unet.parameters()}
    kept: dict[int, int] = {}
    held: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights and storage._cdata not in kept:
            kept[storage._cdata] = storage.nbytes()
            held.append(tensor)  # Else another tensor may get its address.
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


class Flash(torch.autograd.Function):
    """What flash attention computes and keeps, for counting on the meta device."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Scores and their mixture of values: two products."""
        mixed = (query @ key.transpose(-1, -2)) @ value
        ctx.save_for_backward(query, key, value, mixed, query.new_empty(query.shape[:-1], dtype=torch.float32))
        return mixed

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The scores once more, and four products."""
        query, key, value, _, _ = ctx.saved_tensors
        scores = query @ key.transpose(-1, -2)
        to_scores = slopes[0] @ value.transpose(-1, -2)
        return to_scores @ key, to_scores.transpose(-1, -2) @ query, scores.transpose(-1, -2) @ slopes[0]


@contextmanager
def flash_attention() -> Iterator[None]:
    """Let fused attention be counted as flash attention."""
    before = functional.scaled_dot_product_attention

    def counted(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
        made: Tensor = Flash.apply(query, key, value)
        return made

    functional.scaled_dot_product_attention = counted
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = before


def count(name: str, settings: PairSettings) -> Count:
    """Count one correction on the meta device."""
    dtype = DTYPES[name]
    unet = made_unet(name, "meta", dtype).requires_grad_(not settings.savings)
    levels = Levels(tuple(range(settings.steps, 0, -1)), (0.5,) * (settings.steps + 1), 1)
    sampler = PairSampler(unet, levels, settings)
    pairs = [made_pair(unet, "meta", dtype, boxes=True)]
    noise = pairs[0].noise[None]
    control = Control(sampler.layers, settings, [pairs[0].borrowing], tuple(noise.shape[-2:]))
    made = Count()
    per_kind: dict[Any, tuple[float, int]] = {}
    with controlled(unet, control), flash_attention():
        forward, backward, made.kept_bytes, made.map_bytes = gradient_pass(sampler, pairs, noise, control)
        for index, guided in enumerate(guided_passes(settings, correcting=True)):
            made.rows += len(guided.rows)
            if index < settings.altered_steps:
                made.gradient_passes += 1
                made.flops += forward + backward
                made.flops_slope_as_pass += 2 * forward
            kind = (guided.rows, guided.copies, guided.suppressed, guided.schedule_row < settings.steps // 5)
            if kind not in per_kind:
                control.begin_guided(guided, reads_box=False)
                with torch.no_grad(), FlopCounterMode(display=False) as flops:
                    sampler._call(pairs, guided.rows, torch.cat([noise] * len(guided.rows)), index)
                per_kind[kind] = (flops.get_total_flops(), sum(m.untyped_storage().nbytes() for m in control.stored))
                control.stored = []
            made.flops += per_kind[kind][0]
            made.flops_slope_as_pass += per_kind[kind][0]
            made.map_bytes = max(made.map_bytes, per_kind[kind][1])
    return made


def gradient_pass(
    sampler: PairSampler, pairs: list[Pair], noise: Tensor, control: Control
) -> tuple[float, float, int, int]:
    """FLOPs forward and backward, bytes kept for the slope, bytes of maps held."""
    control.begin_gradient()
    moving = noise.clone().requires_grad_(True)
    with torch.enable_grad(), kept_for_slope(sampler.unet) as kept:
        with FlopCounterMode(display=False) as forward:
            try:
                sampler._call(pairs, ("c1",), moving, 0)
            except Enough:
                torch.set_grad_enabled(True)
        energy = control.energy.mean.float().sum()
    maps = [m for m in (control.energy.total, control.mask.total, *control.stored) if m is not None]
    held = sum(m.untyped_storage().nbytes() for m in maps)
    with FlopCounterMode(display=False) as backward:
        torch.autograd.grad(energy, moving)
    control.end_gradient()
    return forward.get_total_flops(), backward.get_total_flops(), sum(kept.values()), held


def print_counts(name: str) -> None:
    """The table of one model."""
    published = replace(PUBLISHED[name], savings=False)
    ways = {
        "as published": published,
        "same, with the savings": PUBLISHED[name],
        "Q1 to Q5 repaired": replace(PUBLISHED[name], quirks=REPAIRED, suppression="others"),
    }
    found = {way: count(name, settings) for way, settings in ways.items()}
    first = found["as published"]
    side = UNETS[name]["sample_size"]
    print(f"{name}, {8 * side} px, {published.steps} steps, {published.altered_steps} altered, {DTYPES[name]}")
    print(
        f"{'':24s} {'rows':>6s} {'slopes':>6s} {'TFLOP':>8s} {'share':>6s} {'share*':>6s} {'kept GB':>8s} {'maps GB':>8s}"
    )
    for way, cost in found.items():
        print(
            f"{way:24s} {cost.rows:6d} {cost.gradient_passes:6d} {cost.flops / TERA:8.0f} {cost.flops / first.flops:6.2f} "
            f"{cost.flops_slope_as_pass / first.flops_slope_as_pass:6.2f} "
            f"{cost.kept_bytes / GIGA:8.2f} {cost.map_bytes / GIGA:8.3f}"
        )
    candidates = guided_passes(published, correcting=False)
    saved = guided_passes(PUBLISHED[name], correcting=False)
    repaired = guided_passes(replace(PUBLISHED[name], quirks=REPAIRED), correcting=False)
    rows = [sum(len(each.rows) for each in passes) for passes in (candidates, saved, repaired)]
    print(
        f"rows of a candidate: {rows[0]} as published, {rows[1]} with the savings, {rows[2]} with Q1 to Q5 repaired\n"
    )


def print_times(device: str, repeats: int) -> None:
    """The same picture drawn both ways."""
    unet = made_unet("tiny", device, torch.float32)
    settings = PUBLISHED["tiny"]
    levels = make_levels(DDIMScheduler(), settings.steps)
    print(f"tiny U-Net, {settings.steps} steps on {device}, the best of {repeats}: seconds")
    print(f"{'':12s} {'as published':>13s} {'savings':>8s} {'share':>6s} {'apart':>9s}")
    for what, boxes in (("candidate", False), ("correction", True)):
        pairs = [made_pair(unet, device, torch.float32, boxes=boxes)]
        seconds, finals = {}, {}
        for way in (False, True):
            sampler = PairSampler(unet, levels, replace(settings, savings=way))
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                finals[way] = sampler.draw(pairs, box_rows=ROWS if not way and not boxes else ()).latents
                times.append(time.perf_counter() - start)
            seconds[way] = min(times)
        apart = (finals[True] - finals[False]).abs().max().item()
        print(
            f"{what:12s} {seconds[False]:13.2f} {seconds[True]:8.2f} {seconds[True] / seconds[False]:6.2f} {apart:9.1e}"
        )


def main() -> None:
    """Count, time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", choices=("sd2-base", "sdxl"), default=["sd2-base", "sdxl"])
    parser.add_argument("--device", default="cpu", help="of the times")
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    quiet_libraries()
    for name in args.models:
        print_counts(name)
    print_times(args.device, args.repeats)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads", file=sys.stderr)


if __name__ == "__main__":
    main()
