"""The folder of small pictures beside a page that would be too large with all of them inside."""

import hashlib
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from llmgen.artifacts.files import cannot_write, leads_to
from llmgen.errors import OutputError

_OURS: Final = re.compile(r"[0-9a-f]{16}\.(?:png|jpeg)")
"""Names of files that may be swept: nothing else in the folder is touched."""


class PicturesBeside:
    """Pictures named by their bytes, so that the same ones are written once and a page made anew writes nothing twice.

    Args:
        page: The page that they belong to; `report.html` has them in `report_files`.
    """

    def __init__(self, page: Path) -> None:
        # A page behind a link lies where the link leads, and so do its pictures.
        page = leads_to(page)
        self.path = page.with_name(f"{page.stem}_files")
        self._names: set[str] = set()

    def add(self, form: str, data: bytes) -> str:
        """Write a picture.

        Args:
            form: `png` or `jpeg`.
            data: Its bytes.

        Returns:
            Its address from the page.

        Raises:
            OutputError: If it cannot be written.
        """
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.{form}"
        if name not in self._names:
            path = self.path / name
            try:
                if not self._names:
                    self._make()
                # Not synced to the disk as results are: it can be made again at any time.
                if not path.is_file() or path.read_bytes() != data:
                    path.write_bytes(data)
            except OSError as error:
                raise cannot_write(path, error) from error
            self._names.add(name)
        return f"{quote(self.path.name)}/{name}"

    def sweep(self) -> None:
        """Remove pictures of an earlier page that this one does not show, and the folder if it is empty then."""
        if self.path.is_symlink() or not self.path.is_dir():
            return
        for path in self.path.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in self._names:
                path.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def _make(self) -> None:
        if self.path.is_symlink():
            raise OutputError(
                f"{self.path} is a link, and pictures would go where it leads; remove it, or use --one-file"
            )
        self.path.mkdir(parents=True, exist_ok=True)
