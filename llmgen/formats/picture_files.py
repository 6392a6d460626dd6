"""Pictures that an annotation file names: found in one folder and nowhere else, and measured before they are decoded."""

from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
"""Of pictures that can be read."""


class PictureFolder:
    """The folder that the pictures of an annotation file lie in.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def lacks(self) -> str:
        """Words about a picture that is not there."""
        where = "the working directory" if self.root == Path() else str(self.root)
        return f"is not in {where}; restore it, or name the folder of the pictures"

    def find(self, written: str) -> Path | None:
        r"""The picture that a file name means.

        Looked for as it is written, with `\` for `/`, then without its leading folders one by one, then by its base name in all
        folders below, if it is the only one of that name. Nothing is fetched from an address: of one, the last part counts.

        Args:
            written: For example `JPEGImages/a.jpg`, `images\1/a.png` or `https://host.example/p/a.jpg`.

        Returns:
            A file in the folder, or None.
        """
        parts = [part for part in PurePosixPath(written.replace("\\", "/")).parts if part not in ("/", "..", ".")]
        for start in range(len(parts)):
            found = self._inside(self.root.joinpath(*parts[start:]))
            if found is not None:
                return found
        alike = self._by_name.get(parts[-1], []) if parts else []
        return self._inside(alike[0]) if len(alike) == 1 else None

    def _inside(self, path: Path) -> Path | None:
        try:
            inside = path.is_file() and path.resolve().is_relative_to(self.root.resolve())
        except (OSError, ValueError):  # A name that no file can have: too long, or with a zero byte.
            return None
        return path if inside else None

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in sorted(self.root.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                found.setdefault(path.name, []).append(path)
        return found
