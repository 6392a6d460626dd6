"""Makes artifacts and prints them, for a comparison between processes: `python tests/seeded_run.py plans|pictures FOLDER`."""

import sys
from pathlib import Path

from llmgen.artifacts import Detection, Record
from llmgen.artifacts.hashing import digest
from llmgen.artifacts.io import record_line
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.formats.lmd import read_lmd
from llmgen.llm.providers.rules import Rules
from llmgen.llm.questions.differences import DifferencesQuestion
from llmgen.llm.questions.edit import EditQuestion
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore

PROMPTS = (
    "a beach with three red balls, two blue cars and a yellow house",
    "a meadow with a green tree on the left and a purple star on the right, without dogs or cats",
    "a red ball to the left of a blue car and above a yellow house",
    "a snowy field with seven stars",
)
INSTRUCTIONS = (
    "make the red ball blue and remove the car",
    "swap the ball and the house, then remove the dog",
    "replace the stars with three purple fish",
)
CACHE = {
    "two cats": [
        "[('a cat', [10, 20, 100, 200]), ('a cat', [300, 20, 300, 200])]\nBackground prompt: A\nNegative prompt:"
    ]
}


def seen() -> tuple[Detection, ...]:
    """A scene with surplus, missing and wrong objects."""
    found = {
        "red ball #1": (2, 80, 30, 108), "red ball #2": (4, 82, 32, 110), "blue car #1": (60, 5, 100, 40), "car #1": (60, 45, 100, 70),
        "house #1": (80, 75, 127, 127), "star #1": (33, 2, 50, 20), "star #2": (2, 2, 20, 20), "dog #1": (35, 40, 55, 60),
    }  # fmt: skip
    return tuple(
        Detection(
            id=name,
            phrase=name.partition(" #")[0],
            noun=name.partition(" #")[0].split()[-1],
            attributes=tuple(name.partition(" #")[0].split()[:-1]),
            box_xyxy=tuple(map(float, box)),  # type: ignore[arg-type]
            score=0.5,
        )
        for name, box in found.items()
    )


def say(*values: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(" ".join(values) + "\n")


def plans() -> None:
    """All that is done without a model: layouts, readings, comparisons, edits, imports."""
    rules = Rules()
    for prompt in PROMPTS:
        layout = rules.ask(LayoutQuestion(prompt, 128, 128, seed=1))
        plan = rules.ask(DifferencesQuestion(prompt, seen(), 128, 128, None, seed=1))
        for value in (layout.value, layout.reply, plan.value, plan.reply, rules.ask(ParseQuestion(prompt)).reply):
            say(value.model_dump_json())
    for instruction in INSTRUCTIONS:
        plan = rules.ask(EditQuestion(instruction, seen(), 128, 128, seed=1))
        for value in (plan.value, plan.reply, rules.ask(ParseQuestion(instruction, instruction=True)).reply):
            say(value.model_dump_json())
    for record in read_lmd(CACHE, "cache.json")[0].records:
        say(record_line(record).strip())


def pictures(folder: Path) -> None:
    """Layout, generate, detect, correct with the toybox, two steps each; a picture is in its record as a digest."""
    context = StageContext(load_preset("toybox"), ImageStore(folder), "cpu", "float32", seed=3, batch_size=2)
    records = [Record(id=f"r{i}", prompt=prompt) for i, prompt in enumerate(PROMPTS[:2])]
    for stage, method, given in (
        ("layout", "lmd", {}),
        ("generate", "sd", {"num_inference_steps": 2}),
        ("detect", "owlv2", {}),
        ("correct", "self_correction", {"num_inference_steps": 2, "rounds": 2}),
    ):
        config = context.config_for(stage, method, given)
        records = run_stage(
            records, method_class=resolve(stage, method), config=config, given=given, context=context
        ).records
    for record in records:
        assert record.error is None, record.error
        assert any(entry.stage == "correct" for entry in record.history)
        say(digest(record), record_line(record).strip())


if __name__ == "__main__":
    plans() if sys.argv[1] == "plans" else pictures(Path(sys.argv[2]))
