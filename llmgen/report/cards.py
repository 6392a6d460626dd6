"""A record of the page: what it shows, what is said of it and how it was made, worked out before any HTML is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from llmgen.artifacts import Provenance, Record, RecordError, Remark, Reply, Score
from llmgen.artifacts.hashing import canonical_json
from llmgen.artifacts.io import pretty_json
from llmgen.artifacts.score import SHARE, VERDICTS
from llmgen.report.answers import AnswerView
from llmgen.report.pictures import Picture, Pictures
from llmgen.report.steps import Step, compared, front, make_samples, make_steps
from llmgen.report.summary import Outcome, Scorer, outcome, scores_of
from llmgen.report.tables import column_words

OUTCOME_WORDS: Final[dict[Outcome, tuple[str, str]]] = {
    "right": ("Right at once", "✓"),
    "fixed": ("Fixed", "↑"),
    "wrong": ("Still wrong", "✗"),
    "worse": ("Made worse", "↓"),
    "error": ("Error", "!"),
    "unscored": ("Not scored", "·"),
}
#: What nothing was done about is not "still" wrong.
UNCORRECTED_WORDS: Final = OUTCOME_WORDS | {"right": ("Right", "✓"), "wrong": ("Wrong", "✗")}
_FEW_MEASURES: Final = 2
"""Metrics that are no verdicts of the record's picture which it shows at once; more are folded away."""
_VALUES: Final = {0.0: ("wrong", "no"), 1.0: ("right", "yes")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One score of one record."""

    column: str
    value: str
    tone: str
    """`yes` and `no` for verdicts, nothing for other scores."""
    metric: str
    by: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a stage was run; records that were run alike share it."""

    number: int
    stage: str
    method: str
    preset: str
    facts: tuple[tuple[str, str], ...]
    config: str
    passed: str


@dataclass(frozen=True, slots=True)
class Made:
    """What a record's provenance adds to the recipe."""

    recipe: Recipe
    seed: int | None
    input_sha256: str


@dataclass(frozen=True, slots=True)
class Card:
    """One record."""

    id: str
    prompt: str
    instruction: str | None
    type: str | None
    seed: int | None
    outcome: Outcome
    outcome_text: str
    outcome_sign: str
    score: float | None
    """What the first scorer says of the last picture, the higher the better, to sort by."""
    search: str
    answers: AnswerView | None
    """A question about a picture and what answered it, in place of samples and steps."""
    samples: tuple[Step, ...]
    """All pictures of the prompt, where they are several."""
    steps: tuple[Step, ...]
    front: Step | None
    """The figure that stands for the record."""
    compared: tuple[Picture, Picture] | None
    verdicts: tuple[Verdict, ...]
    measures: tuple[Verdict, ...]
    """Scores that are no verdicts of the record's picture, where they are many."""
    replies: tuple[Reply, ...]
    remarks: tuple[Remark, ...]
    made: tuple[Made, ...]
    error: RecordError | None


class Recipes:
    """Collects how stages were run, each way once."""

    def __init__(self) -> None:
        self._known: dict[str, Recipe] = {}

    @property
    def all(self) -> tuple[Recipe, ...]:
        """The ways, in the order in which they were met."""
        return tuple(self._known.values())

    def add(self, made: Provenance) -> Made:
        """What a provenance says, with the recipe that it shares."""
        shared = made.model_dump(mode="json", exclude={"seed", "input_sha256"})
        key = canonical_json(shared)
        if key not in self._known:
            models = "; ".join(
                f"{m.role}: {m.source}{f' @ {m.revision}' if m.revision else ''}"
                + (f" ({m.scheduler})" if m.scheduler else "")
                for m in made.models
            )
            packages = ", ".join(f"{name} {version}" for name, version in sorted(made.packages.items()))
            facts = (
                ("Models", models),
                ("Device", f"{made.device}, {made.dtype}"),
                ("Software", ", ".join(filter(None, (f"llmgen {made.llmgen}", packages)))),
            )
            self._known[key] = Recipe(
                number=len(self._known) + 1,
                stage=made.stage,
                method=made.method,
                preset=made.preset,
                facts=tuple(fact for fact in facts if fact[1]),
                config=pretty_json(made.config).strip() if made.config else "",
                passed=pretty_json(made.config_passed).strip() if made.config_passed else "",
            )
        return Made(self._known[key], made.seed, made.input_sha256)


def make_card(
    record: Record, scorer: Scorer | None, pictures: Pictures, recipes: Recipes, answers: AnswerView | None
) -> Card:
    """Work out a record's card.

    Args:
        record: What it is about.
        scorer: Whose verdict counts; None where nobody scored.
        pictures: Where its pictures come from.
        recipes: Where the ways in which its stages were run are collected.
        answers: What answered its question, where it is one about a picture.
    """
    scores = scores_of(record, scorer) if scorer else {}
    steps = () if answers else make_steps(record, pictures, scores)
    became = outcome(record, scorer)
    paired = any(s.of == "initial" for s in record.scores or ())
    words, sign = (OUTCOME_WORDS if paired else UNCORRECTED_WORDS)[became]
    verdicts = tuple(
        Verdict(column_words(s.of, paired), *_verdict_words(s), s.metric, s.by, s.detail) for s in record.scores or ()
    )
    few = len({v.metric for v in verdicts if v.metric not in VERDICTS}) <= _FEW_MEASURES
    texts = [record.id, record.prompt, record.instruction, record.type, words]
    texts += [record.error.message] if record.error else []
    texts += [verdict.detail for verdict in verdicts]
    texts += [remark.text for remark in record.remarks]
    texts += [edit.text for step in steps for edit in step.edits]
    return Card(
        id=record.id,
        prompt=record.prompt or record.instruction or "",
        instruction=record.instruction if record.prompt else None,
        type=record.type or next((s.type for s in record.scores or () if s.type), None),
        seed=record.seed,
        outcome=became,
        outcome_text=words,
        outcome_sign=sign,
        score=_to_sort_by(scores),
        search=" ".join(" ".join(filter(None, texts)).lower().split()),
        answers=answers,
        samples=() if answers else make_samples(record, pictures),
        steps=steps,
        front=_front_of_answers(answers) if answers else front(steps),
        compared=compared(steps),
        verdicts=verdicts if few else tuple(v for v in verdicts if v.metric in VERDICTS),
        measures=() if few else tuple(v for v in verdicts if v.metric not in VERDICTS),
        replies=record.replies,
        remarks=record.remarks,
        made=tuple(recipes.add(made) for made in record.provenance),
        error=record.error,
    )


def _front_of_answers(view: AnswerView) -> Step | None:
    """The first picture of the last method, else what the question was about."""
    shown = [shown for row in reversed(view.rows) for shown in row.samples] or list(view.given)
    if not shown:
        return None
    first = shown[0]
    picture = first.picture
    return Step(first.title, first.title, picture.width, picture.height, "1", picture, final=True)


def _to_sort_by(scores: Mapping[str, Score]) -> float | None:
    last = scores.get("final") or next(iter(scores.values()), None)
    return None if last is None else last.value if last.better == "higher" else -last.value


def _verdict_words(score: Score) -> tuple[str, str]:
    number = f"{score.value:.2f}" + ("" if score.unit == SHARE else f" {score.unit}")
    if not Scorer(score.metric, score.by).verdicts:
        return number, ""
    return _VALUES.get(score.value, (number, "no"))
