"""Pictures to bytes and back: the one decoder, with care for size, depth, orientation and frames."""

import io
import logging
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from llmgen.errors import InputError
from llmgen.printable import quoted
from llmgen.vision.exif import exif_of
from llmgen.vision.images import MAX_FILE_BYTES, PictureFormat

logger = logging.getLogger(__name__)

#: Largest picture that is decoded: 64 megapixels take 192 MB as RGB.
MAX_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP")
_ORIENTATION: Final = 0x0112
_QUALITY: Final = 95
"""Of JPEG and WebP, from 0 to 100."""
_MOST_EXIF_BYTES: Final = 65_000
"""A JPEG has no room for more: the length of a segment is two bytes."""
#: What brings a picture upright whose EXIF says that it was taken so.
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE: Final = (5, 6, 7, 8)
_PLAIN: Final = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}
"""Mode of a picture to that of the pixels that its profile speaks of; of all others RGB."""


def encode(image: Image.Image, form: PictureFormat, text: Mapping[str, str] | None = None) -> bytes:
    """A picture as bytes, the same for the same pixels and text.

    PNG keeps every pixel as it is. JPEG and WebP do not: quality 95, JPEG with colours at full resolution.

    Args:
        image: RGB or grey; other modes become RGB.
        form: Which.
        text: What the picture says of itself, by key, any Unicode.
    """
    if form == "png":
        return encode_png(image, text)
    picture = image if image.mode in ("RGB", "L") else image.convert("RGB")
    exif = exif_of(text or {}, _MOST_EXIF_BYTES if form == "jpg" else None)
    buffer = io.BytesIO()
    if form == "jpg":
        picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, exif=exif)
    else:
        picture.save(buffer, "WEBP", quality=_QUALITY, method=4, exif=exif)
    return buffer.getvalue()


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


def decode(data: bytes, name: str, told: set[str] | None = None) -> Image.Image:
    """A picture as RGB and upright, its size checked before its pixels are decoded.

    Sixteen bits become eight, palettes and CMYK their colours, what is transparent its own colour, the colours of another profile
    (a phone's Display P3, say) those of sRGB. A picture whose EXIF says that the camera was turned is turned back. Of several frames
    the first counts, and a line says so.

    Args:
        data: PNG, JPEG or WebP.
        name: Words for messages.
        told: Names of pictures with several frames of which this has been said; such a name is added.

    Raises:
        InputError: If it is none of these, broken, or larger than `MAX_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns at its own bound, which is above ours, of palettes with transparency, and of broken EXIF.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise InputError(
                    f"image {name!r} has {image.width}x{image.height} pixels, more than {MAX_PIXELS // 10**6} million; "
                    "make it smaller"
                )
            frames = int(getattr(image, "n_frames", 1))
            if frames > 1 and (told is None or name not in told):
                if told is not None:
                    told.add(name)
                logger.warning("image %r holds %d pictures; only the first is used", name, frames)
            pixels = _rgb(image)
            # What says nothing of itself (all of it is known once the pixels are read) does not say how the camera was held either.
            return _upright(pixels, _orientation(image)) if image.info else pixels
    except Image.DecompressionBombError as error:
        raise InputError(f"image {name!r} would decompress to too many pixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise InputError(f"image {name!r} is not a picture (PNG, JPEG or WebP); convert or replace it") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError) as error:
        raise InputError(f"image {name!r} is broken: {quoted(str(error))[1:-1]}; replace it") from error


def load_picture(path: Path) -> Image.Image:
    """A picture file as RGB and upright; see `decode`.

    Raises:
        InputError: If it cannot be read, is larger than `MAX_FILE_BYTES`, or is no picture.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"image {str(path)!r} is larger than {MAX_FILE_BYTES // 2**20} MiB; make it smaller")
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"image {str(path)!r} cannot be read: {error.strerror or error}") from error


def measure(path: Path) -> tuple[int, int]:
    """Width and height of a picture file as it is upright; only its head is read.

    Raises:
        InputError: If it cannot be read, is no picture, or has more than `MAX_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                width, height = upright_size(image)
    except Image.DecompressionBombError as error:
        raise InputError(f"image {str(path)!r} would decompress to too many pixels; make it smaller") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise InputError(f"image {str(path)!r} is not a picture (PNG, JPEG or WebP), or broken; replace it") from error
    if width * height > MAX_PIXELS:
        raise InputError(
            f"image {str(path)!r} has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million; make it smaller"
        )
    return width, height


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture as `decode` gives it, in pixels; nothing is decoded."""
    return image.size[::-1] if _orientation(image) in _ON_ITS_SIDE else image.size


def _rgb(image: Image.Image) -> Image.Image:
    """sRGB; Pillow would cut grey of sixteen bits off at 255, and take the numbers of any profile for those of sRGB."""
    if image.mode.startswith("I"):
        import numpy as np  # Here, because hardly any picture is so deep.

        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    profile = image.info.get("icc_profile")
    return (_converted(image, profile) if profile else None) or image.convert("RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    """A picture's colours as sRGB has them; None where they are so already, or the profile is broken or of another kind of pixels."""
    from PIL import ImageCms  # Here, because hardly any picture has a profile.

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if (own.profile.profile_description or "").startswith("sRGB"):
            return None  # the same numbers, up to rounding
        plain = image.convert(_PLAIN.get(image.mode, "RGB"))
        return ImageCms.profileToProfile(
            plain, own, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        logger.debug("a profile of colours is left aside: %s", error)
        return None


def _orientation(image: Image.Image) -> int:
    """How the camera was held, 1 for upright; what cannot be read is upright."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, IndexError, struct.error):
        return 1
    return found if isinstance(found, int) else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)
