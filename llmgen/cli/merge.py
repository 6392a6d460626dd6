"""`llmgen merge`: the shards of a job array, put together."""

from pathlib import Path
from typing import Annotated

import typer

from llmgen.cli.options import OUTPUT, ForceOpt, QuietOpt
from llmgen.cli.output import out
from llmgen.cli.stage import raise_failures


def merge(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SHARD...",
            help="Files of all shards, in any order; or the one output that they are shards of; or the folder of a run.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The artifact; that which the shards were told to write by default.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: ForceOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Put together what `--shard` wrote: the artifact of a run in one piece, byte for byte."""
    from llmgen.engine.progress import Tally
    from llmgen.pipeline.merging import merge as merge_shards

    out.configure(quiet=quiet, verbose=False)
    merged = merge_shards(sources, output, force=force)
    for artifact in merged:
        out.note(
            f"{artifact.path}: {len(artifact.records)} records of kind {artifact.kind!r} from {artifact.shards} shards"
        )
    for line in merged[-1].dropped:
        out.warn(f"left out: {line}")
    raise_failures(Tally.of(merged[-1].records), len(merged[-1].dropped))
