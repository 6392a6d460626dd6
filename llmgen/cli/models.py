"""`llmgen models`: which models the presets use."""

from typing import Annotated

import typer

from llmgen.cli.options import JsonOpt
from llmgen.cli.output import out


def models(
    preset: Annotated[str | None, typer.Argument(metavar="[PRESET]", help="One preset only.")] = None,
    as_json: JsonOpt = False,
) -> None:
    """List the presets and the model that each of their roles uses."""
    from llmgen.presets import load_preset, preset_names

    out.configure(quiet=False, verbose=False)
    presets = [load_preset(name) for name in ([preset] if preset else preset_names())]
    if as_json:
        out.json({p.name: p.model_dump(mode="json") for p in presets})
        return
    for p in presets:
        rows = [
            [role, spec.source, (spec.revision or "")[:12], spec.licence, f"{spec.memory_gb:g}"]
            for role, spec in p.roles.items()
        ]
        title = f"{p.name}: {p.description} ({p.width}x{p.height}, planner {p.planner})"
        out.table(title, ["role", "model", "revision", "licence", "#GB"], rows, to_stdout=True)
