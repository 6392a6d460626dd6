"""`llmgen validate`: is this file what it should be?"""

from pathlib import Path
from typing import Annotated

import typer

from llmgen.cli.options import QuietOpt
from llmgen.cli.output import out


def validate(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="Artifact, JSON Lines, prompts, manifest or preset; - for stdin.")
    ],
    quiet: QuietOpt = False,
) -> None:
    """Check a file: its fields, that its pictures are there and unchanged, that its methods, settings and folders exist."""
    from llmgen.artifacts.io import parse_entries, read_bytes
    from llmgen.errors import InputError
    from llmgen.pipeline.checking import check_manifest, check_preset, check_records

    out.configure(quiet=quiet, verbose=False)
    name, base, data = read_bytes(source)
    value = parse_entries(data, name)
    is_manifest = isinstance(value, dict) and (value.get("kind") == "manifest" or "stages" in value)
    if is_manifest:
        found, problems = check_manifest(value, Path(source))
    elif isinstance(value, dict) and "roles" in value and source != "-":
        found, problems = check_preset(source)
    else:
        found, problems = check_records(value, name, base)
    for problem in problems[:-1]:
        out.warn(problem)
    if problems:
        raise InputError(problems[-1] + (f" ({len(problems)} problems)" if len(problems) > 1 else ""))
    out.note(f"{name}: valid: {found}")
