"""`llmgen evaluate`: records to scores."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmgen.cli.options import InputArg, StageFlags, with_stage_flags
from llmgen.cli.output import out
from llmgen.cli.stage import raise_failures, run_stage_command

if TYPE_CHECKING:
    from llmgen.artifacts import Record


@with_stage_flags
def evaluate(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="lmd or coco; see `llmgen methods`.")],
    source: InputArg = "-",
    judge: Annotated[
        bool | None, typer.Option("--judge/--no-judge", help="Let the preset's judge look, which no loop ever asks.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary to stdout as JSON, not the records.")
    ] = False,
    *,
    flags: StageFlags,
) -> None:
    """Score layouts, detections or pictures; a table to stderr, records to stdout."""
    done = run_stage_command("evaluate", source, method, flags, {"judge": judge}, records_to_stdout=not as_json)
    if done is None:
        return
    if any(record.error is None for record in done.result.records):
        from llmgen.evaluate.summary import summarize

        summary = summarize(done.result.records, method)
        if as_json:
            out.json(summary)
        else:
            show_summary(summary, done.result.records)
    raise_failures(done.result.records, done.dropped)


def show_summary(summary: dict[str, Any], records: "list[Record]") -> None:
    """The summary of one metric as a table on stderr, and what comes before and after correction below it."""
    rows = [
        _row(name, values)
        for name, values in [*sorted(summary.get("by_type", {}).items()), ("overall", summary.get("overall", {}))]
    ]
    out.table(f"{summary['metric']}", ["type", "#score", "#n", "#95 % interval"], rows)
    extra = {
        k: v for k, v in summary.items() if k not in ("metric", "overall", "by_type") and isinstance(v, int | float)
    }
    if extra:
        out.table("", ["measure", "#value"], [[name, f"{value:.4g}"] for name, value in extra.items()])
    show_scores(records)


def show_scores(records: "list[Record]") -> None:
    """One line for each mean score, the first pictures before the last."""
    from llmgen.pipeline.summary import score_lines

    for line in score_lines(records):
        interval = f" [{line.ci95[0]:.2f}, {line.ci95[1]:.2f}]" if line.ci95 else ""
        out.note(f"score {line.metric} of {line.of} by {line.by}: {line.mean:.3f}{interval} (n = {line.n})")


def _row(name: str, values: dict[str, Any]) -> list[str]:
    low, high = values.get("ci95") or (None, None)
    accuracy = values.get("accuracy", values.get("ap"))
    return [
        name,
        "-" if accuracy is None else f"{accuracy:.3f}",
        str(values.get("n", "-")),
        "-" if low is None else f"{low:.3f} - {high:.3f}",
    ]
