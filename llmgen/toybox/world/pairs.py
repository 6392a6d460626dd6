"""Pictures before and after something happens, with the question that asks for it and the sentence that answers it.

A question never names what changes and never leaves a choice: "What will it look like when the sun goes down?" A third
of them can only be answered by who has seen the picture: "What if the thing left of the boy goes away?"
Everything besides the change stays as it was: background variant, boxes, looks.
"""

import random
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from llmgen.toybox.world.held_out import held_out as held_out_lists
from llmgen.toybox.world.held_out import is_held_out
from llmgen.toybox.world.questions import TEMPLATES, WIDER_TEMPLATES, Template
from llmgen.toybox.world.scenes import PlacementError, Scene, sample_scene

Category = Literal["scenery", "appears", "goes", "moves", "mood"]
CATEGORIES: Final[tuple[Category, ...]] = ("scenery", "appears", "goes", "moves", "mood")

PICTURE_SHARE: Final = 1 / 3
"""Share of the questions that need the picture."""

_TRIES: Final = 400


@dataclass(frozen=True, slots=True)
class Pair:
    """A question about a picture, and what its answer looks like.

    Attributes:
        category: What kind of change it is.
        template: Name of the question's template, such as "scenery/sunset".
        question: In ordinary English.
        answer: What is different afterwards, within the words of `vocabulary.words`.
        before: What the question is asked about.
        after: The same, changed.
        needs_picture: Whether the question alone does not say what will change.
    """

    category: Category
    template: str
    question: str
    answer: str
    before: Scene
    after: Scene
    needs_picture: bool


@cache
def templates(category: Category, held_out: bool, needs_picture: bool) -> tuple[Template, ...]:
    """The templates of a kind.

    Args:
        category: What kind of change.
        held_out: Whether those that no training sees, or all others.
        needs_picture: Whether those that need the picture, or all others.

    Returns:
        At least one.
    """
    names = held_out_lists().templates
    return tuple(
        template
        for template in TEMPLATES
        if template.category == category
        and (template.name in names) == held_out
        and template.needs_picture == needs_picture
    )


@cache
def wider_templates(category: Category, needs_picture: bool) -> tuple[Template, ...]:
    """The templates of trainings for a kind: see `templates`."""
    return tuple(t for t in WIDER_TEMPLATES if t.category == category and t.needs_picture == needs_picture)


def sample_pair(
    rng: random.Random,
    category: Category | None = None,
    held_out: bool = False,
    held_out_scene: bool = False,
    wider_share: float = 0.0,
) -> Pair:
    """Draw a pair.

    Args:
        rng: Source of randomness.
        category: What kind of change; None draws one.
        held_out: Whether to ask in words that no training has seen; otherwise only in others.
        held_out_scene: Whether one of the pictures shows what no training has seen; otherwise neither does.
        wider_share: Share of the questions that are asked in the wider wordings of the trainings.

    Returns:
        The pair.
    """
    chosen = rng.choice(CATEGORIES) if category is None else category
    needs_picture = rng.random() < PICTURE_SHARE
    wide = wider_share > 0 and rng.random() < wider_share
    asked = wider_templates(chosen, needs_picture) if wide else templates(chosen, held_out, needs_picture)
    while True:
        template = rng.choice(asked)
        # Some questions fit one scene in hundreds, and hardly any that is held out: another one is asked then.
        for _ in range(_TRIES):
            try:
                change = template.make(rng, sample_scene(rng, held_out=held_out_scene))
            except PlacementError:
                continue  # There is no room for the change in this scene.
            if change is None or (is_held_out(change.before) or is_held_out(change.after)) != held_out_scene:
                continue
            question, answer, before, after = change.question, change.answer, change.before, change.after
            return Pair(chosen, template.name, question, answer, before, after, needs_picture)
