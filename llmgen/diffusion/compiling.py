"""Denoisers and decoders compiled by `torch.compile`: the same numbers to about 1e-5 in less time, once a minute or so is spent on it.

What is compiled is compiled for one shape: full batches on one canvas. A batch that is more than half full is filled up, and what fills
it is dropped. Smaller ones, such as those that a batch falls into when memory runs out, and other canvases are drawn uncompiled.

Whether a run compiles is decided once, before it begins, and kept in its journal.
"""

import copy
import functools
import logging
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import torch
from torch import Tensor

from llmgen.printable import printable

Compile = Literal["auto", "always", "never"]

LONG_RUN: Final = 40_000
"""Steps of all pictures together from which on compiling pays: on one core of a CPU the toybox's models take about 70 s to compile and
then save 3.5 ms a step and picture (`benchmarks/generate.py`), so that they have paid after 20,000. Not measured on a GPU."""
COMPILED: Final = ("stable-diffusion", "stable-diffusion-xl")
"""Families whose denoiser is called with shapes that stay the same for a whole run."""
_MOST_DECODED: Final = 8
"""Pictures that `decode_latents` decodes at once."""


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


def compiled(pipe: Any, *, rows: int, guided: bool, size: tuple[int, int], told: Callable[[str], None]) -> Any:
    """A pipeline with a compiled U-Net and a compiled decoder; it shares the weights, and the given one stays as it is.

    Args:
        pipe: `StableDiffusionPipeline` or `StableDiffusionXLPipeline`.
        rows: Pictures of a full batch.
        guided: Whether each picture is two rows of a call, under classifier-free guidance.
        size: Width and height in pixels of the pictures that are drawn compiled.
        told: Told before the first call, which compiles.
    """
    other = copy.copy(pipe)
    grid = (size[1] // pipe.vae_scale_factor, size[0] // pipe.vae_scale_factor)
    other.unet = FilledUNet(pipe.unet, _compile(pipe.unet, "U-Net", told), rows * (2 if guided else 1), grid)
    decode = _compile(functools.partial(_decoded, pipe.vae), "decoder", told)
    other.vae = FilledDecoder(pipe.vae, decode, min(rows, _MOST_DECODED), grid)
    return other


def is_filled_up(count: int, rows: int) -> bool:
    """Whether a batch of so many is drawn as a full one."""
    return rows < 2 * count <= 2 * rows


class FilledUNet:
    """A U-Net that is called with full batches of one shape where that pays; everything but that is its own.

    Args:
        unet: A `UNet2DConditionModel`.
        full: The same, for full batches.
        rows: Rows of a full batch.
        grid: Height and width of its latents.
    """

    def __init__(self, unet: Any, full: Callable[..., Any], rows: int, grid: tuple[int, int]) -> None:
        self._unet, self._full, self._rows, self._grid = unet, full, rows, grid

    def __getattr__(self, name: str) -> Any:
        """What else is asked of it."""
        return getattr(self._unet, name)

    def __call__(self, sample: Tensor, timestep: Any, *, encoder_hidden_states: Tensor, **more: Any) -> Any:
        """Predict, as it does."""
        if not is_filled_up(len(sample), self._rows) or tuple(sample.shape[-2:]) != self._grid:
            return self._unet(sample, timestep, encoder_hidden_states=encoder_hidden_states, **more)
        added = more.get("added_cond_kwargs")
        if added:
            more["added_cond_kwargs"] = {name: _filled(values, self._rows) for name, values in added.items()}
        filled, hidden = _filled(sample, self._rows), _filled(encoder_hidden_states, self._rows)
        return (self._full(filled, timestep, encoder_hidden_states=hidden, **more)[0][: len(sample)],)


class FilledDecoder:
    """An autoencoder that decodes full batches of one shape where that pays; everything but that is its own.

    Args:
        vae: `AutoencoderKL` or `AutoencoderTiny`.
        full: Latents to pixels, for full batches.
        rows: Rows of a full batch.
        grid: Height and width of its latents.
    """

    def __init__(self, vae: Any, full: Callable[[Tensor], Tensor], rows: int, grid: tuple[int, int]) -> None:
        self._vae, self._full, self._rows, self._grid = vae, full, rows, grid

    def __getattr__(self, name: str) -> Any:
        """What else is asked of it."""
        return getattr(self._vae, name)

    def decode(self, latents: Tensor, **more: Any) -> Any:
        """Pixels, as it makes them."""
        if not is_filled_up(len(latents), self._rows) or tuple(latents.shape[-2:]) != self._grid:
            return self._vae.decode(latents, **more)
        return (self._full(_filled(latents, self._rows))[: len(latents)],)


def _decoded(vae: Any, latents: Tensor) -> Any:
    return vae.decode(latents, return_dict=False)[0]


def _filled(values: Tensor, rows: int) -> Tensor:
    """Values of so many rows: the last is repeated."""
    missing = rows - len(values)
    return values if missing <= 0 else torch.cat([values, values[-1:].expand(missing, *values.shape[1:])])


def _compile(model: Callable[..., Any], name: str, told: Callable[[str], None]) -> Callable[..., Any]:
    made = torch.compile(model, dynamic=False)
    is_new = True

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_new
        if not is_new:
            return made(*args, **kwargs)
        told(f"compiling the {name}, once for the whole run")
        with _quiet():
            result = made(*args, **kwargs)
        is_new = False
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
