"""Points in masks (PiM): does what was found cover the points that were asked for. Arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmgen.vision.masks import BoolMask

Points = NDArray[np.int64]
CHUNK = 32
"""Seen masks compared at a time."""


@dataclass(frozen=True)
class Wanted:
    """One instance that should be in the picture."""

    mask: BoolMask
    """`bool[h, w]`, may be empty."""
    points: Points
    """`int[n, 2]`, x and y in pixels of the picture; none for an empty mask."""
    category: str = ""


@dataclass(frozen=True)
class Seen:
    """One instance that a detector saw."""

    mask: BoolMask
    """`bool[h, w]`, as large as the wanted masks."""
    category: str = ""
    score: float = 1.0


@dataclass(frozen=True)
class Judged:
    """What one wanted instance came to."""

    wanted: int
    seen: int | None
    """Its partner among what was seen; None when it has none."""
    share: float | None
    """Share of its points inside the partner's mask, in [0, 1]; None when it is left out of the mean."""


def mask_overlaps(wanted: Sequence[BoolMask], seen: Sequence[BoolMask]) -> NDArray[np.float64]:
    """IoU of each wanted mask with each seen one.

    Args:
        wanted: `n` masks `bool[h, w]`.
        seen: `m` masks of the same shape.

    Returns:
        `float[n, m]`; not a number where both masks are empty.
    """
    if not wanted or not seen:
        return np.zeros((len(wanted), len(seen)))
    # Counts of pixels are whole numbers, exact in float32 up to 2^24; a detector's 300 masks at once would take too much memory.
    a = np.stack([mask.reshape(-1) for mask in wanted]).astype(np.float32)
    both = np.concatenate(
        [
            a @ np.stack([mask.reshape(-1) for mask in seen[start : start + CHUNK]]).astype(np.float32).T
            for start in range(0, len(seen), CHUNK)
        ],
        axis=1,
    ).astype(np.float64)
    sizes_a, sizes_b = ([float(np.count_nonzero(mask)) for mask in masks] for masks in (wanted, seen))
    union = np.array(sizes_a)[:, None] + np.array(sizes_b)[None, :] - both
    with np.errstate(invalid="ignore"):
        return np.asarray(both / union)


def match_in_order(overlaps: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Give each wanted instance, in order, the free seen one that it overlaps most, however little that is.

    Args:
        overlaps: `float[n, m]`, IoU; not a number never wins, of equals the first does.

    Returns:
        Pairs of a wanted and a seen instance.

    Source:
        InstanceDiffusion (Wang et al. 2024), evaluation of points in masks.
    """
    taken: set[int] = set()
    pairs = []
    for row, values in enumerate(overlaps):
        best, best_value = None, -1.0
        for column, value in enumerate(values):
            if column not in taken and value > best_value:
                best, best_value = column, float(value)
        if best is not None:
            taken.add(best)
            pairs.append((row, best))
    return pairs


def middle_point(mask: BoolMask) -> Points:
    """Middle of a mask's tight box, both ends being pixels of it.

    Args:
        mask: `bool[h, w]`.

    Returns:
        `int[1, 2]`, x and y; `int[0, 2]` for an empty mask.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.zeros((0, 2), dtype=np.int64)
    x = int((int(columns.min()) + int(columns.max())) / 2)
    y = int((int(rows.min()) + int(rows.max())) / 2)
    return np.array([[x, y]], dtype=np.int64)


def share_inside(points: Points, mask: BoolMask) -> float:
    """Share of points on a mask; those outside the picture are outside the mask.

    Args:
        points: `int[n, 2]`, x and y, at least one.
        mask: `bool[h, w]`.
    """
    height, width = mask.shape
    x, y = points[:, 0], points[:, 1]
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return float(mask[y[within], x[within]].sum() / len(points))


def judge_reference(wanted: Sequence[Wanted], seen: Sequence[Seen]) -> list[Judged]:
    """Judge one picture as published: any class may be the partner, and what has no partner is forgotten.

    Args:
        wanted: What should be there, in the order of the annotations.
        seen: All that was seen, of any class and score.

    Returns:
        One entry for each wanted instance.

    Source:
        InstanceDiffusion (Wang et al. 2024), evaluation of points in masks.
    """
    pairs = dict(match_in_order(mask_overlaps([w.mask for w in wanted], [s.mask for s in seen])))
    return [
        Judged(i, j, share_inside(w.points, seen[j].mask) if len(w.points) else None)
        if (j := pairs.get(i)) is not None
        else Judged(i, None, None)
        for i, w in enumerate(wanted)
    ]


def judge_strict(
    wanted: Sequence[Wanted], seen: Sequence[Seen], *, min_score: float = 0.25, min_iou: float = 0.0
) -> list[Judged]:
    """Judge one picture so that misses and wrong classes hurt.

    Partners have the same class, enough confidence and more than `min_iou` overlap, and are chosen so that the overlaps add up to the
    most. A wanted instance without one counts 0; only an empty mask, which wants nothing, is left out.

    Args:
        wanted: What should be there.
        seen: What was seen.
        min_score: Least confidence of a partner.
        min_iou: IoU above which two masks can be partners.

    Returns:
        One entry for each wanted instance.
    """
    overlaps = np.nan_to_num(mask_overlaps([w.mask for w in wanted], [s.mask for s in seen]))
    allowed = np.zeros(overlaps.shape, dtype=bool)
    for i, w in enumerate(wanted):
        for j, s in enumerate(seen):
            allowed[i, j] = w.category == s.category and s.score >= min_score and overlaps[i, j] > min_iou
    pairs = dict(match_best(overlaps, allowed))
    judged = []
    for i, w in enumerate(wanted):
        partner = pairs.get(i)
        share = None if not len(w.points) else 0.0 if partner is None else share_inside(w.points, seen[partner].mask)
        judged.append(Judged(i, partner, share))
    return judged


def match_best(values: NDArray[np.float64], allowed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """One-to-one pairs whose values add up to the most.

    Args:
        values: `float[n, m]`, none negative.
        allowed: `bool[n, m]`, which pairs may be.

    Returns:
        Pairs of row and column, rows ascending.
    """
    from scipy.optimize import linear_sum_assignment

    # A pair of no value is still better than none.
    rows, columns = linear_sum_assignment(np.where(allowed, values + 1e-9, 0.0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]


def mean_share(judged: Sequence[Judged]) -> float | None:
    """Mean over the instances of one picture that count; None when none does."""
    shares = [entry.share for entry in judged if entry.share is not None]
    return sum(shares) / len(shares) if shares else None


def coverage(judged: Sequence[Judged]) -> float | None:
    """Share of the wanted instances that got a partner; None when nothing was wanted."""
    return sum(entry.seen is not None for entry in judged) / len(judged) if judged else None
