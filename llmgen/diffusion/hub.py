"""The Hugging Face hub: what of a repository is on this machine, and how the rest gets here. Light: no torch."""

import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from llmgen.errors import MissingRequirementError

PROBE_SECONDS = 2.0
"""How long the hub may take to answer at all before it counts as out of reach; the packages themselves retry for half a minute."""


class Repository(Protocol):
    """What is read of a preset's role here."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> str | None: ...  # noqa: D102
    @property
    def files(self) -> tuple[str, ...]: ...  # noqa: D102


def absent_files(spec: Repository, names: Sequence[str]) -> list[str]:
    """Which files of a repository are not in the cache of this machine; nothing is fetched.

    Raises:
        MissingRequirementError: If the source can be neither a folder nor a repository.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = {name: try_to_load_from_cache(spec.source, name, revision=spec.revision) for name in names}
    except HFValidationError as error:
        raise MissingRequirementError(
            f"model folder {spec.source!r} is missing, and no repository of the hub can have that name"
        ) from error
    return [name for name, path in found.items() if not isinstance(path, str)]


def cached_folder(spec: Repository) -> str | None:
    """The folder in the cache that has all files the role lists, or None."""
    from huggingface_hub import try_to_load_from_cache

    if not spec.files or absent_files(spec, spec.files):
        return None
    first = try_to_load_from_cache(spec.source, spec.files[0], revision=spec.revision)
    assert isinstance(first, str)
    return str(Path(first).parents[len(PurePosixPath(spec.files[0]).parts) - 1])


def download_command(spec: Repository, names: Sequence[str] = ()) -> str:
    """What to type to have a role's files in the cache.

    Args:
        spec: The role.
        names: Files; all of the repository by default.
    """
    revision = f" --revision {spec.revision}" if spec.revision else ""
    return " ".join([f"hf download {spec.source}{revision}", *names])


def hub_in_reach(seconds: float = PROBE_SECONDS) -> bool:
    """Whether going online is allowed (`HF_HUB_OFFLINE`) and the hub answers in time."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def knock() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=seconds)
        except Exception:
            return
        answered.set()

    # A thread, because looking up a name obeys no timeout.
    knocking = threading.Thread(target=knock, daemon=True)
    knocking.start()
    knocking.join(seconds)
    return answered.is_set()


def fetch(spec: Repository) -> tuple[str, bool]:
    """A repository's files: from the cache, else from the hub if that is in reach.

    Args:
        spec: A role whose source is no folder.

    Returns:
        The folder of its files and True; for a role that lists no files its hub id and False, and whoever loads fetches.

    Raises:
        MissingRequirementError: If files are not here and cannot be fetched, with the command that fetches them; within seconds.
    """
    folder = cached_folder(spec)
    if folder is not None:
        return folder, True
    if not spec.files:
        return spec.source, False
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    lacking = absent_files(spec, spec.files)
    remedy = f"run `{download_command(spec, spec.files)}` on a machine with network, then `llmgen doctor` says what is missing"
    if not hub_in_reach():
        raise MissingRequirementError(
            f"{spec.source} is not downloaded ({lacking[0]} and {len(lacking) - 1} other files are missing) and the hub is out "
            f"of reach; {remedy}"
        )
    try:
        folder = snapshot_download(spec.source, revision=spec.revision, allow_patterns=list(spec.files))
    except (OSError, ValueError, HfHubHTTPError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise MissingRequirementError(f"cannot download {spec.source}: {reason} -- {remedy}") from error
    gone = [name for name in spec.files if not (Path(folder) / name).is_file()]
    if gone:
        raise MissingRequirementError(f"{spec.source} has no file {gone[0]!r} at revision {spec.revision or 'main'}")
    return folder, True
