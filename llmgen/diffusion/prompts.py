"""Texts for the sampler, put together from a layout's parts."""

from collections.abc import Sequence


def scene_prompt(background: str, phrases: Sequence[str]) -> str:
    """One text for a whole picture.

    Args:
        background: The scene, for example `a meadow`; may be empty.
        phrases: Objects with their articles, in order.

    Returns:
        For example `a meadow with a red ball, a blue car`.

    Source: LMD (Lian et al. 2023), overall prompt.
    """
    objects = ", ".join(phrases)
    if background and objects:
        return f"{background} with {objects}"
    return background or objects


def join_negatives(*parts: str) -> str:
    """Negative prompts, the most particular first, separated by commas; empty ones are left out."""
    return ", ".join(part for part in parts if part)
