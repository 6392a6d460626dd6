"""A question about a picture and what answered it: the input, the target where it is known, and the samples of each method side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.artifacts import Record, Sample, Score
from llmgen.errors import InputError, ModelError
from llmgen.llm.replies.extract import find_json
from llmgen.report.pictures import Picture, Pictures, without_folder
from llmgen.vision.images import ImageStore

ANSWERED: Final = ("answer-guided", "lgd", "question-guided")
"""Methods that answer questions by pictures."""
_CALL: Final = "answer"
_VERDICT: Final = "vqai"
_FIGURES: Final = {"vqai.similarity": "like the target", "vqai.gain": "gain", "vqai.rest": "rest stayed"}
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture with its caption.

    Attributes:
        title: What it is.
        picture: To look at.
        notes: Seed and scores.
        tone: `yes`, `no`, or nothing where nobody judged it.
    """

    title: str
    picture: Picture
    notes: tuple[str, ...] = ()
    tone: str = ""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What one method made of the question."""

    name: str
    said: str
    """The answer in words, where there is one."""
    samples: tuple[Shown, ...]
    problem: str = ""
    """Why there is no picture."""


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One question."""

    question: str
    given: tuple[Shown, ...]
    """Input and target."""
    rows: tuple[AnswerRow, ...]


def answers_of(
    record: Record, beside: Sequence[tuple[str, Record]], name: str, pictures: Pictures, store: ImageStore
) -> AnswerView | None:
    """The view of a record's question, or None for a record that is none.

    Args:
        record: The reported one.
        beside: Name of an artifact that was compared with this one, and its record of the same id.
        name: Of the reported artifact; empty where nothing was compared.
        pictures: Reads pictures.
        store: Where they lie.
    """
    made = _method(record)
    if made is None or not record.instruction:
        return None
    given = [("Input", record.source_image), ("Target", record.target_image)]
    shown = tuple(Shown(title, _picture(path, pictures, store)) for title, path in given if path)
    rows = [_row(name or made, record, pictures), *(_row(other, one, pictures) for other, one in beside)]
    return AnswerView(record.instruction, shown, tuple(rows))


def _method(record: Record) -> str | None:
    drawn = [entry.method for entry in record.provenance if entry.stage == "generate"]
    return drawn[-1] if drawn and drawn[-1] in ANSWERED else None


def _row(name: str, record: Record, pictures: Pictures) -> AnswerRow:
    said = [_said(reply.text) for reply in record.replies if reply.call == _CALL]
    samples = tuple(_sample(sample, pictures) for sample in record.samples)
    if not samples and record.image is not None:
        notes, tone = _scores(record.scores or ())
        samples = (Shown("Answer", pictures.show(record.image), notes, tone),)
    return AnswerRow(name, said[-1] if said else "", samples, record.error.message if record.error else "")


def _said(text: str) -> str:
    """The sentences of an answer: those of the planner's form, or the text as it is."""
    try:
        found = find_json(text, ("answer", "edit_instruction"))
    except ModelError:
        found = None
    if found is None:
        return text.strip()[:_LONGEST]
    told = [str(found[key]) for key in ("answer", "edit_instruction") if isinstance(found.get(key), str)]
    return " / ".join(dict.fromkeys(told))[:_LONGEST]


def _sample(sample: Sample, pictures: Pictures) -> Shown:
    notes, tone = _scores(sample.scores or ())
    title = f"Sample {sample.index}" + (", chosen" if sample.chosen else "")
    return Shown(title, pictures.show(sample.image), (f"seed {sample.seed}", *notes), tone)


def _scores(scores: Sequence[Score]) -> tuple[tuple[str, ...], str]:
    last = {score.metric: score for score in scores if score.of != "initial"}
    notes = tuple(f"{words} {last[key].value:.2f}" for key, words in _FIGURES.items() if key in last)
    if _VERDICT not in last:
        return notes, ""
    right = last[_VERDICT].value >= 1
    return ("right" if right else "wrong", *notes), "yes" if right else "no"


def _picture(path: str, pictures: Pictures, store: ImageStore) -> Picture:
    try:
        return pictures.show(store.refer(path))
    except InputError as error:
        return Picture(f"missing-{path}", 1, 1, None, without_folder(str(error), store.root))
