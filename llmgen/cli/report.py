"""`llmgen report`: the page about a run."""

from pathlib import Path
from typing import Annotated

import typer

from llmgen.cli.options import QuietOpt
from llmgen.cli.output import out


def report(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or an artifact file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="report.html beside the artifacts by default.")
    ] = None,
    quiet: QuietOpt = False,
) -> None:
    """Write a run's report anew: one HTML file that needs no server and no network."""
    from llmgen.report import write_report

    out.configure(quiet=quiet, verbose=False)
    out.note(f"report: {write_report(source, output)}")
