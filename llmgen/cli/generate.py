"""`llmgen generate`: prompts or layouts to pictures."""

from typing import Annotated

import typer

from llmgen.cli.completion import method_names
from llmgen.cli.options import InputArg, StageFlags, with_stage_flags
from llmgen.cli.stage import raise_failures, run_stage_command


@with_stage_flags
def generate(
    source: InputArg = "-",
    method: Annotated[
        str | None,
        typer.Option(
            help="sd (text alone), lmd (boxes too), instancediffusion (points, scribbles, masks too), lgd (answers a question about a "
            "picture); see `llmgen methods`.",
            autocompletion=method_names("generate"),
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", "-n", min=1, help="Pictures of each prompt, each from a seed of its own.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="Classifier-free guidance; 1 switches it off.")] = None,
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
    *,
    flags: StageFlags,
) -> None:
    """Draw each record's picture."""
    named = {"samples": samples, "num_inference_steps": steps, "guidance_scale": guidance_scale, "use": use}
    done = run_stage_command("generate", source, method, flags, named, reuse=reuse)
    if done is not None:
        raise_failures(done.result.records, done.dropped)
