"""`llmgen methods`: what each stage can do."""

from typing import Annotated, Any

import typer

from llmgen.cli.options import JsonOpt
from llmgen.cli.output import out


def methods(
    stage: Annotated[str | None, typer.Argument(metavar="STAGE", help="One stage only, with its settings.")] = None,
    as_json: JsonOpt = False,
) -> None:
    """List the methods of the stages; with a stage, their settings and defaults too."""
    from llmgen import registry

    out.configure(quiet=False, verbose=False)
    if stage is None:
        found = {name: sorted(registry.methods(name)) for name in registry.STAGES}
        if as_json:
            out.json(found)
        else:
            rows = [[name, ", ".join(names)] for name, names in found.items()]
            out.table("methods", ["stage", "methods"], rows, to_stdout=True)
        return
    details = {name: _settings(registry.resolve(stage, name)) for name in registry.methods(stage)}
    if as_json:
        out.json(details)
        return
    for name, settings in details.items():
        rows = [[key, str(value["default"]), value["description"]] for key, value in settings.items()]
        out.table(f"{stage} {name}", ["setting", "default", "meaning"], rows, to_stdout=True)


def _settings(method_class: Any) -> dict[str, dict[str, Any]]:
    schema = method_class.Config.model_json_schema()["properties"] if method_class.Config.model_fields else {}
    return {
        name: {"default": value.get("default"), "description": value.get("description", "")}
        for name, value in schema.items()
    }
