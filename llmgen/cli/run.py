"""`llmgen run`: a manifest, or prompts, from the prompts to the report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmgen.cli.completion import manifests, shipped_manifests
from llmgen.cli.configured import without_a_manifest
from llmgen.cli.evaluate import show_comparison, show_scores
from llmgen.cli.options import (
    MODEL,
    OUTPUT,
    RUNNING,
    BatchSizeOpt,
    BudgetOpt,
    ConcurrencyOpt,
    CriticOpt,
    DeviceOpt,
    DryRunOpt,
    DtypeOpt,
    EngineOpt,
    ForceOpt,
    MetadataOpt,
    NoServeOpt,
    OffloadOpt,
    PictureFormatOpt,
    PlannerOpt,
    QuietOpt,
    SetOpt,
    ShardOpt,
    VerboseOpt,
    WorkersOpt,
    parse_settings,
    parse_shard,
)
from llmgen.cli.output import out
from llmgen.cli.stage import raise_failures

if TYPE_CHECKING:
    from llmgen.pipeline.manifest import RunOutcome
    from llmgen.pipeline.sources import Source

PROMPT_SUFFIXES = (".txt", ".text", ".csv", ".tsv", ".jsonl", ".ndjson")
"""Endings of files that hold prompts and cannot be a manifest."""


def run(
    manifest: Annotated[
        str | None,
        typer.Argument(
            metavar="MANIFEST",
            help="Manifest, or the name of one that comes along (quickstart). A prompt in quotes, a file of prompts (txt, csv, "
            "jsonl) or no manifest at all: the whole chain by the preset's methods.",
            show_default=False,
            autocompletion=manifests,
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Draw these prompts (txt, csv, jsonl, json; - for stdin), not the manifest's own."
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", metavar="TEXT", help="Draw this prompt, not the manifest's own; can be repeated."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", "-n", min=1, help="Pictures of each prompt, each from a seed of its own.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder; outputs/<name> by default.", rich_help_panel=OUTPUT
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Instead of the manifest's; see `llmgen models`.", rich_help_panel=MODEL)
    ] = None,
    planner: PlannerOpt = None,
    critic: CriticOpt = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the manifest's.", rich_help_panel=RUNNING)] = None,
    device: DeviceOpt = "auto",
    dtype: DtypeOpt = "auto",
    offload: OffloadOpt = None,
    batch_size: BatchSizeOpt = 8,
    concurrency: ConcurrencyOpt = None,
    budget_tokens: BudgetOpt = None,
    engine: EngineOpt = None,
    workers: WorkersOpt = None,
    shard: ShardOpt = None,
    settings: SetOpt = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="What happens anyway: the same manifest takes up where it was.", rich_help_panel=RUNNING
        ),
    ] = False,
    metadata: MetadataOpt = True,
    picture_format: PictureFormatOpt = "png",
    force: ForceOpt = False,
    dry_run: DryRunOpt = False,
    barrier: Annotated[
        bool,
        typer.Option(
            "--barrier",
            help="Let each stage wait until the one before is over: fewer models in memory at first, as with workers.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    no_serve: NoServeOpt = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what came out to stdout as JSON: folder, artifacts, scores.")
    ] = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
) -> None:
    """Run a manifest's stages, or the whole chain on your prompts; started again, it goes on. --set takes stage.name=value."""
    from llmgen.cli.progress import StageProgress
    from llmgen.engine.progress import Tally
    from llmgen.errors import LlmgenError
    from llmgen.pipeline.manifest import ManifestRun, plan_manifest, run_manifest

    out.configure(quiet=quiet, verbose=verbose)
    if resume and force:
        raise typer.BadParameter("--resume and --force exclude each other")
    path, source = _what_to_run(manifest, prompts, prompt)
    if path is None:
        preset = preset or without_a_manifest("preset", str)
        planner = planner or without_a_manifest("planner", str)
        critic = critic or without_a_manifest("critic", str)
        seed = without_a_manifest("seed", int) if seed is None else seed
    request = ManifestRun(
        path=path,
        prompts=source,
        output=output,
        preset=preset,
        planner=planner,
        critic=critic,
        metadata=metadata,
        picture_format=picture_format,
        seed=seed,
        device=device,
        dtype=dtype,
        offload=offload,
        batch_size=batch_size,
        concurrency=concurrency,
        budget_tokens=budget_tokens,
        engine=engine,
        workers=workers,
        given=_by_stage(settings, samples),
        force=force,
        shard=parse_shard(shard),
        barrier=barrier,
    )
    if dry_run:
        out.json(plan_manifest(request))
        return
    progress = StageProgress()
    try:
        outcome = run_manifest(request, progress=progress)
    except (KeyboardInterrupt, SystemExit, LlmgenError):
        # What is finished is in the journals: say so before the reason is said.
        if progress.began:
            out.note(f"what is finished is kept ({progress.reached}); the same command takes up from there")
        raise
    if as_json:
        out.json(_summary(outcome))
    else:
        _conclude(outcome)
    for line in outcome.dropped:
        out.warn(f"left out: {line}")
    raise_failures(Tally.of(outcome.records), len(outcome.dropped))


