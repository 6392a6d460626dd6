"""`llmgen import`: files of other programs to artifacts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llmgen.cli.completion import words
from llmgen.cli.options import OUTPUT, ForceOpt, QuietOpt, VerboseOpt
from llmgen.cli.output import file_or_stream, out
from llmgen.cli.stage import raise_failures

if TYPE_CHECKING:
    from llmgen.formats.vgg import VggOptions


def import_(
    dialect: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="instancediffusion (a file or a folder of them), lmd (caches, layouts, prompts), png (a folder of pictures that say "
            "their prompt), record (tables), sld (data.json), vgg (annotations of the VGG annotator) or vqai (annotations of questions).",
            autocompletion=words("instancediffusion", "lmd", "png", "record", "sld", "vgg", "vqai"),
        ),
    ],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="The file, or the folder of files; - for stdin.")
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here; stdout by default.", rich_help_panel=OUTPUT),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="lmd: prompts that give a cache its order, ids and types.")
    ] = None,
    images_from: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="sld, vgg, vqai: folder of the pictures; src_image or the file's own by default. record: of candidates."
        ),
    ] = None,
    categories: Annotated[
        Path | None, typer.Option(metavar="FILE", help="vqai: the category file, whose names become the records' types.")
    ] = None,
    bbox_format: Annotated[
        Literal["auto", "xywh", "xyxy"],
        typer.Option(
            metavar="FORMAT", help="instancediffusion: xywh, xyxy, or auto: xywh unless all boxes fit only as corners.",
        ),
    ] = "auto",
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**64 - 1, metavar="N", help="Seed of every record: rounds of one picture share their noise."),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="NAMES", help="vgg: the classes that there are, with commas; any other label is an error.")
    ] = None,
    label_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="vgg: which attribute of a region is its label, where there are several.")
    ] = None,
    default_class: Annotated[
        str | None, typer.Option(metavar="NAME", help="vgg: class of regions without a label.")
    ] = None,
    force: ForceOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
) -> None:  # fmt: skip
    """Take over files of other programs as records, pictures that say their prompt, too; VGG's as COCO annotations to train on."""
    from llmgen.artifacts.io import record_line
    from llmgen.engine.progress import Tally
    from llmgen.pipeline.importing import Import, import_foreign

    out.configure(quiet=quiet, verbose=verbose)
    if dialect == "vgg":
        from llmgen.formats.vgg import VggOptions

        names = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
        _import_annotations(source, output, images_from, VggOptions(names, label_key, default_class), force)
        return
    if classes or label_key or default_class:
        raise typer.BadParameter("is for the files of vgg", param_hint="--classes, --label-key, --default-class")
    target, stream = file_or_stream(output)
    done = import_foreign(Import(dialect, source, target, prompts, images_from, categories, bbox_format, seed, force))
    if target is None:
        with out.records(stream) as write:
            for record in done.records:
                write(record_line(record))
    if done.notes:
        more = "" if verbose else f" (and {len(done.notes) - 1} more; -v lists them)" if len(done.notes) > 1 else ""
        out.note(f"mended: {done.notes[0]}{more}")
    if done.counts:
        out.note(f"{source}: {done.counts}")
    if target is not None:
        out.note(f"{target}: {len(done.records)} records of kind {done.kind!r}")
    for line in done.dropped:
        out.warn(f"left out: {line}")
    raise_failures(Tally.of(done.records), len(done.dropped))


def _import_annotations(
    source: str,
    output: Path | None,
    pictures: Path | None,
    options: "VggOptions",
    force: bool,
) -> None:
    from llmgen.errors import PartialFailure
    from llmgen.pipeline.importing import import_annotations

    found = import_annotations(source, output, pictures, options, force)
    if output is None:
        out.json(found.dataset)
    for note in found.notes:
        out.note(note)
    for line in found.left_out:
        out.warn(f"left out: {line}")
    if found.left_out:
        raise PartialFailure(f"{len(found.left_out)} pictures were left out; the others are complete")
