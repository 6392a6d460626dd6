"""`llmgen import`: files of other programs to artifacts."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llmgen.cli.completion import words
from llmgen.cli.options import OUTPUT, ForceOpt, InputArg, QuietOpt, VerboseOpt
from llmgen.cli.output import file_or_stream, out
from llmgen.cli.stage import raise_failures


def import_(
    dialect: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="instancediffusion (a file or a folder of them), lmd (caches, layouts, prompts), record (tables) or sld (data.json).",
            autocompletion=words("instancediffusion", "lmd", "record", "sld"),
        ),
    ],
    source: InputArg = "-",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here; stdout by default.", rich_help_panel=OUTPUT),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="lmd: prompts that give a cache its order, ids and types.")
    ] = None,
    images_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="sld: folder of the pictures, else src_image beside the file. record: of candidates.")
    ] = None,
    bbox_format: Annotated[
        Literal["auto", "xywh", "xyxy"],
        typer.Option(
            metavar="FORMAT", help="instancediffusion: xywh, xyxy, or auto: xywh unless all boxes fit only as corners.",
        ),
    ] = "auto",
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**64 - 1, metavar="N", help="Seed of every record: rounds of one picture share their noise."),
    ] = None,
    force: ForceOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
) -> None:  # fmt: skip
    """Take over files of InstanceDiffusion, LMD, ReCorD and SLD as records: layouts, caches, prompts, tables, tasks with pictures."""
    from llmgen.artifacts.io import record_line
    from llmgen.pipeline.importing import Import, import_foreign

    out.configure(quiet=quiet, verbose=verbose)
    target, stream = file_or_stream(output)
    done = import_foreign(Import(dialect, source, target, prompts, images_from, bbox_format, seed, force))
    if target is None:
        with out.records(stream) as write:
            for record in done.records:
                write(record_line(record))
    if done.notes:
        more = "" if verbose else f" (and {len(done.notes) - 1} more; -v lists them)" if len(done.notes) > 1 else ""
        out.note(f"mended: {done.notes[0]}{more}")
    if target is not None:
        out.note(f"{target}: {len(done.records)} records of kind {done.kind!r}")
    raise_failures(done.records, done.dropped)
