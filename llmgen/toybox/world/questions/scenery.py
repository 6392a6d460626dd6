"""The scenery changes: day and night, seasons, weather."""

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from llmgen.toybox.world.questions.asking import Change, Maker, Template, in_other_words
from llmgen.toybox.world.scenes import Scene
from llmgen.toybox.world.vocabulary import BACKGROUND_PHRASES

_DRY: Final = ("meadow", "beach")


def _turns(question: str, befores: Iterable[str], after: str | None = None) -> Maker:
    # Without an `after` the two backgrounds turn into each other, and only the picture says which way.
    befores = tuple(befores)

    def make(rng: random.Random, scene: Scene) -> Change | None:
        # Any scene will do: it is asked about on a background that fits.
        before = scene if scene.background in befores else replace(scene, background=rng.choice(befores))
        name = after or befores[1 - befores.index(before.background)]
        return Change(question, f"it is {BACKGROUND_PHRASES[name][0]} now", before, replace(before, background=name))

    return make


TEMPLATES: Final = (
    Template(
        "scenery/sunset",
        False,
        _turns("What will it look like when the sun goes down?", (*_DRY, "snow", "rain"), "night"),
    ),
    Template("scenery/winter", False, _turns("What will it look like in the middle of winter?", _DRY, "snow")),
    Template(
        "scenery/flakes", False, _turns("What if white flakes fall from the sky all day?", (*_DRY, "rain"), "snow")
    ),
    Template("scenery/umbrella", False, _turns("What if everybody outside suddenly needs an umbrella?", _DRY, "rain")),
    Template("scenery/cloudburst", False, _turns("What will it look like when the heavy clouds burst?", _DRY, "rain")),
    Template("scenery/seaside", False, _turns("What if all of this were by the sea?", ("meadow", "snow"), "beach")),
    Template(
        "scenery/spring",
        False,
        _turns("What will it look like when spring comes and everything melts?", ("snow",), "meadow"),
    ),
    Template(
        "scenery/clears_up",
        False,
        _turns("What will it look like when the clouds are gone and the ground is dry?", ("rain",), "meadow"),
    ),
    Template(
        "scenery/twelve_hours", True, _turns("What will it look like twelve hours from now?", ("meadow", "night"))
    ),
    Template(
        "scenery/weather",
        True,
        _turns("What if the weather turns from fine to wet, or from wet to fine?", ("meadow", "rain")),
    ),
    Template("scenery/half_year", True, _turns("What will it look like half a year from now?", ("meadow", "snow"))),
)

WIDER: Final = (
    in_other_words("scenery/to_night", False, lambda question: _turns(question, (*_DRY, "snow", "rain"), "night")),
    in_other_words("scenery/to_snow", False, lambda question: _turns(question, (*_DRY, "rain"), "snow")),
    in_other_words("scenery/to_rain", False, lambda question: _turns(question, _DRY, "rain")),
    in_other_words("scenery/to_beach", False, lambda question: _turns(question, ("meadow", "snow"), "beach")),
    in_other_words("scenery/snow_to_meadow", False, lambda question: _turns(question, ("snow",), "meadow")),
    in_other_words("scenery/rain_to_meadow", False, lambda question: _turns(question, ("rain",), "meadow")),
    in_other_words("scenery/day_night", True, lambda question: _turns(question, ("meadow", "night"))),
    in_other_words("scenery/fine_wet", True, lambda question: _turns(question, ("meadow", "rain"))),
    in_other_words("scenery/summer_winter", True, lambda question: _turns(question, ("meadow", "snow"))),
)
