"""`llmgen layout`: prompts to layouts."""

from typing import Annotated

import typer

from llmgen.cli.completion import method_names
from llmgen.cli.options import HeightOpt, InputArg, PromptOpt, StageFlags, WidthOpt, with_stage_flags
from llmgen.cli.stage import raise_failures, run_stage_command


@with_stage_flags
def layout(
    source: InputArg = "-",
    prompt: PromptOpt = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="lmd, instances, interaction, edit or given; see `llmgen methods`.",
            autocompletion=method_names("layout"),
        ),
    ] = None,
    width: WidthOpt = None,
    height: HeightOpt = None,
    *,
    flags: StageFlags,
) -> None:
    """Plan where things go: boxes, a background, what must be absent."""
    done = run_stage_command("layout", source, method, flags, {"width": width, "height": height}, prompts=prompt)
    if done is not None:
        raise_failures(done.tally, done.dropped)
