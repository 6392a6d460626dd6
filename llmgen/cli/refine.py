"""`llmgen refine`: pictures to finer pictures."""

from typing import Annotated

import typer

from llmgen.cli.completion import method_names, words
from llmgen.cli.options import (
    GuidanceOpt,
    MetadataOpt,
    PictureFormatOpt,
    PicturesArg,
    SchedulerOpt,
    StageFlags,
    StepsOpt,
    with_stage_flags,
)
from llmgen.cli.stage import raise_failures, run_stage_command


@with_stage_flags
def refine(
    source: PicturesArg = "-",
    method: Annotated[
        str | None, typer.Option(help="sdxl; see `llmgen methods`.", autocompletion=method_names("refine"))
    ] = None,
    strength: Annotated[float | None, typer.Option(help="Denoising strength, 0 to 1; 1 ignores the picture.")] = None,
    steps: StepsOpt = None,
    guidance_scale: GuidanceOpt = None,
    scheduler: SchedulerOpt = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="Settings of a publication: reference (SLD's), lmd or instancediffusion; llmgen's own by default.",
            autocompletion=words("llmgen", "reference", "sld", "lmd", "instancediffusion"),
        ),
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="SLD's: the whole picture, 1024 pixels. Short for --profile reference.")
    ] = False,
    metadata: MetadataOpt = True,
    picture_format: PictureFormatOpt = "png",
    *,
    flags: StageFlags,
) -> None:
    """Go over each picture once more, in the edited region unless told otherwise."""
    if reference and profile not in (None, "reference", "sld"):
        raise typer.BadParameter(f"--reference is --profile reference, not {profile}", param_hint="--reference")
    profile = profile or "reference" if reference else profile
    named = {
        "profile": profile,
        "strength": strength,
        "num_inference_steps": steps,
        "guidance_scale": guidance_scale,
        "scheduler": scheduler,
    }
    done = run_stage_command("refine", source, method, flags, named, metadata=metadata, picture_format=picture_format)
    if done is not None:
        raise_failures(done.tally, done.dropped)
