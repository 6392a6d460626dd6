"""A contact sheet: the pictures of many records on one page, with their prompts and verdicts."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from llmgen.artifacts import ImageRef, Record, Score
from llmgen.artifacts.files import write_named
from llmgen.artifacts.score import is_verdict
from llmgen.errors import InputError, OutputError
from llmgen.printable import printable
from llmgen.report.source import read_source
from llmgen.vision.decoding import MAX_PIXELS
from llmgen.vision.images import ImageStore

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
FORMATS: Final = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Ending of the sheet to its form."""
_SIDE: Final = 224
"""Longest side of a picture on the sheet in pixels."""
_GAP: Final = 12
_LINE: Final = 17
"""Height of a line of text in pixels."""
_PROMPT_LINES: Final = 3
_FONT: Final = 13
_WIDE_FONTS: Final = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf")
"""Fonts of this machine for what Pillow's own, which knows no accents, cannot write."""
_PAPER, _INK, _FAINT = "white", "#1a1a1a", "#6b6b6b"
_RIGHT, _WRONG = "#116329", "#a40e26"
_MOST_ACROSS: Final = 4
"""Pictures of one record side by side."""


@dataclass(frozen=True)
class _Card:
    record: Record
    pictures: tuple[tuple[str, ImageRef], ...]
    """Word and picture, the first one first."""
    verdicts: tuple[tuple[str, str], ...]
    """Text and colour."""


def write_sheet(source: Path, output: Path, *, first: int | None = None) -> int:
    """Write a contact sheet.

    Args:
        source: Artifact with pictures, or folder of a run.
        output: PNG, JPEG or WebP, by its ending.
        first: So many records; all by default.

    Returns:
        How many records are on it.

    Raises:
        InputError: If the source cannot be read or has no pictures.
        OutputError: If the ending is none of these, the sheet would be too large to be opened, or it cannot be written.
    """
    if output.suffix.lower() not in FORMATS:
        raise OutputError(f"{output}: a sheet ends in {', '.join(FORMATS)}")
    artifact = read_source(source).artifact
    cards = [card for record in artifact.records[:first] if (card := _card(record)).pictures]
    if not cards:
        raise InputError(f"{artifact.name}: has no pictures to put on a sheet; make some with `llmgen generate`")
    across = max(len(card.pictures) for card in cards)
    lines = max(len(card.verdicts) for card in cards)
    width = across * (_SIDE + _GAP) - _GAP
    height = _SIDE + _LINE * (1 + _PROMPT_LINES + lines)
    # About as wide as high, so that it fits a screen.
    columns = max(1, min(len(cards), round(math.sqrt(len(cards) * (height + _GAP) / (width + _GAP)))))
    rows = -(-len(cards) // columns)
    size = columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP
    if size[0] * size[1] > MAX_PIXELS or max(size) > 16383:
        raise OutputError(
            f"{len(cards)} records make a sheet of {size[0]}x{size[1]} pixels, which few programs open; --first puts some on it"
        )
    sheet = Image.new("RGB", size, _PAPER)
    store = ImageStore(artifact.base)
    font = _font([card.record.prompt for card in cards])
    for place, card in enumerate(cards):
        left = _GAP + place % columns * (width + _GAP)
        top = _GAP + place // columns * (height + _GAP)
        _draw(sheet, card, store, font, (left, top), width)
    buffer = io.BytesIO()
    sheet.save(buffer, FORMATS[output.suffix.lower()], quality=90)
    write_named(output, buffer.getvalue())
    return len(cards)


def _card(record: Record) -> _Card:
    """What of a record is shown: all its samples, or its first and its last picture."""
    if record.samples:
        shown = [(f"sample {s.index}{' (chosen)' if s.chosen else ''}", s.image) for s in record.samples[:_MOST_ACROSS]]
    else:
        kept = [entry for entry in record.history if entry.kept]
        shown = [(kept[0].stage, kept[0].image)] if kept else []
    last = next((entry for entry in reversed(record.history) if entry.image == record.image), None)
    if record.image is not None and record.image not in [ref for _, ref in shown]:
        word = "picture" if last is None else f"{last.stage} {last.round}" if last.stage == "correct" else last.stage
        shown = [*shown[: _MOST_ACROSS - 1], (word, record.image)]
    return _Card(record, tuple(shown), tuple(_verdict(score) for score in record.scores or ()))


def _verdict(score: Score) -> tuple[str, str]:
    value = f"{score.value:.2f}" if score.unit == "share" else f"{score.value:.4g} {score.unit}"
    detail = f": {score.detail}" if score.detail else ""
    colour = {0.0: _WRONG, 1.0: _RIGHT}.get(score.value, _INK) if is_verdict(score.metric) else _INK
    return f"{score.metric} of {score.of}: {value}{detail}", colour


def _font(texts: Sequence[str]) -> Font:
    """Pillow's own, the same everywhere; for texts that it cannot write one of this machine's, where there is one."""
    if not all(text.isascii() for text in texts):
        for name in _WIDE_FONTS:
            try:
                return ImageFont.truetype(name, _FONT)
            except OSError:
                continue
    return ImageFont.load_default(_FONT)


def _draw(sheet: Image.Image, card: _Card, store: ImageStore, font: Font, corner: tuple[int, int], width: int) -> None:
    draw = ImageDraw.Draw(sheet)
    left, top = corner
    for number, (word, ref) in enumerate(card.pictures):
        x = left + number * (_SIDE + _GAP)
        draw.text((x, top), word, fill=_FAINT, font=font)
        try:
            picture = store.load(ref)
        except InputError:
            draw.rectangle((x, top + _LINE, x + _SIDE - 1, top + _LINE + _SIDE - 1), outline=_FAINT)
            draw.text((x + 8, top + _LINE + 8), "missing", fill=_WRONG, font=font)
            continue
        scale = _SIDE / max(picture.size)
        resized = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
        sheet.paste(resized, (x, top + _LINE))
    y = top + _LINE + _SIDE
    said = f"{card.record.id}: {card.record.prompt or card.record.instruction or ''}"
    for line in wrapped(said, width, font)[:_PROMPT_LINES]:
        draw.text((left, y), line, fill=_INK, font=font)
        y += _LINE
    y = top + _LINE * (1 + _PROMPT_LINES) + _SIDE
    for text, colour in card.verdicts:
        draw.text((left, y), wrapped(text, width, font)[0], fill=colour, font=font)
        y += _LINE


def wrapped(text: str, width: int, font: Font) -> Sequence[str]:
    """A text in lines of at most so many pixels; what is longer than the sheet has room for ends in dots.

    Args:
        text: Any; nothing in it but letters reaches the sheet.
        width: In pixels.
        font: Of the text.
    """
    lines = [""]
    # More than fits in any case is not measured.
    for word in printable(text, 400).split(" "):
        candidate = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(candidate) > width:
            lines.append(word)
        else:
            lines[-1] = candidate
    cut = []
    for number, line in enumerate(lines):
        goes_on = number == _PROMPT_LINES - 1 and len(lines) > _PROMPT_LINES
        shown = f"{line}..." if goes_on else line
        while len(shown) > 4 and font.getlength(shown) > width:
            shown = shown.removesuffix("...")[:-1] + "..."
        cut.append(shown)
    return cut
