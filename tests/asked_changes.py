"""What question templates make of scenes."""

import random
from collections.abc import Sequence

from llmgen.toybox.world.questions import Template
from llmgen.toybox.world.questions.asking import Change
from llmgen.toybox.world.scenes import PlacementError, sample_scene


def changes_of(templates: Sequence[Template], *, scenes: int, most: int, seed: int) -> dict[str, list[Change]]:
    """Every template on one pool of scenes, so that rare ones do not cost thousands of scenes each; so many changes of each at most."""
    rng = random.Random(seed)
    found: dict[str, list[Change]] = {template.name: [] for template in templates}
    for _ in range(scenes):
        scene = sample_scene(rng)
        for template in templates:
            if len(found[template.name]) < most:
                try:
                    change = template.make(rng, scene)
                except PlacementError:
                    continue
                if change is not None:
                    found[template.name].append(change)
    return found
