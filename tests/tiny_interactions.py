"""Records about interactions, a detector that finds what it is told, and a critic that says what it is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny_models import tiny_context

from llmgen.artifacts import Detection, Instance, Layout, Record, Reply
from llmgen.engine.context import StageContext
from llmgen.llm.english.acting import read_interaction
from llmgen.llm.providers.provider import Answer

PROMPT = "a boy is kicking a cup"
STEPS = {"num_inference_steps": 4}


class FixedDetector:
    """Finds the same in every picture, or by the order of the pictures."""

    def __init__(self, *found: Sequence[Detection]) -> None:
        self.found, self.looked = found, 0

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        grown = []
        for record in records:
            grown.append(record.grown(detections=tuple(self.found[self.looked % len(self.found)])))
            self.looked += 1
        return grown


class SayingCritic:
    """Answers with these texts, one after the other, the last one for ever."""

    provider, model = "openai", "made-up"

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), []

    def ask(self, question: Any) -> Answer[Any]:
        self.asked.append(question)
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        return Answer.read_from(question, Reply(call=question.name, provider=self.provider, text=text))


def found(noun: str, box: tuple[float, float, float, float], number: int = 1) -> Detection:
    return Detection(id=f"{noun} #{number}", phrase=noun, noun=noun, box_xyxy=box, score=0.8)


BOY, CUP = found("boy", (16.0, 8.0, 36.0, 58.0)), found("cup", (2.0, 2.0, 14.0, 14.0))


def acting_record(prompt: str = PROMPT, name: str = "r", seed: int = 3, width: int = 64, height: int = 64) -> Record:
    """A record whose layout says who does what with what."""
    interaction = read_interaction(prompt, lambda line: None)
    instances = (
        Instance(id="boy-1", phrase=interaction.subject.text, noun="boy", box_xyxy=(10.0, 10.0, 30.0, 50.0)),
        Instance(id="cup-1", phrase=interaction.object.text, noun="cup", box_xyxy=(30.0, 30.0, 50.0, 50.0)),
    )
    layout = Layout(width=width, height=height, background_prompt="", instances=instances, interaction=interaction)
    return Record(id=name, prompt=prompt, seed=seed, layout=layout)


def acting_context(folder: Path, *detected: Sequence[Detection]) -> tuple[StageContext, list[tuple[str, str]]]:
    """A context on tiny models with a fixed detector, and the remarks that are made."""
    context = tiny_context(folder)
    remarks: list[tuple[str, str]] = []
    context.remark_on = lambda name, text: remarks.append((name, text))
    context._methods["detect"] = FixedDetector(*(detected or ((BOY, CUP),)))  # type: ignore[assignment]
    return context, remarks
