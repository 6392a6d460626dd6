"""Coordinates of the two small charts: intervals in the score table, and success by round."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.report.overlay import number
from llmgen.report.summary import RoundShare, Share

STRIP_WIDTH: Final = 200
"""Width of an interval strip; 0 to 1 spans it, less a margin for the dots."""
_MARGIN: Final = 8
CURVE_WIDTH: Final = 340
CURVE_HEIGHT: Final = 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 30, 24, 34


@dataclass(frozen=True, slots=True)
class Dot:
    """A mean and its interval on a strip; `low` and `high` are None without an interval."""

    x: str
    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the curve with its value in words."""

    x: str
    y: str
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Success by round as SVG coordinates."""

    width: int
    height: int
    line: str
    band: str
    points: tuple[Point, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    words: str
    """The whole curve as a sentence, for those who do not see it."""
    n: int


def percent(value: float) -> str:
    """A share as percent without decimals, halves rounded up: 0.125 is `13 %` (with a space that does not break)."""
    return f"{int(value * 100 + 0.5 + 1e-9)}\N{NO-BREAK SPACE}%"


def dot(share: Share) -> Dot:
    """Place a share on a strip."""

    def place(value: float) -> str:
        return number(_MARGIN + value * (STRIP_WIDTH - 2 * _MARGIN))

    if share.low is None or share.high is None:
        return Dot(place(share.mean), None, None)
    return Dot(place(share.mean), place(share.low), place(share.high))


def curve(rounds: Sequence[RoundShare]) -> Curve | None:
    """Draw success by round.

    Returns:
        None when there are fewer than two rounds: one point is no curve.
    """
    if len(rounds) < 2:
        return None
    last = len(rounds) - 1

    def place_x(index: int) -> float:
        return _LEFT + index / last * (CURVE_WIDTH - _LEFT - _RIGHT)

    def place_y(value: float) -> float:
        return CURVE_HEIGHT - _BOTTOM - value * (CURVE_HEIGHT - _BOTTOM - _TOP)

    def pairs(values: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{number(x)},{number(y)}" for x, y in values)

    means = [(place_x(i), place_y(r.share.mean)) for i, r in enumerate(rounds)]
    lows = [(place_x(i), place_y(r.share.low or 0.0)) for i, r in enumerate(rounds)]
    highs = [(place_x(i), place_y(1.0 if r.share.high is None else r.share.high)) for i, r in enumerate(rounds)]
    words = "; ".join(f"{_round_name(r.round).lower()} {percent(r.share.mean)}" for r in rounds)
    return Curve(
        width=CURVE_WIDTH,
        height=CURVE_HEIGHT,
        line=pairs(means),
        band=pairs([*lows, *reversed(highs)]),
        points=tuple(
            Point(number(x), number(y), percent(r.share.mean)) for (x, y), r in zip(means, rounds, strict=True)
        ),
        x_ticks=tuple(Tick(number(place_x(i)), _round_name(r.round)) for i, r in enumerate(rounds)),
        y_ticks=tuple(Tick(number(place_y(v)), percent(v)) for v in (0.0, 0.5, 1.0)),
        words=words,
        n=rounds[0].share.n,
    )


def _round_name(index: int) -> str:
    return "Drawn" if index == 0 else f"Round {index}"
