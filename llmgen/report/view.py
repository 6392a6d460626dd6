"""Everything the page shows, worked out before any HTML is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.artifacts import Manifest, Provenance, Record, RecordError, Remark, Reply, Score
from llmgen.artifacts.hashing import canonical_json
from llmgen.artifacts.io import ReadArtifact, pretty_json
from llmgen.artifacts.score import SHARE
from llmgen.report.answers import AnswerView, answers_of
from llmgen.report.beside import PicturesBeside
from llmgen.report.charts import Curve, curve
from llmgen.report.layers import Layers, layers_of
from llmgen.report.pictures import MOST_INSIDE, Picture, Pictures, ahead, longest_side
from llmgen.report.side_by_side import SideTable, side_by_side
from llmgen.report.source import Source
from llmgen.report.steps import Step, compared, front, make_samples, make_steps
from llmgen.report.summary import (
    OUTCOMES,
    Outcome,
    Scorer,
    outcome,
    score_tables,
    scorers,
    scores_of,
    success_at_round,
)
from llmgen.report.tables import Table, column_words, headline, make_tables
from llmgen.vision.images import ImageStore

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
_FROM_TEXT: Final = ("sd",)
"""Methods that draw without looking at the layout."""
_MOST_OPEN: Final = 60
"""Records that a page holds in full; of more, the steps are packed until they are looked at."""
_FEW_MEASURES: Final = 2
"""Metrics without verdicts that a record shows at once; more are folded away."""
_VALUES: Final = {0.0: ("wrong", "no"), 1.0: ("right", "yes")}


@dataclass(frozen=True, slots=True)
class Filter:
    """A button that shows some of the records."""

    key: str
    text: str
    count: int
    outcomes: str
    """Outcomes it shows, separated by spaces; empty for all."""


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
    """Scores that are no verdicts, where they are many."""
    replies: tuple[Reply, ...]
    remarks: tuple[Remark, ...]
    made: tuple[Made, ...]
    error: RecordError | None


@dataclass(frozen=True, slots=True)
class Page:
    """The report."""

    name: str
    description: str
    facts: tuple[tuple[str, str], ...]
    chain: tuple[str, ...]
    note: str | None
    """What a reader of the pictures could get wrong."""
    headline: tuple[str, str, str] | None
    """Share right before and after, and who says so."""
    between: str
    """What lies between before and after: correction or refinement."""
    sides: SideTable | None
    """Several artifacts beside each other, where that was asked for."""
    tables: tuple[Table, ...]
    outcomes: tuple[tuple[Outcome, str, str, int], ...]
    """Outcome, words, sign, count; those that occur."""
    filters: tuple[Filter, ...]
    types: tuple[str, ...]
    """Groups of records, where there are several."""
    layers: Layers
    curve: Curve | None
    cards: tuple[Card, ...]
    recipes: tuple[Recipe, ...]
    kind: str
    warnings: tuple[str, ...]
    reduced: int | None
    """Longest side in pixels to which larger pictures were scaled down, if any was."""
    beside: str | None
    """Name of the folder that holds the pictures, if they are not inside."""

    @property
    def many(self) -> bool:
        """Whether the stories of the records are packed and the page begins as a grid."""
        return len(self.cards) > _MOST_OPEN


def make_page(source: Source, beside: PicturesBeside | None = None) -> Page:
    """Work out a report.

    Args:
        source: What it is about.
        beside: Where pictures go if they are many; None keeps all of them inside.

    Raises:
        OutputError: If that folder cannot be written.
    """
    artifact, manifest = source.artifact, source.manifest
    records = artifact.records
    of_each = [
        [r for r in (one.image, *(e.image for e in one.history), *(s.image for s in one.samples)) if r is not None]
        for one in records
    ]
    refs = [ref for own in of_each for ref in own]
    count = len({ref.path for ref in refs})
    side = longest_side(count)
    folder = beside if count > MOST_INSIDE else None
    pictures = Pictures(ImageStore(artifact.base), side, folder)
    ranked = scorers(records)
    scorer = ranked[0] if ranked else None
    recipes = _Recipes()
    rows = _Compared(source, pictures)
    cards = tuple(
        _card(record, scorer, pictures, recipes, rows.of(record)) for record in ahead(records, [(pictures, of_each)])
    )
    tables = score_tables(records)
    beside_others = [(name, other.records) for name, other in source.compared]
    sides, told = side_by_side(beside_others) if len(beside_others) > 1 else (None, frozenset[Scorer]())
    counts = Counter(card.outcome for card in cards)
    words = OUTCOME_WORDS if any("initial" in table.columns for table in tables) else UNCORRECTED_WORDS
    stages = {entry.stage for record in records for entry in record.history}
    only_refined = "refine" in stages and "correct" not in stages and not any(r.edits for r in records)
    between = "refinement" if only_refined else "correction"
    return Page(
        name=source.name,
        description=manifest.description if manifest else "",
        facts=_facts(manifest, records),
        chain=_chain(manifest, recipes.all),
        note=_note(records),
        headline=headline(tables),
        between=between,
        sides=sides,
        # What stands beside the others is not told once more of one alone; what is right by type of prompt still is.
        tables=make_tables(
            [table for table in tables if table.scorer.verdicts or table.scorer not in told], same=bool(told)
        ),
        outcomes=tuple((key, *words[key], counts[key]) for key in OUTCOMES if counts[key]),
        filters=_filters(counts, between),
        types=_types(cards),
        layers=layers_of([step for card in cards for step in (*card.samples, *card.steps)], _from_layouts(records)),
        curve=curve(success_at_round(records)),
        cards=cards,
        recipes=recipes.all,
        kind=artifact.kind,
        warnings=_warnings(artifact, source.finished, counts, bool(tables)),
        beside=None if folder is None else folder.path.name,
        reduced=side if any(max(ref.width, ref.height) > side for ref in refs) else None,
    )


class _Recipes:
    """Collects how stages were run, each way once."""

    def __init__(self) -> None:
        self._known: dict[str, Recipe] = {}

    @property
    def all(self) -> tuple[Recipe, ...]:
        return tuple(self._known.values())

    def add(self, made: Provenance) -> Made:
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


class _Compared:
    """Finds what other artifacts made of a record's question."""

    def __init__(self, source: Source, pictures: Pictures) -> None:
        self._name = source.compared[0][0] if source.compared else ""
        self._others = [(name, {r.id: r for r in artifact.records}) for name, artifact in source.compared[1:]]
        self._pictures, self._store = pictures, ImageStore(source.artifact.base)

    def of(self, record: Record) -> AnswerView | None:
        beside = [(name, records[record.id]) for name, records in self._others if record.id in records]
        return answers_of(record, beside, self._name, self._pictures, self._store)


