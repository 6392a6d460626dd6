"""`llmgen run`: a manifest from its prompts to its report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmgen.cli.evaluate import show_comparison, show_scores
from llmgen.cli.options import (
    MODEL,
    OUTPUT,
    RUNNING,
    BatchSizeOpt,
    ConcurrencyOpt,
    CriticOpt,
    DeviceOpt,
    DryRunOpt,
    DtypeOpt,
    ForceOpt,
    OffloadOpt,
    PlannerOpt,
    QuietOpt,
    SetOpt,
    VerboseOpt,
    parse_settings,
)
from llmgen.cli.output import out
from llmgen.cli.stage import raise_failures

if TYPE_CHECKING:
    from llmgen.pipeline.manifest import RunOutcome


def run(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="Manifest, such as manifests/quickstart.json.")],
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
    settings: SetOpt = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="What happens anyway: the same manifest takes up where it was.", rich_help_panel=RUNNING
        ),
    ] = False,
    force: ForceOpt = False,
    dry_run: DryRunOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
) -> None:
    """Run a manifest's stages in order; started again, it takes up where it was. --set takes stage.name=value."""
    from llmgen.cli.progress import StageProgress
    from llmgen.errors import LlmgenError
    from llmgen.pipeline.manifest import ManifestRun, plan_manifest, run_manifest

    out.configure(quiet=quiet, verbose=verbose)
    if resume and force:
        raise typer.BadParameter("--resume and --force exclude each other")
    request = ManifestRun(
        path=find_manifest(manifest),
        output=output,
        preset=preset,
        planner=planner,
        critic=critic,
        seed=seed,
        device=device,
        dtype=dtype,
        offload=offload,
        batch_size=batch_size,
        concurrency=concurrency,
        given=_by_stage(settings),
        force=force,
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
            out.note("what is finished is kept; the same command takes up from there")
        raise
    _conclude(outcome)
    raise_failures(outcome.records, outcome.dropped)


def find_manifest(path: Path) -> Path:
    """A manifest on disk, or one of those that come with llmgen: `manifests/quickstart.json`, `quickstart`."""
    if path.exists() or path.is_absolute() or path.parent not in (Path(), Path("manifests")):
        return path
    from importlib.resources import files

    package = Path(str(files("llmgen")))
    for folder in (package / "_manifests", package.parent / "manifests"):
        found = folder / f"{path.name.removesuffix('.json')}.json"
        if found.is_file():
            return found
    return path


def _by_stage(settings: list[str] | None) -> dict[str, dict[str, Any]]:
    given: dict[str, dict[str, Any]] = {}
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
    made = [record for stage in outcome.stages for record in stage.result.records]
    pictures = {entry.image.path for record in made for entry in record.history}
    pictures |= {sample.image.path for record in made for sample in record.samples}
    files = ", ".join(stage.path.name for stage in outcome.stages)
    seconds = sum(stage.result.seconds for stage in outcome.stages)
    out.note(f"made {done} of {len(records)} records with {len(pictures)} pictures in {seconds:.0f} s")
    out.note(f"artifacts in {outcome.folder}: {files}")
    compared = outcome.compared
    for group in compared:
        show_comparison([(one.branch.source, one.result.records) for one in group], group[0].method)
    if not compared or outcome.stages[-1] not in compared[-1]:
        show_scores(records)
    out.note(f"report: {outcome.report}")
