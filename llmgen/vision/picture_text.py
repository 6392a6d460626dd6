"""Reading what a picture file says of itself; its pixels are not decoded."""

import io
import struct
import warnings
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from llmgen.artifacts.picture_text import OURS, PARAMETERS, PictureText, read_chunks
from llmgen.errors import InputError
from llmgen.vision.decoding import FORMATS, upright_size
from llmgen.vision.exif import texts_of
from llmgen.vision.images import MAX_FILE_BYTES

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
"""Endings of picture files."""


def read_picture_text(path: Path) -> tuple[PictureText | None, tuple[int, int]]:
    """What a picture says of itself, and its width and height in pixels as it is upright.

    PNG has it as text, JPEG and WebP in their EXIF, where other tools put the same line. Pillow takes no text of more than
    a MiB, packed or not.

    Args:
        path: PNG, JPEG or WebP.

    Raises:
        InputError: If it is none of these, broken, too large or not there.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB; that is no picture of ours")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        with warnings.catch_warnings():
            # Pillow warns of many pixels, which nobody decodes here, and of broken EXIF.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                chunks = {str(key): value for key, value in image.info.items() if isinstance(value, str)}
                if PARAMETERS not in chunks and OURS not in chunks:
                    chunks |= texts_of(image)
                return read_chunks(chunks), upright_size(image)
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} has too many pixels to be a picture of ours") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not a picture (PNG, JPEG or WebP)") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError) as error:
        raise InputError(f"{path} is broken: {error}; replace it") from error
