"""What one round of SLD costs: llmgen, llmgen one thing after another, and the order and habits of the published code.

    python benchmarks/sld.py                              # a tiny U-Net, the paper's 50 steps: the counts, in seconds
    python benchmarks/sld.py --size toybox --steps 20     # the bundled model
    python benchmarks/sld.py --size sd14 --steps 2        # GLIGEN on Stable Diffusion 1.4 with random weights, 64x64 cells

The plan adds three objects, moves one and changes one. Guidance of the additions takes all the passes it may (its threshold
is 0). What is counted is counted at the U-Net: calls, one after another, and rows of all calls. Guidance passes are calls, too;
they end behind the last layer that is watched. Bytes of captured attention are those of the probabilities that are alive at once,
counted whenever a layer has run. Memory is what the process (or, on a GPU, torch) held at most, above what it held before. Weights of
`tiny` and `sd14` are random, their autoencoder is small and their segmenter answers with the box, so only the U-Net's share of
the seconds means something there.
"""

import argparse
import ctypes
import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, Detection, EditPlan, Instance, MoveEdit
from llmgen.correct.jobs import Job
from llmgen.correct.painting import LatentPainter
from llmgen.correct.reference import ReferencePainter
from llmgen.correct.self_correction import SelfCorrection
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.attention import CapturingProcessor
from llmgen.diffusion.loading import ModelPool, quiet_libraries
from llmgen.diffusion.text import TextEncoder
from llmgen.engine.config import build_config
from llmgen.presets import load_preset
from llmgen.vision.boxes import BoxTuple

SEED = 20_261_120
UNETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "block_out_channels": (16, 16, 16, 16),
        "cross_attention_dim": 32,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "sample_size": 16,
    },
    "sd14": {
        "block_out_channels": (320, 640, 1280, 1280),
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
        "norm_num_groups": 32,
        "sample_size": 64,
    },
}


