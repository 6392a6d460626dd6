"""Two runs side by side: what was set otherwise, which records came out otherwise, and whether that is more than chance."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from llmgen.artifacts import Provenance, Record, Score
from llmgen.artifacts.statistics import bootstrap, mcnemar, wilson
from llmgen.errors import InputError
from llmgen.report.beside import PicturesBeside
from llmgen.report.layers import Layers
from llmgen.report.pictures import MOST_INSIDE, Picture, Pictures, ahead, longest_side
from llmgen.report.source import Source, read_source
from llmgen.report.summary import Scorer, scorers, scores_of
from llmgen.report.view import Filter
from llmgen.vision.images import ImageStore

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "fixed": ("Right in B alone", "↑"),
    "worse": ("Right in A alone", "↓"),
    "right": ("Right in both", "✓"),
    "wrong": ("Wrong in both", "✗"),
    "error": ("Error", "!"),
    "unscored": ("Not scored in both", "·"),
}
_MEASURED: Final = _WORDS | {
    "fixed": ("Better in B", "↑"),
    "worse": ("Better in A", "↓"),
    "right": ("Same in both", "="),
}
"""Words for scores that are no verdicts."""
_MOST_DIFFERENCES: Final = 40


@dataclass(frozen=True, slots=True)
class Side:
    """A record in one of the runs."""

    name: str
    picture: Picture | None
    verdict: str
    tone: str
    """`yes`, `no`, or nothing for a score that is no verdict."""
    why: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A record in both runs."""

    id: str
    prompt: str
    type: str | None
    outcome: str
    outcome_text: str
    outcome_sign: str
    score: float | None
    """By how much B is better, to sort by."""
    search: str
    sides: tuple[Side, Side]


