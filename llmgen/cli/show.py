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
    lacking: list[str] = []
    for path in pictures:
        try:
            text, size = read_picture_text(path)
        except InputError as error:  # the others are shown all the same
            lacking.append(str(error))
            continue
        if text is None:
            lacking.append(f"{path} says nothing of itself")
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
    for line in lacking[:-1]:
        out.warn(line)
    if lacking:
        raise InputError(lacking[-1])


def loras_of(model: dict[str, Any]) -> str:
    """The LoRAs of a model in a line."""
    return ", ".join(f"{lora['source']} x {lora['weight']:g}" for lora in model["lora"])
