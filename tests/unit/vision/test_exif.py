import io
import logging

import numpy as np
import pytest
from PIL import Image

from llmgen.artifacts.picture_text import OURS, PARAMETERS
from llmgen.vision.decoding import decode, encode
from llmgen.vision.exif import texts_of
from llmgen.vision.images import ImageStore
from llmgen.vision.picture_text import read_picture_text

TEXT = {PARAMETERS: "ein Bär 🐻, é\nSteps: 3, Seed: 4, Size: 8x8", OURS: '{"prompt": "ein Bär 🐻, é", "seed": 4}'}


def picture(side=64):
    """Smooth colours, as pictures have them."""
    x, y = np.meshgrid(np.linspace(0, 255, side), np.linspace(0, 255, side))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_what_was_written_is_read(tmp_path, form):
    data = encode(picture(), form, TEXT)
    assert data == encode(picture(), form, TEXT)
    (tmp_path / f"a.{form}").write_bytes(data)
    with Image.open(tmp_path / f"a.{form}") as image:
        assert texts_of(image) == TEXT
    found, size = read_picture_text(tmp_path / f"a.{form}")
    assert size == (64, 64) and found is not None and found.prompt == "ein Bär 🐻, é" and found.seed == 4
    loss = np.abs(np.asarray(decode(data, "a")).astype(int) - np.asarray(picture()).astype(int))
    assert 0 < loss.max() <= 16 and loss.mean() < 2


@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_without_text_there_is_no_exif(form):
    with Image.open(io.BytesIO(encode(picture(), form))) as image:
        assert not image.getexif() and texts_of(image) == {}


def test_what_a_jpeg_has_no_room_for_is_said(tmp_path, caplog):
    long = {PARAMETERS: "short", OURS: '{"prompt": "' + "a" * 70_000 + '"}'}
    with caplog.at_level(logging.WARNING):
        data = encode(picture(), "jpg", long)
    assert "our JSON is left out" in caplog.text
    (tmp_path / "a.jpg").write_bytes(data)
    with Image.open(tmp_path / "a.jpg") as image:
        assert texts_of(image) == {PARAMETERS: "short"}
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        mute = encode(picture(), "jpg", {PARAMETERS: "b" * 40_000})
    assert "its line is left out" in caplog.text
    (tmp_path / "b.jpg").write_bytes(mute)
    assert read_picture_text(tmp_path / "b.jpg")[0] is None
    caplog.clear()
    encode(picture(), "webp", long)
    assert caplog.text == ""


def test_notes_of_other_makers_are_not_ours(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x927C: b"Nikon\0{}", 0x9286: b"ASCII\0\0\0a cat\nSteps: 3, Seed: 4, Size: 1x1"})
    picture().save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        assert texts_of(image) == {PARAMETERS: "a cat\nSteps: 3, Seed: 4, Size: 1x1"}


def test_masks_are_png_in_any_store(tmp_path):
    store = ImageStore(tmp_path, form="jpg")
    grey = store.save("a", "region", Image.new("L", (8, 8), 255))
    assert grey.path.endswith(".png") and store.save("a", "generate", picture()).path.endswith(".jpg")
    assert store.load(grey).getpixel((3, 3)) == (255, 255, 255)
