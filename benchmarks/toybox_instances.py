"""What each format of InstanceDiffusion is worth on the toybox: boxes, points, scribbles and masks, each alone, against no grounding.

    python benchmarks/toybox_instances.py                  # 200 held-out scenes
    python benchmarks/toybox_instances.py --per-type 3     # a quick look
    python benchmarks/toybox_instances.py --picture .github/instancediffusion.png

Every way draws the same prompts from the same noise with the same model; the control is told no instance. A scene's own objects say where
the boxes, points, scribbles and masks are. `right` and `placed` are the judge's, which no stage uses ("v1" is the judge of the eight
nouns, see `toybox_frozen.py`): exactly what the prompt demands; and the share of objects of the right class and colour whose centre is
within 8 px of where it should be. PiM and AP come from `llmgen detect` with masks and `llmgen evaluate pim` and `coco`; AP and AR compare
detections with the scene's boxes.
"""

import argparse
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

# The script's own folder is on the path when it is run.
from toybox_frozen import HELD_OUT_SEED, load_judges, prompts, share
from toybox_sld import right

from llmgen.artifacts import Instance, Layout, Record
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.evaluate.summary import summarize
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox.recipes.instance_batches import draw_scribble
from llmgen.toybox.recipes.instance_progress import found_in_place
from llmgen.toybox.world.scenes import SIZE, Scene, render
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import encode_mask

WAYS: dict[str, tuple[str, ...]] = {
    "no grounding": (),
    "box": ("box",),
    "box, MIS 0.36": ("box",),
    "box, PLMS": ("box",),
    "point": ("point",),
    "scribble": ("scribble",),
    "mask": ("mask",),
    "all": ("box", "point", "scribble", "mask"),
}
SETTINGS: dict[str, dict[str, Any]] = {
    # Grounding that is never switched on is no grounding, with everything else the same.
    "no grounding": {"alpha": 0.0},
    "box, MIS 0.36": {"use": ("box",), "mis": 0.36},
    "box, PLMS": {"use": ("box",), "sampler": "plms"},
}
PICTURES = 4


