"""`llmgen evaluate`: records to scores."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmgen.cli.completion import method_names
from llmgen.cli.options import InputArg, StageFlags, with_stage_flags
from llmgen.cli.output import out
from llmgen.cli.stage import raise_failures, run_stage_command

if TYPE_CHECKING:
    from llmgen.artifacts import Record


@with_stage_flags
def evaluate(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD", help="lmd or coco; see `llmgen methods`.", autocompletion=method_names("evaluate")
        ),
    ],
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
            show_summary(summary)
    raise_failures(done.result.records, done.dropped)


def show_summary(summary: dict[str, Any]) -> None:
    """The summary of one metric as a table on stderr: by type, and before correction where that was scored."""
    first = summary.get("initial", {})
    names = [*summary["by_type"], None]
    rows = []
    for name in names:
        last = summary["by_type"][name] if name else summary["overall"]
        before = (first.get("by_type", {}).get(name) if name else first.get("overall")) or {}
        rows.append([name or "overall", _share(before), _share(last), str(last["n"])])
    title = f"{summary['metric']} of {summary['of']} by {summary['by']}"
    columns = ["type", "#first picture", "#last picture" if first else "#score", "#n"]
    if not first:
        columns, rows = [columns[0], *columns[2:]], [[row[0], *row[2:]] for row in rows]
    out.table(title, columns, rows)
    measures = {name: summary["overall"][name] for name in ("ap", "ap50", "ap75", "ar") if name in summary["overall"]}
    if measures:
        out.note(", ".join(f"{name} {_number(value)}" for name, value in measures.items()))
    change = summary.get("change")
    if change:
        out.note(f"fixed {change['fixed']}, broken {change['broken']} (McNemar p = {change['p_value']:.3g})")


def show_scores(records: "list[Record]") -> None:
    """One line for each mean score, the first pictures before the last."""
    from llmgen.pipeline.summary import score_lines

    for line in score_lines(records):
        interval = f" [{line.ci95[0]:.2f}, {line.ci95[1]:.2f}]" if line.ci95 else ""
        out.note(f"score {line.metric} of {line.of} by {line.by}: {line.mean:.3f}{interval} (n = {line.n})")


def _share(values: dict[str, Any]) -> str:
    interval = values.get("ci95")
    return _number(values.get("accuracy")) + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
