"""Several pictures as one, each with its number."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_GAP_PX = 8
_HEAD_PX = 28


def numbered_sheet(images: Sequence[Image.Image], *, columns: int = 4, side_px: int = 256) -> Image.Image:
    """Pictures in rows on white, numbered from 1, each number above its picture.

    Args:
        images: At least one, of any sizes.
        columns: Most in a row.
        side_px: Longer side of each on the sheet.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    wide, high = side_px + _GAP_PX, side_px + _HEAD_PX + _GAP_PX
    sheet = Image.new("RGB", (columns * wide + _GAP_PX, rows * high + _GAP_PX), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_HEAD_PX - 6)
    for index, image in enumerate(images):
        left, top = _GAP_PX + index % columns * wide, _GAP_PX + index // columns * high
        scale = side_px / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        pen.text((left, top), str(index + 1), fill="black", font=font)
        sheet.paste(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), (left, top + _HEAD_PX))
    return sheet