def layout_of_scene(scene: Scene, seed: int) -> Layout:
    """A scene as a layout whose instances have a box, a point, a scribble and a mask each."""
    rng = random.Random(seed)
    instances = []
    for i, (item, mask) in enumerate(zip(scene.objects, render(scene).masks, strict=True)):
        x0, y0, x1, y1 = map(float, item.box_xyxy)
        scribble = draw_scribble(item, rng, 20).clip(0, SIZE - 1)
        instances.append(
            Instance(
                id=f"{item.noun}-{i + 1}",
                phrase=item.phrase,
                noun=item.noun,
                attributes=(item.color,),
                box_xyxy=(x0, y0, x1, y1),
                point_xy=item.center,
                scribble_xy=tuple((float(x), float(y)) for x, y in scribble),
                mask=encode_mask(mask),
            )
        )
    return Layout(width=SIZE, height=SIZE, background_prompt=scene.background, instances=tuple(instances))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-type", type=int, default=50)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="of the run; the prompts are fixed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_instances"))
    parser.add_argument("--picture", type=Path, help="PNG: a few scenes, what each way was told, what it drew")
    args = parser.parse_args()

    asked = prompts(args.per_type)
    scenes = [p.scene for p in asked.values()]
    store = ImageStore(args.output)
    context = StageContext(load_preset("toybox"), store, "cpu", "float32", seed=args.seed, batch_size=args.batch_size)
    judges = load_judges()

    def run(records: list[Record], stage: str, method: str, given: dict[str, Any]) -> tuple[list[Record], float]:
        config = context.config_for(stage, method, given)
        done = run_stage(records, method_class=resolve(stage, method), config=config, given=given, context=context)
        return done.records, done.seconds

    planned = [
        Record(id=name, prompt=p.text, type=p.type, layout=layout_of_scene(p.scene, args.seed + i))
        for i, (name, p) in enumerate(asked.items())
    ]
    heads = (
        "right",
        "right by v1",
        "placed",
        "placed by v1",
        "PiM point",
        "PiM scribble",
        "AP",
        "AP50",
        "AR",
        "s/image",
    )
    print(f"{'way':14s} {heads[0]:>19s} {heads[1]:>19s} " + " ".join(f"{h:>12s}" for h in heads[2:]))
    shown: dict[str, list[np.ndarray]] = {}
    for way, use in WAYS.items():
        drawn, seconds = run(planned, "generate", "instancediffusion", SETTINGS.get(way, {"use": use}))
        verdicts = [right(judge, store, asked, drawn, first=False) for judge in judges.values()]
        images = [np.asarray(store.load(r.image)) for r in drawn if r.image is not None]
        shown[way] = images[:: max(1, len(images) // PICTURES)][:PICTURES]
        found, _ = run(drawn, "detect", "owlv2", {"masks": True})
        scored, _ = run(found, "evaluate", "pim", {})
        scored, _ = run(scored, "evaluate", "coco", {})
        if failed := [record.error for record in scored if record.error is not None]:
            print(f"{way}: {len(failed)} records failed, the first: {failed[0].message}", file=sys.stderr)
        pim = {
            form: statistics.fmean(
                s.value
                for r in scored
                for s in r.scores or ()
                if s.metric == f"pim.{form}.strict" and s.of != "initial"
            )
            for form in ("point", "scribble")
        }
        overall = summarize(scored, "coco")["overall"]
        placed = [found_in_place(scenes, images, judge) for judge in judges.values()]
        figures = (*placed, *pim.values(), overall["ap"], overall["ap50"], overall["ar"])
        cells = " ".join(f"{100 * x:12.1f}" for x in figures)
        verdict_cells = " ".join(f"{share(list(mine.values())):>19s}" for mine in verdicts)
        print(f"{way:14s} {verdict_cells} {cells} {seconds / len(asked):12.2f}", flush=True)
    if args.picture is not None:
        step = max(1, len(scenes) // PICTURES)
        draw_picture([r.layout for r in planned[::step]][:PICTURES], shown, args.picture)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, n = {len(asked)}", file=sys.stderr)


def draw_picture(layouts: Sequence[Layout | None], shown: dict[str, list[np.ndarray]], path: Path) -> None:
    """A row a scene; for each way what it was told, drawn in outline, and beside it what it drew."""
    gap, head = 6, 16
    ways = [way for way in WAYS if "," not in way]
    width = gap + len(ways) * (2 * SIZE + 2 + 2 * gap) - SIZE - 2
    sheet = Image.new("RGB", (width, head + len(layouts) * (SIZE + gap)), "white")
    pen = ImageDraw.Draw(sheet)
    x = gap
    for way in ways:
        pen.text((x, 2), way, fill=(60, 60, 70))
        for row, layout in enumerate(layouts):
            y, at = head + row * (SIZE + gap), x
            if WAYS[way] and layout is not None:
                sheet.paste(draw_layout(layout, WAYS[way]), (at, y))
                at += SIZE + 2
            sheet.paste(Image.fromarray(shown[way][row]), (at, y))
        x += (2 * SIZE + 2 if WAYS[way] else SIZE) + 2 * gap
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def draw_layout(layout: Layout, use: Sequence[str]) -> Image.Image:
    """What a way is told, in the colours of the objects."""
    from llmgen.toybox.world.vocabulary import COLORS
    from llmgen.vision.masks import decode_mask

    image = Image.new("RGB", (layout.width, layout.height), (238, 238, 242))
    pen = ImageDraw.Draw(image)
    for item in layout.instances:
        color = tuple(COLORS[item.attributes[0]])
        if "mask" in use and item.mask is not None:
            image.paste(color, (0, 0), Image.fromarray(decode_mask(item.mask).astype(np.uint8) * 160))
        if "scribble" in use and item.scribble_xy:
            for x, y in item.scribble_xy:
                pen.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=color)
        if "box" in use:
            pen.rectangle(item.box_xyxy, outline=color, width=2)
        if "point" in use and item.point_xy:
            x, y = item.point_xy
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color, outline=(40, 40, 50))
    return image


if __name__ == "__main__":
    main()