class BoxSegmenter:
    """Answers with the box."""

    def segment(
        self, image: Image.Image, boxes_xyxy: Sequence[BoxTuple]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """See `llmgen.vision.protocols.Segmenter`."""
        masks = np.zeros((len(boxes_xyxy), 3, image.height, image.width), dtype=bool)
        for i, (x0, y0, x1, y1) in enumerate(boxes_xyxy):
            masks[i, :, int(y0) : int(y1), int(x0) : int(x1)] = True
        return masks, np.full((len(boxes_xyxy), 3), 0.9, dtype=np.float32)


@dataclass
class Model:
    """What a painter needs, and settings that suit it."""

    pipe: Any
    text: TextEncoder
    segmenter: Any
    config: SelfCorrectionConfig
    side: int
    """Width and height of the pictures in pixels."""


@dataclass
class Cost:
    """What one way took."""

    calls: int = 0
    guidance_calls: int = 0
    """Those of `calls` that have gradients."""
    rows: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Time of the process on all its cores; what else the machine does is not in it."""
    attention_bytes: int = 0
    """Most captured attention alive at once."""
    memory_bytes: int = 0
    """Most memory above the start."""
    difference: float = 0.0
    """Greatest difference of the final latents from llmgen's, divided by their greatest value."""
    final: list[Tensor] = field(default_factory=list, repr=False)


def random_model(size: str, device: str, dtype: torch.dtype) -> Model:
    """A GLIGEN pipeline with random weights."""
    from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from llmgen.toybox.models.tokenizer import build_tokenizer

    quiet_libraries()
    torch.manual_seed(SEED)
    shape = UNETS[size]
    unet = UNet2DConditionModel(**shape, attention_type="gated")
    for name, parameter in unet.named_parameters():
        if name.endswith(("alpha_attn", "alpha_dense")):
            parameter.data.fill_(0.7)
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = 77
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape["cross_attention_dim"],
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=77,
            bos_token_id=len(tokenizer) - 2,
            eos_token_id=len(tokenizer) - 1,
        )
    )
    pipe = StableDiffusionPipeline(
        vae=AutoencoderTiny(),
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.to(device, dtype).eval().requires_grad_(False)
    return Model(
        pipe, TextEncoder(tokenizer, text), BoxSegmenter(), SelfCorrectionConfig(), side=8 * shape["sample_size"]
    )


def toybox_model(device: str) -> Model:
    """The bundled model with the settings of its preset."""
    preset = load_preset("toybox")
    pool = ModelPool(preset, device=device, dtype="float32")
    role = "layout_to_image"
    config = build_config(SelfCorrection, preset.defaults.get("correct.self_correction", {}), {})
    return Model(pool.stable_diffusion(role), pool.text(role), pool.segmenter(), config, preset.width)


def job(side: int, seed: int) -> Job:
    """A picture of noise; three additions, a move and a change."""

    def box(*shares: float) -> BoxTuple:
        x0, y0, x1, y1 = (side * share for share in shares)
        return (x0, y0, x1, y1)

    ball, car = box(0.05, 0.05, 0.3, 0.3), box(0.4, 0.05, 0.65, 0.3)
    moved = box(0.05, 0.4, 0.3, 0.65)
    added = {
        "a red star": box(0.7, 0.05, 0.95, 0.3),
        "a green tree": box(0.4, 0.4, 0.65, 0.65),
        "a blue fish": box(0.7, 0.4, 0.95, 0.65),
    }
    plan = EditPlan(
        edits=(
            *(
                AddEdit(target=f"{phrase} #1", phrase=phrase, noun=phrase.split()[-1], box_xyxy=where)
                for phrase, where in added.items()
            ),
            MoveEdit(op="move", target="ball #1", from_box_xyxy=ball, box_xyxy=moved),
            ChangeAttributeEdit(
                target="car #1", phrase="a yellow car", noun="car", attributes=("yellow",), box_xyxy=car
            ),
        ),
        target=(
            Instance(id="ball #1", phrase="a red ball", box_xyxy=moved),
            Instance(id="car #1", phrase="a yellow car", box_xyxy=car),
            *(Instance(id=f"{phrase} #1", phrase=phrase, box_xyxy=where) for phrase, where in added.items()),
        ),
    )
    seen = [
        Detection(id="ball #1", phrase="red ball", noun="ball", box_xyxy=ball, score=0.9),
        Detection(id="car #1", phrase="blue car", noun="car", box_xyxy=car, score=0.9),
    ]
    values = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)
    return Job(picture, plan, seen, "a meadow", "", seed)


class Alive:
    """Storages of tensors that were seen, and the most bytes of them that were alive at once."""

    def __init__(self) -> None:
        self.most = 0
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def see(self, tensor: Tensor) -> None:
        """Count a tensor until its storage is gone."""
        storage = tensor.untyped_storage()
        self._storages = {key: known for key, known in self._storages.items() if not known[0].expired()}
        reference = StorageWeakRef(storage)
        self._storages[reference.cdata] = (reference, storage.nbytes())
        self.most = max(self.most, sum(size for _, size in self._storages.values()))


