"""Pictures for a page, inside it or in a folder beside it, bounded in size, each read once."""

import base64
import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from PIL import Image

from llmgen.artifacts import ImageRef
from llmgen.errors import InputError
from llmgen.report.beside import PicturesBeside
from llmgen.vision.images import ImageStore

MAX_SIDE: Final = 768
"""Longest side of an embedded picture in pixels."""
#: Pictures in a report, and the longest side that keeps such a report at some tens of megabytes.
_SIDE_BY_COUNT: Final = ((150, MAX_SIDE), (600, 512))
_SMALLEST_SIDE: Final = 384
MOST_INSIDE: Final = 150
"""Pictures that a page holds itself; of more, each lies in a folder beside it, unless one file is asked for."""
_MAX_PNG_BYTES: Final = 160_000
_JPEG_QUALITY: Final = 88
_SMALL_JPEG_QUALITY: Final = 92
"""Of pictures in a folder beside the page: nobody sees it, and a PNG takes fifteen times as long to write and three times the room."""
_READERS: Final = min(4, os.cpu_count() or 1)
_AHEAD: Final = 64
"""Pictures that are read together and wait in memory for their turn."""
Use = Literal["picture", "region"]
T = TypeVar("T")
_OUTSIDE: Final = (12, 12, 16, 150)
"""RGBA over the pixels that an edit may not change."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the report.

    Attributes:
        key: Name in the page, the same for the same file.
        width: Width of the original in pixels; overlays are in these pixels.
        height: Height of the original in pixels.
        url: `data:` URL, or the address of a file beside the page, or None when it cannot be shown.
        problem: Why it cannot be shown.
    """

    key: str
    width: int
    height: int
    url: str | None
    problem: str | None = None


def without_folder(text: str, root: Path) -> str:
    """A message without the folder it speaks of: the page is passed on, and where it was made is nobody's business.

    Args:
        text: For example `image 'images/a.png' is missing in /home/me/run; restore it`.
        root: The folder, which may be `.` and so must stand alone in the text.
    """
    here = ("the working directory",) if root == Path() else ()
    names = "|".join(re.escape(str(name)) for name in (root.absolute(), root, *here))
    return re.sub(rf"(?<![\w./\\-])(?:{names})(?![\w/\\-]|\.\w)", "the artifact's folder", text)


def longest_side(count: int) -> int:
    """Longest side in pixels for the pictures of a report that shows `count` of them."""
    return next((side for limit, side in _SIDE_BY_COUNT if count <= limit), _SMALLEST_SIDE)


class Pictures:
    """Reads pictures and keeps their addresses."""

    def __init__(self, store: ImageStore, max_side: int = MAX_SIDE, folder: PicturesBeside | None = None) -> None:
        """Make a reader.

        Args:
            store: Where the pictures lie.
            max_side: Longest side of a shown picture in pixels; larger ones are scaled down.
            folder: Where pictures are put; inside the page without it.
        """
        self._store = store
        self._max_side = max_side
        self._folder = folder
        self._known: dict[tuple[str, Use], Picture] = {}
        self._ahead: dict[str, tuple[str, bytes] | InputError] = {}

    def show(self, ref: ImageRef) -> Picture:
        """A picture to look at. One that cannot be read is shown as the reason why."""
        return self._read(ref, "picture")

    def region(self, ref: ImageRef) -> Picture:
        """A veil over everything outside an edited region.

        Args:
            ref: Grey picture, white inside the region.
        """
        return self._read(ref, "region")

    def read_ahead(self, refs: Iterable[ImageRef]) -> None:
        """Read pictures that will be looked at, several at a time: files, decoding and scaling leave the interpreter to each other."""
        fresh = {ref.path: ref for ref in refs if (ref.path, "picture") not in self._known}
        # Decoding silences warnings, which several threads at once would leave silenced.
        with warnings.catch_warnings(), ThreadPoolExecutor(_READERS) as readers:
            self._ahead = dict(zip(fresh, readers.map(self._made, fresh.values()), strict=True))

    def _made(self, ref: ImageRef, use: Use = "picture") -> tuple[str, bytes] | InputError:
        """Form and bytes of a picture for the page, or why there are none."""
        try:
            image = self._store.load(ref)
        except InputError as error:
            return error
        image.thumbnail((self._max_side, self._max_side), Image.Resampling.LANCZOS)
        if use == "region":
            return _veil(image)
        return _encoded(image) if self._folder is None else _jpeg(image, _SMALL_JPEG_QUALITY)

    def _read(self, ref: ImageRef, use: Use) -> Picture:
        known = self._known.get((ref.path, use))
        if known is not None:
            return known
        key = f"p{len(self._known) + 1}"
        made = (self._ahead.pop(ref.path, None) if use == "picture" else None) or self._made(ref, use)
        if isinstance(made, InputError):
            problem = without_folder(str(made), self._store.root)
            picture = Picture(key, ref.width, ref.height, None, problem)
        else:
            form, data = made
            url = _data_url(form, data) if self._folder is None else self._folder.add(form, data)
            picture = Picture(key, ref.width, ref.height, url)
        self._known[ref.path, use] = picture
        return picture


def ahead(items: Sequence[T], looked_at: Sequence[tuple[Pictures, Sequence[Sequence[ImageRef]]]]) -> Iterator[T]:
    """Items in order, the pictures of the next ones read before they come.

    Args:
        items: Records, say.
        looked_at: Who shows pictures, and which ones for each item.
    """
    start = 0
    while start < len(items):
        stop, waiting = start, 0
        while stop < len(items) and (waiting < _AHEAD or stop == start):
            waiting += sum(len(refs[stop]) for _, refs in looked_at)
            stop += 1
        for pictures, refs in looked_at:
            pictures.read_ahead(ref for own in refs[start:stop] for ref in own)
        yield from items[start:stop]
        start = stop


# Encoded anew: what is shown is known to be a picture and carries no metadata.
def _encoded(image: Image.Image) -> tuple[str, bytes]:
    image.info.clear()
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=6)
    if len(png.getvalue()) <= _MAX_PNG_BYTES:
        return "png", png.getvalue()
    return _jpeg(image, _JPEG_QUALITY)


def _jpeg(image: Image.Image, quality: int) -> tuple[str, bytes]:
    image.info.clear()
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=quality, subsampling=0)
    return "jpeg", jpeg.getvalue()


def _veil(image: Image.Image) -> tuple[str, bytes]:
    inside = image.convert("L").point([0] * 128 + [255] * 128)
    veil = Image.new("RGBA", image.size, _OUTSIDE)
    veil.paste((0, 0, 0, 0), mask=inside)
    buffer = io.BytesIO()
    veil.quantize(2).save(buffer, "PNG", optimize=True)
    return "png", buffer.getvalue()


def _data_url(form: str, data: bytes) -> str:
    return f"data:image/{form};base64,{base64.b64encode(data).decode('ascii')}"