def _what_to_run(
    manifest: str | None, prompts: str | None, prompt: list[str] | None
) -> "tuple[Path | None, Source | None]":
    """The manifest, or None for the whole chain; and the prompts, or None for the manifest's own.

    Raises:
        typer.BadParameter: If nothing is given, or prompts in two ways.
        InputError: If the manifest is a word that names nothing.
    """
    from llmgen.pipeline.sources import Source, is_path

    if prompts is not None and prompt:
        raise typer.BadParameter("give --prompts or --prompt, not both", param_hint="--prompt")
    source = Source(prompts=tuple(prompt)) if prompt else Source(prompts) if prompts is not None else None
    if manifest is None:
        if source is None:
            raise typer.BadParameter(
                f'name a manifest ({", ".join(manifests())}), or give prompts: llmgen run --prompts FILE, llmgen run "a red ball"',
                param_hint="[MANIFEST]",
            )
        return None, source
    found = find_manifest(Path(manifest))
    if found.exists() or is_path(manifest):
        if found.suffix.lower() not in PROMPT_SUFFIXES:
            return found, source
        own = Source(manifest)
    elif " " in manifest.strip():
        own = Source(prompts=(manifest,))
    else:
        from llmgen.errors import UnknownNameError
        from llmgen.registry import unknown

        raise UnknownNameError(
            f"{unknown('manifest', manifest, manifests())}; a file goes by its path (./{manifest}), a prompt of one word to --prompt"
        )
    if source is not None:
        raise typer.BadParameter(f"{manifest!r} is prompts, and others are given besides", param_hint="[MANIFEST]")
    return None, own


def find_manifest(path: Path) -> Path:
    """A manifest on disk, or one of those that come with llmgen: `manifests/quickstart.json`, `quickstart`."""
    if path.exists() or path.is_absolute() or path.parent not in (Path(), Path("manifests")):
        return path
    return shipped_manifests().get(path.name.removesuffix(".json"), path)


def _by_stage(settings: list[str] | None, samples: int | None) -> dict[str, dict[str, Any]]:
    given: dict[str, dict[str, Any]] = {} if samples is None else {"generate": {"samples": samples}}
    for name, value in parse_settings(settings).items():
        stage, dot, setting = name.partition(".")
        if not dot:
            raise typer.BadParameter(f"{name!r} is not STAGE.NAME, such as correct.rounds", param_hint="--set")
        given.setdefault(stage, {})[setting] = value
    return given


def _conclude(outcome: "RunOutcome") -> None:
    """The last lines: what was made, the score before and after, where the report is."""
    records = outcome.records
    done = sum(record.error is None for record in records)
    pictures = _pictures(outcome)
    files = ", ".join(stage.path.name for stage in outcome.stages)
    out.note(f"made {done} of {len(records)} records with {len(pictures)} pictures in {outcome.seconds:.0f} s")
    if outcome.tokens.answers:
        out.note(outcome.tokens.line())
    out.note(f"artifacts in {outcome.folder}: {files}")
    compared = outcome.compared
    for group in compared:
        show_comparison([(one.branch.source, one.records) for one in group], group[0].method)
    if not compared or outcome.stages[-1] not in compared[-1]:
        show_scores(records)
    if outcome.report is None:
        out.note(f"one shard of the run; when all are done: llmgen merge {outcome.folder}")
    else:
        out.note(f"report: {outcome.report}")


def _summary(outcome: "RunOutcome") -> dict[str, Any]:
    """What `_conclude` says, as JSON values."""
    from dataclasses import asdict

    from llmgen.evaluate.comparison import compare
    from llmgen.evaluate.summary import metrics_of
    from llmgen.pipeline.summary import score_lines

    comparisons = []
    for group in outcome.compared:
        parts = [(one.branch.source, one.records) for one in group]
        metrics = dict.fromkeys(metric for _, records in parts for metric in metrics_of(records, group[0].method))
        comparisons += [compare(parts, metric) for metric in metrics]
    return {
        "folder": str(outcome.folder),
        "report": None if outcome.report is None else str(outcome.report),
        "artifacts": [str(stage.path) for stage in outcome.stages],
        "records": len(outcome.records),
        "failed": [record.id for record in outcome.records if record.error is not None],
        "pictures": sorted(_pictures(outcome)),
        "tokens": {
            "in": outcome.tokens.given,
            "out": outcome.tokens.got,
            "answers": outcome.tokens.answers,
            "untold": outcome.tokens.untold,
        },
        "seconds": round(outcome.seconds, 3),
        "scores": [asdict(line) for line in score_lines(outcome.records)],
        "comparisons": comparisons,
    }


def _pictures(outcome: "RunOutcome") -> set[str]:
    """Paths of all pictures of a run, relative to its folder."""
    # Records only grow: whatever a stage drew, those that come last have it.
    sources = {stage.branch.source for stage in outcome.stages}
    made = [record for stage in outcome.stages if stage.branch.name not in sources for record in stage.records]
    found = {entry.image.path for record in made for entry in record.history}
    return found | {sample.image.path for record in made for sample in record.samples}
