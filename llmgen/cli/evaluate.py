"""`llmgen evaluate`: records to scores."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmgen.cli.completion import method_names
from llmgen.cli.evaluate_files import FilesRequest, number, share, work_on_files
from llmgen.cli.options import StageFlags, with_stage_flags
from llmgen.cli.output import out
from llmgen.cli.stage import raise_failures, run_stage_command

if TYPE_CHECKING:
    from llmgen.artifacts import Record

FILES = "COCO files, or HICO-DET's, without INPUT"


def _method_first(word: str | None) -> str:
    """The word where a method is to stand. A file there, or nothing, means that it was forgotten; none is guessed.

    Raises:
        typer.BadParameter: If so.
    """
    from llmgen.pipeline.sources import is_path
    from llmgen.printable import printable
    from llmgen.registry import DEFAULT_METHODS, methods

    table = methods("evaluate")
    if word is not None and (word in table or not is_path(word)):
        return word
    name = "INPUT" if word is None else printable(word, 200)
    raise typer.BadParameter(
        f"what {name} is scored by is missing; name the method before it, as in `llmgen evaluate "
        f"{DEFAULT_METHODS['evaluate']} {name}`: one of {', '.join(table)}"
    )


@with_stage_flags
def evaluate(
    method: Annotated[
        str,  # never None: its callback says what is missing
        typer.Argument(
            metavar="METHOD",
            help="lmd, coco, pim, attributes, grounding, context, hoi or vqai; see `llmgen methods`.",
            autocompletion=method_names("evaluate"),
            callback=_method_first,
            show_default=False,
        ),
    ] = None,  # type: ignore[assignment]
    source: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            help="Artifact, JSON Lines or prompts; - for stdin. Several artifacts are compared, and -o is then a folder.",
            show_default=False,
        ),
    ] = None,
    judge: Annotated[
        bool | None, typer.Option("--judge/--no-judge", help="Let the preset's judge look, which no loop ever asks.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="attributes, hoi, vqai: keep the models' answers here, ask none twice. grounding: replies by record.",
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="coco, pim: compare --results with these COCO annotations, without records. hoi: HICO-DET's.",
            rich_help_panel=FILES,
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A detector's results as a JSON list; with --annotations.", rich_help_panel=FILES
        ),
    ] = None,
    subset: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Ids of the images that count, one a line; with --annotations.", rich_help_panel=FILES
        ),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="K", help="Count the first K images by id; with --annotations.", rich_help_panel=FILES
        ),
    ] = None,
    squeeze: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write --annotations for pictures stretched to --side, and stop.",
            rich_help_panel=FILES,
        ),
    ] = None,
    side: Annotated[
        int, typer.Option(min=1, max=16384, help="Side of stretched pictures in pixels.", rich_help_panel=FILES)
    ] = 512,
    layouts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the records that METHOD's benchmark draws for --annotations, and stop.",
            rich_help_panel=FILES,
        ),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="COCO captions that begin the prompts of --layouts.", rich_help_panel=FILES),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary to stdout as JSON, not the records.")
    ] = False,
    *,
    flags: StageFlags,
) -> None:
    """Score layouts, detections or pictures; a table to stderr, records to stdout."""
    if annotations is not None:
        if source or judge is not None or answers is not None:
            raise typer.BadParameter("--annotations are compared with --results: no INPUT, no --judge and no --answers")
        request = FilesRequest(method, annotations, results, subset, first, squeeze, side, layouts, captions, as_json)
        work_on_files(request, flags)
        return
    if any(given is not None for given in (results, subset, first, squeeze, layouts, captions)):
        raise typer.BadParameter(
            "--results, --subset, --first, --squeeze, --layouts and --captions go with --annotations"
        )
    named = {"judge": judge, "answers": None if answers is None else str(answers)}
    if len(source or ()) > 1:
        compare_inputs(source or [], method, flags, named, as_json=as_json)
        return
    (only,) = source or ["-"]
    records: list[Record] = []  # the summary is that of all of them
    done = run_stage_command(
        "evaluate", only, method, flags, named, records_to_stdout=not as_json, listen=records.extend
    )
    if done is None:
        return
    if method == "vqai":
        from llmgen.cli.evaluate_vqai import show_vqai

        show_vqai(records, as_json=as_json)
    elif any(record.error is None for record in records):
        from llmgen.evaluate.summary import metrics_of, summarize

        summaries = [summarize(records, metric) for metric in metrics_of(records, method) or [method]]
        if as_json:
            out.json(summaries[0] if len(summaries) == 1 else {"method": method, "summaries": summaries})
        elif len(summaries) == 1:
            show_summary(summaries[0])
        else:
            show_summaries(method, summaries)
    raise_failures(done.tally, done.dropped)


def compare_inputs(sources: list[str], method: str, flags: StageFlags, named: dict[str, Any], *, as_json: bool) -> None:
    """Score several artifacts in one way, each into its own file, and compare them."""
    from llmgen.artifacts import Record
    from llmgen.engine.progress import Tally
    from llmgen.evaluate.comparison import names_of

    parts: list[tuple[str, list[Record]]] = []
    dropped = 0
    for source, name in zip(sources, names_of(sources), strict=True):
        output = None if flags.output is None or str(flags.output) == "-" else flags.output / f"{name}.json"
        own = replace(flags, output=output)
        records: list[Record] = []
        done = run_stage_command("evaluate", source, method, own, named, records_to_stdout=False, listen=records.extend)
        if done is not None:
            parts.append((name, records))
            dropped += done.dropped
    if parts:
        show_comparison(parts, method, as_json=as_json, to_stdout=True)
        raise_failures(Tally.of(record for _, records in parts for record in records), dropped)


def show_comparison(
    parts: "Sequence[tuple[str, Sequence[Record]]]", method: str, *, as_json: bool = False, to_stdout: bool = False
) -> None:
    """A table for each metric of a method: one artifact a line, held against the first."""
    from llmgen.evaluate.comparison import compare
    from llmgen.evaluate.summary import metrics_of

    scored = [(name, records) for name, records in parts if any(record.error is None for record in records)]
    metrics = list(dict.fromkeys(metric for _, records in scored for metric in metrics_of(records, method)))
    found = [compare(scored, metric) for metric in metrics]
    if as_json:
        out.json({"method": method, "comparisons": found})
        return
    for comparison in found:
        several = any("samples" in row for row in comparison["rows"])
        rows = []
        for row in comparison["rows"]:
            against = row.get("against", {})
            best = {"accuracy": row["samples"]["best"]["value"]} if "samples" in row else {}
            changed = (
                f"+{against['fixed']} -{against['broken']}, p = {against['p_value']:.3g}" if "fixed" in against else ""
            )
            difference = share({"accuracy": against["difference"], "ci95": against["ci95"]}) if against else ""
            rows.append(
                [row["name"], share(row), *([share(best)] if several else []), str(row["n"]), difference, changed]
            )
        unit = "" if comparison["unit"] == "share" else f", in {comparison['unit']}, {comparison['better']} is better"
        columns = [
            "artifact",
            "#mean [95 %]",
            *(["#best of n"] if several else []),
            "#n",
            "#against the first",
            "#verdicts",
        ]
        out.table(f"{comparison['metric']} by {comparison['by']}{unit}", columns, rows, to_stdout=to_stdout)


def show_summaries(method: str, summaries: list[dict[str, Any]]) -> None:
    """Several metrics of one method as a table on stderr, one a line."""
    rows = []
    paired = any("initial" in summary for summary in summaries)
    compared = any("difference" in summary for summary in summaries)
    for summary in summaries:
        name = summary["metric"].removeprefix(f"{method}.")
        first = share(summary.get("initial", {}).get("overall", {}))
        last = summary["overall"]
        change = summary.get("difference", {})
        difference = share({"accuracy": change.get("value"), "ci95": change.get("ci95")})
        unit = "" if summary["unit"] == "share" else f" ({summary['unit']}, {summary['better']} is better)"
        row = [
            name + unit,
            *([first] if paired else []),
            share(last),
            *([difference] if compared else []),
            str(last["n"]),
        ]
        rows.append(row)
    columns = [
        "score",
        *(["#first picture"] if paired else []),
        "#last picture" if paired else "#mean [95 %]",
        *(["#difference"] if compared else []),
        "#n",
    ]
    out.table(f"{method} of {summaries[0]['of']} by {summaries[0]['by']}", columns, rows)
    for summary in summaries:
        if summary["overall"].get("mean_over_labels") is not None:
            values = summary["overall"]
            out.note(
                f"{summary['metric']}: {number(values['mean_over_labels'])} over {values['n_labels']} labels of all pictures"
            )


def show_summary(summary: dict[str, Any]) -> None:
    """The summary of one metric as a table on stderr: by type, and before correction where that was scored."""
    first = summary.get("initial", {})
    names = [*summary["by_type"], None]
    rows = []
    for name in names:
        last = summary["by_type"][name] if name else summary["overall"]
        before = (first.get("by_type", {}).get(name) if name else first.get("overall")) or {}
        rows.append([name or "overall", share(before), share(last), str(last["n"])])
    title = f"{summary['metric']} of {summary['of']} by {summary['by']}"
    columns = ["type", "#first picture", "#last picture" if first else "#score", "#n"]
    if not first:
        columns, rows = [columns[0], *columns[2:]], [[row[0], *row[2:]] for row in rows]
    out.table(title, columns, rows)
    names = [f"{front}{name}" for front in ("", "mask_") for name in ("ap", "ap50", "ap75", "ar")]
    measures = {name: summary["overall"][name] for name in names if name in summary["overall"]}
    if measures:
        out.note(", ".join(f"{name} {number(value)}" for name, value in measures.items()))
    masked, all_ = summary["overall"].get("mask_n", 0), summary["overall"]["n"]
    if "mask_n" in summary["overall"] and masked < all_:
        out.note(f"masks are compared in {masked} of {all_} pictures; in the others something has none")
    if summary["overall"].get("n_equal_scores"):
        equal = summary["overall"]["n_equal_scores"]
        out.note(f"{equal} detections have the score of another of their category; their order alone moves ap")
    samples = summary.get("samples")
    if samples:
        means = {name: {"accuracy": samples[name]["value"], "ci95": samples[name]["ci95"]} for name in ("mean", "best")}
        values = ", ".join(f"{name} {share(value)}" for name, value in means.items())
        out.note(f"of all {samples['pictures']} pictures of {samples['n']} records: {values}")
    if "difference" in summary:
        change = summary["difference"]
        out.note(f"last minus first picture: {share({'accuracy': change['value'], 'ci95': change['ci95']})}")
    change = summary.get("change")
    if change:
        out.note(f"fixed {change['fixed']}, broken {change['broken']} (McNemar p = {change['p_value']:.3g})")


def show_scores(records: "list[Record]") -> None:
    """One line for each mean score, the first pictures before the last."""
    from llmgen.pipeline.summary import score_lines

    for line in score_lines(records):
        interval = f" [{line.ci95[0]:.2f}, {line.ci95[1]:.2f}]" if line.ci95 else ""
        unit = "" if line.unit == "share" else f" {line.unit}"
        best = "" if line.best is None else f"; the best picture of each {line.best:.3f}"
        out.note(f"score {line.metric} of {line.of} by {line.by}: {line.mean:.3f}{unit}{interval} (n = {line.n}){best}")
