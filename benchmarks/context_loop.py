"""The context loop measured: detail on the toybox, what windows save, and both painters of SLD's edits.

    python benchmarks/context_loop.py count                    # pixel-steps of the seven published masks, counted; no model
    python benchmarks/context_loop.py cost --steps 4           # and timed at the size of SD 1.5, random weights
    python benchmarks/context_loop.py detail --scenes 120      # asked detail before, after depth 1, after depth 2; shuffled control
    python benchmarks/context_loop.py windows --scenes 40      # toybox: windows against whole pictures, detail and cost
    python benchmarks/context_loop.py painters --per-type 50   # SLD's loop on the 200 prompts, by latents and by inpainting
    python benchmarks/context_loop.py ceiling --scenes 40      # what judge and autoencoder leave of patterns and states that are there

`--seed` takes other scenes, to choose settings by; `--set candidates=4` is another setting of the loop. `--resume` takes finished records
from the folder, where code and weights are the same as before. `detail` leaves a sheet of its first scenes there.

The judge looks at the end and is asked by no stage. Scenes are held out of every training; the loop sees their pictures only.
"""

import argparse
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from toybox_frozen import HELD_OUT_SEED, prompts, share

from llmgen.artifacts import EditPlan, HistoryEntry, ImageRef, Record, RepaintEdit
from llmgen.engine.context import StageContext
from llmgen.evaluate.context import changed_outside
from llmgen.paint.compositing import Framing, Task, choose_window, paint_tasks, soft_mask
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.models.judged import JudgedObject
from llmgen.toybox.world.scenes import Scene, render_image, sample_plain_scene
from llmgen.toybox.world.vocabulary import BACKGROUND_PHRASES, PART_STATES, PARTS, PATTERNS
from llmgen.vision.boxes import iou
from llmgen.vision.images import ImageStore

FRAME = (1280, 720)
PUBLISHED: Mapping[str, tuple[int, int]] = {
    "Shoe": (195, 154),
    "Jacket": (310, 387),
    "Bag": (156, 167),
    "Shirt": (170, 190),
    "Buildings": (1183, 647),
    "Alleyshops": (501, 403),
    "Sky": (496, 429),
}
"""Class to width and height of all changes, measured on the published pictures."""
BLUR_REACH_PX = 50
"""How far the server's blur of 20 pixels reaches: two and a half standard deviations."""
WHOLE, WINDOWS = Framing(crop_share=0.0), Framing()


def published_masks() -> dict[str, np.ndarray]:
    """Ellipses as large as the published changes without the reach of the blur, `bool[720, 1280]`, in the middle of the frame."""
    rows, columns = np.mgrid[: FRAME[1], : FRAME[0]]
    masks = {}
    for name, (width, height) in PUBLISHED.items():
        a, b = width / 2 - BLUR_REACH_PX, height / 2 - BLUR_REACH_PX
        masks[name] = ((columns - FRAME[0] / 2) / a) ** 2 + ((rows - FRAME[1] / 2) / b) ** 2 <= 1
    return masks


def count(multiple: int = 8) -> None:
    """Print what each mask costs in either way, a denoising step each."""
    total = {"whole": 0, "windows": 0}
    print("| mask | window | painted at | share of the whole |\n| --- | --- | --- | --- |")
    for name, mask in published_masks().items():
        whole, window = choose_window(mask, WHOLE, multiple), choose_window(mask, WINDOWS, multiple)
        costs = [w.size[0] * w.size[1] for w in (whole, window)]
        total["whole"] += costs[0]
        total["windows"] += costs[1]
        x0, y0, x1, y1 = window.box
        size = f"{window.size[0]}x{window.size[1]}"
        print(f"| {name} | {x1 - x0}x{y1 - y0} | {size} | {costs[1] / costs[0]:.1%} |")
    print(f"| all | | | {total['windows'] / total['whole']:.1%} |")


