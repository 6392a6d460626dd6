"""Flags that several subcommands share, defined once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from llmgen.cli.completion import presets, schedulers, words
from llmgen.registry import DEFAULT_PRESET

if TYPE_CHECKING:
    from llmgen.pipeline.shards import Shard
    from llmgen.pipeline.sources import ReadAs

RUNNING = "Running"
OUTPUT = "Output"
MODEL = "Models"

InputArg = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Artifact, JSON Lines or a file of prompts (JSON, txt, csv); - for stdin. Several words in quotes are a prompt.",
    ),
]
PicturesArg = Annotated[
    str, typer.Argument(metavar="INPUT", help="Artifact or JSON Lines whose records have pictures; - for stdin.")
]
PromptOpt = Annotated[
    list[str] | None,
    typer.Option("--prompt", metavar="TEXT", help="A prompt, instead of INPUT; can be repeated."),
]
WidthOpt = Annotated[int | None, typer.Option(min=16, help="Width of the picture in pixels; the preset's by default.")]
HeightOpt = Annotated[
    int | None, typer.Option(min=16, help="Height of the picture in pixels; the preset's by default.")
]
NegativeOpt = Annotated[
    str | None, typer.Option("--negative-prompt", help="What no picture should show, such as blurry.")
]
StepsOpt = Annotated[int | None, typer.Option("--steps", help="Denoising steps.")]
GuidanceOpt = Annotated[
    float | None,
    typer.Option("--guidance-scale", "--guidance", help="Classifier-free guidance; 1 switches it off."),
]
SchedulerOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the model steps by, such as euler or dpm++-2m-karras; its own by default. For methods without a loop of their own.",
        autocompletion=schedulers,
    ),
]
MetadataOpt = Annotated[
    bool,
    typer.Option(
        "--metadata/--no-metadata", help="Write prompt, seed and settings into new pictures.", rich_help_panel=OUTPUT
    ),
]
PictureFormatOpt = Annotated[
    Literal["png", "jpg", "webp"],
    typer.Option(
        "--picture-format",
        help="What new pictures are written as. jpg and webp lose a little (quality 95), also for the stages that read them.",
        rich_help_panel=OUTPUT,
    ),
]
QuietOpt = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but what goes wrong.", rich_help_panel=OUTPUT)
]
VerboseOpt = Annotated[bool, typer.Option("--verbose", "-v", help="Say what the library logs.", rich_help_panel=OUTPUT)]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON to stdout instead of a table.")]
PresetOpt = Annotated[
    str,
    typer.Option(
        help="Which models fill the roles: a name of `llmgen models`, or your own JSON file.",
        autocompletion=presets,
        rich_help_panel=MODEL,
    ),
]
PlannerOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="rules, openai or replay:FILE; the preset's by default.",
        autocompletion=words("rules", "openai", "replay:"),
        rich_help_panel=MODEL,
    ),
]
CriticOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Who looks at what was drawn: rules, openai or replay:FILE; the planner by default.",
        autocompletion=words("rules", "openai", "replay:"),
        rich_help_panel=MODEL,
    ),
]
DeviceOpt = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=MODEL)]
DtypeOpt = Annotated[
    str,
    typer.Option(
        help="auto, float32, float16 or bfloat16.",
        autocompletion=words("auto", "float32", "float16", "bfloat16"),
        rich_help_panel=MODEL,
    ),
]
OffloadOpt = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="none, model or sequential: diffusion models wait in main memory.",
        autocompletion=words("none", "model", "sequential"),
        rich_help_panel=MODEL,
    ),
]
BatchSizeOpt = Annotated[int, typer.Option(min=1, help="Most records in one call of a model.", rich_help_panel=RUNNING)]
EngineOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Who does the work: local (this process, the default), process (a worker for each device) or ray.",
        autocompletion=words("local", "process", "ray"),
        rich_help_panel=RUNNING,
    ),
]
WorkersOpt = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        metavar="N",
        help="Workers of --engine process or ray; one for each device by default.",
        rich_help_panel=RUNNING,
    ),
]
ConcurrencyOpt = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        metavar="N",
        help="Questions that a language model is asked at once; 8 by default, the slots of a local server.",
        rich_help_panel=RUNNING,
    ),
]
BudgetOpt = Annotated[
    int | None,
    typer.Option(
        "--budget-tokens",
        min=1,
        metavar="N",
        help="Ask a language model no more once N tokens, in and out, are spent; what was not asked ends so and is asked on resume.",
        rich_help_panel=RUNNING,
    ),
]
ShardOpt = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Do the I-th of N parts, from 1, and write NAME.I-of-N.jsonl; `llmgen merge` puts them together.",
        rich_help_panel=RUNNING,
    ),
]
SetOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Any setting of the method; can be repeated.", rich_help_panel=RUNNING
    ),
]
NoServeOpt = Annotated[
    bool,
    typer.Option("--no-serve", help="Load models here, even if `llmgen serve` holds them.", rich_help_panel=RUNNING),
]
ForceOpt = Annotated[bool, typer.Option("--force", help="Make existing output anew.", rich_help_panel=RUNNING)]
DryRunOpt = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done as JSON, and stop.", rich_help_panel=RUNNING)
]


FormOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORM",
        help="Of stdout: jsonl (a record a line, as they are done) or json (one artifact at the end). Of INPUT: txt "
        "(a prompt a line), csv or tsv; by content if not said. Can be repeated.",
        autocompletion=words("jsonl", "json", "txt", "csv", "tsv"),
        rich_help_panel=OUTPUT,
    ),
]


@dataclass(frozen=True, kw_only=True)
class StageFlags:
    """The flags that all six stages have."""

    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write an artifact here; JSON Lines on stdout by default.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    form: FormOpt = None
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of new pictures; `images` beside the output, `outputs/images` in a pipe.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    preset: PresetOpt = DEFAULT_PRESET
    planner: PlannerOpt = None
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the run; each record's own derives from it.", rich_help_panel=RUNNING)
    ] = 0
    device: DeviceOpt = "auto"
    dtype: DtypeOpt = "auto"
    offload: OffloadOpt = None
    batch_size: BatchSizeOpt = 8
    concurrency: ConcurrencyOpt = None
    budget_tokens: BudgetOpt = None
    engine: EngineOpt = None
    workers: WorkersOpt = None
    shard: ShardOpt = None
    settings: SetOpt = None
    resume: Annotated[bool, typer.Option("--resume", help="Complete an existing output.", rich_help_panel=RUNNING)] = (
        False
    )
    force: ForceOpt = False
    dry_run: DryRunOpt = False
    no_serve: NoServeOpt = False
    quiet: QuietOpt = False
    verbose: VerboseOpt = False


def with_stage_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of `StageFlags`, collected into its parameter `flags`."""
    hints = get_type_hints(StageFlags, include_extras=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(StageFlags)
    ]
    names = {parameter.name for parameter in shared}

    @functools.wraps(command)
    def run(**values: Any) -> None:
        flags = StageFlags(**{name: values.pop(name) for name in names})
        command(**values, flags=flags)

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != "flags"
    ]
    run.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in own + shared}
    del run.__dict__["__wrapped__"]
    return run


