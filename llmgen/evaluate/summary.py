"""From scored records to a table: shares with intervals, by type, before and after correction."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from llmgen.artifacts import Record, Score
from llmgen.artifacts.score import SCORERS, SHARE, Better, best_of, counts_successes
from llmgen.artifacts.statistics import mcnemar, mean_of
from llmgen.errors import InputError
from llmgen.evaluate.average_precision import average_precision, equal_scores, masked_pictures, scored_pictures
from llmgen.evaluate.grounding import label_overlaps

_LAST_OF = ("final", "detections", "layout")


def metrics_of(records: Sequence[Record], method: str) -> list[str]:
    """The metrics of a method that the records have scores of, in the order in which the method gives them.

    A method gives scores under its own name, or under several that begin with it and a dot, such as `pim.point`.
    """
    names = dict.fromkeys(score.metric for record in records for score in record.scores or ())
    return [name for name in names if name == method or name.startswith(f"{method}.")]


def summarize(records: Sequence[Record], metric: str, *, by: str | None = None) -> dict[str, Any]:
    """Summarise one metric.

    Args:
        records: Records with scores. Those with `error` are counted and listed, not averaged.
        metric: `lmd`, `coco`, or one of `metrics_of`.
        by: Whose scores: `judge`, `detector` or `layout`. By default the first of these that scored anything.

    Returns:
        A JSON-ready dictionary:

        - `metric`, `by`, `of` (`final`, `detections` or `layout`), `unit`, and `better`: `higher` or `lower`.
        - `overall`: `accuracy` (the mean over records, in `unit`), `n`, `ci95` (Wilson for verdicts, else a bootstrap over
          records; null where values without verdict are all equal), `n_prompts` (distinct prompts; repeats of a prompt make the interval
          too narrow).
        - `by_type`: the same for each type of prompt.
        - `initial`: `overall` and `by_type` of the first pictures, where they were scored.
        - `samples`, where records have several pictures that were scored: `n` records with `pictures` in all, and two means over
          these records with their `ci95`: `mean` of all pictures, and `best`, that of the best picture of each.
        - `change`, for verdicts: exact McNemar test of first against last picture: `fixed`, `broken`, `p_value`.
        - `difference`, for `coco` and `hoi`: mean of last minus first picture over the `n` records that have both, with its `ci95`.
        - `n_failed`, `failed` (ids) and, for shares, when there are any, `accuracy_failed_as_wrong`; `n_unscored`: records without
          this score.
        - for `coco`, `overall` and `initial.overall` also have `ap`, `ap50`, `ap75`, `ar` over all pictures, and `accuracy` is the mean
          F1; `mask_ap` and so on over the `mask_n` pictures in which everything has a mask; and `n_equal_scores`, detections that only
          their order tells apart.
        - for `grounding.corners` and `grounding.as_published`, `overall` also has `mean_over_labels` and `n_labels`: the published mean
          is taken over all labels of all pictures at once.
    """
    done = [record for record in records if record.error is None]
    failed = [record.id for record in records if record.error is not None]
    by = by or _first(SCORERS, {score.by for record in done for score in record.scores or () if score.metric == metric})
    scored = {record.id: _scores(record, metric, by) for record in done}
    of = _first(_LAST_OF, {of for scores in scored.values() for of in scores})
    last = [(record, scored[record.id][of]) for record in done if of in scored[record.id]]
    first = [(record, scored[record.id]["initial"]) for record in done if "initial" in scored[record.id]]
    unit, better = _measure([score for _, score in last], metric)
    verdicts = counts_successes(metric) and unit == SHARE
    summary: dict[str, Any] = {
        "metric": metric, "by": by, "of": of, "unit": unit, "better": better, **_table(last, verdicts)
    }  # fmt: skip
    if first:
        summary["initial"] = _table(first, verdicts)
        pairs = [
            (scored[record.id]["initial"].value, scored[record.id][of].value)
            for record in done
            if {"initial", of} <= scored[record.id].keys()
        ]
        if verdicts:
            summary["change"] = mcnemar(pairs)
        if metric == "coco" or metric.startswith("hoi."):
            summary["difference"] = _difference(pairs)
    samples = samples_of(done, metric, by)
    if samples:
        summary["samples"] = _samples_table(samples, better, verdicts)
    if metric == "coco":
        summary["overall"].update(_precision([record for record, _ in last], initial=False))
        if first:
            summary["initial"]["overall"].update(_precision([record for record, _ in first], initial=True))
    if metric in ("grounding.corners", "grounding.as_published"):
        reading: Literal["xywh", "corners"] = "corners" if metric.endswith("corners") else "xywh"
        overlaps = [value for record, score in last for value in label_overlaps(record, score, reading)]
        mean = sum(overlaps) / len(overlaps) if overlaps else None
        summary["overall"].update(mean_over_labels=mean, n_labels=len(overlaps))
    summary |= {"n_failed": len(failed), "failed": failed, "n_unscored": len(done) - len(last)}
    if failed and last and unit == SHARE:
        summary["accuracy_failed_as_wrong"] = sum(score.value for _, score in last) / (len(last) + len(failed))
    return summary


def samples_of(records: Iterable[Record], metric: str, by: str) -> dict[str, list[float]]:
    """Scores of all pictures of each record that has several, by the record's id; records without such scores are left out."""
    scores = {
        record.id: [
            score.value
            for sample in record.samples
            for score in sample.scores or ()
            if (score.metric, score.by, score.of) == (metric, by, "final")
        ]
        for record in records
    }
    return {name: values for name, values in scores.items() if len(values) > 1}


