"""Pictures in a question: made small and told as `data:` URLs, as servers with models that see take them."""

import base64
import functools
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmgen.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

LARGEST_SIDE_PX: Final = 1024
"""By default; models cut larger pictures into tiles that cost as much as a page of text each."""
MOST_SIDE_PX: Final = 4096
MOST_BYTES: Final = 4 * 2**20
"""Of an encoded picture; a PNG beyond it is sent as JPEG."""
_JPEG_QUALITIES: Final = (90, 70, 40)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and how large it may be sent.

    Attributes:
        image: Of any mode; sent as RGB.
        largest_side_px: Longer side after shrinking; smaller pictures are sent as they are.
    """

    image: "Image.Image"
    largest_side_px: int = LARGEST_SIDE_PX

    def __post_init__(self) -> None:
        """Refuse sizes that no server takes.

        Raises:
            InputError: If the side is not 16 to 4096 pixels.
        """
        if not 16 <= self.largest_side_px <= MOST_SIDE_PX:
            raise InputError(f"a picture is sent with 16 to {MOST_SIDE_PX} pixels a side, not {self.largest_side_px}")

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of what is sent."""
        return hashlib.sha256(self._encoded[1]).hexdigest()

    @property
    def data_url(self) -> str:
        """The picture as a `data:` URL.

        Raises:
            InputError: If it is larger than four megabytes even as JPEG.
        """
        kind, data = self._encoded
        return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"

    @functools.cached_property
    def _encoded(self) -> tuple[str, bytes]:
        from PIL import Image  # only who looks needs it

        small = self.image.convert("RGB")
        small.thumbnail((self.largest_side_px, self.largest_side_px), Image.Resampling.LANCZOS)
        data = _bytes(small, "PNG")
        if len(data) <= MOST_BYTES:
            return "png", data
        for quality in _JPEG_QUALITIES:
            data = _bytes(small, "JPEG", quality=quality)
            if len(data) <= MOST_BYTES:
                return "jpeg", data
        raise InputError(
            f"a picture of {small.width}x{small.height} pixels takes more than {MOST_BYTES // 2**20} MiB even as JPEG; "
            "send it smaller"
        )


def _bytes(image: "Image.Image", kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
