"""A manifest, run: its stages in order, one artifact each, resumable at any moment."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmgen.artifacts import Manifest, PromptEntry, Record
from llmgen.artifacts.files import check_writable, sweep, write_atomic
from llmgen.artifacts.io import (
    ReadArtifact,
    manifest_of,
    pretty_json,
    read_manifest,
    records_from_prompts,
    same_json,
    validate,
)
from llmgen.artifacts.lock import locked
from llmgen.artifacts.manifest import branches
from llmgen.artifacts.record import check_prompt
from llmgen.engine.context import StageContext
from llmgen.engine.progress import Progress
from llmgen.errors import InputError, OutputError
from llmgen.formats.foreign import read_any
from llmgen.llm.providers.ledger import Tokens
from llmgen.pipeline.estimate import estimate, journals_near, total
from llmgen.pipeline.incoming import brought, read_source
from llmgen.pipeline.naming import found_beside, named_from
from llmgen.pipeline.options import RunOptions, choose
from llmgen.pipeline.output import DRAWN
from llmgen.pipeline.settling import settled
from llmgen.pipeline.shards import Shard, part_of
from llmgen.pipeline.sources import Source
from llmgen.pipeline.steps import StageOutcome, Stages, Step, target_of
from llmgen.pipeline.vocabulary import warning_of
from llmgen.pipeline.whole_chain import NEEDED_ROLES, missing_roles, name_of, whole_chain
from llmgen.presets import load_preset
from llmgen.registry import DEFAULT_PRESET
from llmgen.vision.images import ImageStore, PictureFormat

RESOLVED = "manifest.json"
REPORT = "report.html"


@dataclass(frozen=True)
class ManifestRun:
    """A run of a manifest: where it comes from, where it goes, what overrides it."""

    path: Path | None = None
    """The manifest; without one, the whole chain by the preset's methods."""
    prompts: Source | None = None
    """What to draw instead of the manifest's own prompts."""
    output: Path | None = None
    """Folder; `outputs/<name>` by default."""
    preset: str | None = None
    planner: str | None = None
    critic: str | None = None
    metadata: bool = True
    picture_format: PictureFormat = "png"
    seed: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    offload: str | None = None
    batch_size: int = RunOptions.batch_size
    concurrency: int | None = None
    budget_tokens: int | None = None
    engine: str | None = None
    workers: int | None = None
    given: Mapping[str, Mapping[str, Any]] | None = None
    """Settings by stage that override the manifest's."""
    force: bool = False
    """Make everything anew, also over the run of another manifest."""
    shard: Shard | None = None
    """The part of the records that is worked on; all by default."""
    barrier: bool = False
    """Let each stage wait until the one before is over, instead of working on what that has finished."""


@dataclass(frozen=True)
class RunOutcome:
    """A run that is over."""

    folder: Path
    stages: tuple[StageOutcome, ...]
    report: Path | None
    """None for a shard: `merge` writes it."""
    tokens: Tokens
    """What the language models cost."""
    dropped: tuple[str, ...]
    """Lines about prompts that could not even be named."""
    seconds: float
    """How long the stages took, all together, loading included."""

    @property
    def records(self) -> list[Record]:
        """The records as the last stage left them."""
        return self.stages[-1].records

    @property
    def compared(self) -> list[list[StageOutcome]]:
        """Outcomes of the stages that were given several artifacts, in the order in which those were named."""
        groups: dict[int, list[StageOutcome]] = {}
        for outcome in self.stages:
            groups.setdefault(outcome.branch.place, []).append(outcome)
        return [group for group in groups.values() if len(group) > 1]


@dataclass(frozen=True)
class ResolvedRun:
    """What a run is going to do, and on what."""

    manifest: Manifest
    folder: Path
    read: ReadArtifact
    steps: tuple[Step, ...]
    context: StageContext
    left_out: tuple[str, ...]
    """Lines about stages of the whole chain that the preset has no models for."""


def plan_manifest(run: ManifestRun) -> dict[str, Any]:
    """What a run would do and cost, as JSON values; nothing is written or loaded."""
    return plan_of(run, resolve_run(run))


def plan_of(run: ManifestRun, ready: ResolvedRun) -> dict[str, Any]:
    """What `plan_manifest` gives, of a run that is resolved already."""
    journals = journals_near(ready.folder)
    names = [step.branch.entry.stage for step in ready.steps]
    costs = [
        estimate(step.choice, len(ready.read.records), journals, stages_before=names[:place])
        for place, step in enumerate(ready.steps)
    ]
    return {
        "manifest": None if run.path is None else str(run.path),
        "output": str(ready.folder),
        "records": len(ready.read.records),
        **ready.steps[0].choice.plan(),
        "estimate": total(ready.steps[0].choice, costs),
        "stages": [
            {
                "stage": step.branch.entry.stage,
                "method": step.choice.method,
                "input": step.branch.source,
                "output": step.branch.file,
                "config": step.choice.config.model_dump(mode="json"),
                "estimate": cost,
            }
            for step, cost in zip(ready.steps, costs, strict=True)
        ],
    }


