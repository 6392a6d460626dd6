"""Planned places against the rule by which GenEval judges positions."""

import random

from llmgen.llm.questions.layout import LayoutQuestion

NOUNS = "bicycle car bus bench bird cat dog horse elephant umbrella kite bottle cup fork banana pizza chair bed laptop clock vase".split()
SIGNS = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}
SLACK = 0.1
"""Of both extents, taken from the distance of the centres along an axis (GenEval, evaluate_images.py: POSITION_THRESHOLD)."""
LEAST = 0.5
"""Of the direction between two centres along the axis that is asked for (the same, relative_position)."""


def test_every_position_holds_by_the_rule_of_geneval():
    rng = random.Random(7)
    for seed, relation in enumerate([*SIGNS] * 10):
        one, other = rng.sample(NOUNS, 2)
        layout, _ = LayoutQuestion(f"a photo of a {one} {relation} a {other}", 128, 128, seed).by_rules()
        a, b = (instance.box_xyxy for instance in layout.instances)
        offset = []
        for axis in (0, 1):
            apart = (a[axis] + a[axis + 2] - b[axis] - b[axis + 2]) / 2
            slack = SLACK * (a[axis + 2] - a[axis] + b[axis + 2] - b[axis])
            offset.append(max(abs(apart) - slack, 0) * (1 if apart > 0 else -1))
        length = (offset[0] ** 2 + offset[1] ** 2) ** 0.5
        axis, sign = SIGNS[relation]
        assert sign * offset[axis] / length > LEAST, (one, relation, other)
