"""Pictures as files beside an artifact: checked when read, named by record and digest when written."""

import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from pydantic import ValidationError

from llmgen.artifacts import ImageRef
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.files import write_atomic
from llmgen.errors import InputError, OutputError

#: Largest picture that is decoded: 64 megapixels take 192 MB as RGB.
MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 256 * 2**20
FORMATS = ("PNG", "JPEG", "WEBP")


class ImageStore:
    """Reads and writes the pictures of one artifact.

    Args:
        root: Folder that picture paths are relative to: the artifact's, or the working directory in a pipe.
        folder: Where new pictures go, relative to `root`.
    """

    def __init__(self, root: Path, folder: str = "images") -> None:
        self.root = Path(root)
        self.folder = PurePosixPath(folder)
        if self.folder.is_absolute() or ".." in self.folder.parts:
            raise OutputError(f"pictures must lie below the output's folder {self.root}, not in {folder}")

    def path(self, relative: str) -> Path:
        """Where a picture lies.

        Raises:
            InputError: If it is outside the root (a symbolic link, say), or missing.
        """
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise InputError(f"image {relative!r} leads out of {self.root}; copy the picture into that folder")
        if not path.is_file():
            raise InputError(f"image {relative!r} is missing in {self.root}; restore it or make it again")
        return path

    def read(self, ref: ImageRef) -> bytes:
        """The bytes of a picture, undecoded but of the right digest.

        Raises:
            InputError: If it is missing, too large, unreadable, or not the picture that was recorded.
        """
        path = self.path(ref.path)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise InputError(f"image {ref.path!r} is larger than {MAX_FILE_BYTES // 2**20} MiB; make it smaller")
            data = path.read_bytes()
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
            image = decode(data, relative)
            return ImageRef(
                path=relative, sha256=hashlib.sha256(data).hexdigest(), width=image.width, height=image.height
            )
        except ValidationError as error:
            raise InputError(describe(error).removeprefix("/path: ")) from error

    def load(self, ref: ImageRef) -> Image.Image:
        """A picture as RGB.

        Args:
            ref: Path, digest and size.

        Raises:
            InputError: If it leaves the root, is missing, is no picture, is too large to decode safely, or is another one than recorded.
        """
        image = decode(self.read(ref), ref.path)
        if image.size != (ref.width, ref.height):
            raise InputError(
                f"image {ref.path!r} is {image.width}x{image.height}, but its record says {ref.width}x{ref.height}; "
                "correct the record"
            )
        return image

    def save(self, record_id: str, label: str, image: Image.Image, text: Mapping[str, str] | None = None) -> ImageRef:
        """Write a PNG named by record, label and digest, so that no other picture is ever overwritten.

        Args:
            record_id: Whose picture it is.
            label: Which one, for example `generate` or `correct-1`.
            image: RGB or grey; other modes become RGB.
            text: Text chunks of the PNG.

        Returns:
            Its reference; equal pixels and text give equal bytes.

        Raises:
            OutputError: If it cannot be written.
        """
        data = encode_png(image, text)
        return self.save_bytes(f"{record_id}.{label}", data, ".png", image.size)

    def save_bytes(self, stem: str, data: bytes, suffix: str, size: tuple[int, int]) -> ImageRef:
        """Write an encoded picture as `stem-<8 hex digits>suffix` unless exactly it is there already.

        Raises:
            OutputError: If it cannot be written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        relative = self.folder / f"{stem}-{sha256[:8]}{suffix}"
        path = self.root / relative
        # A link is no picture of ours, wherever it leads: it would not be read again.
        if path.is_symlink() or not (path.is_file() and path.read_bytes() == data):
            write_atomic(path, data)
        return ImageRef(path=relative.as_posix(), sha256=sha256, width=size[0], height=size[1])


def encode_png(image: Image.Image, text: Mapping[str, str] | None = None) -> bytes:
    """PNG bytes, the same for the same pixels and text.

    Args:
        image: RGB or grey; other modes become RGB.
        text: Text chunks, any Unicode.
    """
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    picture = image if image.mode in ("RGB", "L") else image.convert("RGB")
    picture.save(buffer, "PNG", pnginfo=info, compress_level=6)
    return buffer.getvalue()


def decode(data: bytes, name: str) -> Image.Image:
    """A picture as RGB, its size checked before its pixels are decoded.

    Args:
        data: PNG, JPEG or WebP.
        name: Words for messages.

    Raises:
        InputError: If it is none of these, broken, or larger than `MAX_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns at its own bound, which is above ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise InputError(
                f"image {name!r} has {image.width}x{image.height} pixels, more than {MAX_PIXELS // 10**6} million; "
                "make it smaller"
            )
        return image.convert("RGB")
    except Image.DecompressionBombError as error:
        raise InputError(f"image {name!r} would decompress to too many pixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise InputError(f"image {name!r} is not a picture (PNG, JPEG or WebP)") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"image {name!r} is broken: {error}; replace it") from error
