"""Weights that torchvision publishes at an address: fetched only when asked for, checked, and kept as safetensors. Light: no torch."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from llmgen.errors import InputError, MissingRequirementError
from llmgen.settings import cache_dir

_CHUNK: Final = 2**20
_PINNED: Final = "sha256:"


class PublishedRole(Protocol):
    """What is read of a preset's role here."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> str | None: ...  # noqa: D102
    @property
    def files(self) -> tuple[str, ...]: ...  # noqa: D102


class Published(NamedTuple):
    """One file that a library publishes."""

    sha256: str
    """First digits of its hash, as its publisher says them."""
    convert: Callable[[Path, Path], None]
    """From the file to a folder that the family's loader reads."""


def _mask_rcnn_of_coco(file: Path, folder: Path) -> None:
    import torch
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights

    from llmgen.diffusion.mask_rcnn import MaskRcnnConfig, save_mask_rcnn

    names = tuple(MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1.meta["categories"][1:])
    # The labels of these weights are COCO's own category ids.
    config = MaskRcnnConfig(classes=names, category_ids=tuple(range(1, len(names) + 1)))
    save_mask_rcnn(folder, config, torch.load(file, map_location="cpu", weights_only=True, mmap=True))


#: Address to what lies there. No other address is ever fetched, whatever a preset says. The digits are those that torchvision's file names
#: carry and its own loader checks; more of the hash is not published.
PUBLISHED: Final[dict[str, Published]] = {
    "https://download.pytorch.org/models/maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth": Published(
        "73cbd019", _mask_rcnn_of_coco
    ),
}


def is_address(source: str) -> bool:
    """Whether the source of a role is an address and neither a folder nor a repository."""
    return "://" in source


def kept_folder(source: str) -> Path:
    """Where the converted weights of an address lie once they are fetched."""
    return cache_dir() / "weights" / source.rpartition("/")[2].partition(".")[0]


def fetch_command(source: str) -> str:
    """What to type to have the weights of an address."""
    return f"llmgen models fetch {source}"


def lacking(spec: PublishedRole) -> str | None:
    """What is missing of a role whose source is an address, with the command that fetches it; None when all is there."""
    known = PUBLISHED.get(spec.source)
    if known is None:
        return f"{spec.source} is none of the addresses that llmgen fetches: {', '.join(PUBLISHED)}"
    if spec.revision != _PINNED + known.sha256:
        return f"{spec.source} is pinned to {spec.revision!r}; its file is {_PINNED + known.sha256!r}"
    if all((kept_folder(spec.source) / name).is_file() for name in spec.files):
        return None
    return (
        f"{spec.source} is not fetched; run `{fetch_command(spec.source)}`, which is the only time that it goes online"
    )


def published_folder(spec: PublishedRole) -> Path:
    """The folder of a role whose source is an address.

    Raises:
        MissingRequirementError: If it was not fetched; nothing is fetched here.
    """
    missing = lacking(spec)
    if missing is not None:
        raise MissingRequirementError(missing)
    return kept_folder(spec.source)


def fetch_published(source: str, progress: bool = True) -> Path:
    """Download published weights by torch's own loader, check their hash and keep them as safetensors.

    A file that is in torch's own cache already (`$TORCH_HOME/hub/checkpoints`) is taken from there.

    Args:
        source: One of `PUBLISHED`.
        progress: Whether the download draws a bar on stderr.

    Returns:
        The folder with the converted weights.

    Raises:
        InputError: If the address is not known.
        MissingRequirementError: If it cannot be fetched, or is another file than the published one.
    """
    import torch

    known = PUBLISHED.get(source)
    if known is None:
        raise InputError(f"{source!r} is none of the addresses that llmgen fetches: {', '.join(PUBLISHED)}")
    file = Path(torch.hub.get_dir()) / "checkpoints" / source.rpartition("/")[2]
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(source, str(file), known.sha256, progress=progress)
        except (OSError, RuntimeError) as error:
            raise MissingRequirementError(
                f"cannot fetch {source}: {error}; or put the file into {file.parent} and run the command again"
            ) from error
    found = _sha256(file)
    if not found.startswith(known.sha256):
        raise MissingRequirementError(
            f"{file} is not the published file: its SHA-256 begins with {found[:8]}, not {known.sha256}; delete it and fetch again"
        )
    folder = kept_folder(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as staging:
        known.convert(file, Path(staging) / "done")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(Path(staging) / "done", folder)
    return folder


def _sha256(file: Path) -> str:
    total = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
