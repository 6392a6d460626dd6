"""One stage, from an artifact to an artifact: what the six subcommands do."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmgen.artifacts import Record
from llmgen.engine.local import Progress, StageResult, run_stage
from llmgen.engine.pictures import picture_store
from llmgen.errors import InputError
from llmgen.llm.providers.ledger import Tokens
from llmgen.pipeline.estimate import UNKNOWN, Unknown, estimate, journals_near, total
from llmgen.pipeline.incoming import read_incoming, read_source
from llmgen.pipeline.options import Choice, RunOptions, choose
from llmgen.pipeline.output import DRAWN, Output
from llmgen.pipeline.shards import Shard, part_of
from llmgen.pipeline.sources import Source
from llmgen.pipeline.vocabulary import warning_of


@dataclass(frozen=True)
class SingleStage:
    """One call of a stage."""

    stage: str
    source: str | Source = "-"
    """Path, or `-` for stdin; or prompts."""
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
    shard: Shard | None = None
    """The part of the records that is worked on; all by default."""

    @property
    def target(self) -> Path | None:
        """The file that is written: the output, or the shard's own beside it."""
        return self.output if self.output is None or self.shard is None else self.shard.path(self.output)


@dataclass(frozen=True)
class SingleResult:
    """What one call did."""

    result: StageResult
    method: str
    tokens: Tokens
    """What the language models cost."""
    dropped: tuple[str, ...]
    """Lines about entries of the input that could not even be named."""


def plan_single(request: SingleStage) -> dict[str, Any]:
    """What a call would do and cost, as JSON values; nothing is loaded, and of the input only its records are counted."""
    choice, source = _choice(request), _source(request)
    images = choice.context.images
    return {
        "stage": request.stage,
        "method": choice.method,
        "input": list(source.prompts) or source.path,
        "output": str(request.target) if request.target is not None else "-",
        "images": (images.root / images.folder).as_posix(),
        **choice.plan(),
        "config": choice.config.model_dump(mode="json"),
        "estimate": _estimate(choice, source, request),
        "needs": list(choice.method_class.needs),
        "makes": choice.method_class.makes,
    }


def run_single(
    request: SingleStage,
    *,
    progress: Progress | None = None,
    emit: Callable[[Sequence[Record]], None] = lambda records: None,
) -> SingleResult:
    """Run one stage: names to objects, then the input, then the work, then the output.

    Args:
        request: What to run.
        progress: Told about each finished batch.
        emit: Called with finished records, in the order of the input, as soon as their batch is done.

    Raises:
        LlmgenError: Before any work if the request cannot be carried out, later if the output cannot be written. Errors of single
            records are in the records.
    """
    progress = progress or Progress()
    choice, output = _choice(request), Output(request.target, request.resume, request.force)
    output.check()
    if choice.method_class.makes in DRAWN:
        choice.context.images.check()
    incoming = read_incoming(
        _source(request),
        choice.context.images,
        stage=request.stage,
        problem=progress.problem,
        images_from=request.images_from,
        reuse=request.reuse,
    )
    if request.stage != "evaluate" and (line := warning_of(incoming.records, choice.context.preset)) is not None:
        progress.notice(line)
    records, dropped, part = incoming.records, incoming.dropped, None
    if request.shard is not None:
        part, records = part_of(request.shard, records, dropped, choice)
        dropped = part.dropped
    with output.opened(choice) as journal:
        result = run_stage(
            records,
            method_class=choice.method_class,
            config=choice.config,
            given=choice.given,
            context=choice.context,
            journal=journal,
            progress=progress,
            emit=emit,
            name=incoming.name,
        )
        output.write(result.makes, result.records)
        if part is not None and request.output is not None:
            part.write_note(request.output, choice)
    return SingleResult(result, choice.method, choice.context.ledger.spent, dropped)


def _estimate(choice: Choice, source: Source, request: SingleStage) -> dict[str, Any]:
    records: int | Unknown = UNKNOWN
    before: tuple[str, ...] = ()
    if source.prompts or source.path != "-":
        # What is not there yet may be when the stage is run: the plan is made all the same.
        with contextlib.suppress(InputError):
            read = read_source(source, request.images_from)
            records = len(read.records)
            before = ("layout",) if read.records and all(r.layout is not None for r in read.records) else ()
            before += ("correct",) if any(len(r.history) > 1 for r in read.records) else ()
    folder = request.output.parent if request.output is not None else Path("outputs")
    found = estimate(choice, records, journals_near(folder), stages_before=before)
    return {**found, "memory_gb": total(choice, [found])["memory_gb"]}


def _source(request: SingleStage) -> Source:
    return request.source if isinstance(request.source, Source) else Source(request.source)


def _choice(request: SingleStage) -> Choice:
    context = request.options.context(picture_store(request.output, request.images))
    return choose(context, request.stage, request.method, request.given)
