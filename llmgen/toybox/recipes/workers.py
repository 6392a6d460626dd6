"""Training on several processes with one thread each and averaged gradients: faster on a CPU than many threads in one."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

Share = Callable[[float], float]
"""Averages the gradients and the given progress over all processes and returns the shared progress."""


def run_workers(work: Callable[[int, str], None], count: int) -> None:
    """Run `work(rank, meeting point)` in this process as rank 0 and in `count - 1` others.

    Args:
        work: Must survive pickling: a function of a module, or a `partial` of one.
        count: Processes.
    """
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meet")
        helpers = [mp.get_context("spawn").Process(target=work, args=(rank, meeting)) for rank in range(1, count)]
        for helper in helpers:
            helper.start()
        try:
            work(0, meeting)
        finally:
            for helper in helpers:
                helper.join(timeout=30)
                if helper.is_alive():
                    helper.terminate()


def join(rank: int, count: int, meeting: str) -> None:
    """Meet the other processes, if there are any, and keep to one thread."""
    if count > 1:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)


def part(count: int) -> None:
    """Wait for the other processes and leave."""
    if count > 1:
        dist.barrier()
        dist.destroy_process_group()


def sharing(module: nn.Module, count: int) -> Share | None:
    """How the gradients of a module are shared between `count` processes; None for a single one."""
    return partial(_average_gradients, module, count=count) if count > 1 else None


def _average_gradients(module: nn.Module, progress: float, count: int) -> float:
    trained = [p for p in module.parameters() if p.requires_grad]
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in trained]
    flat = torch.cat([*(g.reshape(-1) for g in gradients), torch.tensor([progress])])
    dist.all_reduce(flat)
    flat /= count
    start = 0
    for parameter in trained:
        stop = start + parameter.numel()
        parameter.grad = flat[start:stop].view_as(parameter)
        start = stop
    return float(flat[-1])
