"""Which device and which precision `auto` means on this machine."""

import ctypes
import os
import sys
from pathlib import Path
from typing import Literal, cast, get_args

from llmgen.errors import InputError, MissingRequirementError

DTYPES = ("float32", "float16", "bfloat16")
Offload = Literal["none", "model", "sequential"]


def resolve_device(name: str = "auto") -> str:
    """The device to compute on.

    Args:
        name: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.

    Returns:
        Anything but `auto`.

    Raises:
        InputError: If there is no such kind of device.
        MissingRequirementError: If it is asked for by name and this machine does not have it.
    """
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdecimal())):
        raise InputError(f"no device {name!r}; use auto, cpu, cuda, cuda:N or mps")
    if kind == "cpu" or (kind == "auto" and not _may_have_accelerator()):
        return "cpu"
    import torch

    if kind in ("auto", "cuda") and torch.cuda.is_available():
        if number and int(number) >= torch.cuda.device_count():
            raise MissingRequirementError(
                f"device {name!r} is not here: {torch.cuda.device_count()} GPU(s); try --device auto"
            )
        return "cuda" if kind == "auto" else name
    if kind in ("auto", "mps") and torch.backends.mps.is_available():
        return "mps"
    if kind == "auto":
        return "cpu"
    raise MissingRequirementError(f"device {name!r} is not available to torch on this machine; try --device auto")


def resolve_dtype(name: str, device: str) -> str:
    """The precision to compute in.

    Args:
        name: `auto` or one of `DTYPES`.
        device: Resolved device.

    Returns:
        One of `DTYPES`: for `auto` bfloat16 where the GPU has it, else float16 on CUDA, float32 elsewhere.

    Raises:
        InputError: If there is no such precision.
    """
    if name != "auto":
        if name not in DTYPES:
            raise InputError(f"no dtype {name!r}; use auto, {', '.join(DTYPES)}")
        return name
    if not device.startswith("cuda"):
        return "float32"
    import torch

    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def resolve_offload(name: str | None, preferred: Offload, device: str) -> Offload:
    """Where diffusion models wait until they are called.

    Args:
        name: What was asked for, or None.
        preferred: What the preset prefers.
        device: Resolved device.

    Returns:
        `none`, `model` or `sequential`; always `none` on the CPU.

    Raises:
        InputError: If there is no such way, or if it is asked for and the device is the CPU.
    """
    if name is not None and name not in get_args(Offload):
        raise InputError(f"no offload {name!r}; use {', '.join(get_args(Offload))}")
    if device != "cpu":
        return cast(Offload, name or preferred)
    if name not in (None, "none"):
        raise InputError(
            f"--offload {name} keeps models in main memory for an accelerator, and the device is the CPU, where they are anyway; "
            "leave it away, or name the accelerator by --device"
        )
    return "none"


def worker_environments(device: str, workers: int | None) -> list[dict[str, str]]:
    """Which device each worker sees, and how it waits: variables for its process.

    A worker sees its own GPU only, under the name that the driver has for its device, so records do not tell who drew them.

    Args:
        device: Resolved device of the run.
        workers: How many were asked for; by default as many as there are devices. The CPU is one device, which several can share.

    Returns:
        One for each worker.

    Raises:
        MissingRequirementError: If there are more workers than devices.
    """
    if device == "cpu":
        # As many threads as one process would use give the same bytes. Where workers share the cores, those that wait must not spin.
        patient = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
        own = {name: value for name, value in patient.items() if name not in os.environ}
        return [dict(own) for _ in range(workers or 1)]
    names: list[str] = []
    if device == "cuda":
        import torch

        given = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        count = torch.cuda.device_count()
        names = given[:count] if len(given) >= count else [str(number) for number in range(count)]
    environments = [{"CUDA_VISIBLE_DEVICES": name} for name in names] or [{}]
    if workers is not None and workers > len(environments):
        raise MissingRequirementError(
            f"{workers} workers, but {len(environments)} device(s) {device!r} here, and a worker has one of its own; "
            f"give --workers {len(environments)} or fewer"
            + ("" if device == "cuda" or not device.startswith("cuda") else ", or --device cuda for all GPUs")
        )
    return environments[:workers]


def _may_have_accelerator() -> bool:
    """Whether asking torch is worth the seconds that its import takes; stages that plan by rules never need it."""
    if sys.platform in ("darwin", "win32") or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
