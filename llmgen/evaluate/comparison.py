"""Several artifacts scored in one way, side by side: each one's mean, and what differs from the first, record by record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmgen.artifacts import Record
from llmgen.artifacts.score import SHARE, counts_successes
from llmgen.artifacts.statistics import mcnemar, mean_of
from llmgen.errors import InputError
from llmgen.evaluate.summary import summarize


def names_of(sources: Sequence[str]) -> list[str]:
    """A short name for each of several files, such as `images`, or `first-images` where two files are called alike.

    Raises:
        InputError: If a file is named twice, or two cannot be told apart by their folders.
    """
    stems = ["stdin" if source == "-" else Path(source).stem for source in sources]
    names = [
        f"{Path(source).resolve().parent.name}-{stem}" if stems.count(stem) > 1 else stem
        for source, stem in zip(sources, stems, strict=True)
    ]
    twice = next((source for source, name in zip(sources, names, strict=True) if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{twice} is called like another input, and so is its folder; give it another name")
    return names


def compare(parts: Sequence[tuple[str, Sequence[Record]]], metric: str, *, by: str | None = None) -> dict[str, Any]:
    """Compare artifacts by one metric.

    Args:
        parts: Name and scored records of each; the others are held against the first.
        metric: As of `summarize`.
        by: Whose scores, as of `summarize`; by default those that the first artifact is summarised by.

    Returns:
        A JSON-ready dictionary: `metric`, `by`, `unit`, `better`, and `rows`, one for each artifact, with `name`, the `accuracy`, `n`,
        `ci95` and `n_failed` of its summary, `samples` where it has several pictures a prompt, and but for the first `against`: the
        records that both scored (`n`), the mean `difference` with its bootstrap `ci95`, and for verdicts McNemar's `fixed`, `broken`
        and `p_value`.

    Raises:
        InputError: If the artifacts count in different units.
    """
    summaries = []
    for _, records in parts:
        summaries.append(summarize(records, metric, by=by))
        by = by or summaries[0]["by"]
    first = summaries[0]
    if any((s["unit"], s["better"]) != (first["unit"], first["better"]) for s in summaries):
        units = " and ".join(sorted({s["unit"] for s in summaries}))
        raise InputError(f"scores of {metric!r} are in {units}; score all artifacts in one way")
    verdicts = counts_successes(metric) and first["unit"] == SHARE
    rows: list[dict[str, Any]] = []
    values = [_values(records, metric, str(by), s["of"]) for (_, records), s in zip(parts, summaries, strict=True)]
    for (name, _), summary, own in zip(parts, summaries, values, strict=True):
        row = {"name": name, **summary["overall"], "n_failed": summary["n_failed"]}
        if "samples" in summary:
            row["samples"] = summary["samples"]
        if rows:
            row["against"] = _against(values[0], own, verdicts=verdicts)
        rows.append(row)
    return {"metric": metric, "by": by, "unit": first["unit"], "better": first["better"], "rows": rows}


def _values(records: Sequence[Record], metric: str, by: str, of: str) -> dict[str, float]:
    return {
        record.id: score.value
        for record in records
        for score in (record.scores or () if record.error is None else ())
        if (score.metric, score.by, score.of) == (metric, by, of)
    }


def _against(first: dict[str, float], own: dict[str, float], *, verdicts: bool) -> dict[str, Any]:
    both = [name for name in first if name in own]
    against = mean_of([own[name] - first[name] for name in both]).to_json("difference")
    return against | (mcnemar([(first[name], own[name]) for name in both]) if verdicts else {})