def run_manifest(run: ManifestRun, *, progress: Progress | None = None) -> RunOutcome:
    """Run a manifest.

    Started again on its own folder, finished or not, it takes up where it was: finished records are read from the journals, and the
    artifacts become what an uninterrupted run would have written, byte for byte.

    Where this process does the work itself, all stages work at the same time, each on the records that the one before has finished; only
    one of them at a time computes with models. With workers, and with a barrier, they work one after the other.

    Args:
        run: What to run.
        progress: Told about each finished batch; of stages that work at the same time, what its `beside` gives.

    Raises:
        LlmgenError: Before any work if something in the manifest does not exist or the folder belongs to another run; later if a stage
            cannot go on at all. Errors of single records are in the records.
    """
    ready = resolve_run(run)
    folder = ready.folder
    check_writable(folder)
    if any(step.choice.method_class.makes in DRAWN for step in ready.steps):
        ready.context.images.check()
    if run.shard is not None:
        # Other shards write beside it: nothing of theirs is swept away.
        with (
            contextlib.closing(ready.context),
            locked(folder / ".llmgen" / f"lock.{run.shard}", f"shard {run.shard} of {folder}"),
        ):
            outcomes, seconds = _run_steps(ready, run, progress or Progress())
            dropped = ready.read.dropped if run.shard.index == 1 else ()
            return RunOutcome(folder, outcomes, None, ready.context.ledger.spent, dropped, seconds)
    with contextlib.closing(ready.context), locked(folder / ".llmgen" / "lock", str(folder)):
        sweep(folder)
        sweep(folder / ready.context.images.folder)
        outcomes, seconds = _run_steps(ready, run, progress or Progress())
        from llmgen.report import write_report

        report, tokens = write_report(folder), ready.context.ledger.spent
        return RunOutcome(folder, outcomes, report, tokens, ready.read.dropped, seconds)


def _run_steps(ready: ResolvedRun, run: ManifestRun, progress: Progress) -> tuple[tuple[StageOutcome, ...], float]:
    folder, context, started = ready.folder, ready.context, time.perf_counter()
    records = brought(ready.read, context.images, "read", progress.problem)
    targets = [target_of(folder, step, run.shard) for step in ready.steps]
    _claim(folder, named_from(_with_prompts(ready.manifest, records), folder), targets, run)
    if (line := warning_of(records, context.preset)) is not None:
        progress.notice(line)
    for line in ready.left_out:
        progress.notice(line)
    steps = [
        replace(step, choice=settled(step.choice, iter(records), path=path, anew=run.force, say=progress.notice)[0])
        for step, path in zip(ready.steps, targets, strict=True)
    ]
    part, all_told = None, not ready.read.dropped and all(record.error is None for record in records)
    if run.shard is not None:
        part, records = part_of(run.shard, records, ready.read.dropped, ready.steps[0].choice)
    stages = Stages(
        folder,
        steps,
        records,
        prompts=folder / RESOLVED if all_told and part is None else None,
        part=part,
        force=run.force,
        # Workers take batches of one stage at a time.
        barrier=run.barrier or context.crew is not None,
    )
    return tuple(stages.run(progress)), time.perf_counter() - started


