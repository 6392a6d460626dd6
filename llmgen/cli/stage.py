"""What the six stage commands share: flags to a request, records to stdout, failures to an exit code."""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from llmgen.cli.options import StageFlags, parse_forms, parse_settings, parse_shard
from llmgen.cli.output import file_or_stream, out

if TYPE_CHECKING:
    from llmgen.artifacts import ImageRef, Record
    from llmgen.artifacts.writing import RecordTexts
    from llmgen.engine.progress import Tally
    from llmgen.pipeline.single import SingleResult
    from llmgen.pipeline.sources import Source
    from llmgen.vision.images import PictureFormat

_MOST_IN_MEMORY: Final = 2**20
"""Characters of a document for stdout that wait in memory; more wait in a file."""


def run_stage_command(
    stage: str,
    source: str,
    method: str | None,
    flags: StageFlags,
    named: dict[str, Any],
    *,
    records_to_stdout: bool = True,
    images_from: "Path | None" = None,
    reuse: str | None = None,
    critic: str | None = None,
    prompts: Sequence[str] | None = None,
    metadata: bool = True,
    listen: "Callable[[Sequence[Record]], object] | None" = None,
    picture_format: "PictureFormat" = "png",
) -> "SingleResult | None":
    """Run one stage as the flags say.

    Args:
        stage: Name of the stage.
        source: Path, `-`, or a prompt of several words.
        method: Method, or None for the preset's.
        flags: The shared flags.
        named: Settings that have a flag of their own; those that are None were not given.
        records_to_stdout: Whether records go to stdout when there is no output file.
        images_from: Folder of the pictures that SLD's tasks name.
        reuse: Artifact whose records lend their noise.
        critic: Who looks at what was drawn; the planner by default.
        prompts: Prompts instead of the source.
        metadata: Whether new pictures say how they were made.
        listen: Told of finished records, in order.
        picture_format: What new pictures are written as.

    Returns:
        What was done, or None after `--dry-run`.
    """
    from llmgen.artifacts.io import record_line
    from llmgen.cli.progress import StageProgress
    from llmgen.pipeline.options import RunOptions
    from llmgen.pipeline.output import DRAWN
    from llmgen.pipeline.single import SingleStage, plan_single, run_single

    out.configure(quiet=flags.quiet, verbose=flags.verbose)
    found, as_document = _source_and_form(source, prompts, flags)
    target, stream = file_or_stream(flags.output)
    if flags.resume and (flags.force or target is None):
        raise typer.BadParameter("--resume completes the file of -o, and does not go with --force")
    shard = parse_shard(flags.shard)
    if shard is not None and target is None:
        raise typer.BadParameter("--shard writes a file beside the one that -o names; give -o", param_hint="--shard")
    given = {
        **{name: value for name, value in named.items() if value is not None},
        **parse_settings(flags.settings),
    }
    request = SingleStage(
        stage=stage,
        source=found,
        output=target,
        images=flags.images,
        method=method,
        given=given,
        options=RunOptions(
            preset=flags.preset,
            planner=flags.planner,
            critic=critic,
            metadata=metadata,
            picture_format=picture_format,
            seed=flags.seed,
            device=flags.device,
            dtype=flags.dtype,
            offload=flags.offload,
            batch_size=flags.batch_size,
            concurrency=flags.concurrency,
            budget_tokens=flags.budget_tokens,
            engine=flags.engine or RunOptions.engine,
            workers=flags.workers,
        ),
        resume=flags.resume,
        force=flags.force,
        images_from=images_from,
        reuse=reuse,
        shard=shard,
    )
    target = request.target
    if flags.dry_run:
        out.json(plan_single(request))
        return None

    handed_on = target is None and (records_to_stdout or stream is not None)
    pictures: list[str] = []
    with contextlib.ExitStack() as written:
        write = written.enter_context(out.records(stream))
        document = written.enter_context(contextlib.closing(_Document(write)))

        def emit(records: "Sequence[Record]") -> None:
            if handed_on and as_document:
                document.add(records)
            elif handed_on:
                write("".join(map(record_line, records)))
            if found.prompts:
                pictures.extend(_pictures(records))
            if listen is not None:
                listen(records)

        progress = StageProgress()
        try:
            looked_at = handed_on or bool(found.prompts) or listen is not None
            done = run_single(request, progress=progress, emit=emit if looked_at else None)
        except (KeyboardInterrupt, SystemExit):
            if progress.began:
                out.note(
                    "nothing but pictures is kept without -o"
                    if target is None
                    else f"what is finished is kept beside {target} ({progress.reached}); "
                    "the same command with --resume takes up from there"
                )
            raise
        if handed_on and as_document:
            document.finish()
    if done.tokens.answers:
        out.note(done.tokens.line())
    if target is not None:
        out.note(f"{target}: {done.tally.count} records of kind {done.makes!r}")
    if done.makes in DRAWN:
        # Who types a prompt looks for a picture.
        for path in pictures:
            out.note(f"picture: {(target.parent if target is not None else Path()) / path}")
    return done


