"""`llmgen train lgd-adapter`, `lgd-cache`, `lgd-unet`: Latent-Guided Diffusion on a VQAI data set, stage by stage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmgen.cli.options import PresetOpt
from llmgen.cli.output import out
from llmgen.registry import DEFAULT_PRESET

if TYPE_CHECKING:
    from llmgen.diffusion.loading import ModelPool
    from llmgen.formats.vqai import VqaiSample
    from llmgen.presets import Preset

DataArg = Annotated[Path, typer.Argument(metavar="ANNOTATIONS", help="VQAI's annotation file.")]
ImagesOpt = Annotated[
    Path | None,
    typer.Option("--images-from", metavar="DIR", help="Folder of the pictures; that of the file by default."),
]
OutOpt = Annotated[Path, typer.Option("--out", metavar="DIR", help="Working folder, and the trained model.")]
StepsOpt = Annotated[int, typer.Option(min=1, help="Steps of the whole training.")]
BatchOpt = Annotated[int, typer.Option("--batch", min=1, help="Samples of a pass and process.")]
RoundsOpt = Annotated[int, typer.Option(min=1, help="Passes of a step, whose gradients are averaged.")]
RateOpt = Annotated[float, typer.Option("--rate", min=0, help="Learning rate; constant.")]
ClipOpt = Annotated[
    float | None, typer.Option("--clip", min=0, help="Greatest norm of the gradient; not clipped by default.")
]
SeedOpt = Annotated[int, typer.Option(help="Of weights, order and noise.")]
DeviceOpt = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
ResumeOpt = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the working folder.")]


def lgd_adapter(
    data: DataArg,
    target: OutOpt,
    steps: StepsOpt,
    images_from: ImagesOpt = None,
    causal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Causal features (safetensors); made of the answers by default.")
    ] = None,
    wired: Annotated[
        bool, typer.Option("--wired", help="The predictive code shall fill the editor's slot for the latent.")
    ] = False,
    language_dropout: Annotated[
        bool, typer.Option("--language-dropout", help="The frozen language model drops out, as the original's does.")
    ] = False,
    batch: BatchOpt = 2,
    rounds: RoundsOpt = 1,
    rate: RateOpt = 3e-5,
    clip: ClipOpt = None,
    seed: SeedOpt = 41,
    device: DeviceOpt = "auto",
    resume: ResumeOpt = False,
    preset: PresetOpt = DEFAULT_PRESET,
) -> None:
    """Stage A: train what lies between BLIP-2's vision and its language model, by answers and causal features."""
    from llmgen.generate.lgd_training.adapter import AdapterSettings, train_adapter
    from llmgen.generate.lgd_training.features import load_features
    from llmgen.generate.lgd_training.fitting import TrainingPlan

    samples = _samples(data, images_from)
    pool, chosen, device = _pool(preset, device)
    reader, spec = pool.answerer(), chosen.role("answerer")
    reader.blip2.float()
    features = load_features(causal, reader.blip2.language_model.config.d_model) if causal is not None else None
    settings = AdapterSettings(wired, language_dropout, spec.source, spec.revision)
    with _bar("lgd-adapter", steps) as watch:
        plan = TrainingPlan(target, steps, batch, rounds, rate, clip, seed, device, resume, watch=watch)
        train_adapter(samples, reader, plan, settings, features)
    out.note(f"{target}: the adapter; `llmgen train lgd-cache --adapter {target}` goes on")