def _card(
    record: Record, scorer: Scorer | None, pictures: Pictures, recipes: _Recipes, answers: AnswerView | None
) -> Card:
    scores = scores_of(record, scorer) if scorer else {}
    steps = () if answers else make_steps(record, pictures, scores)
    became = outcome(record, scorer)
    paired = any(s.of == "initial" for s in record.scores or ())
    words, sign = (OUTCOME_WORDS if paired else UNCORRECTED_WORDS)[became]
    verdicts = tuple(
        Verdict(column_words(s.of, paired), *_verdict_words(s), s.metric, s.by, s.detail) for s in record.scores or ()
    )
    few = len({v.metric for v in verdicts if not v.tone}) <= _FEW_MEASURES
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
        verdicts=verdicts if few else tuple(v for v in verdicts if v.tone),
        measures=() if few else tuple(v for v in verdicts if not v.tone),
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


def _from_layouts(records: Sequence[Record]) -> bool:
    return any(made.stage == "generate" and made.method not in _FROM_TEXT for r in records for made in r.provenance)


def _note(records: Sequence[Record]) -> str | None:
    """Said where the plan is shown and the first pictures were drawn without it."""
    planned = [record for record in records if record.layout is not None and record.layout.instances]
    drew = {made.method for record in planned for made in record.provenance if made.stage == "generate"}
    if not drew or not drew <= set(_FROM_TEXT):
        return None
    return "The plan did not steer the drawing: the first pictures were drawn from the text alone."


def _types(cards: Sequence[Card]) -> tuple[str, ...]:
    found = dict.fromkeys(card.type for card in cards if card.type)
    return tuple(found) if len(found) > 1 else ()


def _filters(counts: Counter[Outcome], between: str) -> tuple[Filter, ...]:
    groups: tuple[tuple[str, str, tuple[Outcome, ...]], ...] = (
        ("failures", "Failures", ("wrong", "worse")),
        ("fixed", f"Fixed by {between}", ("fixed",)),
        ("worse", "Made worse", ("worse",)),
        ("errors", "Errors", ("error",)),
    )
    return (
        Filter("all", "All", sum(counts.values()), ""),
        *(Filter(key, text, sum(counts[o] for o in members), " ".join(members)) for key, text, members in groups),
    )


def _facts(manifest: Manifest | None, records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    presets = sorted({made.preset for record in records for made in record.provenance})
    versions = sorted({made.llmgen for record in records for made in record.provenance})
    planners = sorted({reply.provider for record in records for reply in record.replies})
    facts = (
        ("Records", str(len(records))),
        ("Preset", ", ".join(presets) or (manifest.preset if manifest else "")),
        ("Planner", ", ".join(planners) or (manifest.planner or "" if manifest else "")),
        ("Seed", str(manifest.seed) if manifest else ""),
        ("llmgen", ", ".join(versions)),
    )
    return tuple(fact for fact in facts if fact[1])


def _chain(manifest: Manifest | None, recipes: Sequence[Recipe]) -> tuple[str, ...]:
    if manifest is not None:
        return tuple(f"{entry.stage} {entry.method}" for entry in manifest.stages)
    return tuple(dict.fromkeys(f"{recipe.stage} {recipe.method}" for recipe in recipes))


def _warnings(artifact: ReadArtifact, finished: bool, counts: Counter[Outcome], scored: bool) -> tuple[str, ...]:
    warnings = []
    errors = counts["error"]
    if errors:
        failed = "1 record failed" if errors == 1 else f"{errors} records failed"
        warnings.append(
            f"{failed}{' and is' if errors == 1 else ' and are'} not in the scores." if scored else f"{failed}."
        )
    if artifact.dropped:
        warnings.append(f"Entries of the artifact that could not be read at all: {len(artifact.dropped)}.")
    if not finished:
        warnings.append(f"The run is not finished: its last artifact holds {artifact.kind}.")
    return tuple(warnings)
