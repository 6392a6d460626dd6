"""`llmgen models`: which models the presets use; published weights are fetched and converted only here."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from llmgen.cli.options import JsonOpt
from llmgen.cli.output import out

TEMPLATES = {"sd": "sd15", "sdxl": "sdxl"}
"""Template to the preset that it begins as; `single-file` is made of the first."""

app = typer.Typer(invoke_without_command=True)


@app.callback()
def models(
    context: typer.Context,
    preset: Annotated[str | None, typer.Option(help="One preset only.")] = None,
    template: Annotated[
        Literal["sd", "sdxl", "single-file"] | None,
        typer.Option(help="Print a preset to make your own of: `llmgen models --template sd > mine.json`."),
    ] = None,
    as_json: JsonOpt = False,
) -> None:
    """List the presets and the model that each of their roles uses."""
    if context.invoked_subcommand is not None:
        return
    if template is not None:
        _print_template(template)
        return
    from llmgen.presets import load_preset, preset_names

    out.configure(quiet=False, verbose=False)
    presets = [load_preset(name) for name in ([preset] if preset else preset_names())]
    if as_json:
        out.json({p.name: p.model_dump(mode="json") for p in presets})
        return
    for p in presets:
        rows = [
            [
                role,
                spec.source,
                (spec.revision or "")[:12],
                spec.licence + (" (gated)" if spec.gated else ""),
                spec.dtype or "",
                f"{spec.memory_gb:g}",
            ]
            for role, spec in p.roles.items()
        ]
        title = f"{p.name}: {p.description} ({p.width}x{p.height}, planner {p.planner})"
        out.table(title, ["role", "model", "revision", "licence", "dtype", "#GB"], rows, to_stdout=True)


@app.command()
def fetch(
    source: Annotated[
        str, typer.Argument(help="Address that a preset names; `llmgen doctor` says it.", show_default=False)
    ],
) -> None:
    """Download the weights that a preset names by their address, check their hash and keep them as safetensors."""
    out.configure(quiet=False, verbose=False)
    from llmgen.diffusion.published import fetch_published

    out.data(f"{fetch_published(source, progress=sys.stderr.isatty())}\n")


def _print_template(template: str) -> None:
    """A preset as a file of one's own: put other repositories, folders or files in the place of its sources."""
    from llmgen.artifacts.io import pretty_json
    from llmgen.presets import load_preset

    out.configure(quiet=False, verbose=False)
    preset = load_preset(TEMPLATES.get(template, TEMPLATES["sd"]))
    values = preset.model_dump(mode="json", exclude_unset=True)
    values |= {"name": "mine", "description": f"Begun as {preset.name}."}
    advice = "check it with"
    if template == "single-file":
        role = preset.role("text_to_image")
        file = {
            "source": "model.safetensors",
            "base": role.source,
            "base_revision": role.revision,
            "family": role.family,
        }
        values |= {
            "description": "A checkpoint in one file.",
            "roles": {"text_to_image": file},
            "methods": {"generate": "sd"},
        }
        values.pop("defaults", None)
        advice = "put your file in the place of model.safetensors, check it with"
    out.data(pretty_json(values))
    out.note(f"{advice} `llmgen validate mine.json`, see what is missing with `llmgen doctor --preset mine.json`")


@app.command()
def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="InstanceDiffusion's .pth, or a .safetensors of its entry `model`.", show_default=False),
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the result.", show_default=False)],
    base: Annotated[
        str | None, typer.Option(help="What gives the rest, in OUT/preset.json; by default Stable Diffusion 1.5.")
    ] = None,
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"] | None,
        typer.Option(help="Of the U-Net's weights; by default the checkpoint's."),
    ] = None,
) -> None:
    """Convert the published InstanceDiffusion checkpoint; OUT/preset.json then goes to --preset."""
    out.configure(quiet=False, verbose=False)
    import torch

    from llmgen.artifacts.io import pretty_json
    from llmgen.diffusion.instances import checkpoint as published
    from llmgen.presets import load_preset

    states, entry = published.load_checkpoint(checkpoint, published.PUBLISHED)
    tensors = sum(len(state) for _, state in states.items())
    out.note(f"{checkpoint.name}: all {tensors} tensors of {entry!r} have their place")
    shares: set[int] = set()

    def hashed(done: int, total: int) -> None:
        share = 10 * done // max(total, 1)
        if total > 2**30 and share not in shares:
            shares.add(share)
            out.note(f"hashing {checkpoint.name}: {10 * share} %")

    digest = published.sha256_of(checkpoint, hashed)
    if digest != published.PUBLISHED_SHA256:
        out.warn(f"{checkpoint.name} is not the published file; its SHA-256 is {digest}")
    preset = load_preset("instancediffusion-sd15")
    update = {"source": str(folder), "revision": None, "files": ()}
    if base is not None:
        update |= {"base": base, "base_revision": None}
    roles = preset.roles | {"instances_to_image": preset.roles["instances_to_image"].model_copy(update=update)}
    written = preset.model_copy(update={"name": folder.name, "roles": roles})
    published.write_folder(
        states,
        folder,
        {
            "README.md": published.model_card(checkpoint.name, digest, entry, states),
            "preset.json": pretty_json(written.model_dump(mode="json", exclude_unset=True)),
        },
        architecture=published.PUBLISHED,
        dtype=None if dtype is None else getattr(torch, dtype),
        progress=lambda part: out.note(f"writing {part}/"),
    )
    out.data(f"{folder / 'preset.json'}\n")
