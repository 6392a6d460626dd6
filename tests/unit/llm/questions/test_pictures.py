import base64
import io

import numpy as np
import pytest
from PIL import Image

from llmgen.errors import InputError
from llmgen.llm.questions import pictures
from llmgen.llm.questions.pictures import Picture


def opened(picture: Picture) -> Image.Image:
    head, _, data = picture.data_url.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{(image.format or '').lower()};base64"
    return image


@pytest.mark.parametrize(("size", "sent"), [((600, 300), (100, 50)), ((80, 20), (80, 20)), ((1, 1000), (1, 100))])
def test_the_longer_side_is_bounded(size: tuple[int, int], sent: tuple[int, int]) -> None:
    image = opened(Picture(Image.new("RGBA", size, (255, 0, 0, 128)), largest_side_px=100))
    assert (image.size, image.mode, image.format) == (sent, "RGB", "PNG")


def test_what_is_too_large_as_png_goes_as_jpeg_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    monkeypatch.setattr(pictures, "MOST_BYTES", 8_000)
    assert opened(Picture(noise)).format == "JPEG"
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="64x64"):
        _ = Picture(noise).data_url


@pytest.mark.parametrize("side", [0, 15, 5000])
def test_sides_that_no_server_takes_are_refused(side: int) -> None:
    with pytest.raises(InputError, match="16 to 4096"):
        Picture(Image.new("RGB", (9, 9)), largest_side_px=side)
