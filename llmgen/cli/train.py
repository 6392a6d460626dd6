"""`llmgen train`: train the bundled models anew, measure those that are shipped, draw pictures to train on; train detectors."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from llmgen.cli.options import JsonOpt
from llmgen.cli.output import out
from llmgen.cli.train_lgd import lgd_adapter, lgd_cache, lgd_unet

app = typer.Typer(
    no_args_is_help=True, help="Train the models of the toybox world, a detector on annotated pictures, or LGD."
)
app.command("lgd-adapter")(lgd_adapter)
app.command("lgd-cache")(lgd_cache)
app.command("lgd-unet")(lgd_unet)

Model = Literal[
    "all", "vae", "text", "judge", "detector", "mask-rcnn-objects", "mask-rcnn-parts", "clip", "segmenter", "pose", "diffusion", "inpaint",
    "instances", "blip2", "editor", "lgd", "question_editor", "decoder",
]  # fmt: skip


@app.callback()
def train() -> None:
    """Train models that come with a recipe."""


@app.command()
def toybox(
    model: Annotated[
        Model | None, typer.Argument(help="Which model to train; `all` one after the other.", show_default=False)
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Time for the whole training.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the whole training of a model, instead of a time.")
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", show_default="outputs/train/MODEL", help="Working folder.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the working folder.")] = False,
    start: Annotated[
        Path | None, typer.Option("--from", show_default="the shipped one", help="Folder of a model to start from.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start from fresh weights.")] = False,
    ship: Annotated[bool, typer.Option("--ship", help="Put the trained model where the package ships it.")] = False,
    drawn: Annotated[
        Path | None, typer.Option(help="Folder of drawn pictures with a boxes.json, for the detector.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    seed: Annotated[int | None, typer.Option(help="Of weights and data; each recipe has its own.")] = None,
    evaluate: Annotated[
        bool, typer.Option("--eval", help="Measure the shipped model, or all of them, and exit.")
    ] = False,
    count: Annotated[int, typer.Option(min=4, help="Pictures a measure, with --eval.")] = 100,
    as_json: JsonOpt = False,
) -> None:
    """Train one model of the toybox, or all; or, with --eval, print the quality of those that are shipped."""
    out.configure(quiet=False, verbose=False)
    from llmgen.engine.devices import resolve_device

    device = resolve_device(device)
    if evaluate:
        _show_quality(count, device, () if model in (None, "all") else (model,), as_json)
        return
    if model is None:
        raise typer.BadParameter("name a model to train, or ask for --eval", param_hint="MODEL")
    if fresh and start is not None:
        raise typer.BadParameter("--from names a start, --fresh asks for none", param_hint="--fresh")
    if model == "all" and (start is not None or ship):
        raise typer.BadParameter("`all` starts from the shipped models and puts its own into OUT/weights")
    if drawn is not None and model != "detector":
        raise typer.BadParameter("only the detector learns from drawn pictures", param_hint="--drawn")
    for told in ("llmgen.toybox", "llmgen.training"):
        logging.getLogger(told).setLevel(logging.INFO)
    folder = out_dir or Path("outputs") / "train" / model
    out.note(f"training {model} in {folder} on {device}")
    from dataclasses import replace

    from llmgen.toybox.recipes.catalogue import WholeTraining, load_recipe, shipped
    from llmgen.toybox.recipes.run import TrainingRun

    if model == "all":
        WholeTraining(folder, minutes, steps, seed, device, resume, fresh).train()
        return
    recipe = load_recipe(model)
    if drawn is not None:
        # Only the detector's recipe has this field.
        recipe = replace(recipe, drawn=drawn)  # type: ignore[type-var]
    if minutes is None and steps is None:
        minutes = recipe.minutes
    start = None if fresh else start or shipped(recipe)
    TrainingRun(folder, minutes, steps, seed, device, resume, start).train(recipe)
    if ship:
        recipe.ship(folder)


@app.command("mask-rcnn")
def mask_rcnn(
    data: Annotated[
        Path, typer.Option(metavar="FILE", help="COCO instance annotations to learn from.", show_default=False)
    ],
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Working folder.")] = Path(
        "outputs/train/mask-rcnn"
    ),
    images_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the pictures; that of the annotations by default.")
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option("--val", metavar="FILE", help="COCO annotations to measure on, in place of a part of the data."),
    ] = None,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the pictures to measure on, without --val.")
    ] = 0.1,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Folder of a Mask R-CNN to start from [COCO's published weights]."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start from nothing; batch norm learns, too.")] = False,
    profile: Annotated[
        Literal["llmgen", "reference"], typer.Option(help="reference: heads only, as the context loop of 2023.")
    ] = "llmgen",
    epochs: Annotated[float | None, typer.Option(min=0.001, help="How often each picture is seen [12].")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Pictures a step [2].")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-8, help="Peak of the schedule [0.005].")] = None,
    keep_crowd: Annotated[
        bool, typer.Option("--keep-crowd", help="Annotations with iscrowd 1 are objects: exports of brush tools.")
    ] = False,
    boxes_as_masks: Annotated[
        bool, typer.Option("--boxes-as-masks", help="A box without a mask is taken for its mask.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the working folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    seed: Annotated[int | None, typer.Option(help="Of order, chance and new layers [0].")] = None,
    as_json: JsonOpt = False,
) -> None:
    """Train a Mask R-CNN for `detect --method mask-rcnn`: OUT/model goes into a preset, OUT/curves.png shows how it went."""
    out.configure(quiet=False, verbose=False)
    if fresh and start is not None:
        raise typer.BadParameter("--from names a start, --fresh asks for none", param_hint="--fresh")
    from llmgen.cli.progress import training_bar
    from llmgen.detect.mask_rcnn_training.training import MODEL, MaskRcnnTraining, recipe_of
    from llmgen.engine.devices import resolve_device
    from llmgen.formats.coco_instances import InstanceOptions, read_instances

    options = InstanceOptions(keep_crowd, boxes_as_masks)
    learned = read_instances(data, images_from, options)
    recipe = recipe_of(profile, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    if measure is not None:
        measured = read_instances(measure, images_from, options, classes=learned.classes)
        left_out = (*learned.left_out, *measured.left_out)
    else:
        left_out = learned.left_out
        learned, measured = learned.split(held_out, recipe.seed)
    for note in learned.notes:
        out.note(f"{data.name}: {note}")
    for line in left_out:
        out.warn(f"left out: {line}")
    training = MaskRcnnTraining(
        learned, measured if measured.pictures else None, out_dir, recipe, start, fresh, resolve_device(device), resume
    )
    with training_bar("train mask-rcnn") as told:
        quality = training.train(told)
    out.note(f"{out_dir / MODEL}: {len(learned.classes)} classes, {training.steps} steps")
    if quality is not None:
        _show_instance_quality(quality, as_json)


def _show_instance_quality(quality: dict[str, Any], as_json: bool) -> None:
    if as_json:
        out.json(quality)
        return
    names = ("bbox_ap", "bbox_ap50", "segm_ap", "segm_ap50")
    rows = [[name, *(_share(own[figure]) for figure in names)] for name, own in quality["by_class"].items()]
    whole = [_share(quality[kind][figure]) for kind in ("bbox", "segm") for figure in ("ap", "ap50")]
    title = f"on {quality['pictures']} pictures with {quality['objects']} objects"
    head = ["class", "#box AP", "#box AP50", "#mask AP", "#mask AP50"]
    out.table(title, head, [*rows, ["all", *whole]], to_stdout=True)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


@app.command()
def drawn(
    folder: Annotated[Path, typer.Argument(help="Gets the pictures and their boxes.json.")],
    count: Annotated[int, typer.Option(min=1, help="Scenes to draw; those that come out right are kept.")] = 1000,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of scenes and noise.")] = 0,
) -> None:
    """Draw pictures with known boxes by the shipped denoiser, for `train toybox detector --drawn`."""
    out.configure(quiet=False, verbose=False)
    from llmgen.engine.devices import resolve_device
    from llmgen.toybox import WEIGHTS
    from llmgen.toybox.models.judge import ToyboxJudge
    from llmgen.toybox.recipes.drawing import draw_pictures
    from llmgen.toybox.recipes.sampling import TextToImage

    logging.getLogger("llmgen.toybox").setLevel(logging.INFO)
    models = TextToImage.from_pretrained(device=resolve_device(device))
    kept = draw_pictures(folder, count, models, ToyboxJudge.from_pretrained(WEIGHTS / "judge"), seed=seed)
    out.note(f"{kept} of {count} pictures kept in {folder}")


@app.command()
def questions(
    folder: Annotated[Path, typer.Argument(help="Gets annotations, categories, pictures and right answers.")],
    count: Annotated[int, typer.Option(min=1, help="Questions, the categories in turn.")] = 250,
    held_out: Annotated[
        Literal["none", "templates", "scenes"], typer.Option(help="What no training has seen in them.")
    ] = "none",
    seed: Annotated[int, typer.Option(help="Picks the questions.")] = 7_000_000,
) -> None:
    """Write questions about toybox pictures with their answers, as a VQAI data set, to train on or to score."""
    out.configure(quiet=False, verbose=False)
    from llmgen.toybox.recipes.question_files import sample_pairs, write_questions

    write_questions(folder, sample_pairs(count, seed, held_out))
    out.note(f"{folder}: {count} questions; `llmgen import vqai {folder / 'annotations.json'}` makes records of them")


def _show_quality(count: int, device: str, names: tuple[str, ...], as_json: bool) -> None:
    from dataclasses import asdict

    from llmgen.toybox.recipes.evaluate import Row, quality_table

    rows: list[Row] = []
    for row in quality_table(count, device, names):
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
