"""`llmgen evaluate --annotations`: COCO's own files, without records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from llmgen.cli.options import StageFlags, parse_settings
from llmgen.cli.output import out

if TYPE_CHECKING:
    from llmgen.evaluate.attributes import AttributesEvaluateConfig
    from llmgen.evaluate.pim import PimEvaluateConfig

_MOST_LINES = 10


@dataclass(frozen=True)
class FilesRequest:
    """What was asked for; see the flags of `llmgen evaluate`."""

    method: str
    annotations: Path
    results: Path | None
    subset: Path | None
    first: int | None
    squeeze: Path | None
    side: int
    layouts: Path | None
    captions: Path | None
    as_json: bool


def work_on_files(request: FilesRequest, flags: StageFlags) -> None:
    """Squeeze annotations, write a benchmark's records, or compare results with annotations.

    Raises:
        PartialFailure: If some images had to be left out.
    """
    if request.captions is not None and request.layouts is None:
        raise typer.BadParameter("--captions go with --layouts")
    out.configure(quiet=flags.quiet, verbose=flags.verbose)
    if request.squeeze is not None:
        _squeeze(request, request.squeeze, flags)
    elif request.layouts is not None:
        _write_benchmark(request, request.layouts, flags)
    elif request.results is not None and request.method == "hoi":
        _compare_interactions(request, request.results, flags)
    elif request.results is not None:
        _compare(request, request.results, flags)
    else:
        raise typer.BadParameter("--annotations need --results, --squeeze or --layouts")


def _squeeze(request: FilesRequest, target: Path, flags: StageFlags) -> None:
    from llmgen.evaluate.files import squeeze_file
    from llmgen.pipeline.output import Output

    Output(target, force=flags.force).check()
    failed = squeeze_file(request.annotations, target, request.side)
    out.note(f"{target}: annotations for pictures of {request.side}x{request.side} pixels")
    _raise_left_out(failed)


def _write_benchmark(request: FilesRequest, target: Path, flags: StageFlags) -> None:
    from llmgen.evaluate.files import benchmark_file
    from llmgen.pipeline.output import Output

    if request.method not in ("coco", "pim", "attributes"):
        raise typer.BadParameter("--layouts are for the methods coco, pim and attributes", param_hint="METHOD")
    Output(target, force=flags.force).check()
    vocabulary: tuple[str, ...] = ()
    if request.method == "attributes":
        config: AttributesEvaluateConfig = _config(request.method, flags)
        vocabulary = config.colors if config.kind == "color" else config.textures
    elif flags.settings:
        raise typer.BadParameter("only the phrases of attributes have settings", param_hint="--set")
    count, failed = benchmark_file(
        request.annotations,
        target,
        captions=request.captions,
        subset=request.subset,
        first=request.first,
        vocabulary=vocabulary,
    )
    out.note(f"{target}: {count} records of kind 'layouts'")
    _raise_left_out(failed)


def _compare(request: FilesRequest, results: Path, flags: StageFlags) -> None:
    from llmgen.artifacts.files import write_named
    from llmgen.artifacts.io import pretty_json
    from llmgen.evaluate.files import CocoFiles, evaluate_files
    from llmgen.pipeline.output import Output

    if request.method not in ("coco", "pim"):
        raise typer.BadParameter("--results are for the methods coco, pim and hoi", param_hint="METHOD")
    target = None if flags.output is None or str(flags.output) == "-" else flags.output
    Output(target, force=flags.force).check()
    settings: dict[str, Any] = {}
    if request.method == "pim":
        config: PimEvaluateConfig = _config(request.method, flags)
        settings = {**config.model_dump(), "seed": flags.seed}
    elif flags.settings:
        raise typer.BadParameter("COCO's figures have no settings", param_hint="--set")
    files = CocoFiles(request.annotations, results, request.subset, request.first)
    summary = evaluate_files(files, request.method, **settings)
    if target is not None:
        write_named(target, pretty_json(summary).encode())
    if request.as_json:
        out.json(summary)
    else:
        _show(summary)
    for note in summary["notes"]:
        out.warn(note)
    if summary.get("no_segm"):
        out.warn(f"no figures of masks: {summary['no_segm']}")
    if summary["n_equal_scores"]:
        out.warn(
            f"{summary['n_equal_scores']} results have the score of another of their category; they keep the order of the file, "
            "which alone moves AP"
        )
    masks = {entry["image_id"]: entry["reason"] for entry in summary["without_mask"]}
    _raise_left_out(
        {entry["image_id"]: entry["reason"] for entry in summary["failed"]}, masks=masks, lost=summary["lost"]
    )


def _compare_interactions(request: FilesRequest, results: Path, flags: StageFlags) -> None:
    from llmgen.artifacts.files import write_named
    from llmgen.artifacts.io import pretty_json
    from llmgen.engine.config import build_config
    from llmgen.evaluate.hoi.files import evaluate_hico_files
    from llmgen.evaluate.hoi.numbering import HicoFiles
    from llmgen.pipeline.output import Output

    if request.subset is not None or request.first is not None:
        raise typer.BadParameter("all pictures of HICO-DET's annotations count: no --subset and no --first")
    target = None if flags.output is None or str(flags.output) == "-" else flags.output
    Output(target, force=flags.force).check()
    config = build_config(HicoFiles, {}, parse_settings(flags.settings))
    summary = evaluate_hico_files(request.annotations, results, config)
    if target is not None:
        write_named(target, pretty_json(summary).encode())
    if request.as_json:
        out.json(summary)
    else:
        rows = [
            [name, *(number(summary[setting][name]) for setting in ("default", "known_object"))]
            for name in summary["default"]
        ]
        title = f"hoi of {summary['results']}: {summary['n_actions']} actions in {summary['n_images']} pictures"
        out.table(title, ["mAP", "#default", "#known object"], rows, to_stdout=True)
    if summary["n_rare"] is None:
        out.warn("which actions are rare is not known; --set training=FILE names the training pictures' annotations")
    for reason, times in summary["lost"].items():
        out.warn(f"{times} {reason} do not count")
    if summary["n_without_results"]:
        out.warn(f"{summary['n_without_results']} pictures have no results; nothing was found in them")
    if summary["n_foreign_results"]:
        out.warn(f"{summary['n_foreign_results']} results are of pictures that the annotations do not know")
    _raise_left_out({entry["image"]: entry["reason"] for entry in summary["failed"]})


def _config(method: str, flags: StageFlags) -> Any:
    from llmgen.engine.config import build_config
    from llmgen.registry import resolve

    return build_config(resolve("evaluate", method), {}, parse_settings(flags.settings))


def _show(summary: dict[str, Any]) -> None:
    """The comparison of two files as a table on stdout: it is what was asked for."""
    images = summary["images"]
    title = f"{summary['metric']} of {summary['results']} on {images['n']} images ({images['rule']})"
    if summary["metric"] == "coco":
        kinds = [kind for kind in ("bbox", "segm") if kind in summary]
        rows = [[name, *(number(summary[kind][name]) for kind in kinds)] for name in summary["bbox"]]
        columns = ["figure", *({"bbox": "#boxes", "segm": "#masks"}[kind] for kind in kinds)]
    else:
        columns = ["score", "#mean [95 %]", "#pictures"]
        rows = [
            [name, share({"accuracy": score["mean"], "ci95": score["ci95"]}), str(score["n"])]
            for name, score in summary["scores"].items()
        ]
    out.table(title, columns, rows, to_stdout=True)
    if summary["n_foreign_results"]:
        out.warn(f"{summary['n_foreign_results']} results are of images that the annotations do not know")


def _raise_left_out(
    failed: Mapping[Any, str], *, masks: Mapping[Any, str] | None = None, lost: Sequence[str] = ()
) -> None:
    """Name what was left out, ten of a kind, and end with the exit code of a partial failure."""
    from llmgen.errors import PartialFailure

    kinds = (
        ("left out", [f"image {number}: {reason}" for number, reason in failed.items()], "images"),
        ("left out of the figures of masks", [f"image {n}: {reason}" for n, reason in (masks or {}).items()], "images"),
        ("left out", list(lost), "entries"),
    )
    parts = []
    for how, lines, what in kinds:
        for line in lines[:_MOST_LINES]:
            out.warn(f"{how}: {line}")
        if lines:
            parts.append(f"{len(lines)} {what} were {how}")
    if parts:
        raise PartialFailure("; ".join(parts) + "; the others are complete")


def share(values: dict[str, Any]) -> str:
    """A mean with its interval, if it has one."""
    interval = values.get("ci95")
    return number(values.get("accuracy")) + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def number(value: float | None) -> str:
    """Three digits; a dash for what does not exist."""
    return "-" if value is None else f"{value:.3f}"
