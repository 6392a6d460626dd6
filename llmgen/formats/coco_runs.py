"""COCO's run lengths, checked by the hundred thousand."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from llmgen.artifacts.run_lengths import read_runs

_CHUNK: Final = 2**16
"""Characters that are read at once: they fit a cache, and their sums 64 bits."""
_MOST_CHARS_PER_RUN: Final = 6
_BITS: Final = 5
_FIRST_END, _LAST_END = "0", "O"
"""Characters from the first to the last of these end a number."""

Text = tuple[str, int, int]
"""Compressed counts, height and width in pixels."""


class CheckedRuns:
    """Does what `read_runs` does, and has read all masks of a file at once before: at a tenth of the cost.

    What is odd in any way is left to `read_runs`, which says what is wrong.
    """

    def __init__(self, segmentations: Iterable[Any] = ()) -> None:
        """Read them.

        Args:
            segmentations: What entries have as `segmentation`, of any form.
        """
        self._right: set[Text] = set()
        for chunk in _chunks(filter(None, map(_text, segmentations))):
            fit = _fit([text for text, _, _ in chunk], [height * width for _, height, width in chunk])
            self._right.update(one for one, right in zip(chunk, fit.tolist(), strict=True) if right)

    def __call__(self, counts: str, height: int, width: int) -> None:
        """Refuse what is no mask of that size.

        Args:
            counts: Compressed counts as pycocotools writes them.
            height: Height of the mask in pixels.
            width: Width of the mask in pixels.

        Raises:
            ValueError: As `read_runs`.
        """
        if (counts, height, width) not in self._right:
            read_runs(counts, height, width)


def _text(segmentation: Any) -> Text | None:
    """A mask of compressed counts that may be right."""
    if not isinstance(segmentation, dict):
        return None
    counts, size = segmentation.get("counts"), segmentation.get("size")
    if not (isinstance(counts, str) and counts.isascii() and 0 < len(counts) <= _CHUNK):
        return None
    if not _FIRST_END <= counts[-1] <= _LAST_END:
        return None
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and 0 < side < 2**15 for side in size)):
        return None
    return counts, *size


def _chunks(texts: Iterable[Text]) -> Iterator[list[Text]]:
    chunk: list[Text] = []
    size = 0
    for one in texts:
        if chunk and size + len(one[0]) > _CHUNK:
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += len(one[0])
    if chunk:
        yield chunk


def _fit(texts: list[str], pixels: list[int]) -> NDArray[np.bool_]:
    """Which texts are surely runs of that many pixels together; see `read_runs` for the encoding.

    Args:
        texts: ASCII, none empty, the last character of each the end of a number.
        pixels: Pixels of each mask.

    Returns:
        `bool[texts]`.
    """
    bits = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8) - np.uint8(48)
    begins = np.concatenate(([0], np.cumsum([len(text) for text in texts])[:-1]))
    right: NDArray[np.bool_] = np.maximum.reduceat(bits, begins) < 64
    ends = np.flatnonzero(bits & np.uint8(32) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    runs = (bits[starts] & np.uint8(31)).astype(np.int64)
    for further in range(1, min(int(lengths.max()), _MOST_CHARS_PER_RUN)):
        long = np.flatnonzero(lengths > further)
        runs[long] += (bits[starts[long] + further] & np.uint8(31)).astype(np.int64) << _BITS * further
    signed = np.flatnonzero(bits[ends] & np.uint8(16))
    runs[signed] -= 1 << _BITS * np.minimum(lengths[signed], _MOST_CHARS_PER_RUN)
    # The place of each run in its own text; from the fourth on, a run is told as the difference to the one two before.
    firsts = np.searchsorted(starts, begins)
    counts = np.diff(np.append(firsts, len(runs)))
    place = np.arange(len(runs)) - np.repeat(firsts, counts)
    for parity in (0, 1):
        told = np.flatnonzero((place % 2 == parity) & (place > 0))
        runs[told] = _sums(runs[told], (counts - 1 + parity) // 2)
    right &= np.maximum.reduceat(lengths, firsts) <= _MOST_CHARS_PER_RUN
    right &= np.minimum.reduceat(runs, firsts) >= 0
    return right & (np.add.reduceat(runs, firsts) == pixels)


def _sums(values: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Running sums that begin anew after each `counts` values."""
    sums = np.concatenate(([0], values.cumsum()))
    before = sums[np.cumsum(counts) - counts]
    return np.asarray(sums[1:] - np.repeat(before, counts))
