"""Pictures of phones, scanners and the web: upright, in eight bits, in their colours, the first of several; or refused in a line."""

import io
import json
import logging
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmgen.artifacts import ImageRef, Record
from llmgen.artifacts.io import ReadArtifact, write_artifact
from llmgen.engine.local import Progress
from llmgen.errors import InputError
from llmgen.formats.foreign import read_any
from llmgen.pipeline.checking import check_records
from llmgen.pipeline.incoming import brought
from llmgen.vision.decoding import decode
from llmgen.vision.images import ImageStore

RED, BLUE = (255, 0, 0), (0, 0, 255)


def encoded(image: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def corner() -> Image.Image:
    """16 x 8 pixels, white, with a red corner top left and a blue one top right."""
    image = Image.new("RGB", (16, 8), "white")
    image.paste(RED, (0, 0, 4, 4))
    image.paste(BLUE, (12, 0, 16, 4))
    return image


#: Orientation to what the camera stored of `corner`.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_picture_is_turned_back(orientation: int, kind: str) -> None:
    turn, exif = STORED[orientation], Image.Exif()
    exif[0x0112] = orientation
    stored = corner() if turn is None else corner().transpose(turn)
    seen = decode(encoded(stored, kind, exif=exif, **({} if kind == "PNG" else {"quality": 100})), "x")
    assert seen.size == (16, 8)
    assert np.abs(np.asarray(seen, dtype=int) - np.asarray(corner(), dtype=int)).mean() < 12  # JPEG blurs colours


def test_a_phones_picture_is_as_large_as_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (128, 256), "teal").save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "data.json").write_text(json.dumps([{"input_fname": "turned", "prompt": "a red ball"}]))
    (record,) = read_any(tmp_path / "data.json").records
    assert record.image is not None and (record.image.width, record.image.height) == (256, 128)
    store = ImageStore(tmp_path)
    saved = store.save("a", "again", store.load(record.image))
    assert (saved.width, saved.height) == (256, 128) and store.load(saved).size == (256, 128)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert decode(encoded(corner(), exif=exif), "x").tobytes() == corner().tobytes()