def cost(steps: int, size: str, number: str) -> None:
    """Paint the seven masks in both ways with random weights, and print seconds."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from llmgen.paint.inpainting import DiffusersInpainter

    torch.manual_seed(0)
    small = size == "tiny"
    channels = (32, 64, 64, 64) if small else (320, 640, 1280, 1280)
    width = 64 if small else 768
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else getattr(torch, number)
    unet = UNet2DConditionModel(
        sample_size=64, block_out_channels=channels, cross_attention_dim=width, attention_head_dim=8
    )
    vae = AutoencoderKL(
        block_out_channels=(16, 16, 32, 32) if small else (128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=16 if small else 32,
    )
    text = CLIPTextModel(CLIPTextConfig(hidden_size=width, num_attention_heads=8, num_hidden_layers=2))
    pipe = StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=None,
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(device, dtype)
    pipe.set_progress_bar_config(disable=True)
    states = torch.zeros(1, 77, width, device=device, dtype=dtype)
    pipe.encode_prompt = lambda *_, **__: (states, states)  # random weights have no words
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (FRAME[1], FRAME[0], 3), dtype=np.uint8))
    rows = []
    for name, framing in (("whole pictures", WHOLE), ("windows", WINDOWS)):
        painter = DiffusersInpainter(pipe, num_inference_steps=steps, guidance_scale=7.0)
        started = time.perf_counter()
        for mask in published_masks().values():
            paint_tasks(painter, [Task(image, mask, soft_mask(mask, 6), "x", "", "", 1.0, 0)], framing)
        rows.append((name, painter.cost.pixel_steps, time.perf_counter() - started))
    print(
        f"{size} weights, {steps} steps, {device}, {str(dtype).removeprefix('torch.')}\n| way | Mpx steps | seconds |\n| --- | --- | --- |"
    )
    for name, pixels, seconds in rows:
        print(f"| {name} | {pixels / 1e6:.1f} | {seconds:.1f} |")
    print(f"pixel-steps {rows[1][1] / rows[0][1]:.1%}, {rows[0][2] / rows[1][2]:.2f} times faster")


@dataclass(frozen=True)
class Asked:
    """A detail that an edit asked for."""

    edit: RepaintEdit
    depth: int

    @property
    def pattern(self) -> str | None:
        """The pattern that it asks for: at the second depth that of the thing whose part is painted, which is there already."""
        return next((word for word in PATTERNS[1:] if word in self.edit.description), None)

    @property
    def states(self) -> set[tuple[str, str]]:
        """Part and state of each part that it asks for."""
        text = self.edit.description
        return {
            (part, state) for part, all_ in PART_STATES.items() for state in all_[1:] if state in text and part in text
        }

    @property
    def detail(self) -> str:
        """What is new at its depth, in a word or two."""
        return ", ".join(f"{state} {part}" for part, state in sorted(self.states)) or self.pattern or "nothing"

    def shown(self, seen: Sequence[JudgedObject]) -> bool:
        """Whether the judge sees all of it on an object that lies where the edit painted, or around it."""
        if not (self.pattern or self.states):
            return False
        return any((self.pattern in (None, o.pattern)) and self.states <= set(o.states) for o in self._here(seen))

    def new_shown(self, seen: Sequence[JudgedObject]) -> bool:
        """The same of what is new at its depth: a lit window counts, whatever became of the stripes around it."""
        if not self.states:
            return self.shown(seen)
        return any(self.states <= set(o.states) for o in self._here(seen))

    def read_as(self, seen: Sequence[JudgedObject]) -> str:
        """The pattern that the judge sees there."""
        return next((o.pattern or "?" for o in self._here(seen)), "no object")

    def _here(self, seen: Sequence[JudgedObject]) -> list[JudgedObject]:
        box = self.edit.box_xyxy
        return [o for o in seen if iou(o.box_xyxy, box) >= 0.3 or _holds(o.box_xyxy, box)]


def _holds(outer: Sequence[float], inner: Sequence[float]) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


class Study:
    """Runs the loop on held-out scenes.

    Args:
        folder: Pictures, and finished records.
        scenes: How many.
        seed: Of the scenes and of the drawing.
        settings: Of the loop, other than the preset's.
        resume: Take finished records from the folder.
    """

    def __init__(
        self,
        folder: Path,
        scenes: int,
        seed: int = HELD_OUT_SEED,
        settings: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.folder, self.store, self.seed = folder, ImageStore(folder), seed
        self.settings, self.resume = dict(settings or {}), resume
        self.judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
        rng = random.Random(seed)
        self.scenes: dict[str, Scene] = {f"s{n:03d}": sample_plain_scene(rng) for n in range(scenes)}
        self.records = [self._record(name, scene) for name, scene in self.scenes.items()]

    def _record(self, name: str, scene: Scene) -> Record:
        image = self.store.save(name, "scene", Image.fromarray(render_image(scene)))
        objects = ", ".join(item.phrase for item in scene.objects)
        prompt = f"{BACKGROUND_PHRASES[scene.background][0]} with {objects}"
        history = (HistoryEntry(stage="generate", round=0, image=image),)
        return Record(id=name, prompt=prompt, seed=self.seed, image=image, history=history)

    def run(self, records: Sequence[Record], **given: Any) -> list[Record]:
        """The records after `correct --mode context`."""
        context = StageContext(load_preset("toybox"), self.store, "cpu", "float32", seed=self.seed)
        config = context.config_for("correct", "context", {**self.settings, **given})
        method = resolve("correct", "context")(context, config)
        done = []
        for record in records:
            told = json.dumps([config.model_dump(mode="json"), record.model_dump(mode="json")], sort_keys=True)
            kept = self.folder / "finished" / f"{record.id}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
            if not (self.resume and kept.exists()):
                (made,) = method([record])
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(made.model_dump_json(), encoding="utf-8")
            done.append(Record.model_validate_json(kept.read_text(encoding="utf-8")))
        while context.when_saved:
            context.when_saved.pop()()
        return done

    def look(self, refs: Sequence[ImageRef]) -> list[list[JudgedObject]]:
        """What the judge sees."""
        return [picture.objects for picture in self.judge.look([self.store.load(ref) for ref in refs])]


def shuffled(record: Record) -> Record:
    """The same plan with the tags of each object given to the next, to see whether the context has an effect."""
    plan = record.edits or EditPlan()
    edits = [edit for edit in plan.edits if isinstance(edit, RepaintEdit)]
    tags = [edit.tags for edit in edits[1:]] + [edit.tags for edit in edits[:1]]
    mixed = tuple(edit.model_copy(update={"tags": other}) for edit, other in zip(edits, tags, strict=True))
    return record.grown(edits=plan.model_copy(update={"edits": mixed}))


def detail(study: Study) -> None:
    """Print how often the judge sees what was asked, before, after each depth, and with shuffled tags."""
    done = study.run(study.records, depths=2)
    before = study.look([record.history[0].image for record in done])
    last = study.look([record.image for record in done if record.image is not None])
    first = study.look([next((e.image for e in r.history if e.round == 1), r.history[0].image) for r in done])
    asked = [
        (row, Asked(edit, entry.round))
        for row, record in enumerate(done)
        for entry in record.history
        for edit in (entry.edits.edits if entry.edits is not None else ())
        if isinstance(edit, RepaintEdit)
    ]
    rows = [(f"depth {depth}", [(row, one) for row, one in asked if one.depth == depth]) for depth in (1, 2)]
    rows += [
        (word, [(row, one) for row, one in asked if one.detail == word])
        for word in sorted({a.detail for _, a in asked})
    ]
    print("| asked | n | before | after depth 1 | after depth 2 |\n| --- | --- | --- | --- | --- |")
    for name, mine in rows:
        if mine:
            cells = [share([one.new_shown(seen[row]) for row, one in mine]).strip() for seen in (before, first, last)]
            print(f"| {name} | {len(mine)} | " + " | ".join(cells) + " |")
    read = Counter((one.detail, one.read_as(first[row])) for row, one in asked if one.depth == 1)
    print("read as:", "; ".join(f"{a} as {b} {count}" for (a, b), count in sorted(read.items())))
    draw_sheet(study, done[:12], study.folder / "sheet.png")
    plans = study.run(study.records, depths=1, plan_only=True)
    several = [
        r for r in plans if r.edits and len({e.description for e in r.edits.edits if isinstance(e, RepaintEdit)}) > 1
    ]
    mixed = study.run([shuffled(record) for record in several], depths=1, accept=False)
    straight = study.run(several, depths=1, accept=False)
    for name, records in (("own tags", straight), ("shuffled tags", mixed)):
        seen = study.look([record.image for record in records if record.image is not None])
        verdicts = [
            Asked(edit, 1).shown(seen[row])
            for row, record in enumerate(several)
            for edit in (record.edits.edits if record.edits else ())
            if isinstance(edit, RepaintEdit)
        ]
        print(
            f"{name}, {len(verdicts)} objects, without the test: {share(verdicts).strip()}"
            if verdicts
            else f"{name}: none"
        )
    harm(study, done, before, last)


def draw_sheet(study: Study, records: Sequence[Record], path: Path, scale: int = 2) -> None:
    """Scene, picture after each depth, and what was asked of each, a row for each record."""
    side, gap, words = 128 * scale, 4, 420
    rows = []
    for record in records:
        refs = [entry.image for entry in record.history]
        lines = [
            f"{entry.round}: {edit.description} [{outcome.status}]"
            for entry in record.history
            if entry.edits is not None
            for edit in entry.edits.edits
            if isinstance(edit, RepaintEdit)
            for outcome in entry.outcomes or ()
            if outcome.target == edit.target
        ]
        rows.append((refs, "\n".join(lines)))
    columns = max(len(refs) for refs, _ in rows)
    canvas = Image.new("RGB", (columns * (side + gap) + words, len(rows) * (side + gap)), "white")
    pen = ImageDraw.Draw(canvas)
    for number, (refs, text) in enumerate(rows):
        for column, ref in enumerate(refs):
            picture = study.store.load(ref).resize((side, side), Image.Resampling.NEAREST)
            canvas.paste(picture, (column * (side + gap), number * (side + gap)))
        pen.multiline_text((columns * (side + gap) + gap, number * (side + gap) + gap), text, fill="black")
    canvas.save(path)


def ceiling(scenes: int, seed: int) -> None:
    """Print how often the judge reads details that the world itself drew, as drawn and after the autoencoder: nothing can do better."""
    from llmgen.diffusion.latents import decode_latents, encode_images
    from llmgen.diffusion.loading import ModelPool

    rng, drawn = random.Random(seed), list[Scene]()
    for _ in range(scenes):
        scene = sample_plain_scene(rng)
        objects = [
            replace(
                item,
                pattern=rng.choice(PATTERNS[1:]),
                states=tuple(
                    (part, rng.choice(PART_STATES[part])) for part in PARTS.get(item.noun, ()) if part in PART_STATES
                ),
            )
            for item in scene.objects
        ]
        drawn.append(replace(scene, objects=tuple(objects)))
    pictures = [Image.fromarray(render_image(scene)) for scene in drawn]
    vae = ModelPool(load_preset("toybox"), device="cpu", dtype="float32").stable_diffusion("text_to_image").vae
    judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
    print("| picture | " + " | ".join((*PATTERNS[1:], "yellow", "states")) + " |\n|" + " --- |" * 6)
    for name, shown in (
        ("as drawn", pictures),
        ("after the autoencoder", decode_latents(vae, encode_images(vae, pictures))),
    ):
        verdicts: dict[str, list[bool]] = {}
        for scene, seen in zip(drawn, judge.look(shown), strict=True):
            for item in scene.objects:
                found = next(
                    (o for o in seen.objects if iou(o.box_xyxy, item.box_xyxy) >= 0.5 and o.noun == item.noun), None
                )
                right = found is not None and found.pattern == item.pattern
                for group in (item.pattern, "yellow")[: 1 + (item.color == "yellow")]:
                    verdicts.setdefault(group, []).append(right)
                for state in item.states:
                    verdicts.setdefault("states", []).append(found is not None and state in found.states)
        cells = [share(verdicts.get(group, [])).strip() for group in (*PATTERNS[1:], "yellow", "states")]
        print(f"| {name} | " + " | ".join(cells) + " |")


def harm(
    study: Study,
    done: Sequence[Record],
    before: Sequence[Sequence[JudgedObject]],
    last: Sequence[Sequence[JudgedObject]],
) -> None:
    """Print objects lost, pixels changed outside the masks, and edits rolled back."""
    lost = [
        not any(o.noun == b.noun and iou(o.box_xyxy, b.box_xyxy) >= 0.5 for o in after)
        for seen, after in zip(before, last, strict=True)
        for b in seen
    ]
    outside = 0
    for record in done:
        if record.image is not None:
            pixels = [np.asarray(study.store.load(ref)) for ref in (record.history[0].image, record.image)]
            regions = [
                np.asarray(study.store.load(e.region).convert("L")) for e in record.history if e.region is not None
            ]
            outside += changed_outside(pixels[0], pixels[1], regions)
    outcomes = [o.status for record in done for entry in record.history for o in entry.outcomes or ()]
    painted = [status for status in outcomes if status != "skipped"]
    print(f"objects lost: {share(lost).strip()} of {len(lost)}; pixels changed outside the soft masks: {outside}")
    print(f"rolled back: {share([status == 'rolled_back' for status in painted]).strip()} of {len(painted)}")


def windows(study: Study) -> None:
    """Print detail and cost of windows and of whole pictures on the toybox, same masks and steps."""
    plans = study.run(study.records, depths=1, plan_only=True)
    print("| way | asked detail seen | Mpx steps | s/object |\n| --- | --- | --- | --- |")
    for name, given in (("whole pictures", {"crop_share": 0.0}), ("windows", {"crop_share": 0.6})):
        started = time.perf_counter()
        done = study.run(plans, depths=1, accept=False, **given)
        seconds = time.perf_counter() - started
        seen = study.look([record.image for record in done if record.image is not None])
        edits = [
            (n, e)
            for n, r in enumerate(plans)
            for e in (r.edits.edits if r.edits else ())
            if isinstance(e, RepaintEdit)
        ]
        outcomes = [o for r in done for e in r.history for o in e.outcomes or () if o.status == "painted"]
        pixels = sum((o.painted_width or 0) * (o.painted_height or 0) * (o.steps or 0) for o in outcomes)
        verdicts = share([Asked(edit, 1).shown(seen[row]) for row, edit in edits]).strip()
        print(f"| {name} | {verdicts} | {pixels / 1e6:.1f} | {seconds / max(1, len(outcomes)):.2f} |")


def painters(folder: Path, per_type: int) -> None:
    """Print SLD's loop on the frozen prompts by latents and by inpainting."""
    asked = prompts(per_type)
    context = StageContext(load_preset("toybox"), ImageStore(folder), "cpu", "float32", seed=HELD_OUT_SEED)
    judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
    drawn: list[Record] = [
        Record(id=n, prompt=p.text, seed=HELD_OUT_SEED + k) for k, (n, p) in enumerate(asked.items())
    ]
    for stage, method in (("layout", "lmd"), ("generate", "sd"), ("detect", "owlv2")):
        made = resolve(stage, method)(context, context.config_for(stage, method))
        drawn = [one for start in range(0, len(drawn), 8) for one in made(drawn[start : start + 8])]
    print("| painter | right | s/picture | U-Net calls | pixels touched |\n| --- | --- | --- | --- | --- |")
    for painter in ("latents", "inpaint"):
        config = context.config_for("correct", "self_correction", {"painter": painter, "rounds": 2})
        loop, started = resolve("correct", "self_correction")(context, config), time.perf_counter()
        done = [one for start in range(0, len(drawn), 8) for one in loop(drawn[start : start + 8])]
        seconds = time.perf_counter() - started
        seen = judge.look([context.images.load(r.image) for r in done if r.image is not None])
        verdicts = [picture.is_right(asked[r.id].truth) for picture, r in zip(seen, done, strict=True)]
        touched = [
            np.asarray(context.images.load(e.region).convert("L")) > 0 for r in done for e in r.history if e.region
        ]
        calls = getattr(loop._painter, "unet_calls", 0)
        pixels = np.mean([region.mean() for region in touched]) if touched else 0.0
        print(f"| {painter} | {share(verdicts).strip()} | {seconds / len(done):.2f} | {calls} | {pixels:.1%} |")


def setting(text: str) -> tuple[str, Any]:
    """`name=value` of a setting, the value as JSON or as it stands."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("count", "cost", "detail", "windows", "painters", "ceiling"))
    parser.add_argument("--scenes", type=int, default=120)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--set", action="append", default=[], type=setting, metavar="NAME=VALUE")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--per-type", type=int, default=50)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--size", choices=("sd15", "tiny"), default="sd15")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of cost on a CPU")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/context_loop"))
    args = parser.parse_args()
    if args.part == "count":
        count()
    elif args.part == "cost":
        cost(args.steps, args.size, args.dtype)
    elif args.part == "ceiling":
        ceiling(args.scenes, args.seed)
    elif args.part == "painters":
        painters(args.output, args.per_type)
    else:
        study = Study(args.output / args.part, args.scenes, args.seed, dict(args.set), args.resume)
        {"detail": detail, "windows": windows}[args.part](study)


if __name__ == "__main__":
    main()
