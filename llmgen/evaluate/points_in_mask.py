"""Points in masks (PiM): does what was found cover the points that were asked for. Arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmgen.formats.coco_figures import quiet_pycocotools
from llmgen.vision.masks import BoolMask

Points = NDArray[np.int64]


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

    runs: dict[str, Any]
    """COCO's compressed run lengths of its mask, as large as the wanted masks."""
    category: str = ""
    score: float = 1.0

    @property
    def mask(self) -> BoolMask:
        """Its mask as `bool[h, w]`."""
        return decoded(self.runs)


@dataclass(frozen=True)
class Judged:
    """What one wanted instance came to."""

    wanted: int
    seen: int | None
    """Its partner among what was seen; None when it has none."""
    share: float | None
    """Share of its points inside the partner's mask, in [0, 1]; None when it is left out of the mean."""


def run_lengths(mask: BoolMask) -> dict[str, Any]:
    """COCO's compressed run lengths of a mask `bool[h, w]`."""
    from pycocotools import mask as coco

    return dict(coco.encode(np.asfortranarray(mask.astype(np.uint8))))


def decoded(runs: dict[str, Any]) -> BoolMask:
    """The mask `bool[h, w]` of COCO's compressed run lengths."""
    from pycocotools import mask as coco

    with quiet_pycocotools():
        return np.asarray(coco.decode(runs), dtype=bool)


def mask_overlaps(wanted: Sequence[Wanted], seen: Sequence[Seen]) -> NDArray[np.float64]:
    """IoU of each wanted mask with each seen one.

    Args:
        wanted: `n` instances.
        seen: `m` instances, masks of the same size.

    Returns:
        `float[n, m]`; not a number where both masks are empty.
    """
    from pycocotools import mask as coco

    if not wanted or not seen:
        return np.zeros((len(wanted), len(seen)))
    a, b = [run_lengths(one.mask) for one in wanted], [one.runs for one in seen]
    with quiet_pycocotools():
        overlaps = np.asarray(coco.iou(a, b, [0] * len(b)), dtype=np.float64)
        # One at a time: with numpy 2, pycocotools cannot give the areas of more than 255 masks at once.
        empty_a, empty_b = (np.array([int(coco.area(one)) == 0 for one in runs]) for runs in (a, b))
    overlaps[np.ix_(empty_a, empty_b)] = np.nan  # it says 0
    return overlaps


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


def judge_reference(wanted: Sequence[Wanted], seen: Sequence[Seen], overlaps: NDArray[np.float64]) -> list[Judged]:
    """Judge one picture as published: any class may be the partner, and what has no partner is forgotten.

    Args:
        wanted: What should be there, in the order of the annotations.
        seen: All that was seen, of any class and score.
        overlaps: `mask_overlaps` of both.

    Returns:
        One entry for each wanted instance.

    Source:
        InstanceDiffusion (Wang et al. 2024), evaluation of points in masks.
    """
    pairs = dict(match_in_order(overlaps))
    return [
        Judged(i, j, share_inside(w.points, seen[j].mask) if len(w.points) else None)
        if (j := pairs.get(i)) is not None
        else Judged(i, None, None)
        for i, w in enumerate(wanted)
    ]


def judge_strict(
    wanted: Sequence[Wanted],
    seen: Sequence[Seen],
    overlaps: NDArray[np.float64],
    *,
    min_score: float = 0.25,
    min_iou: float = 0.0,
) -> list[Judged]:
    """Judge one picture so that misses and wrong classes hurt.

    Partners have the same class, enough confidence and more than `min_iou` overlap, and are chosen so that the overlaps add up to the
    most. A wanted instance without one counts 0; only an empty mask, which wants nothing, is left out.

    Args:
        wanted: What should be there.
        seen: What was seen.
        overlaps: `mask_overlaps` of both.
        min_score: Least confidence of a partner.
        min_iou: IoU above which two masks can be partners.

    Returns:
        One entry for each wanted instance.
    """
    overlaps = np.nan_to_num(overlaps)
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
