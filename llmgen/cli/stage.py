"""What the six stage commands share: flags to a request, records to stdout, failures to an exit code."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from llmgen.cli.options import StageFlags, parse_settings
from llmgen.cli.output import file_or_stream, out

if TYPE_CHECKING:
    from pathlib import Path

    from llmgen.artifacts import Record
    from llmgen.pipeline.single import SingleResult


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
) -> "SingleResult | None":
    """Run one stage as the flags say.

    Args:
        stage: Name of the stage.
        source: Path, or `-`.
        method: Method, or None for the preset's.
        flags: The shared flags.
        named: Settings that have a flag of their own; those that are None were not given.
        records_to_stdout: Whether records go to stdout when there is no output file.
        images_from: Folder of the pictures that SLD's tasks name.
        reuse: Artifact whose records lend their noise.
        critic: Who looks at what was drawn; the planner by default.

    Returns:
        What was done, or None after `--dry-run`.
    """
    from llmgen.artifacts.io import record_line
    from llmgen.cli.progress import StageProgress
    from llmgen.pipeline.options import RunOptions
    from llmgen.pipeline.single import SingleStage, plan_single, run_single

    out.configure(quiet=flags.quiet, verbose=flags.verbose)
    target, stream = file_or_stream(flags.output)
    if flags.resume and (flags.force or target is None):
        raise typer.BadParameter("--resume completes the file of -o, and does not go with --force")
    given = {
        **{name: value for name, value in (named or {}).items() if value is not None},
        **parse_settings(flags.settings),
    }
    request = SingleStage(
        stage=stage,
        source=source,
        output=target,
        images=flags.images,
        method=method,
        given=given,
        options=RunOptions(
            preset=flags.preset,
            planner=flags.planner,
            critic=critic,
            seed=flags.seed,
            device=flags.device,
            dtype=flags.dtype,
            offload=flags.offload,
            batch_size=flags.batch_size,
            concurrency=flags.concurrency,
        ),
        resume=flags.resume,
        force=flags.force,
        images_from=images_from,
        reuse=reuse,
    )
    if flags.dry_run:
        out.json(plan_single(request))
        return None

    with out.records(stream) as write:

        def emit(records: "Sequence[Record]") -> None:
            if target is None and (records_to_stdout or stream is not None):
                for record in records:
                    write(record_line(record))

        done = run_single(request, progress=StageProgress(), emit=emit)
    if request.output is not None:
        out.note(f"{request.output}: {len(done.result.records)} records of kind {done.result.makes!r}")
    return done


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
    if len(failed) == len(records):
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
