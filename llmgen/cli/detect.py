"""`llmgen detect`: pictures to detections."""

from typing import Annotated

import typer

from llmgen.cli.completion import method_names
from llmgen.cli.options import PicturesArg, StageFlags, with_stage_flags
from llmgen.cli.stage import raise_failures, run_stage_command


@with_stage_flags
def detect(
    source: PicturesArg = "-",
    method: Annotated[
        str | None,
        typer.Option(
            help="owlv2, grounding-dino or mask-rcnn; see `llmgen methods`.", autocompletion=method_names("detect")
        ),
    ] = None,
    masks: Annotated[bool | None, typer.Option("--masks/--no-masks", help="Add a mask to each detection.")] = None,
    *,
    flags: StageFlags,
) -> None:
    """Look at each picture for what its layout or prompt asks for."""
    done = run_stage_command("detect", source, method, flags, {"masks": masks})
    if done is not None:
        raise_failures(done.tally, done.dropped)
