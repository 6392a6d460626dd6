"""Everything the page shows, worked out before any HTML is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.artifacts import Manifest, Record
from llmgen.artifacts.io import ReadArtifact
from llmgen.registry import follows_layout
from llmgen.report.answers import AnswerView, answers_of
from llmgen.report.beside import PicturesBeside
from llmgen.report.cards import OUTCOME_WORDS, UNCORRECTED_WORDS, Card, Recipe, Recipes, make_card
from llmgen.report.charts import Curve, curve
from llmgen.report.layers import Layers, layers_of
from llmgen.report.pictures import MOST_INSIDE, Pictures, ahead, longest_side
from llmgen.report.side_by_side import SideTable, side_by_side
from llmgen.report.source import Source
from llmgen.report.summary import (
    OUTCOMES,
    Outcome,
    Scorer,
    score_tables,
    scorers,
    success_at_round,
)
from llmgen.report.tables import Table, headline, leading_metric, make_tables
from llmgen.vision.images import ImageStore

_MOST_OPEN: Final = 60
"""Records that a page holds in full; of more, the steps are packed until they are looked at."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A button that shows some of the records."""

    key: str
    text: str
    count: int
    outcomes: str
    """Outcomes it shows, separated by spaces; empty for all."""


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
    recipes = Recipes()
    rows = _Compared(source, pictures)
    cards = tuple(
        make_card(record, scorer, pictures, recipes, rows.of(record))
        for record in ahead(records, [(pictures, of_each)])
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
            [t for t in tables if t.scorer.metric == leading_metric(tables) or t.scorer not in told], same=bool(told)
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


class _Compared:
    """Finds what other artifacts made of a record's question."""

    def __init__(self, source: Source, pictures: Pictures) -> None:
        self._name = source.compared[0][0] if source.compared else ""
        self._others = [(name, {r.id: r for r in artifact.records}) for name, artifact in source.compared[1:]]
        self._pictures, self._store = pictures, ImageStore(source.artifact.base)

    def of(self, record: Record) -> AnswerView | None:
        beside = [(name, records[record.id]) for name, records in self._others if record.id in records]
        return answers_of(record, beside, self._name, self._pictures, self._store)


def _from_layouts(records: Sequence[Record]) -> bool:
    return any(made.stage == "generate" and follows_layout(made.method) for r in records for made in r.provenance)


def _note(records: Sequence[Record]) -> str | None:
    """Said where the plan is shown and the first pictures were drawn without it."""
    planned = [record for record in records if record.layout is not None and record.layout.instances]
    drew = {made.method for record in planned for made in record.provenance if made.stage == "generate"}
    if not drew or any(map(follows_layout, drew)):
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
