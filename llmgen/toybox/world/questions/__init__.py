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
"""All that are asked: figures are on these, and some of them no training sees."""

WIDER_TEMPLATES: Final[tuple[Template, ...]] = (
    *scenery.WIDER,
    *appears.WIDER,
    *goes.WIDER,
    *moves.WIDER,
    *mood.WIDER,
)
"""The same changes and a few more in many other words, for trainings alone."""

__all__ = ["TEMPLATES", "WIDER_TEMPLATES", "Template"]
