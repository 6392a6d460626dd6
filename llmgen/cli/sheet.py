"""`llmgen sheet`: many pictures on one page."""

from pathlib import Path
from typing import Annotated

import typer

from llmgen.cli.options import OUTPUT, QuietOpt
from llmgen.cli.output import out


def sheet(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="Artifact with pictures, or folder of a run.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="PNG, JPEG or WebP.", rich_help_panel=OUTPUT)
    ] = Path("sheet.png"),
    first: Annotated[int | None, typer.Option(min=1, metavar="K", help="The first K records; all by default.")] = None,
    quiet: QuietOpt = False,
) -> None:
    """Put the pictures of a run on one page: prompts, first and last picture or all samples, verdicts."""
    from llmgen.report.sheet import write_sheet

    out.configure(quiet=quiet, verbose=False)
    count = write_sheet(source, output, first=first)
    out.note(f"{output}: {count} records")
