"""What the shards of a job array wrote, as the one artifact that a run in one piece would have written, byte for byte."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmgen.artifacts import Kind, Record
from llmgen.artifacts.files import near_names
from llmgen.artifacts.io import parse_json, read_manifest, validate, write_artifact
from llmgen.artifacts.lock import locked
from llmgen.artifacts.manifest import branches
from llmgen.engine.journal import lock_path
from llmgen.engine.pictures import bring
from llmgen.errors import InputError, OutputError
from llmgen.pipeline.manifest import RESOLVED
from llmgen.pipeline.output import Output
from llmgen.pipeline.shards import ShardNote, read_note
from llmgen.vision.images import ImageStore

_SHARD = re.compile(r"(?P<stem>.*)\.(?P<index>\d+)-of-(?P<of>\d+)\.jsonl", re.DOTALL)
_MOST_NAMED = 10
"""Missing shards in a message."""


@dataclass(frozen=True)
class Merged:
    """One artifact, whole again."""

    path: Path
    kind: Kind
    records: tuple[Record, ...]
    shards: int
    dropped: tuple[str, ...]
    """Lines about entries of the input that could not be named."""


@dataclass(frozen=True)
class _Part:
    path: Path
    note: ShardNote


def merge(sources: Sequence[Path], output: Path | None = None, *, force: bool = False) -> tuple[Merged, ...]:
    """Put shards together.

    Everything is checked before anything is written, and no shard is changed.

    Args:
        sources: The files of all shards, in any order; or the one output that they are shards of; or the folder of a run.
        output: The artifact; by default that which the shards were told to write. Not for a folder.
        force: Write over an artifact that is there.

    Returns:
        The artifacts: of a folder one for each of its stages, in their order.

    Raises:
        InputError: If a shard is missing, there twice, unfinished or changed, or if two do not belong together.
        OutputError: If an artifact is there already, cannot be written, or would take the place of a shard.
    """
    if len(sources) == 1 and sources[0].is_dir():
        if output is not None:
            raise InputError(f"{sources[0]} is the folder of a run, whose artifacts have their names; leave -o away")
        return _merge_run(sources[0], force)
    if len(sources) == 1 and not _SHARD.fullmatch(sources[0].name):
        return (_write(_shards_of(sources[0]), output or sources[0], force),)
    return (_write(list(sources), output, force),)


def _merge_run(folder: Path, force: bool) -> tuple[Merged, ...]:
    """All stages of a run, and its report."""
    if not (folder / RESOLVED).is_file():
        raise InputError(
            f"{folder}: holds no {RESOLVED}, so it is not the folder of a run; give the files of the shards"
        )
    targets = [folder / branch.file for branch in branches(read_manifest(folder / RESOLVED).stages)]
    with locked(folder / ".llmgen" / "lock", str(folder)):
        checked = [(_checked(_shards_of(target), force, target), target) for target in targets]
        merged = tuple(_written(parts, target) for parts, target in checked)
        from llmgen.report import write_report

        write_report(folder)
    return merged


def _write(paths: Sequence[Path], output: Path | None, force: bool) -> Merged:
    parts = _checked(paths, force, output)
    target = output or parts[0].path.with_name(parts[0].note.output)
    with locked(lock_path(target), str(target)):
        return _written(parts, target)


def _shards_of(output: Path) -> list[Path]:
    """Files of the shards of an output, all that lie beside it."""
    found = [
        path
        for path in sorted(output.parent.glob("*.jsonl"))
        if (m := _SHARD.fullmatch(path.name)) and m["stem"] == output.stem
    ]
    if not found:
        wanted = output.with_name(f"{output.stem}.1-of-N.jsonl")
        raise InputError(
            f"{wanted}: no shard of {output} is there{near_names(output)}; run the command with --shard 1/N first"
        )
    return found


def _checked(paths: Sequence[Path], force: bool, output: Path | None) -> list[_Part]:
    """The shards in their order, if they are all and belong together."""
    if not paths:
        raise InputError("nothing to merge; name the files of the shards, or the folder of a run")
    parts = [_Part(path, read_note(path)) for path in paths]
    first = parts[0]
    for part in parts[1:]:
        _check_kin(first, part)
    by_index: dict[int, _Part] = {}
    for part in parts:
        other = by_index.setdefault(part.note.index, part)
        if other is not part:
            raise InputError(
                f"shard {part.note.index} of {part.note.of} is there twice: {other.path} and {part.path}; give one of them"
            )
    missing = [index for index in range(1, first.note.of + 1) if index not in by_index]
    if missing:
        names = ", ".join(map(str, missing[:_MOST_NAMED])) + (", ..." if len(missing) > _MOST_NAMED else "")
        which = "shard" if len(missing) == 1 else "shards"
        raise InputError(
            f"{which} {names} of {first.note.of} of {first.note.output} {'is' if len(missing) == 1 else 'are'} missing; "
            "let every shard finish, or give the others' files too"
        )
    target = output or first.path.with_name(first.note.output)
    if any(target.resolve() == part.path.resolve() for part in parts):
        raise OutputError(f"{target} is a shard, and shards are kept as they are; name another file with -o")
    Output(target, force=force).check()
    return [by_index[index] for index in sorted(by_index)]


def _check_kin(first: _Part, other: _Part) -> None:
    """Refuse two shards that are not of one piece of work."""
    one, two = first.note, other.note
    both = f"{first.path} and {other.path}"
    if (one.output, one.kind) != (two.output, two.kind):
        raise InputError(f"{both} are of two outputs, {one.output} ({one.kind}) and {two.output} ({two.kind})")
    if one.of != two.of:
        raise InputError(f"{both} are of {one.of} and of {two.of} shards; merge those of one --shard .../N")
    if one.input_sha256 != two.input_sha256:
        raise InputError(f"{both} were made of different inputs; run one of them again with the other's")
    for name in sorted(one.settings.keys() | two.settings.keys()):
        before, now = one.settings.get(name), two.settings.get(name)
        if before != now:
            if isinstance(before, dict) and isinstance(now, dict):
                name = next(key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key))
                before, now = before.get(name), now.get(name)
            raise InputError(
                f"{both} were made with different settings: {name} {json.dumps(before)} and {json.dumps(now)}; "
                "run one of them again with the other's"
            )


def _written(parts: Sequence[_Part], target: Path) -> Merged:
    records: list[Record] = []
    places: dict[str, Path] = {}
    images = ImageStore(target.parent)
    for part in parts:
        own = _records(part)
        if part.note.start != len(records) or len(own) != part.note.stop - part.note.start:
            raise InputError(
                f"{part.path}: has {len(own)} records from place {part.note.start} of the input on, where "
                f"{part.note.stop - part.note.start} from {len(records)} on were to be; run the shards again with one batch size"
            )
        for record in own:
            if record.id in places:
                raise InputError(
                    f"record {record.id!r} is in {places[record.id]} and in {part.path}; ids name the pictures"
                )
            places[record.id] = part.path
        source = ImageStore(part.path.parent)
        records += [record if record.error is not None else bring(record, source, images) for record in own]
    note = parts[0].note
    write_artifact(target, note.kind, records)
    return Merged(target, note.kind, tuple(records), note.of, note.dropped)


def _records(part: _Part) -> list[Record]:
    data = part.path.read_bytes()
    values: Any = parse_json(data, str(part.path)) if data.strip() else []
    lines = values if isinstance(values, list) else [values]
    return [validate(Record, value, f"{part.path}: record at position {n}") for n, value in enumerate(lines, start=1)]
