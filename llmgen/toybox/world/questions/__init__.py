"""The questions of the before/after pairs: a file for each category, a template for each way to ask."""

from typing import Final

from llmgen.toybox.world.questions import appears, goes, mood, moves, scenery
from llmgen.toybox.world.questions.asking import Template

TEMPLATES: Final[tuple[Template, ...]] = (
    *scenery.TEMPLATES,
    *appears.TEMPLATES,
    *goes.TEMPLATES,
    *moves.TEMPLATES,
    *mood.TEMPLATES,
)
"""All of them."""

__all__ = ["TEMPLATES", "Template"]