def test_exif_that_cannot_be_read_is_upright() -> None:
    data = encoded(corner(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff")
    assert decode(data, "x").size == (16, 8)


def display_p3(space: bytes = b"RGB ", name: bytes = b"Display P3") -> bytes:
    """A profile as phones write it, with a plain gamma of 2.2: the primaries are those of P3 adapted to D50."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" * 79 + b"\0" * (-len(name) % 4),
        b"wtpt": xyz(0.9642, 1, 0.8249),
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2919, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1572, 0.0666, 0.7841),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), curve),
    }
    table, data = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(value))
        data += value
    head = struct.pack(">I4sI", 132 + 12 * len(tags) + len(data), b"lcms", 0x02400000) + b"mntr" + space + b"XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + number(0.9642) + number(1) + number(0.8249)
    return head.ljust(128, b"\0") + table + data


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("WEBP", "RGB")]
)
def test_colours_of_a_phone_become_those_of_srgb(kind: str, mode: str) -> None:
    more: dict[str, Any] = {"PNG": {}, "JPEG": {"quality": 100}, "WEBP": {"lossless": True}}[kind]
    plain = Image.new("RGB", (8, 8), (200, 100, 50))
    image = plain.quantize(2) if mode == "P" else plain.convert(mode)
    seen = decode(encoded(image, kind, icc_profile=display_p3(), **more), "x")
    # By hand: linear by the gamma, sRGB from P3 by ((1.2249, -0.2247, 0), (-0.042, 1.0419, 0), (-0.0196, -0.0786, 1.0979)), sRGB's curve.
    assert np.abs(np.array(seen.getpixel((4, 4)), dtype=int) - (216, 93, 24)).max() <= 2


def test_colours_of_srgb_stay_as_they_are_and_profiles_that_say_nothing_are_left_aside() -> None:
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    for profile in (
        display_p3(name=b"sRGB IEC61966-2.1"),
        display_p3(space=b"CMYK"),
        b"no profile",
        display_p3()[:200],
    ):
        assert decode(encoded(image, icc_profile=profile), "x").getpixel((4, 4)) == (200, 100, 50)


def test_sixteen_bits_become_eight() -> None:
    grey = np.array([[0, 128, 257, 32768, 65407, 65535]], dtype=np.uint16)
    seen = np.asarray(decode(encoded(Image.fromarray(grey)), "x"))
    assert seen[0, :, 0].tolist() == [0, 0, 1, 128, 255, 255] and (seen[..., 0] == seen[..., 2]).all()


MODES = ("P", "1", "L", "LA", "RGBA", "CMYK", "YCbCr")


@pytest.mark.parametrize("mode", MODES)
def test_other_modes_show_their_colours(mode: str) -> None:
    plain = Image.new("RGB", (8, 8), (255, 0, 0) if mode not in ("1", "L", "LA") else (255, 255, 255))
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    seen = np.asarray(decode(encoded(plain.convert(mode), kind), "x"), dtype=int)
    assert np.abs(seen - np.asarray(plain, dtype=int)).max() <= 3


def test_a_palette_with_a_transparent_colour_shows_it_and_says_nothing(recwarn: pytest.WarningsRecorder) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    assert decode(encoded(image, transparency=b"\x00\x80"), "x").getpixel((0, 0)) == (9, 8, 7)
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_picture_counts_and_it_is_said(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, BLUE, "white")]
    data = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert decode(data, "moving.png").getpixel((3, 3)) == RED
    assert "'moving.png' holds 3 pictures; only the first is used" in caplog.text
    caplog.clear()
    decode(encoded(frames[0], kind), "x")
    assert not caplog.text


def test_a_picture_with_several_frames_is_spoken_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, BLUE)]
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encoded(frames[0], save_all=True, append_images=frames[1:]))
    store = ImageStore(tmp_path)
    ref = store.refer("a.png")
    store.load(ref)
    store.beside().load(ref)
    store.refer("b.png")
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"image '{name}.png' holds 2 pictures; only the first is used" for name in "ab"]


def test_torn_pictures_are_refused_at_every_length() -> None:
    for kind in ("PNG", "JPEG", "WEBP"):
        data = encoded(corner(), kind)
        for length in range(0, len(data) // 2, 7):
            with pytest.raises(InputError, match="not a picture|is broken") as caught:
                decode(data[:length], "x")
            assert len(str(caught.value)) < 200


# One bad path, and good ones beside it.

GOOD = {"kind": "images", "prompt": "a lamp"}
BAD_PATHS = {
    "component too long": "a" * 300 + ".png",
    "path too long": "/".join(["a" * 200] * 20),
    "loop": "loop/x.png",
    "link to itself": "self.png",
    "file as a folder": "good.png/x.png",
    "missing": "none.png",
    "folder": "folder",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corner().save(tmp_path / "good.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop2")
    (tmp_path / "loop2").symlink_to(tmp_path / "loop")
    (tmp_path / "self.png").symlink_to("self.png")
    return tmp_path


@pytest.mark.parametrize("name", BAD_PATHS)
def test_a_path_that_cannot_be_followed_is_one_line(folder: Path, name: str) -> None:
    store = ImageStore(folder)
    for ask in (store.refer, lambda path: store.load(ImageRef(path=path, width=16, height=8))):
        with pytest.raises(InputError, match="cannot be reached|is missing|is a folder") as caught:
            ask(BAD_PATHS[name])
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_bad_path_fails_its_record_and_no_other(folder: Path) -> None:
    size = {"width": 16, "height": 8}
    records = [
        Record(id=f"r{n}", image=ImageRef(path=path, **size), **GOOD)
        for n, path in enumerate([*BAD_PATHS.values(), "good.png"])
    ]
    write_artifact(folder / "images.json", "images", records)
    read = read_any(folder / "images.json")
    found, problems = check_records(json.loads((folder / "images.json").read_text()), "images.json", folder)
    assert found.startswith(f"{len(records)} records") and len(problems) == len(BAD_PATHS)
    (folder / "elsewhere").mkdir()
    moved = brought(read, ImageStore(folder / "elsewhere"), "detect", Progress().problem)
    assert [record.error is None for record in moved] == [False] * len(BAD_PATHS) + [True]


def test_a_closed_folder_fails_its_record_and_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the tests may read every folder, so the refusal is the file system's word put in its mouth."""
    look = os.stat

    def closed(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if "closed" in Path(str(path)).parts:
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", closed)
    with pytest.raises(InputError, match="'closed/a.png' cannot be reached: Permission denied"):
        ImageStore(folder).path("closed/a.png")
    source = (
        Record(id="a", prompt="x", source_image="closed/a.png"),
        Record(id="b", prompt="x", source_image="good.png"),
    )
    read = ReadArtifact("prompts", source, folder, "p.json")
    assert [r.error is None for r in brought(read, ImageStore(folder / "out"), "layout", Progress().problem)] == [
        False,
        True,
    ]
    (folder / "data.json").write_text(json.dumps([{"input_fname": n, "prompt": "x"} for n in ("closed/a", "good")]))
    assert [r.error is None for r in read_any(folder / "data.json").records] == [False, True]


def test_the_copy_of_a_picture_with_the_longest_name_has_a_shorter_one(folder: Path) -> None:
    name = "ä" * 125 + ".png"
    corner().save(folder / name)
    read = ReadArtifact("prompts", (Record(id="a", prompt="x", source_image=name),), folder, "p.json")
    (record,) = brought(read, ImageStore(folder / "out"), "layout", Progress().problem)
    assert record.source_image is not None and (folder / "out" / record.source_image).is_file()


def test_the_size_is_looked_at_before_any_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmgen.vision.decoding.MAX_PIXELS", 100)
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("pixels were decoded"))
    for kind in ("PNG", "JPEG", "WEBP"):
        with pytest.raises(InputError, match="16x8 pixels, more than"):
            decode(encoded(corner(), kind), "x")


def test_warnings_of_the_decoder_do_not_reach_the_terminal(recwarn: pytest.WarningsRecorder) -> None:
    logging.getLogger("PIL").setLevel(logging.NOTSET)
    decode(encoded(corner(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"), "x")
    assert not recwarn.list
