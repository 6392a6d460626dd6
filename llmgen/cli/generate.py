"""`llmgen generate`: prompts or layouts to pictures."""

from typing import Annotated

import typer

from llmgen.cli.completion import method_names
from llmgen.cli.options import (
    GuidanceOpt,
    HeightOpt,
    InputArg,
    MetadataOpt,
    NegativeOpt,
    PictureFormatOpt,
    PromptOpt,
    SchedulerOpt,
    StageFlags,
    StepsOpt,
    WidthOpt,
    with_stage_flags,
)
from llmgen.cli.stage import raise_failures, run_stage_command


@with_stage_flags
def generate(
    source: InputArg = "-",
    prompt: PromptOpt = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="sd (text alone), lmd (boxes too), instancediffusion (points, scribbles, masks too), record (who does what), "
            "lgd (answers a question about a picture), and others; see `llmgen methods`.",
            autocompletion=method_names("generate"),
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", "-n", min=1, help="Pictures of each prompt, each from a seed of its own.")
    ] = None,
    width: WidthOpt = None,
    height: HeightOpt = None,
    negative_prompt: NegativeOpt = None,
    steps: StepsOpt = None,
    guidance_scale: GuidanceOpt = None,
    scheduler: SchedulerOpt = None,
    use: Annotated[
        str | None,
        typer.Option(
            help="Formats of an instance that count: box,point,scribble,mask, or the original's test_box, test_point, ...",
            metavar="FORMATS",
        ),
    ] = None,
    reuse: Annotated[
        str | None,
        typer.Option(
            help="Draw from the noise of this artifact's records, by id; a single record lends its noise to all.",
            metavar="FILE",
        ),
    ] = None,
    metadata: MetadataOpt = True,
    picture_format: PictureFormatOpt = "png",
    *,
    flags: StageFlags,
) -> None:
    """Draw each record's picture."""
    named = {
        "samples": samples,
        "width": width,
        "height": height,
        "negative_prompt": negative_prompt,
        "num_inference_steps": steps,
        "guidance_scale": guidance_scale,
        "scheduler": scheduler,
        "use": use,
    }
    done = run_stage_command(
        "generate",
        source,
        method,
        flags,
        named,
        reuse=reuse,
        prompts=prompt,
        metadata=metadata,
        picture_format=picture_format,
    )
    if done is not None:
        raise_failures(done.tally, done.dropped)
