"""One stage, from an artifact to an artifact: what the six subcommands do."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmgen.artifacts import Kind, Record
from llmgen.artifacts.files import sweep
from llmgen.engine.local import stream_stage
from llmgen.engine.pictures import picture_store
from llmgen.engine.progress import Progress, Tally
from llmgen.errors import InputError
from llmgen.llm.providers.ledger import Tokens
from llmgen.pipeline.ended import Ending
from llmgen.pipeline.incoming import open_incoming, read_source
from llmgen.pipeline.options import Choice, RunOptions, choose
from llmgen.pipeline.output import DRAWN, Output
from llmgen.pipeline.settling import settled
from llmgen.pipeline.sources import Source
from llmgen.pipeline.vocabulary import VocabularyWatch, warning_of

if TYPE_CHECKING:
    from llmgen.pipeline.shards import Shard

_STALE_S: Final = 3600.0
"""Age of a half-written picture that nobody is going to finish."""


@dataclass(frozen=True)
class SingleStage:
    """One call of a stage."""

    stage: str
    source: Source = Source()
    """A file, stdin, or prompts."""
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
    shard: "Shard | None" = None
    """The part of the records that is worked on; all by default."""

    @property
    def target(self) -> Path | None:
        """The file that is written: the output, or the shard's own beside it."""
        return self.output if self.output is None or self.shard is None else self.shard.path(self.output)


@dataclass(frozen=True)
class SingleResult:
    """What one call did."""

    makes: Kind
    tally: Tally
    tokens: Tokens
    """What the language models cost."""
    dropped: int
    """Entries of the input that could not even be named."""


def plan_single(request: SingleStage) -> dict[str, Any]:
    """What a call would do and cost, as JSON values; nothing is loaded, and of the input only its records are counted."""
    choice, source = _choice(request), request.source
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
    emit: Callable[[Sequence[Record]], None] | None = None,
) -> SingleResult:
    """Run one stage: names to objects, then the input, then the work, then the output.

    Args:
        request: What to run.
        progress: Told about each finished batch.
        emit: Called with finished records, in the order of the input, as soon as their batch is done. Without it, nobody looks at
            records that a run to its end finished before.

    Raises:
        LlmgenError: Before any work if the request cannot be carried out, later if the output cannot be written. Errors of single
            records are in the records.
    """
    progress = progress or Progress()
    choice, output = _choice(request), Output(request.target, request.resume, request.force)
    output.check()
    if choice.method_class.makes in DRAWN:
        choice.context.images.check()
    source = request.source
    ending = None
    if request.images_from is None and request.reuse is None and request.shard is None:
        ending = Ending.of(source, request.target, choice)
    if ending is not None and request.resume and emit is None:
        with output.held():
            before = ending.found(progress)
        if before is not None:
            return SingleResult(choice.method_class.makes, before, choice.context.ledger.spent, 0)
    watch = VocabularyWatch(choice.context.preset)
    incoming_of = open_incoming(
        source,
        choice.context.images,
        stage=request.stage,
        problem=progress.problem,
        images_from=request.images_from,
        reuse=request.reuse,
    )
    makes, shard = choice.method_class.makes, request.shard
    with contextlib.ExitStack() as opened:
        opened.enter_context(contextlib.closing(choice.context))
        incoming = opened.enter_context(incoming_of)
        choice, records = settled(
            choice,
            incoming.records,
            path=request.target,
            anew=request.force,
            # The first records of a pipe go on before the last ones come.
            may_wait=bool(source.prompts) or source.path != "-",
            say=progress.notice,
        )
        journal = opened.enter_context(output.opened(choice))
        if makes in DRAWN:
            sweep(choice.context.images.root / choice.context.images.folder, older_than_s=_STALE_S)
        writer = opened.enter_context(output.writer(makes))
        total, part = incoming.total, None
        if total is not None or shard is not None:
            # What a shard's part is shows when all records are known.
            at_hand = list(records)
            if request.stage != "evaluate" and (line := warning_of(at_hand, choice.context.preset)) is not None:
                progress.notice(line)
            if shard is not None:
                from llmgen.pipeline.shards import part_of  # Here, because hardly any run is a part.

                part, at_hand = part_of(shard, at_hand, incoming.dropped, choice)
            records, total = iter(at_hand), len(at_hand)
        elif request.stage != "evaluate":
            records = watch.watched(records)

        def written(finished: Sequence[Record]) -> None:
            if writer is not None:
                writer.add(finished)
            if emit is not None:
                emit(finished)

        tally = stream_stage(
            records,
            method_class=choice.method_class,
            config=choice.config,
            given=choice.given,
            context=choice.context,
            journal=journal,
            progress=progress,
            emit=written,
            total=total,
            name=incoming.name,
        )
        if writer is not None:
            writer.finish()
            clean = not (tally.failed or incoming.dropped or incoming.changed)
            if ending is not None and journal is not None and total is None and clean:
                ending.write(journal, writer.sha256, tally.count, watch.line())
        if part is not None and request.output is not None:
            part.write_note(request.output, choice)
    if (line := watch.line()) is not None:
        progress.notice(line)
    dropped = len(incoming.dropped if part is None else part.dropped)
    return SingleResult(makes, tally, choice.context.ledger.spent, dropped)


def _estimate(choice: Choice, source: Source, request: SingleStage) -> dict[str, Any]:
    # Here, because it looks at models, and a plan by rules is made without.
    from llmgen.pipeline.estimate import UNKNOWN, Unknown, estimate, journals_near, total

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


def _choice(request: SingleStage) -> Choice:
    context = request.options.context(picture_store(request.output, request.images))
    return choose(context, request.stage, request.method, request.given)
