import errno
import hashlib
import struct
import zlib

import pytest
from PIL import Image

from llmgen.artifacts import ImageRef
from llmgen.errors import InputError, OutputError
from llmgen.vision.decoding import measure
from llmgen.vision.images import ImageStore


def picture(color="#d8352f", size=(6, 4)):
    return Image.new("RGB", size, color)


def ref(path, width=6, height=4, sha256=None):
    return ImageRef(path=path, width=width, height=height, sha256=sha256)


def test_what_is_saved_is_loaded(tmp_path):
    store = ImageStore(tmp_path)
    saved = store.save("0007", "generate", picture(), {"parameters": "ein Bär 🐻"})
    data = (tmp_path / saved.path).read_bytes()
    assert saved.path == f"images/0007.generate-{saved.sha256[:8]}.png"
    assert saved.sha256 == hashlib.sha256(data).hexdigest()
    assert store.load(saved).tobytes() == picture().tobytes()
    with Image.open(tmp_path / saved.path) as image:
        assert image.text["parameters"] == "ein Bär 🐻"


def test_equal_pictures_give_equal_bytes_and_are_left_alone(tmp_path):
    store = ImageStore(tmp_path)
    first = store.save("a", "x", picture())
    before = (tmp_path / first.path).stat().st_mtime_ns
    assert store.save("a", "x", picture()) == first
    assert (tmp_path / first.path).stat().st_mtime_ns == before
    assert store.save("a", "x", picture("#000000")).path != first.path
    assert (tmp_path / first.path).exists()


def test_a_damaged_file_is_written_again(tmp_path):
    store = ImageStore(tmp_path)
    first = store.save("a", "x", picture())
    (tmp_path / first.path).write_bytes(b"torn")
    with pytest.raises(InputError, match="SHA-256"):
        store.load(first)
    store.save("a", "x", picture())
    assert store.load(first).size == (6, 4)


def test_other_modes(tmp_path):
    store = ImageStore(tmp_path)
    grey = store.save("a", "mask", Image.new("L", (3, 2), 255))
    with Image.open(tmp_path / grey.path) as image:
        assert image.mode == "L"
    assert store.load(grey).getpixel((0, 0)) == (255, 255, 255)
    assert store.load(store.save("a", "p", Image.new("RGBA", (3, 2), (1, 2, 3, 255)))).getpixel((0, 0)) == (1, 2, 3)


def huge_png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_bad_pictures_are_refused_with_a_reason(tmp_path):
    outside = tmp_path / "outside.png"
    picture().save(outside)
    root = tmp_path / "root"
    root.mkdir()
    store = ImageStore(root)
    picture().save(root / "good.png")
    (root / "text.png").write_text("no picture")
    (root / "torn.png").write_bytes((root / "good.png").read_bytes()[:45])
    (root / "bomb.png").write_bytes(huge_png(16000, 16000))
    (root / "large.png").write_bytes(huge_png(9000, 9000))
    (root / "link.png").symlink_to(outside)
    (root / "folder.png").mkdir()
    assert store.load(ref("good.png")).size == (6, 4)
    cases = {
        "none.png": "missing",
        "folder.png": "is a folder",
        "text.png": "not a picture",
        "torn.png": "broken",
        "link.png": "leads out of",
    }
    for path, reason in cases.items():
        with pytest.raises(InputError, match=reason) as caught:
            store.load(ref(path))
        assert path in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="pixels"):
        store.load(ref("bomb.png", 16000, 16000))
    with pytest.raises(InputError, match="million"):
        store.load(ref("large.png", 9000, 9000))
    for name in ("bomb.png", "large.png"):
        with pytest.raises(InputError, match="pixels.*make it smaller"):
            measure(root / name)
    with pytest.raises(InputError, match="6x4, but its record says 8x8"):
        store.load(ref("good.png", 8, 8))
    with pytest.raises(InputError, match="6x4 when upright, but its record says 4x6"):
        store.load(ref("good.png", 4, 6))
    Image.new("L", (16385, 1)).save(root / "wide.png")
    with pytest.raises(InputError, match="image 'wide.png': /width: .* 16384, got 16385; make it smaller"):
        store.refer("wide.png")
    with pytest.raises(InputError, match="^image path '../a.png' leaves the folder"):
        store.refer("../a.png")
    with pytest.raises(InputError, match="SHA-256"):
        store.load(ref("good.png", sha256="0" * 64))


def test_large_files_are_not_read(tmp_path, monkeypatch):
    picture().save(tmp_path / "good.png")
    monkeypatch.setattr("llmgen.vision.images.MAX_FILE_BYTES", 10)
    with pytest.raises(InputError, match="larger than"):
        ImageStore(tmp_path).load(ref("good.png"))


def test_pictures_stay_below_the_root(tmp_path):
    with pytest.raises(OutputError, match="must lie below"):
        ImageStore(tmp_path, "../elsewhere")


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_drawn(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()

    def refused(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("llmgen.artifacts.files.tempfile.TemporaryFile", refused)
    with pytest.raises(OutputError, match="cannot write .*images: Read-only file system; choose another folder"):
        ImageStore(tmp_path).check()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write .*choose another folder") as caught:
        ImageStore(tmp_path).save("a", "x", picture())
    assert "\n" not in str(caught.value)
