"""The squares of a wide or tall picture, for models that see a picture as a square of their own size.

Padding a picture of 256 x 128 to a square and shrinking that to a model's 128 x 128 shows every object half as large as the model can
see it. In the squares of the shorter side it is seen as large as in a square picture.
"""

import math
from collections.abc import Iterable
from typing import Final

from llmgen.vision.boxes import BoxTuple
from llmgen.vision.protocols import PhraseHit

_ELONGATED: Final = 4 / 3
"""Longer by shorter side from which the padding takes more from the objects than looking several times costs."""
_MOST: Final = 16
"""Squares of one picture; a longer strip has gaps in their overlap."""
_CUT: Final = 0.03
"""Of a square's side: how near to an edge inside the picture a box ends that the edge has cut."""


def squares_of(size: tuple[int, int], model_px: int) -> list[tuple[int, int, int, int]]:
    """Where to look once more.

    Args:
        size: Width, height of the picture in pixels.
        model_px: Side of the square that the model sees.

    Returns:
        Squares of the shorter side, each half over the next, xyxy in pixels; none for a picture that is about square, or that the model
        need not shrink.
    """
    longer, shorter = max(size), min(size)
    if longer <= model_px or longer < _ELONGATED * shorter:
        return []
    count = min(_MOST, math.ceil((longer - shorter) / (shorter / 2)) + 1)
    starts = [round(i * (longer - shorter) / (count - 1)) for i in range(count)]
    wide = size[0] == longer
    return [(s, 0, s + shorter, shorter) if wide else (0, s, shorter, s + shorter) for s in starts]


def placed(hits: Iterable[PhraseHit], square: tuple[int, int, int, int], size: tuple[int, int]) -> list[PhraseHit]:
    """Hits of a square as hits of its picture; what an edge inside the picture has cut is seen whole in the next square."""
    x, y, right, bottom = square
    margin = _CUT * (right - x)

    def is_whole(box: BoxTuple) -> bool:
        x0, y0, x1, y1 = box
        cut_before = (x > 0 and x0 < margin) or (y > 0 and y0 < margin)
        cut_after = (right < size[0] and x1 > right - x - margin) or (bottom < size[1] and y1 > bottom - y - margin)
        return not cut_before and not cut_after

    return [
        PhraseHit(hit.query, (x0 + x, y0 + y, x1 + x, y1 + y), hit.score)
        for hit in hits
        if is_whole(hit.box_xyxy)
        for x0, y0, x1, y1 in (hit.box_xyxy,)
    ]
