"""`llmgen show`: what pictures say of themselves."""

from pathlib import Path
from typing import Annotated, Any

import typer

from llmgen.cli.options import JsonOpt
from llmgen.cli.output import out


def show(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="PNG, JPEG or WebP files.")],
    as_json: JsonOpt = False,
) -> None:
    """Print how pictures were made, as they say it themselves: prompt, seed, models, settings."""
    from llmgen.errors import InputError
    from llmgen.vision.picture_text import read_picture_text

    out.configure(quiet=False, verbose=False)
    found: dict[str, Any] = {}
    silent = []
    for path in pictures:
        text, size = read_picture_text(path)
        if text is None:
            silent.append(str(path))
            continue
        values = text.model_dump(mode="json", exclude_defaults=True)
        found[str(path)] = {"width": size[0], "height": size[1], **values}
    if as_json:
        out.json(found)
    else:
        for name, values in found.items():
            settings = values.pop("settings", {})
            models_used = values.pop("models", ())
            models = {
                f"{what} {model['role']}": model[key]
                for model in models_used
                for what, key in (("model", "source"), ("scheduler", "scheduler"))
                if model.get(key)
            } | {f"lora {model['role']}": loras_of(model) for model in models_used if model.get("lora")}
            layout = values.pop("layout", None)
            boxes = [f"{thing['phrase']} {thing['box_xyxy']}" for thing in (layout or {}).get("instances", ())]
            # What the picture is known to be stands above what was asked of the method, which may be nothing.
            asked = {
                key: value for key, value in settings.items() if value not in (None, "", "own") and key not in values
            }
            rows = [[key.replace("_", " "), str(value)] for key, value in {**values, **models, **asked}.items()]
            rows += [["box", box] for box in boxes]
            out.table(name, ["what", "value"], rows, to_stdout=True)
    if silent:
        raise InputError(
            f"{silent[0]} says nothing of itself" + (f" (and {len(silent) - 1} more)" if len(silent) > 1 else "")
        )


def loras_of(model: dict[str, Any]) -> str:
    """The LoRAs of a model in a line."""
    return ", ".join(f"{lora['source']} x {lora['weight']:g}" for lora in model["lora"])
