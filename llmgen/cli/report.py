"""`llmgen report`: the page about a run."""

from pathlib import Path
from typing import Annotated

import typer

from llmgen.cli.options import QuietOpt
from llmgen.cli.output import out


def report(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or an artifact file.")],
    other: Annotated[
        Path | None,
        typer.Argument(metavar="OTHER", help="A second one, to be laid beside it.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="report.html beside the artifacts by default; comparison.html here for two.",
        ),
    ] = None,
    one_file: Annotated[
        bool,
        typer.Option(
            "--one-file", help="Put all pictures inside the page; otherwise more than 150 lie in a folder beside it."
        ),
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    quiet: QuietOpt = False,
) -> None:
    """Write a run's report anew, or two runs side by side: an HTML page that needs no server and no network."""
    from llmgen.report import write_report

    out.configure(quiet=quiet, verbose=False)
    if other is None:
        path = write_report(source, output, one_file=one_file)
    else:
        from llmgen.report.comparison import write_comparison

        path = write_comparison(source, other, output or Path("comparison.html"), one_file=one_file)
    out.note(f"report: {path}")
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
