"""Between the stages, `train lgd-cache`: states and latents of the data set, so that stage B needs no other model.

Source: Latent-Guided Diffusion (Li et al. 2023); section 11 of the specification.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from llmgen.artifacts.files import write_atomic
from llmgen.diffusion.answering.latents import LatentReader
from llmgen.diffusion.answering.saved import LgdSettings, read_settings, save_null, write_settings
from llmgen.diffusion.answering.sizes import edit_size, fit_picture
from llmgen.diffusion.answering.wording import clean_question
from llmgen.diffusion.latents import pixels
from llmgen.diffusion.offloading import device_of
from llmgen.errors import InputError
from llmgen.formats.vqai import VqaiSample
from llmgen.generate.lgd_training.adapter import open_picture
from llmgen.generate.lgd_training.fitting import Place, generator_of
from llmgen.generate.lgd_training.order import EpochOrder
from llmgen.generate.lgd_training.steps import EditorBatch
from llmgen.training.saving import save_atomically

INDEX: Final = "cache.json"
_SHARD: Final = 256
"""Samples of a file."""


@dataclass(frozen=True)
class CacheSettings:
    """How pictures are made into latents.

    Attributes:
        side: Of the canvas that the editor is trained on, in pixels.
        multiple: What sides of a picture must be multiples of.
        squash: Whether all pictures become squares whatever their shape, as in the original.
        batch: Samples of one pass.
        watch: Told how many samples are done.
    """

    side: int
    multiple: int
    squash: bool = False
    batch: int = 8
    watch: Callable[[int], None] = lambda done: None


@torch.no_grad()
def write_cache(
    samples: Sequence[VqaiSample],
    reader: LatentReader,
    vae: Any,
    folder: Path,
    settings: CacheSettings,
    about: LgdSettings,
) -> None:
    """Write both slots and the latents of all samples, in the precision that they are computed in.

    Args:
        samples: The data set.
        reader: The answerer with its trained adapter, and the predictive head where the editor shall be wired to it.
        vae: The editor's autoencoder; of one that is variational mean and spread are kept, so that training can sample.
        folder: Gets the files; made if need be.
        settings: Sizes.
        about: Goes into the trained model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    for start in range(0, len(samples), _SHARD):
        shard, tensors = samples[start : start + _SHARD], dict[str, Tensor]()
        for at in range(0, len(shard), settings.batch):
            part = shard[at : at + settings.batch]
            images = [open_picture(sample.before) for sample in part]
            latents = reader.latents(images, [clean_question(sample.question) for sample in part]).cpu()
            sentences = reader.sentences([sample.answer for sample in part]).cpu()
            for i, (sample, image) in enumerate(zip(part, images, strict=True)):
                size = _size(image.size, settings)
                target = fit_picture(open_picture(sample.after), size)
                own = _latents(vae, fit_picture(image, size), target)
                own |= {"latent": latents[i], "sentence": sentences[i]}
                tensors |= {f"{start + at + i}.{name}": value.contiguous() for name, value in own.items()}
                entries.append({"name": sample.name, "size": list(size)})
            settings.watch(start + at + len(part))
        save_atomically(tensors, folder / _shard_name(start))
    save_null(folder, reader.sentences([""]).cpu())
    write_settings(folder, about)
    write_atomic(folder / INDEX, (json.dumps({"samples": entries, "side": settings.side}, indent=1) + "\n").encode())


def _size(size: tuple[int, int], settings: CacheSettings) -> tuple[int, int]:
    if settings.squash:
        return settings.side, settings.side
    return edit_size(*size, side=settings.side, multiple=settings.multiple)


def _latents(vae: Any, picture: Any, target: Any) -> dict[str, Tensor]:
    values = pixels([picture, target]).to(device_of(vae), vae.dtype)
    made = vae.encode(values)
    if not hasattr(made, "latent_dist"):
        return {"picture": made.latents[0].cpu(), "mean": made.latents[1].cpu()}
    spread = made.latent_dist
    return {"picture": spread.mode()[0].cpu(), "mean": spread.mean[1].cpu(), "deviation": spread.std[1].cpu()}


def _shard_name(start: int) -> str:
    return f"samples-{start:06d}.safetensors"


class CachedData:
    """Batches of a cache; files are read as they are needed.

    Args:
        folder: As `write_cache` left it.
        batch: Samples of a batch.
        seed: Of order and draws.
        scaling_factor: Of the autoencoder.
        times: Training times of the scheduler.

    Raises:
        InputError: If the folder is no cache.
    """

    def __init__(self, folder: Path, batch: int, seed: int, *, scaling_factor: float, times: int = 1000) -> None:
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            sizes = [tuple(entry["size"]) for entry in index["samples"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} is no cache of LGD; make it with `llmgen train lgd-cache`") from error
        self.folder, self.settings, self.sizes = folder, read_settings(folder), sizes
        self._batch, self._seed, self._scale, self._times = batch, seed, scaling_factor, times
        self._orders: dict[Place, EpochOrder] = {}
        self._files: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.sizes)

    def __call__(self, number: int, place: Place) -> EditorBatch:
        """The batch of a backward pass."""
        order = self._orders.get(place)
        if order is None:
            order = EpochOrder(self.sizes, self._batch, self._seed, place.rank, place.world)
            self._orders[place] = order
        return self.batch_of(order(number), generator_of(self._seed, place, number))

    def batch_of(self, rows: Sequence[int], generator: torch.Generator) -> EditorBatch:
        """The batch of some samples, with draws of a generator."""
        stacked = {
            name: torch.stack([self._tensor(row, name) for row in rows]).float()
            for name in ("picture", "mean", "latent", "sentence")
        }
        target = stacked["mean"]
        if self._has(rows[0], "deviation"):
            deviation = torch.stack([self._tensor(row, "deviation") for row in rows]).float()
            target = target + deviation * torch.randn(target.shape, generator=generator)
        count = len(rows)
        return EditorBatch(
            target=target * self._scale,
            picture=stacked["picture"],
            latent=stacked["latent"],
            sentence=stacked["sentence"],
            u_drop=torch.rand(count, generator=generator),
            u_sentence=torch.rand(count, generator=generator),
            times=torch.randint(self._times, (count,), generator=generator),
            noise=torch.randn(target.shape, generator=generator),
        )

    def _file(self, row: int) -> Any:
        start = row // _SHARD * _SHARD
        if start not in self._files:
            path = self.folder / _shard_name(start)
            try:
                self._files[start] = safe_open(path, "pt")
            except (OSError, SafetensorError) as error:
                raise InputError(f"{path} cannot be read: {str(error)[:200]}; make the cache again") from error
        return self._files[start]

    def _has(self, row: int, name: str) -> bool:
        return f"{row}.{name}" in self._file(row).keys()

    def _tensor(self, row: int, name: str) -> Tensor:
        tensor: Tensor = self._file(row).get_tensor(f"{row}.{name}")
        return tensor