def parse_forms(forms: list[str] | None) -> tuple["ReadAs | None", Literal["json", "jsonl"] | None]:
    """How INPUT is read, and what stdout gets; None where nobody says.

    Raises:
        typer.BadParameter: If a form is not known, or two are given for one of them.
    """
    read_as: list[Any] = [form for form in forms or () if form in ("txt", "csv", "tsv")]
    written: list[Any] = [form for form in forms or () if form in ("json", "jsonl")]
    strange = [form for form in forms or () if form not in (*read_as, *written)]
    if strange:
        raise typer.BadParameter(
            f"{strange[0]!r} is not jsonl or json (stdout), nor txt, csv or tsv (INPUT)", param_hint="--format"
        )
    if len(read_as) > 1 or len(written) > 1:
        raise typer.BadParameter(
            f"{' and '.join(read_as if len(read_as) > 1 else written)}: give one", param_hint="--format"
        )
    return (read_as or [None])[0], (written or [None])[0]


def parse_shard(text: str | None) -> "Shard | None":
    """The part of the work that is meant.

    Raises:
        typer.BadParameter: If it is no I/N.
    """
    if text is None:
        return None
    from llmgen.pipeline.shards import Shard

    try:
        return Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--shard") from error


def parse_settings(pairs: list[str] | None) -> dict[str, str]:
    """`NAME=VALUE` pairs as a dict; dashes in names become underscores.

    Raises:
        typer.BadParameter: If a pair has no `=`.
    """
    from llmgen.artifacts.manifest import SHORT_NAMES

    settings = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--set")
        stage, dot, setting = name.strip().replace("-", "_").rpartition(".")
        settings[f"{stage}{dot}{SHORT_NAMES.get(setting, setting)}"] = value
    return settings
