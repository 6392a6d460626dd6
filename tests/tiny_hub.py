"""A cache of the Hugging Face hub with a repository in it, as the packages lay it out."""

import shutil
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cache(
    monkeypatch: pytest.MonkeyPatch, folder: Path, repository: str, source: Path, *, revision: str = COMMIT
) -> Path:
    """Put a copy of a folder into a fresh cache; the cache is the packages' own until the test ends.

    Returns:
        The snapshot's folder.
    """
    root = folder / "hub"
    place = root / f"models--{repository.replace('/', '--')}"
    commit = revision if len(revision) == 40 else COMMIT
    shutil.copytree(source, place / "snapshots" / commit, dirs_exist_ok=True)
    for ref in ("main", revision):
        (place / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (place / "refs" / ref).write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(root))
    return place / "snapshots" / commit
