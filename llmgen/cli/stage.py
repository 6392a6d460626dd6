"""What the six stage commands share: flags to a request, records to stdout, failures to an exit code."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from llmgen.cli.options import StageFlags, parse_forms, parse_settings, parse_shard
from llmgen.cli.output import file_or_stream, out

if TYPE_CHECKING:
    from llmgen.artifacts import ImageRef, Record
    from llmgen.pipeline.single import SingleResult
    from llmgen.pipeline.sources import Source
    from llmgen.vision.images import PictureFormat


def run_stage_command(
    stage: str,
    source: str,
    method: str | None,
    flags: StageFlags,
    named: dict[str, Any] | None = None,
    *,
    records_to_stdout: bool = True,
    images_from: "Path | None" = None,
    reuse: str | None = None,
    critic: str | None = None,
    prompts: Sequence[str] | None = None,
    metadata: bool = True,
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
        picture_format: What new pictures are written as.

    Returns:
        What was done, or None after `--dry-run`.
    """
    from llmgen.artifacts.io import artifact_text, record_line
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
        **{name: value for name, value in (named or {}).items() if value is not None},
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
    with out.records(stream) as write:

        def emit(records: "Sequence[Record]") -> None:
            if handed_on and not as_document:
                for record in records:
                    write(record_line(record))

        progress = StageProgress()
        try:
            done = run_single(request, progress=progress, emit=emit)
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
            write(artifact_text(done.result.makes, done.result.records))
    if done.tokens.answers:
        out.note(done.tokens.line())
    if target is not None:
        out.note(f"{target}: {len(done.result.records)} records of kind {done.result.makes!r}")
    if found.prompts and done.result.makes in DRAWN:
        _name_pictures(done.result.records, target)
    return done


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


def _name_pictures(records: "Sequence[Record]", target: "Path | None") -> None:
    """Say where the pictures of prompts lie that were given as words: who types a prompt looks for a picture."""
    folder = target.parent if target is not None else Path()
    for record in records:
        drawn: list[ImageRef | None] = [*(sample.image for sample in record.samples)] or [record.image]
        for ref in drawn if record.error is None else ():
            if ref is not None:
                out.note(f"picture: {folder / ref.path}")


def raise_failures(records: "Sequence[Record]", dropped: Sequence[str]) -> None:
    """End with the right exit code when records failed.

    Raises:
        PartialFailure: If some did, or entries of the input could not be named.
        LlmgenError: If all did: of the class of the first record's error.
    """
    from llmgen import errors

    for line in dropped:
        out.warn(f"left out: {line}")
    failed = [record for record in records if record.error is not None]
    if not failed and not dropped:
        return
    if failed and len(failed) == len(records):
        # That the budget is spent is no fault of the records, whatever the first of them died of.
        failed.sort(key=lambda record: record.error is None or record.error.type != errors.BudgetError.__name__)
        first = failed[0].error
        assert first is not None
        kind = getattr(errors, first.type, errors.ModelError)
        more = f" (and {len(failed) - 1} more failed)" if len(failed) > 1 else ""
        raise kind(f"record {failed[0].id!r}: {first.message}{more}")
    names = ", ".join(record.id for record in failed[:10]) + (", ..." if len(failed) > 10 else "")
    parts = [f"{len(failed)} of {len(records)} records failed and carry `error`: {names}"] if failed else []
    if dropped:
        parts.append(f"{len(dropped)} entries of the input were left out")
    raise errors.PartialFailure("; ".join(parts) + "; the others are complete")