def resolve_run(run: ManifestRun, value: Any = None) -> ResolvedRun:
    """Read a manifest and its prompts, and choose its methods and settings; nothing is written or loaded.

    Args:
        run: What to run.
        value: The manifest's JSON value, where somebody has read it already.

    Raises:
        LlmgenError: Whatever can be refused before any work is refused here.
    """
    manifest, read = _manifest_of(run, value)
    folder = run.output if run.output is not None else Path("outputs") / manifest.name
    options = RunOptions(
        preset=run.preset or manifest.preset or DEFAULT_PRESET,
        planner=run.planner or manifest.planner,
        critic=run.critic or manifest.critic,
        seed=manifest.seed if run.seed is None else run.seed,
        metadata=run.metadata,
        picture_format=run.picture_format,
        device=run.device,
        dtype=run.dtype,
        offload=run.offload,
        batch_size=run.batch_size,
        concurrency=run.concurrency,
        budget_tokens=run.budget_tokens,
        engine=run.engine or manifest.engine or RunOptions.engine,
        # The manifest's number is for the manifest's engine.
        workers=run.workers or (manifest.workers if run.engine in (None, manifest.engine) else None),
    )
    context = options.context(ImageStore(folder))
    steps = _steps(manifest, context, run.given or {})
    resolved = manifest.model_copy(
        update={
            "preset": options.preset,
            "planner": options.planner or context.preset.planner,
            "critic": options.critic,
            "seed": options.seed,
            "prompts_path": None,
            # What comes out does not depend on who works: the same run may go on in another way.
            "engine": None,
            "workers": None,
            "stages": tuple(
                entry.model_copy(update={"config": {**entry.config, **(run.given or {}).get(entry.stage, {})}})
                for entry in manifest.stages
            ),
        }
    )
    left_out = [
        f"{stage} is left out: preset {context.preset.name!r} has no {' and no '.join(missing)}"
        for stage in NEEDED_ROLES
        if run.path is None and (missing := missing_roles(context.preset, stage))
    ]
    return ResolvedRun(resolved, folder, read, steps, context, tuple(left_out))


def _manifest_of(run: ManifestRun, value: Any) -> tuple[Manifest, ReadArtifact]:
    """What is run, and on what."""
    if run.path is None:
        if run.prompts is None:
            raise InputError("nothing to run: name a manifest, or give prompts")
        read = read_source(run.prompts)
        return whole_chain(
            load_preset(run.preset or DEFAULT_PRESET), name_of(run.prompts), _entries(read.records)
        ), read
    written = read_manifest(run.path) if value is None else manifest_of(value, str(run.path))
    manifest = found_beside(written, run.path.parent)
    if run.prompts is not None:
        name = f"{manifest.name}-{name_of(run.prompts)}"
        return manifest.model_copy(update={"name": name}), read_source(run.prompts)
    if manifest.prompts_path is not None:
        return manifest, read_any(run.path.parent / manifest.prompts_path)
    return manifest, records_from_prompts(manifest.prompts, str(run.path), run.path.parent)


def _steps(manifest: Manifest, context: StageContext, overrides: Mapping[str, Mapping[str, Any]]) -> tuple[Step, ...]:
    stray = set(overrides) - {entry.stage for entry in manifest.stages}
    if stray:
        raise InputError(f"--set names the stage {sorted(stray)[0]!r}, which the manifest does not run")
    steps: list[Step] = []
    for branch in branches(manifest.stages):
        entry = branch.entry
        given = {**entry.config, **overrides.get(entry.stage, {})}
        steps.append(Step(choose(context, entry.stage, entry.method, given), branch))
    return tuple(steps)


def _with_prompts(manifest: Manifest, records: list[Record]) -> Manifest:
    """The manifest with its prompts written out, so that the folder says by itself what was run."""
    return manifest.model_copy(update={"prompts": _entries(records)})


def _entries(records: Sequence[Record]) -> tuple[PromptEntry, ...]:
    """The prompts of records; one that failed because it says nothing is no prompt of any manifest."""
    kept = PromptEntry.model_fields.keys()
    values = ({name: getattr(record, name) for name in kept} for record in records if _says_something(record))
    return tuple(PromptEntry(**value) for value in values)


def _says_something(record: Record) -> bool:
    try:
        check_prompt(record.prompt, record.instruction, record.source_image)
    except ValueError:
        return False
    return True


def _claim(folder: Path, manifest: Manifest, targets: Sequence[Path], run: ManifestRun) -> None:
    """Make the folder this run's own, or refuse."""
    path = folder / RESOLVED
    if run.force:
        for target in {*targets, *(() if run.shard else (folder / REPORT,))}:
            target.unlink(missing_ok=True)
    elif path.exists():
        try:
            other = read_manifest(path)
        except InputError as error:
            raise OutputError(
                f"{path} is not the manifest of a run ({error}); use --force or another folder with -o"
            ) from error
        if not same_json(other, manifest):
            raise OutputError(
                f"{folder} holds the run of another manifest or other settings; use --force to make it anew, or -o for another folder"
            )
    else:
        for target in targets:
            if target.exists():
                raise OutputError(f"{target} exists; use --force to make it anew, or -o for another folder")
    write_atomic(path, pretty_json(plain_manifest(manifest)).encode())


def plain_manifest(manifest: Manifest) -> dict[str, Any]:
    """A manifest as it is written: JSON values, empty fields left out, settings as they are."""
    values = manifest.model_dump(mode="json", exclude_none=True)
    for entry, stage in zip(values["stages"], manifest.stages, strict=True):
        entry["config"] = stage.config
    validate(Manifest, values, "the resolved manifest")
    return values
