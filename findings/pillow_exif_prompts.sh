#!/usr/bin/env bash
# Pillow: a prompt written to a picture's EXIF loses every letter that is not English, one question mark for each.
#
# Seen with Pillow 13.0.0 (Python 3.11).
#
# JPEG and WebP have no text chunks, so tools put the prompt into EXIF, as `ImageDescription` or `UserComment`. Pillow encodes a `str` there as
# ASCII and puts "?" for the rest, without a word; of a Chinese prompt nothing is left. UTF-8 bytes are written as they are, but are read as
# Latin-1. A comment as the standard has it, "UNICODE", a zero, then UTF-16, passes whole. PNG's own text chunk takes the same `str` with nothing
# lost, and so a set of pictures keeps its prompts until it is saved in another format. (Reported once: python-pillow/Pillow, issue 7120.)
#
# Output seen for "a café, 猫":
#   JPEG ImageDescription: a caf?, ?
#   JPEG UserComment:      a caf?, ?
#   WEBP ImageDescription: a caf?, ?
#   WEBP UserComment:      a caf?, ?
#   PNG EXIF:              a caf?, ?
#   PNG text:              a café, 猫
#   UTF-8 bytes:           'a cafÃ©, ç\x8c«'
#   UNICODE and UTF-16:    a café, 猫
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile Pillow==13.0.0

PYTHONIOENCODING=utf-8 "$place/bin/python" - <<'PYTHON'
import io

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

PROMPT = "a café, 猫"


def reopened(kind, **how):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind, **how)
    return Image.open(file)


def described(kind, text):
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = text
    return reopened(kind, exif=exif).getexif()[ExifTags.Base.ImageDescription]


def commented(kind, text):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = text
    return reopened(kind, exif=exif).getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]


chunk = PngInfo()
chunk.add_text("parameters", PROMPT)
standard = commented("JPEG", b"UNICODE\0" + PROMPT.encode("utf-16-be"))
told = {
    "JPEG ImageDescription": described("JPEG", PROMPT),
    "JPEG UserComment": commented("JPEG", PROMPT),
    "WEBP ImageDescription": described("WEBP", PROMPT),
    "WEBP UserComment": commented("WEBP", PROMPT),
    "PNG EXIF": described("PNG", PROMPT),
    "PNG text": reopened("PNG", pnginfo=chunk).text["parameters"],
    "UTF-8 bytes": repr(described("JPEG", PROMPT.encode())),
    "UNICODE and UTF-16": standard.removeprefix(b"UNICODE\0").decode("utf-16-be"),
}
for where, text in told.items():
    print(f"{where + ':':22} {text}")
if list(told.values()) != ["a caf?, ?"] * 5 + [PROMPT, repr(PROMPT.encode().decode("latin-1")), PROMPT]:
    raise SystemExit("changed: Pillow writes or reads letters that are not English otherwise now")
PYTHON
