"""`llmgen train toybox`: train the bundled models anew, or measure those that are shipped."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from llmgen.cli.options import JsonOpt
from llmgen.cli.output import out

app = typer.Typer(no_args_is_help=True, help="Train the models of the toybox world.")

Model = Literal["vae", "text", "diffusion", "instances", "detector", "segmenter", "judge"]

_MINUTES: dict[str, float] = {
    "vae": 15, "text": 4, "diffusion": 90, "instances": 50, "detector": 24, "segmenter": 12, "judge": 4,
}  # fmt: skip


@app.callback()
def train() -> None:
    """Train models that come with a recipe."""


@app.command()
def toybox(
    model: Annotated[Model | None, typer.Argument(help="Which model to train.", show_default=False)] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Time for the whole training.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of the whole training, instead of a time.")] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Working folder [outputs/train/MODEL].")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the working folder.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    seed: Annotated[int | None, typer.Option(help="Of weights and data; each recipe has its own.")] = None,
    evaluate: Annotated[bool, typer.Option("--eval", help="Measure the shipped models and exit.")] = False,
    count: Annotated[int, typer.Option(min=4, help="Pictures a measure, with --eval.")] = 100,
    as_json: JsonOpt = False,
) -> None:
    """Train one model of the toybox; or, with --eval, print the quality of all that are shipped."""
    out.configure(quiet=False, verbose=False)
    if evaluate:
        _show_quality(count, device, as_json)
        return
    if model is None:
        raise typer.BadParameter("name a model to train, or ask for --eval", param_hint="MODEL")
    logger = logging.getLogger("llmgen.toybox")
    logger.setLevel(logging.INFO)
    if minutes is None and steps is None:
        minutes = _MINUTES[model]
    folder = out_dir or Path("outputs") / "train" / model
    folder.mkdir(parents=True, exist_ok=True)
    out.note(f"training {model} in {folder}")
    _train(model, folder, minutes, steps, seed, device, resume)


def _train(
    model: Model, folder: Path, minutes: float | None, steps: int | None, seed: int | None, device: str, resume: bool
) -> None:
    # A recipe without a seed of its own choice keeps the one it shipped with.
    import importlib

    recipe = importlib.import_module(f"llmgen.toybox.recipes.{model}")
    chosen = {} if seed is None else {"seed": seed}
    recipe.run(folder, minutes=minutes, steps=steps, device=device, resume=resume, **chosen)


def _show_quality(count: int, device: str, as_json: bool) -> None:
    from dataclasses import asdict

    from llmgen.toybox.recipes.evaluate import Row, quality_table

    rows: list[Row] = []
    for row in quality_table(count=count, device=device):
        rows.append(row)
        if sys.stderr.isatty():
            out.note(f"{row.model}: {row.measure} {row.value:.3f}")
    if as_json:
        out.json([asdict(row) for row in rows])
        return
    shown = [
        [row.model, row.measure, f"{row.value:.3g}", "" if row.target is None else f"{row.target:g}", str(row.count)]
        for row in rows
    ]
    out.table("toybox on held-out seeds", ["model", "measure", "#value", "#target", "#n"], shown, to_stdout=True)
