"""`llmgen export`: records to files of other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llmgen.cli.completion import words
from llmgen.cli.options import OUTPUT, ForceOpt, QuietOpt
from llmgen.cli.output import out


def export(
    dialect: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT", help="instancediffusion: a layout with its points, scribbles and masks.",
            autocompletion=words("instancediffusion"),
        ),
    ],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="Artifact or JSON Lines with layouts; - for stdin.")
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="A file for each record; stdout, one a line, by default.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    bbox_format: Annotated[
        Literal["xywh", "xyxy"], typer.Option(metavar="FORMAT", help="What boxes are written as: xywh or xyxy.")
    ] = "xywh",
    force: ForceOpt = False,
    quiet: QuietOpt = False,
) -> None:  # fmt: skip
    """Hand layouts to InstanceDiffusion: what `llmgen import` reads is written back as it was."""
    from llmgen.errors import PartialFailure
    from llmgen.pipeline.exporting import Export, export_foreign, line_of

    out.configure(quiet=quiet, verbose=False)
    target = None if output is None or str(output) == "-" else output
    values, left_out = export_foreign(Export(dialect, source, target, bbox_format, force))
    if target is None:
        for value in values:
            out.data(line_of(value))
    else:
        out.note(f"{target}: {len(values)} files")
    for line in left_out:
        out.warn(f"left out: {line}")
    if left_out:
        raise PartialFailure(f"{len(left_out)} of {len(values) + len(left_out)} records could not be exported")
