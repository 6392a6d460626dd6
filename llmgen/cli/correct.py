"""`llmgen correct`: what is wrong with each picture, and the picture without it."""

from pathlib import Path
from typing import Annotated

import typer

from llmgen.cli.completion import method_names, words
from llmgen.cli.options import (
    CriticOpt,
    GuidanceOpt,
    MetadataOpt,
    PictureFormatOpt,
    SchedulerOpt,
    StageFlags,
    StepsOpt,
    with_stage_flags,
)
from llmgen.cli.stage import raise_failures, run_stage_command


@with_stage_flags
def correct(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Artifact or JSON Lines whose records have pictures, or SLD's data.json; - for stdin."
        ),
    ] = "-",
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            "--method",
            help="self_correction, image_editing, context or interaction; see `llmgen methods`.",
            autocompletion=method_names("correct"),
        ),
    ] = None,
    plan_only: Annotated[
        bool | None,
        typer.Option("--plan-only", help="Write the plan of edits and stop; the next `correct` carries it out."),
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Most rounds of looking and correcting.")] = None,
    depths: Annotated[int | None, typer.Option(help="context: how often it looks and adds detail.")] = None,
    painter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Who carries edits out: latents, inpaint, web (a server with the API of A1111) or instruct (an editor that is told).",
            autocompletion=words("latents", "inpaint", "web", "instruct"),
        ),
    ] = None,
    steps: StepsOpt = None,
    images_from: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the pictures of SLD's data.json; src_image by default."),
    ] = None,
    guidance_scale: GuidanceOpt = None,
    scheduler: SchedulerOpt = None,
    outside_vocabulary: Annotated[
        bool | None,
        typer.Option(
            "--outside-vocabulary", help="Go on with pictures of things that the preset's models do not know."
        ),
    ] = None,
    critic: CriticOpt = None,
    metadata: MetadataOpt = True,
    picture_format: PictureFormatOpt = "png",
    *,
    flags: StageFlags,
) -> None:
    """Find what is wrong with each picture and mend it, round by round, keeping the best."""
    named = {
        "plan_only": plan_only,
        "rounds": rounds,
        "depths": depths,
        "painter": painter,
        "num_inference_steps": steps,
        "guidance_scale": guidance_scale,
        "scheduler": scheduler,
        "outside_vocabulary": outside_vocabulary,
    }
    done = run_stage_command(
        "correct",
        source,
        mode,
        flags,
        named,
        images_from=images_from,
        critic=critic,
        metadata=metadata,
        picture_format=picture_format,
    )
    if done is not None:
        raise_failures(done.tally, done.dropped)