@dataclass(frozen=True, slots=True)
class Measure:
    """One way of scoring, over the records that both runs have."""

    name: str
    first: str
    second: str
    difference: str
    test: str
    n: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The page; what the toolbar needs has the names that it has in a report."""

    names: tuple[str, str]
    differences: tuple[tuple[str, str, str], ...]
    """What was set otherwise: where, in A, in B."""
    measures: tuple[Measure, ...]
    filters: tuple[Filter, ...]
    types: tuple[str, ...]
    layers: Layers
    cards: tuple[Pair, ...]
    warnings: tuple[str, ...]
    beside: str | None
    """Name of the folder that holds the pictures, if they are not inside."""


def write_comparison(first: Path, second: Path, output: Path, *, one_file: bool = False) -> Path:
    """Write the comparison of two runs as an HTML file; more than 150 pictures lie in a folder beside it.

    Args:
        first: Folder of a run, or an artifact: A.
        second: Likewise: B.
        output: Where to write.
        one_file: Put all pictures inside, however many they are.

    Raises:
        InputError: If one cannot be read, or they have no record in common.
        OutputError: If the page cannot be written.
    """
    from llmgen.artifacts.files import is_stream, write_named
    from llmgen.report.html import render_comparison

    beside = None if is_stream(output) else PicturesBeside(output)
    page = make_comparison(read_source(first), read_source(second), None if one_file else beside)
    write_named(output, render_comparison(page).encode("utf-8"))
    if beside is not None:
        beside.sweep()
    return output


def make_comparison(first: Source, second: Source, beside: PicturesBeside | None = None) -> Comparison:
    """Work out a comparison; records are the same where their ids are.

    Args:
        first: A.
        second: B.
        beside: Where pictures go if they are many; None keeps all of them inside.

    Raises:
        InputError: If the runs have no record in common.
        OutputError: If that folder cannot be written.
    """
    ours = {record.id: record for record in first.artifact.records}
    theirs = {record.id: record for record in second.artifact.records}
    both = [name for name in ours if name in theirs]
    if not both:
        raise InputError(
            f"{first.artifact.name} and {second.artifact.name} have no record in common: no id occurs in both"
        )
    alone = len(ours) + len(theirs) - 2 * len(both)
    warnings = [f"{alone} records occur in one of the runs only and are left out."] if alone else []
    pairs = [(ours[name], theirs[name]) for name in both]
    moved = sum(a.prompt != b.prompt for a, b in pairs)
    if moved:
        warnings.append(f"{moved} records have another prompt in B; they are compared by their id all the same.")
    known = scorers([b for _, b in pairs])
    ways = [scorer for scorer in scorers([a for a, _ in pairs]) if scorer in known]
    side_px = longest_side(2 * len(both))
    folder = beside if 2 * len(both) > MOST_INSIDE else None
    pictures = tuple(Pictures(ImageStore(source.artifact.base), side_px, folder) for source in (first, second))
    words = _WORDS if ways and ways[0].verdicts else _MEASURED
    shown = [[[ref] if (ref := pair[side].image) is not None else [] for pair in pairs] for side in (0, 1)]
    coming = ahead(pairs, list(zip(pictures, shown, strict=True)))
    cards = tuple(_pair(a, b, ways[0] if ways else None, pictures, words) for a, b in coming)
    counts = Counter(card.outcome for card in cards)
    types = tuple(dict.fromkeys(card.type for card in cards if card.type))
    return Comparison(
        names=_names(first, second),
        differences=tuple(_differences(pairs))[:_MOST_DIFFERENCES],
        measures=tuple(_measure(scorer, pairs) for scorer in ways),
        filters=(
            Filter("all", "All", len(cards), ""),
            Filter("changed", "Changed", counts["fixed"] + counts["worse"], "fixed worse"),
            *(Filter(key, words[key][0], counts[key], key) for key in words if counts[key]),
        ),
        types=types if len(types) > 1 else (),
        layers=Layers((), ()),
        cards=cards,
        warnings=tuple(warnings),
        beside=None if folder is None else folder.path.name,
    )


def _names(first: Source, second: Source) -> tuple[str, str]:
    """What the runs are called; where that is the same, by the last part of their paths that tells them apart."""
    if first.name != second.name:
        return first.name, second.name
    paths = [(one.artifact.base.resolve() / Path(one.artifact.name).name).parts[::-1] for one in (first, second)]
    apart = next((pair for pair in zip(*paths, strict=False) if pair[0] != pair[1]), (first.name, second.name))
    return apart[0], apart[1]


def _last(record: Record, scorer: Scorer) -> Score | None:
    scores = scores_of(record, scorer) if record.error is None else {}
    return scores.get("final") or next(iter(scores.values()), None)


def _better(a: Score, b: Score) -> float:
    """By how much the second is better."""
    return b.value - a.value if b.better == "higher" else a.value - b.value


def _pair(
    a: Record, b: Record, scorer: Scorer | None, pictures: tuple[Pictures, ...], words: Mapping[str, tuple[str, str]]
) -> Pair:
    scores = [_last(record, scorer) if scorer is not None else None for record in (a, b)]
    sides = []
    for name, record, score, shown in zip("AB", (a, b), scores, pictures, strict=True):
        right = score is not None and score.value >= 1
        verdicts = scorer is not None and scorer.verdicts
        verdict = (
            "not scored" if score is None else ("right" if right else "wrong") if verdicts else f"{score.value:.3g}"
        )
        tone = "" if score is None or not verdicts else "yes" if right else "no"
        why = record.error.message if record.error is not None else None if score is None else score.detail
        picture = shown.show(record.image) if record.image is not None else None
        sides.append(Side(name, picture, "failed" if record.error is not None else verdict, tone, why))
    change = None
    if a.error is not None or b.error is not None:
        outcome = "error"
    elif scores[0] is None or scores[1] is None:
        outcome = "unscored"
    else:
        change = _better(scores[0], scores[1])
        if scorer is not None and scorer.verdicts:
            before, after = (score.value >= 1 for score in scores if score is not None)
            outcome = "right" if before and after else "fixed" if after else "worse" if before else "wrong"
        else:
            outcome = "fixed" if change > 0 else "worse" if change < 0 else "right"
    texts = [a.id, a.prompt, b.prompt, a.instruction or "", a.type or "", *(side.why or "" for side in sides)]
    return Pair(
        id=a.id,
        prompt=a.prompt or a.instruction or "",
        type=a.type or next((s.type for s in a.scores or () if s.type), None),
        outcome=outcome,
        outcome_text=words[outcome][0],
        outcome_sign=words[outcome][1],
        score=change,
        search=" ".join(" ".join(texts).lower().split()),
        sides=(sides[0], sides[1]),
    )


def _measure(scorer: Scorer, pairs: Sequence[tuple[Record, Record]]) -> Measure:
    found = [(x, y) for a, b in pairs if (x := _last(a, scorer)) and (y := _last(b, scorer))]
    n = len(found)
    values = [(x.value, y.value) for x, y in found]
    means = [fmean(side) if n else 0.0 for side in (zip(*values, strict=True) if n else ((), ()))]
    if scorer.verdicts:
        counts = [sum(pair[side] >= 1 for pair in values) for side in (0, 1)]
        shown = [f"{k} of {n} [{wilson(k, n)[0]:.0%}, {wilson(k, n)[1]:.0%}]" for k in counts]
        test = mcnemar(values)
        words = f"{test['fixed']} right in B alone, {test['broken']} in A alone; McNemar's p = {test['p_value']:.3g}"
        return Measure(f"{scorer.metric} by {scorer.by}", shown[0], shown[1], f"{counts[1] - counts[0]:+d}", words, n)
    interval = bootstrap([y - x for x, y in values])
    spread = f"95 % bootstrap interval [{interval[0]:+.3g}, {interval[1]:+.3g}]" if interval else "no spread"
    return Measure(
        f"{scorer.metric} by {scorer.by}",
        f"{means[0]:.3g}",
        f"{means[1]:.3g}",
        f"{means[1] - means[0]:+.3g}",
        spread,
        n,
    )


def _differences(pairs: Sequence[tuple[Record, Record]]) -> Iterator[tuple[str, str, str]]:
    """What the provenance of the first record that both runs finished says otherwise."""
    for a, b in pairs:
        if a.error is None and b.error is None and (a.provenance or b.provenance):
            break
    else:
        return
    if a.seed != b.seed:
        yield "seed of the record", str(a.seed), str(b.seed)
    stages = [[made.stage for made in record.provenance] for record in (a, b)]
    if stages[0] != stages[1]:
        yield "stages", ", ".join(stages[0]), ", ".join(stages[1])
    for one, other in zip(a.provenance, b.provenance, strict=False):
        if one.stage != other.stage:
            return
        yield from _unequal(f"{one.stage}: ", _models(one), _models(other))
        for field in ("method", "preset", "seed", "config", "llmgen", "device", "dtype"):
            x, y = (made.model_dump(mode="json")[field] for made in (one, other))
            yield from _unequal(f"{one.stage}: {field}", x, y)


def _unequal(where: str, x: Any, y: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        for key in dict.fromkeys((*x, *y)):
            yield from _unequal(f"{where.removesuffix('config')}{key}", x.get(key), y.get(key))
    elif x != y:
        yield where, _short(x), _short(y)


def _models(made: Provenance) -> dict[str, str]:
    """The models that took part, by their roles, in words that differ where the models do."""
    return {
        f"model of {use.role}": use.source
        + (f" @ {use.revision[:12]}" if use.revision else "")
        + (f", steps by {use.scheduler}" if use.scheduler else "")
        + "".join(f", {lora.source} x {lora.weight:g}" for lora in use.lora or ())
        for use in made.models
    }


def _short(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
