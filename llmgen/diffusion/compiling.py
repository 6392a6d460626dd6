"""Denoisers and decoders compiled by `torch.compile`: the same numbers to about 1e-5 in less time, once a minute or so is spent on it.

What is compiled is compiled for one canvas and for any number of rows from two on: batches that are not full, objects drawn in batches
of their own and what a batch falls into when memory runs out call the same code. Other canvases, single rows and passes that need
gradients are computed uncompiled.
"""

import copy
import functools
import logging
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from llmgen.printable import printable


@functools.cache
def trouble(device: str) -> str | None:
    """Why nothing can be compiled for a device on this machine, in a few words; None if it can be, which is tried.

    Args:
        device: `cpu`, `cuda`, `cuda:1`, `mps`.
    """
    numbers = torch.linspace(-1, 1, 64, device=device)
    try:
        with _quiet():
            made = torch.compile(_smallest, dynamic=False)(numbers)
    except (RuntimeError, OSError, ImportError, subprocess.SubprocessError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return printable(lines[0] if lines else type(error).__name__, 160)
    return None if torch.allclose(made, _smallest(numbers)) else "what was compiled gave other numbers"


def _smallest(numbers: Tensor) -> Tensor:
    return torch.relu(numbers) * 2 + 1


def compiled(pipe: Any, *, size: tuple[int, int], told: Callable[[str], None]) -> Any:
    """A pipeline with a compiled U-Net and a compiled decoder; it shares the weights, and the given one stays as it is.

    Args:
        pipe: `StableDiffusionPipeline` or `StableDiffusionXLPipeline`.
        size: Width and height in pixels of the pictures that are drawn compiled.
        told: Told before the first call of each, which compiles.
    """
    other = copy.copy(pipe)
    grid = (size[1] // pipe.vae_scale_factor, size[0] // pipe.vae_scale_factor)
    other.unet = CompiledUNet(pipe.unet, _compile(pipe.unet, "U-Net", told), grid)
    other.vae = CompiledDecoder(pipe.vae, _compile(functools.partial(_decoded, pipe.vae), "decoder", told), grid)
    return other


class CompiledUNet:
    """A U-Net that is called compiled where it can be; everything but that is its own.

    Args:
        unet: A `UNet2DConditionModel`.
        made: The same, compiled.
        grid: Height and width of the latents that it is compiled for.
    """

    def __init__(self, unet: Any, made: Callable[..., Any], grid: tuple[int, int]) -> None:
        self._unet, self._made, self._grid = unet, made, grid

    def __getattr__(self, name: str) -> Any:
        """What else is asked of it."""
        return getattr(self._unet, name)

    def __call__(self, sample: Tensor, timestep: Any, encoder_hidden_states: Tensor, **more: Any) -> Any:
        """Predict, as it does."""
        if not _fits(sample, self._grid):
            return self._unet(sample, timestep, encoder_hidden_states, **more)
        # A number would be compiled in, and every step compile anew.
        time = torch.as_tensor(timestep, device=sample.device)
        _of_any_rows(sample, encoder_hidden_states, more.get("added_cond_kwargs"), more.get("cross_attention_kwargs"))
        return self._made(sample, time, encoder_hidden_states, **more)


class CompiledDecoder:
    """An autoencoder that decodes compiled where it can; everything but that is its own.

    Args:
        vae: `AutoencoderKL` or `AutoencoderTiny`.
        made: Latents to pixels, compiled.
        grid: Height and width of the latents that it is compiled for.
    """

    def __init__(self, vae: Any, made: Callable[[Tensor], Tensor], grid: tuple[int, int]) -> None:
        self._vae, self._made, self._grid = vae, made, grid

    def __getattr__(self, name: str) -> Any:
        """What else is asked of it."""
        return getattr(self._vae, name)

    def decode(self, latents: Tensor, **more: Any) -> Any:
        """Pixels, as it makes them."""
        if not _fits(latents, self._grid):
            return self._vae.decode(latents, **more)
        _of_any_rows(latents)
        return (self._made(latents),)


def is_compiled(unet: Any) -> bool:
    """Whether a U-Net may run compiled: then what is done while it runs must be the same in every call, but for tensors."""
    return isinstance(unet, CompiledUNet)


def _fits(values: Tensor, grid: tuple[int, int]) -> bool:
    # What is compiled for any number of rows is compiled for two and more.
    return len(values) > 1 and tuple(values.shape[-2:]) == grid and not torch.is_grad_enabled()


def _of_any_rows(*given: Any) -> None:
    """Say of tensors, and of those inside mappings, that the next call may have another number of rows."""
    for value in given:
        if isinstance(value, Tensor):
            torch._dynamo.mark_dynamic(value, 0)
        elif isinstance(value, Mapping):
            _of_any_rows(*value.values())


def _decoded(vae: Any, latents: Tensor) -> Any:
    return vae.decode(latents, return_dict=False)[0]


def _compile(model: Callable[..., Any], name: str, told: Callable[[str], None]) -> Callable[..., Any]:
    made = torch.compile(model)
    known: set[frozenset[str]] = set()

    def call(*args: Any, **kwargs: Any) -> Any:
        # Calls with boxes and calls without are compiled when the first of them comes.
        kind = frozenset(name for name, value in kwargs.items() if value is not None)
        if kind in known:
            return made(*args, **kwargs)
        if not known:
            told(f"compiling the {name}, once for the whole run")
        with _quiet():
            result = made(*args, **kwargs)
        known.add(kind)
        return result

    return call


@contextmanager
def _quiet() -> Iterator[None]:
    """Where something is compiled: without what torch has to say about the machine meanwhile."""
    speakers = [logging.getLogger(name) for name in ("torch.utils.cpp_extension", "torch._inductor", "torch._dynamo")]
    levels = [speaker.level for speaker in speakers]
    for speaker in speakers:
        speaker.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for speaker, level in zip(speakers, levels, strict=True):
            speaker.setLevel(level)