class _Document:
    """One artifact for stdout, kept aside until it is whole."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._aside = tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY, "w+", encoding="utf-8", newline="\n")
        self._texts: RecordTexts | None = None

    def add(self, records: "Sequence[Record]") -> None:
        """Keep finished records."""
        from llmgen.artifacts.writing import RecordTexts

        for record in records:
            self._texts = self._texts or RecordTexts(record.kind, lines=False)
            self._aside.write(self._texts.record(record))

    def finish(self) -> None:
        """Write it."""
        self._aside.write(self._texts.end() if self._texts is not None else "")
        self._aside.seek(0)
        while part := self._aside.read(_MOST_IN_MEMORY):
            self._write(part)

    def close(self) -> None:
        """Forget it."""
        self._aside.close()


def _source_and_form(source: str, prompts: Sequence[str] | None, flags: StageFlags) -> "tuple[Source, bool]":
    """What is worked on, and whether stdout gets one document.

    Raises:
        typer.BadParameter: If the flags contradict each other.
        InputError: If the source is neither a path nor a prompt.
    """
    from llmgen.pipeline.sources import Source, source_of

    read_as, written = parse_forms(flags.form)
    if prompts and source != "-":
        raise typer.BadParameter("give INPUT or --prompt, not both", param_hint="--prompt")
    found = Source(prompts=tuple(prompts)) if prompts else source_of(source)
    if read_as is not None and found.prompts:
        raise typer.BadParameter(f"{read_as} is a form of files and of stdin, not of a prompt", param_hint="--format")
    target, _ = file_or_stream(flags.output)
    if written is not None and target is not None and (written == "jsonl") != (target.suffix == ".jsonl"):
        raise typer.BadParameter(
            f"{target} is written as its ending says; {written} is for stdout", param_hint="--format"
        )
    if found.path == "-" and not found.prompts and sys.stdin.isatty():
        out.note("reading prompts or records from the terminal; Ctrl-D ends them")
    return replace(found, read_as=read_as), written == "json"


def _pictures(records: "Sequence[Record]") -> "Iterator[str]":
    """Paths of the pictures that were drawn."""
    for record in records:
        drawn: list[ImageRef | None] = [*(sample.image for sample in record.samples)] or [record.image]
        yield from (ref.path for ref in drawn if ref is not None and record.error is None)


def raise_failures(tally: "Tally", dropped: int) -> None:
    """End with the right exit code when records failed.

    Args:
        tally: Of all records.
        dropped: Entries of the input that could not be named.

    Raises:
        PartialFailure: If some did, or entries of the input could not be named.
        LlmgenError: If all did: of the class of the first record's error.
    """
    from llmgen import errors

    if not tally.failed and not dropped:
        return
    if tally.failed == tally.count and tally.first_error is not None:
        first = tally.first_error
        more = f" (and {tally.failed - 1} more failed)" if tally.failed > 1 else ""
        raise errors.error_class(first.type)(f"record {tally.first_failed!r}: {first.message}{more}")
    names = ", ".join(tally.named) + (", ..." if tally.failed > len(tally.named) else "")
    parts = [f"{tally.failed} of {tally.count} records failed and carry `error`: {names}"] if tally.failed else []
    if dropped:
        parts.append(
            f"{dropped} entr{'y' if dropped == 1 else 'ies'} of the input {'was' if dropped == 1 else 'were'} left out"
        )
    raise errors.PartialFailure("; ".join(parts) + "; the others are complete")