def _measure(scores: Sequence[Score], metric: str) -> tuple[str, Better]:
    """Unit and direction of a metric.

    Raises:
        InputError: If its scores do not agree: their mean would mean nothing.
    """
    found = {(score.unit, score.better) for score in scores} or {(SHARE, "higher")}
    if len(found) > 1:
        kinds = " and ".join(sorted(f"{unit} ({better} is better)" for unit, better in found))
        raise InputError(f"scores of {metric!r} are in {kinds}; score all records in one way")
    return next(iter(found))


def _samples_table(samples: dict[str, list[float]], better: Better, verdicts: bool) -> dict[str, Any]:
    means = [sum(values) / len(values) for values in samples.values()]
    best = [best_of(values, better) for values in samples.values()]
    return {
        "n": len(samples),
        "pictures": sum(map(len, samples.values())),
        "mean": mean_of(means).to_json("value"),
        "best": mean_of(best, verdicts=verdicts).to_json("value"),
    }


def _difference(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Mean of after minus before over the records that have both, with its bootstrap interval."""
    return mean_of([after - before for before, after in pairs]).to_json("value")


def _precision(records: Sequence[Record], *, initial: bool) -> dict[str, float | None]:
    pictures = scored_pictures(records, initial=initial)
    masks = average_precision(pictures, "segm")
    figures = {f"mask_{name}": value for name, value in masks.items() if value is not None}
    some = (
        {"mask_n": len(masked_pictures(pictures))}
        if any(b.mask for p in pictures for b in (*p.wanted, *p.found))
        else {}
    )
    return {**average_precision(pictures), **figures, **some, "n_equal_scores": equal_scores(pictures)}


def _first(order: Sequence[str], present: set[str]) -> str:
    return next((name for name in order if name in present), min(present, default=order[0]))


def _scores(record: Record, metric: str, by: str) -> dict[str, Score]:
    """The record's scores by what was scored; of equals the latest."""
    return {score.of: score for score in record.scores or () if (score.metric, score.by) == (metric, by)}


def _table(scored: Sequence[tuple[Record, Score]], verdicts: bool) -> dict[str, Any]:
    types = sorted({score.type or record.type or "other" for record, score in scored})
    return {
        "overall": _mean(scored, verdicts),
        "by_type": {
            name: _mean(
                [(record, score) for record, score in scored if (score.type or record.type or "other") == name],
                verdicts,
            )
            for name in types
        },
    }


def _mean(scored: Sequence[tuple[Record, Score]], verdicts: bool) -> dict[str, Any]:
    mean = mean_of([score.value for _, score in scored], verdicts=verdicts)
    return {**mean.to_json("accuracy"), "n_prompts": len({record.prompt for record, _ in scored})}
