"""A picture is a file beside its artifact: relative path, digest, size."""

from typing import Annotated

from pydantic import AfterValidator, Field

from llmgen.artifacts.base import ArtifactModel, Sha256


def _stays_inside(path: str) -> str:
    parts = path.split("/")
    if not parts[0] or ".." in parts or "\\" in path or ":" in parts[0] or "\0" in path:
        raise ValueError(f"image path {path!r} leaves the folder of its artifact; use a relative path inside it")
    return path


RelativePath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_stays_inside)]


class ImageRef(ArtifactModel):
    """Reference to a picture."""

    path: RelativePath
    """POSIX path relative to the folder of the artifact (to the working directory in a pipe)."""
    sha256: Sha256 | None = None
    """SHA-256 of the file; null only in hand-written input."""
    width: int = Field(gt=0, le=16384)
    """Width in pixels."""
    height: int = Field(gt=0, le=16384)
    """Height in pixels."""
