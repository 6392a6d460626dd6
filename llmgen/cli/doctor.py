"""`llmgen doctor`: what is installed, and what can run here."""

from typing import Annotated

import typer

from llmgen.cli.options import JsonOpt
from llmgen.cli.output import out


def doctor(
    preset: Annotated[str | None, typer.Option(help="Look at one preset only; exit 4 if it cannot run.")] = None,
    as_json: JsonOpt = False,
) -> None:
    """Say what is installed, which device there is, which presets can run here and what is missing; no model is loaded."""
    from llmgen.errors import MissingRequirementError
    from llmgen.pipeline.checkup import examine

    out.configure(quiet=False, verbose=False)
    found = examine([preset] if preset else None)
    if as_json:
        out.json(found)
    else:
        system = [[name, str(value)] for name, value in found["system"].items()]
        packages = [[name, version or "not installed"] for name, version in found["packages"].items()]
        out.table("this machine", ["what", "value"], system, to_stdout=True)
        out.table("packages", ["package", "version"], packages, to_stdout=True)
        rows = [
            [name, "no" if status["missing"] else "yes", f"{status['memory_gb']:g}", f"{status['largest_gb']:g}"]
            for name, status in found["presets"].items()
        ]
        out.table("presets", ["preset", "can run", "#GB", "#GB at once, offloaded"], rows, to_stdout=True)
        for name, status in found["presets"].items():
            # Lines, not a table: they hold commands to be copied.
            if status["missing"] and preset is None:
                out.data(f"{name} lacks {len(status['missing'])} things; `llmgen doctor --preset {name}` says which\n")
            elif preset is not None:
                out.data("".join(f"missing: {line}\n" for line in status["missing"]))
                out.data("".join(f"remark: {line}\n" for line in status["remarks"]))
    if preset and found["presets"][preset]["missing"]:
        raise MissingRequirementError(f"preset {preset!r} cannot run here: {found['presets'][preset]['missing'][0]}")
