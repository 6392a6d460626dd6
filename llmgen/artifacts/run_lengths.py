"""COCO's run lengths, read without trust: pycocotools writes wherever a broken text tells it to."""

_MOST_CHARS_PER_RUN = 7
"""Five bits a character: enough for any run in a picture of 16384 x 16384, and its sign."""


def read_runs(counts: str, height: int, width: int) -> list[int]:
    """Lengths of the runs of a mask, background first, down each column and then along the row of columns.

    Args:
        counts: Compressed counts as pycocotools writes them.
        height: Height of the mask in pixels.
        width: Width of the mask in pixels.

    Returns:
        Lengths in pixels that add up to `height * width`.

    Raises:
        ValueError: If the text is no such encoding of a mask of that size.

    Source:
        COCO API, `rleFrString`: from the fourth on, a run is told as the difference to the one two before.
    """
    runs: list[int] = []
    left, value, shift = height * width, 0, 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift >= 5 * _MOST_CHARS_PER_RUN:
            raise ValueError("the run lengths cannot be decoded")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        run = value + (runs[-2] if len(runs) > 2 else 0)
        left -= run
        if run < 0 or left < 0:
            raise ValueError(f"the run lengths do not fit a mask of {width}x{height} pixels")
        runs.append(run)
        value = shift = 0
    if shift:
        raise ValueError("the run lengths end in the middle of a number")
    if left:
        raise ValueError(f"the run lengths leave {left} of {height * width} pixels out")
    return runs