def lgd_cache(
    data: DataArg,
    target: OutOpt,
    images_from: ImagesOpt = None,
    adapter: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What lgd-adapter left; the answerer as it is by default.")
    ] = None,
    squash: Annotated[
        bool, typer.Option("--squash", help="Squares whatever the shape of a picture, as the original has them.")
    ] = False,
    side: Annotated[int | None, typer.Option(min=8, help="Canvas in pixels; the preset's by default.")] = None,
    batch: BatchOpt = 8,
    device: DeviceOpt = "auto",
    preset: PresetOpt = DEFAULT_PRESET,
) -> None:
    """Between the stages: keep the answerer's states and the latents of all samples, so that stage B needs neither model."""
    from llmgen.diffusion.answering.latents import LatentReader
    from llmgen.diffusion.answering.saved import LgdSettings, load_adapter, read_settings
    from llmgen.diffusion.latents import sides_multiple
    from llmgen.generate.lgd_training.cache import CacheSettings, write_cache

    samples = _samples(data, images_from)
    pool, chosen, device = _pool(preset, device)
    reader, spec = pool.answerer(), chosen.role("answerer")
    width = int(reader.blip2.language_model.config.d_model)
    about = LgdSettings(
        width=width, context_width=width, side=reader.side, answerer=spec.source, answerer_revision=spec.revision
    )
    if adapter is not None:
        about = read_settings(adapter)
        trained, head = load_adapter(adapter, reader.blip2, about)
        reader = LatentReader(trained, reader.tokenizer, side=about.side, code_head=head)
    start = _start(pool, chosen)
    with _bar("lgd-cache", len(samples)) as watch:
        settings = CacheSettings(
            side or chosen.width,
            sides_multiple(start),
            squash,
            batch,
            lambda done: watch(done, {}),
        )
        write_cache(samples, reader, start.vae, target, settings, about)
    out.note(f"{target}: {len(samples)} samples; `llmgen train lgd-unet {target}` goes on")


def lgd_unet(
    cache: Annotated[Path, typer.Argument(metavar="CACHE", help="What lgd-cache left.")],
    target: OutOpt,
    steps: StepsOpt,
    adapter: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What lgd-adapter left; it goes into the model's folder.")
    ] = None,
    sentence_drop: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of samples without the answer's sentence; the original has 0, the repair 0.5."
        ),
    ] = 0.0,
    checkpointing: Annotated[bool, typer.Option("--gradient-checkpointing", help="Less memory for more time.")] = False,
    batch: BatchOpt = 2,
    rounds: RoundsOpt = 1,
    rate: RateOpt = 3e-5,
    clip: ClipOpt = None,
    seed: SeedOpt = 41,
    device: DeviceOpt = "auto",
    resume: ResumeOpt = False,
    preset: PresetOpt = DEFAULT_PRESET,
) -> None:
    """Stage B: train the editor's U-Net and the bridge on a cache."""
    from llmgen.generate.lgd_training.cache import CachedData
    from llmgen.generate.lgd_training.editor import EditorSettings, train_editor
    from llmgen.generate.lgd_training.fitting import TrainingPlan

    pool, chosen, device = _pool(preset, device)
    start = _start(pool, chosen)
    role = "edit" if "edit" in chosen.roles else "text_to_image"
    data = CachedData(cache, batch, seed, scaling_factor=float(start.vae.config.scaling_factor))
    settings = EditorSettings(sentence_drop, gradient_checkpointing=checkpointing, editor=chosen.role(role).source)
    with _bar("lgd-unet", steps) as watch:
        plan = TrainingPlan(target, steps, batch, rounds, rate, clip, seed, device, resume, watch=watch)
        train_editor(data, start.unet, start.scheduler, plan, settings, adapter)
    out.note(f"{target}: the model; name it as `source` of the role answer_to_image in a preset")


def _samples(data: Path, images_from: Path | None) -> "tuple[VqaiSample, ...]":
    """The whole data set, or an error that names its first bad entry."""
    from llmgen.formats.vqai import read_annotations

    out.configure(quiet=False, verbose=False)
    file = read_annotations(str(data), images_from)
    samples = file.complete()
    out.note(f"{data}: {file.counts}")
    return samples


def _pool(preset: str, device: str) -> "tuple[ModelPool, Preset, str]":
    from llmgen.diffusion.loading import ModelPool
    from llmgen.engine.devices import resolve_device
    from llmgen.presets import load_preset

    out.configure(quiet=False, verbose=False)
    device = resolve_device(device)
    chosen = load_preset(preset)
    return ModelPool(chosen, device=device, dtype="float32"), chosen, device


def _start(pool: "ModelPool", chosen: "Preset") -> Any:
    """What the editor starts from, with `unet`, `vae` and `scheduler`: the preset's editor, else what it draws with."""
    if "edit" in chosen.roles:
        return pool.picture_editor()
    return pool.stable_diffusion("text_to_image")


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A bar for a person; a log has the lines of the training itself."""
    import logging

    if not out.watched:
        logging.getLogger("llmgen.toybox").setLevel(logging.INFO)
        yield lambda step, losses: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=total, losses="")

        def watch(step: int, losses: dict[str, float]) -> None:
            shown = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
            bars.update(task, completed=step, losses=shown)

        yield watch
