"""One stage, from an artifact to an artifact: what the six subcommands do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmgen.artifacts import Record, RecordError
from llmgen.artifacts.files import check_writable
from llmgen.artifacts.io import ReadArtifact, write_artifact
from llmgen.engine.context import StageContext
from llmgen.engine.fingerprint import run_settings
from llmgen.engine.journal import Journal, journal_path, lock_path, old_journal_path
from llmgen.engine.local import Progress, StageResult, run_stage
from llmgen.engine.lock import locked
from llmgen.engine.pictures import bring, picture_store
from llmgen.errors import InputError, OutputError
from llmgen.formats.foreign import read_any
from llmgen.pipeline.options import RunOptions, method_for
from llmgen.pipeline.reusing import with_noise_of
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore


@dataclass(frozen=True)
class SingleStage:
    """One call of a stage."""

    stage: str
    source: str = "-"
    """Path, or `-` for stdin."""
    output: Path | None = None
    """File to write, or None to hand the records to `emit` only."""
    images: Path | None = None
    """Folder of new pictures."""
    method: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the method, by name."""
    options: RunOptions = RunOptions()
    resume: bool = False
    force: bool = False
    images_from: Path | None = None
    """Folder of the pictures that SLD's tasks name."""
    reuse: str | None = None
    """Artifact whose records lend their noise."""


@dataclass(frozen=True)
class SingleResult:
    """What one call did."""

    result: StageResult
    method: str
    dropped: tuple[str, ...]
    """Lines about entries of the input that could not even be named."""


@dataclass(frozen=True)
class _Prepared:
    method: str
    method_class: Any
    config: Any
    context: StageContext


def plan_single(request: SingleStage) -> dict[str, Any]:
    """What a call would do, as JSON values; nothing is read or loaded."""
    ready = _prepare(request)
    return {
        "stage": request.stage,
        "method": ready.method,
        "input": request.source,
        "output": str(request.output) if request.output is not None else "-",
        "images": (ready.context.images.root / ready.context.images.folder).as_posix(),
        **plan_of(ready.context),
        "config": ready.config.model_dump(mode="json"),
        "needs": list(ready.method_class.needs),
        "makes": ready.method_class.makes,
    }


def plan_of(context: StageContext) -> dict[str, Any]:
    """The part of a plan that no stage owns."""
    return {
        "preset": context.preset.name,
        "planner": context.planner_name or context.preset.planner,
        "seed": context.seed,
        "device": context.device,
        "dtype": context.dtype,
        "batch_size": context.batch_size,
        "offload": context.offload,
    }


def run_single(
    request: SingleStage,
    *,
    progress: Progress | None = None,
    emit: Callable[[Sequence[Record]], None] = lambda records: None,
) -> SingleResult:
    """Run one stage.

    Args:
        request: What to run.
        progress: Told about each finished batch.
        emit: Called with finished records, in the order of the input, as soon as their batch is done.

    Raises:
        LlmgenError: Before any work if the request cannot be carried out, later if the output cannot be written. Errors of single
            records are in the records.
    """
    ready = _prepare(request)
    refuse_existing(request.output, request.resume, request.force)
    read = read_any(request.source, request.images_from)
    if request.output is not None:
        check_writable(request.output.parent)
    progress = progress or Progress()
    ready.context.progress, ready.context.remark = progress.message, progress.remark

    records = brought(read, ready.context.images, request.stage, progress)
    if request.reuse is not None:
        records = with_noise_of(records, request.reuse)

    def work(journal: Journal | None) -> StageResult:
        return run_stage(
            records,
            method_class=ready.method_class,
            config=ready.config,
            given=request.given,
            context=ready.context,
            journal=journal,
            progress=progress,
            emit=emit,
            name=read.name,
        )

    if request.output is None:
        return SingleResult(work(None), ready.method, read.dropped)
    with locked(lock_path(request.output), str(request.output)):
        journal = open_journal(
            request.output,
            ready.context,
            ready.method_class,
            ready.config,
            goes_on=request.resume,
            anew=request.force,
        )
        result = work(journal)
        write_artifact(request.output, result.makes, result.records)
    return SingleResult(result, ready.method, read.dropped)


def open_journal(
    output: Path, context: StageContext, method_class: Any, config: Any, *, goes_on: bool, anew: bool
) -> Journal:
    """The journal of an output.

    Args:
        output: The file.
        context: How the stage is run.
        method_class: Its method.
        config: The method's settings.
        goes_on: Whether somebody asked to complete what is there; else what was begun otherwise is forgotten.
        anew: Forget what is there in any case.

    Raises:
        OutputError: If it is to go on and was begun with other settings.
    """
    settings, old = run_settings(context, method_class, config), old_journal_path(output)
    return Journal(journal_path(output), settings, old=old, otherwise="refuse" if goes_on else "forget", anew=anew)


def refuse_existing(output: Path | None, resume: bool, force: bool) -> None:
    """Refuse to write over something unless that is wanted.

    Raises:
        OutputError: If the output exists, or is a folder.
    """
    if output is None:
        return
    if output.is_dir():
        raise OutputError(f"{output} is a folder; give -o the name of a file in it")
    if output.exists() and not (resume or force):
        raise OutputError(f"{output} exists; use --resume to complete it or --force to make it anew")


def brought(read: ReadArtifact, target: ImageStore, stage: str, progress: Progress) -> list[Record]:
    """The records with their pictures named relative to the target; those whose pictures cannot be had carry `error`."""
    for line in read.invalid:
        progress.problem(line)
    source = ImageStore(read.base)
    records = []
    for record in read.records:
        if record.error is None:
            try:
                record = bring(record, source, target)
            except InputError as error:
                progress.problem(f"{read.name}: record {record.id!r}: {error}")
                record = record.grown(error=RecordError(stage=stage, type="InputError", message=str(error)))
        records.append(record)
    return records


def _prepare(request: SingleStage) -> _Prepared:
    context = request.options.context(picture_store(request.output, request.images))
    method = method_for(request.stage, request.method, context.preset)
    method_class = resolve(request.stage, method)
    return _Prepared(method, method_class, context.config_for(request.stage, method, dict(request.given)), context)
