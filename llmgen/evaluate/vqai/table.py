"""The table of `evaluate vqai`: figures by category with intervals, beside the pictures that need no method."""

from collections.abc import Sequence
from typing import Any, Final

from llmgen.artifacts import Record, Score
from llmgen.artifacts.score import is_verdict
from llmgen.artifacts.statistics import mean_of
from llmgen.evaluate.vqai.figures import TOP, figures_of
from llmgen.formats.vqai import CATEGORIES

REFERENCES: Final = ("copied_input", "input_round_trip", "target_round_trip", "target")
"""Pictures that are scored beside the answers: whoever copies the input may score as high as any method, and no editor in an
autoencoder's latents gets above its round trips. The target itself says what the judge misses."""
OVERALL: Final = "overall"


def vqai_table(records: Sequence[Record]) -> dict[str, Any]:
    """Summarise scored records.

    Args:
        records: All records of a data set, those that failed too: they are counted as missing.

    Returns:
        A JSON-ready dictionary:

        - `categories`: by name in the published order, other types after them, and `overall`: `n` samples, `missing` ones, `pictures` of
          a sample (least and most), `sim_avg`, `sim_best`, `auc_avg`, `auc_best`, `ci95` of the first two, and `gain` over the input
          with its own. Where the toybox's judge looked: `right` of all pictures, `right_best` of each sample's best, `rest` and `kept`
          (dB), with intervals.
        - `references`: by name the overall `similarity` and, where the judge looked, `right`, with intervals.
        - `missing`: ids of the samples without scores.
    """
    scored = [(record, pictures) for record in records if (pictures := _pictures(record))]
    missing = [record for record in records if not _pictures(record)]
    known = {record.type or "other" for record in records}
    names = [name for name in CATEGORIES if name in known] + sorted(known - set(CATEGORIES))
    rows = {
        name: _row(
            [pictures for record, pictures in scored if (record.type or "other") == name],
            sum((record.type or "other") == name for record in missing),
        )
        for name in names
    }
    rows[OVERALL] = _row([pictures for _, pictures in scored], len(missing))
    references = {}
    for name in REFERENCES:
        # A reference is the same for all samples of a record: the first picture tells.
        first = [pictures[0] for _, pictures in scored]
        found = {
            measure: _mean([own[key] for own in first if key in own], verdicts=is_verdict(key))
            for measure in ("similarity", "right", "rest")
            if any((key := f"vqai.{name}.{measure}") in own for own in first)
        }
        if found:
            references[name] = found
    return {
        "metric": "vqai",
        "categories": rows,
        "references": references,
        "missing": [record.id for record in missing],
    }


def _pictures(record: Record) -> list[dict[str, float]]:
    """For each picture of a record its scores by metric; none where there is no similarity."""
    if record.error is not None:
        return []
    groups: list[Sequence[Score]] = [sample.scores or () for sample in record.samples] or [record.scores or ()]
    found = [{score.metric: score.value for score in group if score.of == "final"} for group in groups]
    return [own for own in found if "vqai.similarity" in own]


def _row(samples: list[list[dict[str, float]]], missing: int) -> dict[str, Any]:
    similarity = [[own["vqai.similarity"] for own in pictures] for pictures in samples]
    figures = figures_of([[TOP * value for value in own] for own in similarity])
    counts = [len(own) for own in similarity]
    row: dict[str, Any] = {
        "n": figures.samples,
        "missing": missing,
        "pictures": [min(counts), max(counts)] if counts else [0, 0],
        "sim_avg": _mean([sum(own) / len(own) for own in similarity]),
        "sim_best": _mean([max(own) for own in similarity]),
        "auc_avg": figures.auc_avg,
        "auc_best": figures.auc_best,
        "gain": _mean([_average(pictures, "vqai.gain") for pictures in samples]),
    }
    # Of samples with unequally many pictures the published mean is over all pictures.
    row["sim_avg"]["value"] = figures.sim_avg
    for name, metric in (("right", "vqai"), ("rest", "vqai.rest"), ("kept", "vqai.kept")):
        having = [[own for own in pictures if metric in own] for pictures in samples]
        having = [pictures for pictures in having if pictures]
        if having:
            single = all(len(pictures) == 1 for pictures in having)
            row[name] = _mean([_average(own, metric) for own in having], verdicts=single and is_verdict(metric))
            if name == "right":
                row["right_best"] = _mean(
                    [max(one[metric] for one in own) for own in having], verdicts=is_verdict(metric)
                )
    return row


def _average(pictures: Sequence[dict[str, float]], metric: str) -> float:
    return sum(own[metric] for own in pictures) / len(pictures)


def _mean(values: Sequence[float], *, verdicts: bool = False) -> dict[str, Any]:
    """A mean over samples, with its 95 % interval."""
    return mean_of(values, verdicts=verdicts).to_json("value")
