"""Curves of a training as a picture: what its log says, one line a loss."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

LOG_FILE: Final = "log.jsonl"
_NO_CURVES: Final = ("step", "elapsed_s", "steps_per_s", "lr")
_COLORS: Final = ("#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#7f7f7f")
_WIDTH: Final = 900
_HEIGHT: Final = 460
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 20, 220, 40


def read_log(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Step and value of each measure of a training's log, in the order of the lines.

    Args:
        folder: Working folder of the training.
    """
    path = folder / LOG_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        entry = json.loads(line)
        for name, value in entry.items():
            if name not in _NO_CURVES:
                curves.setdefault(name, []).append((entry["step"], value))
    return curves


def draw_curves(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Image.Image:
    """Draw curves with a logarithmic axis, the last value of each beside its name.

    Args:
        curves: Name to its points; points without a positive finite value are left out.
    """
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen = ImageDraw.Draw(picture)
    drawn = {
        name: [(x, math.log10(y)) for x, y in points if math.isfinite(y) and y > 0] for name, points in curves.items()
    }
    every = [point for points in drawn.values() for point in points]
    if not every:
        pen.text((_LEFT, _TOP), "no steps yet", fill="black")
        return picture
    last_step = max(max(x for x, _ in every), 1.0)
    low, high = math.floor(min(y for _, y in every)), math.ceil(max(y for _, y in every) + 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / last_step * (_WIDTH - _LEFT - _RIGHT)
        return across, _TOP + (high - y) / max(high - low, 1) * (_HEIGHT - _TOP - _BOTTOM)

    for power in range(low, high + 1):
        left, right = place(0, power), place(last_step, power)
        pen.line([left, right], fill="#dddddd")
        pen.text((6, left[1] - 6), f"{10.0**power:g}", fill="black")
    for share in (0.0, 0.5, 1.0):
        pen.text(
            (place(share * last_step, low)[0] - 10, _HEIGHT - _BOTTOM + 8), f"{share * last_step:.0f}", fill="black"
        )
    for row, (name, points) in enumerate(drawn.items()):
        color = _COLORS[row % len(_COLORS)]
        if points:
            pen.line([place(x, y) for x, y in points], fill=color, width=2)
            told = f"{name} {10 ** points[-1][1]:.3g}"
            pen.text((_WIDTH - _RIGHT + 12, _TOP + 16 * row), told, fill=color)
    return picture
