import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from llmgen.errors import InputError
from llmgen.formats.pictures import read_pictures
from llmgen.vision.images import ImageStore
from llmgen.vision.picture_text import read_picture_text


def test_text_that_unpacks_without_end_is_refused(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("llmgen", " " * (2 * 2**20), zip=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=info)
    assert (tmp_path / "a.png").stat().st_size < 10_000
    with pytest.raises(InputError, match="is broken"):
        read_picture_text(tmp_path / "a.png")


def test_size_comes_from_the_head_and_no_pixel_is_decoded(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 6000, 5000, 8, 2, 0, 0, 0))
    text = chunk(b"tEXt", b"parameters\0a cat\nSteps: 3, Seed: 4, Size: 1x1")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + text + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    found, size = read_picture_text(tmp_path / "a.png")
    assert size == (6000, 5000) and found is not None and found.seed == 4


@pytest.mark.parametrize(("orientation", "size"), [(1, (6, 4)), (3, (6, 4)), (6, (4, 6)), (8, (4, 6))])
def test_a_turned_picture_is_as_large_as_every_stage_sees_it(tmp_path, orientation, size):
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x0112] = orientation
    text.add_text("parameters", "a cat\nSteps: 3, Seed: 4, Size: 6x4")
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png", exif=exif, pnginfo=text)
    found, folder = read_pictures(str(tmp_path))
    (record,) = found.records
    assert (record.image.width, record.image.height) == size == read_picture_text(tmp_path / "a.png")[1]
    assert ImageStore(folder).load(record.image).size == size


def test_pictures_that_say_nothing(tmp_path):
    Image.new("L", (3, 2)).save(tmp_path / "a.png")
    Image.new("RGB", (3, 2)).save(tmp_path / "a.jpg")
    assert read_picture_text(tmp_path / "a.png") == (None, (3, 2)) == read_picture_text(tmp_path / "a.jpg")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    with pytest.raises(InputError, match="b.png"):
        read_picture_text(tmp_path / "b.png")
    Image.new("RGB", (3, 2)).save(tmp_path / "c.png", "GIF")
    with pytest.raises(InputError, match="is not a picture"):
        read_picture_text(tmp_path / "c.png")