@contextmanager
def measured(model: Model, device: str) -> Iterator[Cost]:
    """Count everything that the U-Net does."""
    cost, alive = Cost(), Alive()
    plain, decode = CapturingProcessor.__call__, model.pipe.vae.decode

    def called(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        cost.calls += 1
        cost.guidance_calls += torch.is_grad_enabled()
        cost.rows += len(args[0])

    def captured(self: CapturingProcessor, *args: Any, **kwargs: Any) -> Tensor:
        output = plain(self, *args, **kwargs)
        if self.probabilities is not None:
            alive.see(self.probabilities)
        return output

    def decoded(latents: Tensor, *args: Any, **kwargs: Any) -> Any:
        cost.final.append(latents.float().cpu())
        return decode(latents, *args, **kwargs)

    hook = model.pipe.unet.register_forward_pre_hook(called, with_kwargs=True)
    CapturingProcessor.__call__, model.pipe.vae.decode = captured, decoded  # type: ignore[method-assign]
    before = _start_of_memory(device)
    started, worked = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        if device != "cpu":
            torch.cuda.synchronize()
        cost.seconds, cost.cpu_seconds = time.perf_counter() - started, time.process_time() - worked
        cost.memory_bytes = _most_memory(device) - before
        cost.attention_bytes = alive.most
        hook.remove()
        CapturingProcessor.__call__, model.pipe.vae.decode = plain, decode  # type: ignore[method-assign]


def _start_of_memory(device: str) -> int:
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    # Linux with glibc: what was freed goes back to the system, and the high-water mark starts anew.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def _most_memory(device: str) -> int:
    return _resident("VmHWM") if device == "cpu" else torch.cuda.max_memory_allocated()


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def compare(model: Model, records: int, batch_size: int, device: str) -> dict[str, Cost]:
    """Paint the same jobs three ways."""
    ways: dict[str, tuple[type[LatentPainter], int]] = {
        "llmgen": (LatentPainter, batch_size),
        "one by one": (LatentPainter, 1),
        "reference": (ReferencePainter, 1),
    }
    costs: dict[str, Cost] = {}
    # The libraries set themselves up at the first pictures, which is nobody's cost.
    short = model.config.model_copy(update={"num_inference_steps": 2})
    small = job(model.side // 2, SEED)
    LatentPainter(model.pipe, model.text, model.segmenter, short, batch_size=batch_size).paint([small])
    for name, (painter, size) in ways.items():
        print(f"{name} ...", file=sys.stderr)
        one = painter(model.pipe, model.text, model.segmenter, model.config, batch_size=size)
        jobs = [job(model.side, SEED + i) for i in range(records)]
        with measured(model, device) as cost:
            one.paint(jobs)
        # The last pictures that are decoded are the corrected ones.
        final = torch.cat(cost.final)[-records:]
        cost.final = [final]
        first = costs["llmgen"].final[0] if costs else final
        cost.difference = float((final - first).abs().max() / first.abs().max())
        costs[name] = cost
    return costs


def table(costs: dict[str, Cost]) -> str:
    """One line for each thing measured; ratios to llmgen in brackets."""
    ours = costs["llmgen"]
    rows: list[tuple[str, str, float]] = [
        ("U-Net calls, one after another", "calls", 1),
        ("of them guidance", "guidance_calls", 1),
        ("U-Net rows", "rows", 1),
        ("captured attention, MiB", "attention_bytes", 2**20),
        ("seconds", "seconds", 1),
        ("CPU seconds", "cpu_seconds", 1),
        ("memory above the start, MiB", "memory_bytes", 2**20),
    ]
    lines = [f"{'':32s}" + "".join(f"{name:>22s}" for name in costs)]
    for title, key, unit in rows:
        cells = []
        for cost in costs.values():
            value, base = getattr(cost, key), getattr(ours, key)
            number = f"{value / unit:.2f}" if unit > 1 or isinstance(value, float) else str(value)
            cells.append(f"{number:>12s} {f'({value / base:.2f}x)' if base else '':>9s}")
        lines.append(f"{title:32s}" + "".join(cells))
    different = "".join(f"{cost.difference:>12.1e}{'':10s}" for cost in costs.values())
    return "\n".join([*lines, f"{'difference of final latents':32s}{different}"])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "toybox", "sd14"), default="tiny")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--records", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--side", type=int, help="width and height in pixels")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    if args.size == "toybox":
        model = toybox_model(args.device)
    else:
        model = random_model(args.size, args.device, getattr(torch, args.dtype))
    model.config = model.config.model_copy(update={"num_inference_steps": args.steps, "energy_threshold": 0.0})
    model.side = args.side or model.side
    costs = compare(model, args.records, args.batch_size, args.device)
    parameters = sum(p.numel() for p in model.pipe.unet.parameters())
    about = (
        f"{args.size}: U-Net of {parameters / 1e6:.1f} million parameters in {args.dtype}, {model.side}x{model.side} pixels, {args.steps} "
        f"steps, {args.records} record(s), torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads"
    )
    print(about)
    print(table(costs))
    if args.json:
        figures = {name: {k: v for k, v in asdict(cost).items() if k != "final"} for name, cost in costs.items()}
        args.json.write_text(json.dumps({"about": about, **figures}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
