"""How far a long work within a batch has come, step by step."""

import time
from collections.abc import Callable
from typing import Any


class Steps:
    """Counts the steps of one work and tells of each, with the time that is left by the steps so far.

    Args:
        tell: Takes one short line.
        text: What the work is.
        total: Its steps.
    """

    def __init__(self, tell: Callable[[str], None], text: str, total: int) -> None:
        self._tell, self._text, self._total = tell, text, total
        self._done, self._started = 0, time.perf_counter()
        tell(text)

    def __call__(self) -> None:
        """A step is done."""
        self._done += 1
        left = (time.perf_counter() - self._started) / self._done * (self._total - self._done)
        self._tell(f"{self._text}: step {self._done} of {self._total}, {duration(left)} left")


def telling(steps: Steps) -> Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]:
    """A `callback_on_step_end` of the pipelines of diffusers that changes nothing."""

    def after_step(pipe: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        steps()
        return tensors

    return after_step


def duration(seconds: float) -> str:
    """A time in words of one or two units: `9 s`, `2 min 5 s`, `1 h 3 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
