"""People and things drawn into the planner's boxes, with boxes for people as large as those of things, and larger.

    python benchmarks/toybox_people.py

32 prompts ("a boy and a red ball in a meadow", "two girls and a green heart on a beach", ...), planned by rules, drawn by
`generate gligen`. A picture counts where the judge finds exactly the nouns of the plan; colours are not looked at.
"""

import tempfile
from pathlib import Path

from llmgen.artifacts import Record
from llmgen.artifacts.statistics import mcnemar, wilson
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.llm.planning import sizes
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.vision.images import ImageStore

THINGS = ("red ball", "blue car", "yellow house", "green tree", "purple cup", "orange fish")
PLACES = ("in a meadow", "at night")
FEWER = ("red ball", "blue car", "yellow star", "green heart")
WHO = ("boy", "girl")
PROMPTS = (
    *(f"a {who} and a {thing} {place}" for who in WHO for thing in THINGS for place in PLACES),
    *(f"two {who}s and a {thing} on a beach" for who in WHO for thing in FEWER),
)
SEED = 11


def holds_what_was_planned(scale: float) -> list[bool]:
    """Whether each picture holds the nouns of its plan.

    Args:
        scale: How much larger people are planned than things.
    """
    sizes.PEOPLE_SCALE = scale
    store = ImageStore(Path(tempfile.mkdtemp()))
    context = StageContext(load_preset("toybox"), store, "cpu", "float32", seed=SEED, batch_size=8)
    records = [Record(id=f"r{i}", prompt=prompt) for i, prompt in enumerate(PROMPTS)]
    for stage, method in (("layout", "lmd"), ("generate", "gligen")):
        config = context.config_for(stage, method, {})
        records = run_stage(
            records, method_class=resolve(stage, method), config=config, given={}, context=context
        ).records
    judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
    seen = judge.look([store.load(record.image) for record in records if record.image is not None])
    return [
        sorted(found.noun for found in picture.objects) == sorted(planned.noun for planned in record.layout.instances)
        for picture, record in zip(seen, records, strict=True)
        if record.layout is not None
    ]


def main() -> None:
    """Run both and print."""
    verdicts = {scale: holds_what_was_planned(scale) for scale in (1.0, sizes.PEOPLE_SCALE)}
    for scale, right in verdicts.items():
        low, high = wilson(sum(right), len(right))
        print(
            f"people x {scale:.2f}  {100 * sum(right) / len(right):5.1f} [{100 * low:.1f}, {100 * high:.1f}]  n = {len(right)}"
        )
    compared = mcnemar(zip(*verdicts.values(), strict=True))
    print(", ".join(f"{name} {value:.3g}" for name, value in compared.items() if isinstance(value, int | float)))


if __name__ == "__main__":
    main()
