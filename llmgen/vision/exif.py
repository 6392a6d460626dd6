"""What a JPEG or WebP says of itself, in its EXIF: there it is where AUTOMATIC1111's web UI puts and looks for it.

The line that most tools read is the user comment (tag 0x9286, `UNICODE` and UTF-16, as piexif writes it), our own JSON the maker note
(tag 0x927C), which is for what a maker wants to add and no viewer shows as a caption.

Source: AUTOMATIC1111/stable-diffusion-webui, modules/images.py, save_image_with_geninfo and read_info_from_image.
"""

import logging
from collections.abc import Mapping
from typing import Final

from PIL import Image

from llmgen.artifacts.picture_text import MAX_BYTES, OURS, PARAMETERS

logger = logging.getLogger(__name__)

_EXIF: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_MAKER_NOTE: Final = 0x927C
_UNICODE, _ASCII = b"UNICODE\0", b"ASCII\0\0\0"
_MAKER: Final = b"llmgen\0"


def exif_of(text: Mapping[str, str], most_bytes: int | None = None) -> bytes:
    """EXIF of a new picture.

    Args:
        text: The line and our JSON, by key; nothing else is written.
        most_bytes: What the file has room for; our JSON is left out, and said so, where it does not fit, then the line.

    Returns:
        The bytes, none where there is nothing to say.
    """
    entries: dict[int, bytes] = {}
    if PARAMETERS in text:
        entries[_USER_COMMENT] = _UNICODE + text[PARAMETERS].encode("utf-16-be", errors="replace")
    if OURS in text:
        entries[_MAKER_NOTE] = _MAKER + text[OURS].encode("utf-8", errors="replace")
    while entries:
        exif = Image.Exif()
        exif.get_ifd(_EXIF).update(entries)
        data = exif.tobytes()
        if most_bytes is None or len(data) <= most_bytes:
            return data
        left_out = "our JSON" if entries.pop(_MAKER_NOTE, None) is not None else "its line"
        if left_out == "its line":
            entries.clear()
        logger.warning("a JPEG has no room for all that it should say: %s is left out; a PNG or WebP has", left_out)
    return b""


def texts_of(image: Image.Image) -> dict[str, str]:
    """What a picture's EXIF says of it, by key; nothing where it is too long to be a text of ours."""
    entries = image.getexif().get_ifd(_EXIF)
    texts = {}
    comment, note = entries.get(_USER_COMMENT), entries.get(_MAKER_NOTE)
    if isinstance(comment, bytes) and len(comment) <= MAX_BYTES:
        if comment.startswith(_UNICODE):
            texts[PARAMETERS] = comment.removeprefix(_UNICODE).decode("utf-16-be", errors="replace")
        else:
            texts[PARAMETERS] = comment.removeprefix(_ASCII).decode("utf-8", errors="replace").strip("\0 ")
    if isinstance(note, bytes) and note.startswith(_MAKER) and len(note) <= MAX_BYTES:
        texts[OURS] = note.removeprefix(_MAKER).decode("utf-8", errors="replace")
    return texts
