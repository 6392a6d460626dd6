"""Pictures as files beside an artifact: checked when read, named by record and digest when written.

Pixels are touched by `llmgen.vision.decoding` alone, imported when there are any: most artifacts are planned before they are drawn.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from llmgen.artifacts import ImageRef
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.files import check_writable, write_atomic
from llmgen.errors import InputError, OutputError
from llmgen.printable import quoted

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 256 * 2**20
PictureFormat = Literal["png", "jpg", "webp"]
"""What new pictures are written as, and how their names end."""


class ImageStore:
    """Reads and writes the pictures of one artifact.

    Args:
        root: Folder that picture paths are relative to: the artifact's, or the working directory in a pipe.
        folder: Where new pictures go, relative to `root`.
        form: What they are written as; masks and other grey ones are always PNG, because every value of theirs counts.
    """

    def __init__(self, root: Path, folder: str = "images", form: PictureFormat = "png") -> None:
        self.root = Path(root)
        self.form = form
        self._told: set[str] = set()
        """Paths of pictures of which it was said that they hold several: each stage decodes them, and more than once."""
        self._resolved = ("", "")
        """A working directory, and the root that is meant from there: it is asked about for every picture."""
        #: What a new picture of a record, by its id, says of itself, given its size.
        self.describe: Callable[[str, tuple[int, int]], Mapping[str, str] | None] | None = None
        self.folder = PurePosixPath(folder)
        if self.folder.is_absolute() or ".." in self.folder.parts:
            raise OutputError(f"pictures must lie below the output's folder {self.root}, not in {folder}")

    def beside(self) -> "ImageStore":
        """Another store of the same pictures, for who tells it of other records; what one says of a picture the other does not."""
        store = ImageStore(self.root, str(self.folder), self.form)
        store._told = self._told
        return store

    def check(self) -> None:
        """Refuse, before any work, a folder whose pictures could not be written, or not be read again.

        Raises:
            OutputError: If it leads out of the root (a link, say), is no folder, or cannot be, or nothing can be written to it.
        """
        path = self.root / self.folder
        try:
            inside = path.resolve().is_relative_to(self.root.resolve())
            in_the_way = next((p for p in (path, *path.parents) if p.exists() and not p.is_dir()), None)
        except (OSError, RuntimeError) as error:  # a name too long, a loop of links
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise OutputError(f"pictures cannot lie in {quoted(str(path))}: {quoted(reason)[1:-1]}") from error
        if not inside:
            raise OutputError(
                f"{path} leads out of {self.root}, so that the pictures in it could not be read again; "
                "put a folder in its place, or name another one below that folder"
            )
        if in_the_way is not None:
            raise OutputError(f"pictures cannot lie in {path}: {in_the_way} is no folder")
        if path.is_dir():
            check_writable(path)

    def path(self, relative: str) -> Path:
        """Where a picture lies.

        Raises:
            InputError: If it is outside the root (a symbolic link, say), missing, or cannot be reached.
        """
        return Path(self._path(relative))

    def _path(self, relative: str) -> str:
        try:
            root = self._resolved_root
            path, mode, inside = _below(root, relative)
        except (OSError, ValueError) as error:  # a name too long, a loop of links, a closed folder, a NUL
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise InputError(f"image {quoted(relative)} cannot be reached: {quoted(reason)[1:-1]}") from error
        if inside and stat.S_ISREG(mode):
            return path
        where = "the working directory" if self.root == Path() else self.root
        if not inside:
            raise InputError(f"image {relative!r} leads out of {where}; copy the picture into that folder")
        if stat.S_ISDIR(mode):
            raise InputError(f"image {quoted(relative)} is a folder; name one picture")
        raise InputError(f"image {quoted(relative)} is missing in {where}; restore it or make it again")

    @property
    def _resolved_root(self) -> str:
        here = os.getcwd()
        if self._resolved[0] != here:
            self._resolved = (here, os.path.realpath(self.root))
        return self._resolved[1]

    def read(self, ref: ImageRef) -> bytes:
        """The bytes of a picture, undecoded but of the right digest.

        Raises:
            InputError: If it is missing, too large, unreadable, or not the picture that was recorded.
        """
        path = self._path(ref.path)
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > MAX_FILE_BYTES:
                    raise InputError(
                        f"image {ref.path!r} is larger than {MAX_FILE_BYTES // 2**20} MiB; make it smaller"
                    )
                data = file.read(size + 1)  # no more than was found, should it grow
        except OSError as error:
            raise InputError(f"image {ref.path!r} cannot be read: {error.strerror or error}") from error
        if ref.sha256 is not None and hashlib.sha256(data).hexdigest() != ref.sha256:
            raise InputError(
                f"image {ref.path!r} is not the picture that was recorded (its SHA-256 differs); "
                "make it again, or remove `sha256` from the record if the change is meant"
            )
        return data

    def refer(self, relative: str) -> ImageRef:
        """A reference to a picture that lies below the root already, with its digest and size.

        Args:
            relative: POSIX path relative to the root.

        Raises:
            InputError: If it leaves the root, is missing, is no picture, or is too large.
        """
        try:
            data = self.read(ImageRef(path=relative, width=1, height=1))
            image = self._decode(data, relative)
            return ImageRef(
                path=relative, sha256=hashlib.sha256(data).hexdigest(), width=image.width, height=image.height
            )
        except ValidationError as error:
            said = describe(error)  # of a path, which it names, or of a size
            told = said.removeprefix("/path: ")
            raise InputError(told if told != said else f"image {quoted(relative)}: {said}; make it smaller") from error

    def load(self, ref: ImageRef) -> "Image.Image":
        """A picture as RGB.

        Args:
            ref: Path, digest and size.

        Raises:
            InputError: If it leaves the root, is missing, is no picture, is too large to decode safely, or is another one than recorded.
        """
        image = self._decode(self.read(ref), ref.path)
        if image.size != (ref.width, ref.height):
            # Other programs give the size of a picture that lies on its side as it is stored.
            upright = " when upright" if image.size == (ref.height, ref.width) else ""
            raise InputError(
                f"image {ref.path!r} is {image.width}x{image.height}{upright}, but its record says {ref.width}x{ref.height}; "
                "correct the record"
            )
        return image

    def _decode(self, data: bytes, path: str) -> "Image.Image":
        from llmgen.vision.decoding import decode

        return decode(data, path, self._told)

    def save(self, record_id: str, label: str, image: "Image.Image", text: Mapping[str, str] | None = None) -> ImageRef:
        """Write a picture named by record, label and digest, so that no other picture is ever overwritten.

        Args:
            record_id: Whose picture it is.
            label: Which one, for example `generate` or `correct-1`.
            image: RGB or grey; other modes become RGB.
            text: What it says of itself; by default what the store was told of the record, but nothing in a grey one, a mask.

        Returns:
            Its reference; equal pixels and text give equal bytes.

        Raises:
            OutputError: If it cannot be written.
        """
        from llmgen.vision.decoding import encode

        if text is None and self.describe is not None and image.mode != "L":
            text = self.describe(record_id, image.size)
        form = "png" if image.mode == "L" else self.form
        return self.save_bytes(f"{record_id}.{label}", encode(image, form, text), f".{form}", image.size)

    def save_bytes(self, stem: str, data: bytes, suffix: str, size: tuple[int, int]) -> ImageRef:
        """Write an encoded picture as `stem-<8 hex digits>suffix` unless exactly it is there already.

        Raises:
            OutputError: If it cannot be written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        relative = self.folder / f"{stem}-{sha256[:8]}{suffix}"
        path = self.root / relative
        # A link is no picture of ours, wherever it leads: it would not be read again.
        if path.is_symlink() or not _holds(path, data):
            write_atomic(path, data)
        return ImageRef(path=relative.as_posix(), sha256=sha256, width=size[0], height=size[1])


def _below(root: str, relative: str) -> tuple[str, int, bool]:
    """Where a path leads from a folder that is resolved already, the mode of what is there (0 for nothing), and whether that is inside.

    Hardly any leads through a link: then only its own parts are looked at, each once.
    """
    # Elsewhere a part can hold separators, and folders are joined in more ways than by links.
    parts = relative.split("/") if os.sep == "/" else ()
    path, mode = root.removesuffix("/"), 0
    for part in parts:
        path = f"{path}/{part}"
        mode = 0 if part in ("", ".", "..") else _mode(path, follow=False)
        if not mode or stat.S_ISLNK(mode):
            break
    else:
        if parts:
            return path, mode, True
    path = os.path.realpath(os.path.join(root, relative))
    return path, _mode(path), path.startswith(os.path.join(root, ""))


def _mode(path: str, *, follow: bool = True) -> int:
    try:
        return os.stat(path, follow_symlinks=follow).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.is_file() and path.read_bytes() == data
    except OSError:
        return False
