"""What a test got against what it should be, down to the numbers."""

from typing import Any


def check(got: Any, expected: Any, tolerance: float, where: str = "") -> None:
    """Equal in form; numbers within the tolerance, relative above 1."""
    if isinstance(expected, dict):
        assert sorted(got) == sorted(expected), where
        for key in expected:
            check(got[key], expected[key], tolerance, f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(got) == len(expected), where
        for i, (a, b) in enumerate(zip(got, expected, strict=True)):
            check(a, b, tolerance, f"{where}/{i}")
    elif isinstance(expected, int | float) and not isinstance(expected, bool):
        assert abs(got - expected) <= tolerance * max(1.0, abs(expected)), f"{where}: {got} is not {expected}"
    else:
        assert got == expected, where
