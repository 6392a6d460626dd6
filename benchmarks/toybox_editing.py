"""Image editing on the toybox: how many instructions come out right, by the judge.

    python benchmarks/toybox_editing.py                  # 120 pictures, 20 of each kind
    python benchmarks/toybox_editing.py --per-kind 2     # a quick look
    python benchmarks/toybox_editing.py --picture edits.png

Pictures are drawn scenes with three objects; the method gets the picture, a description and an instruction, nothing else. An edit is
right when the judge, which no stage uses, finds exactly the objects that should be there, no more, and the place or size that was asked.
"""

import argparse
import random
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from llmgen.artifacts import Record
from llmgen.artifacts.io import write_artifact
from llmgen.artifacts.statistics import wilson
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox.models.judge import JudgedObject, ToyboxJudge
from llmgen.toybox.world.scenes import Kind, Scene, SceneObject, place, render_image
from llmgen.toybox.world.vocabulary import BACKGROUND_PHRASES, BACKGROUNDS, COLORS, NOUNS, object_phrase
from llmgen.vision.images import ImageStore

HELD_OUT_SEED = 20_261_121
KINDS = ("recolor", "remove", "swap", "move and enlarge", "move beside", "add")
Seen = Sequence[JudgedObject]


@dataclass(frozen=True)
class Task:
    """An instruction about a scene, and how to tell whether it was carried out."""

    kind: str
    scene: Scene
    instruction: str
    expected: tuple[Kind, ...]
    holds: Callable[[Seen], bool] = lambda seen: True

    def right(self, seen: Seen) -> bool:
        """Whether exactly the expected objects are there and the rest of what was asked holds."""
        return Counter((s.noun, s.color) for s in seen) == Counter(self.expected) and self.holds(seen)


def make_task(kind: str, rng: random.Random) -> Task:
    """Draw a task."""
    nouns, colors = rng.sample(NOUNS, 3), rng.choices(tuple(COLORS), k=3)
    if kind == "remove":
        nouns[1] = nouns[0]
    kinds: list[Kind] = list(zip(nouns, colors, strict=True))
    scene = place(kinds, rng.choice(BACKGROUNDS), rng)
    a, b = scene.objects[:2]
    match kind:
        case "recolor":
            new = rng.choice([c for c in COLORS if c != a.color])
            return Task(kind, scene, f"make the {a.color} {a.noun} {new}", ((a.noun, new), *kinds[1:]))
        case "remove":
            side = rng.choice(("left", "right"))
            gone = min((a, b), key=lambda o: o.center[0] if side == "left" else -o.center[0])
            stays = b if gone is a else a
            said = f"remove the {side} {a.noun}"
            return Task(kind, scene, said, ((stays.noun, stays.color), kinds[2]), lambda s: near(s, stays))
        case "swap":
            said = f"swap the {a.noun} and the {b.noun}"
            return Task(kind, scene, said, tuple(kinds), lambda s: near(s, a, b.center) and near(s, b, a.center))
        case "move and enlarge":
            up = a.center[1] > 64
            while not roomy(scene, up):
                scene = place(kinds, rng.choice(BACKGROUNDS), rng)
                a, up = scene.objects[0], scene.objects[0].center[1] > 64
            said = f"move the {a.noun} {'up' if up else 'down'} and make it larger"

            def larger(seen: Seen) -> bool:
                now = find(seen, a)
                shift = (now.box_xyxy[1] + now.box_xyxy[3]) / 2 - a.center[1]
                return (shift < -8 if up else shift > 8) and area(now.box_xyxy) > 1.2 * area(a.box_xyxy)

            return Task(kind, scene, said, tuple(kinds), larger)
        case "move beside":
            side = "left" if b.center[0] > 64 else "right"
            said = f"move the {a.noun} to the {side} of the {b.noun}"
            sign = -1 if side == "left" else 1

            def beside(seen: Seen) -> bool:
                first, second = find(seen, a).box_xyxy, find(seen, b).box_xyxy
                return ((first[0] + first[2]) - (second[0] + second[2])) * sign > 0 and near(seen, b)

            return Task(kind, scene, said, tuple(kinds), beside)
        case _:
            new_kind = (rng.choice([n for n in NOUNS if n not in nouns]), rng.choice(tuple(COLORS)))
            above = b.center[1] > 64
            said = f"add {object_phrase(*new_kind)} {'above' if above else 'below'} the {b.noun}"

            def added(seen: Seen) -> bool:
                new = next(s for s in seen if (s.noun, s.color) == new_kind).box_xyxy
                offset = (new[1] + new[3]) / 2 - b.center[1]
                return offset < 0 if above else offset > 0

            return Task(kind, scene, said, (*kinds, new_kind), added)


def roomy(scene: Scene, up: bool) -> bool:
    """Whether the first object can go a fifth of the picture up or down and grow by a third without touching another."""
    x0, y0, x1, y1 = scene.objects[0].box_xyxy
    dx, dy, shift = 0.15 * (x1 - x0), 0.15 * (y1 - y0), -26 if up else 26
    box = (x0 - dx, y0 - dy + shift, x1 + dx, y1 + dy + shift)
    if min(box) < 0 or max(box) > 128:
        return False
    return all(
        box[0] > o.box_xyxy[2] or box[2] < o.box_xyxy[0] or box[1] > o.box_xyxy[3] or box[3] < o.box_xyxy[1]
        for o in scene.objects[1:]
    )


def find(seen: Seen, thing: SceneObject) -> JudgedObject:
    """What was seen of an object's noun and colour."""
    return next(s for s in seen if (s.noun, s.color) == (thing.noun, thing.color))


def near(seen: Seen, thing: SceneObject, spot: tuple[float, float] | None = None) -> bool:
    """Whether an object lies within a tenth of the picture of a spot, its own by default."""
    x, y = spot or thing.center
    return any(
        abs((s.box_xyxy[0] + s.box_xyxy[2]) / 2 - x) < 13 and abs((s.box_xyxy[1] + s.box_xyxy[3]) / 2 - y) < 13
        for s in seen
        if (s.noun, s.color) == (thing.noun, thing.color)
    )


def area(box: Sequence[float]) -> float:
    """Area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def sheet(store: ImageStore, tasks: dict[str, Task], records: Sequence[Record], right: dict[str, bool]) -> Image.Image:
    """The first two tasks of each kind: above the picture that was given, below the edited one."""
    side, gap, head = 192, 10, 44
    font = ImageFont.load_default(13)
    chosen = [r for kind in KINDS for r in [r for r in records if tasks[r.id].kind == kind and r.history][:2]]
    page = Image.new("RGB", (len(chosen) * (side + gap) + gap, head + 2 * (side + gap)), "white")
    draw = ImageDraw.Draw(page)
    for column, record in enumerate(chosen):
        x = gap + column * (side + gap)
        draw.multiline_text((x, 6), textwrap.fill(tasks[record.id].instruction, 30), fill="black", font=font)
        for row, ref in enumerate((record.history[0].image, record.history[-1].image)):
            y = head + row * (side + gap)
            page.paste(store.load(ref).resize((side, side), Image.Resampling.LANCZOS), (x, y))
        color = "#2a9d4a" if right[record.id] else "#c8442e"
        draw.rectangle((x - 3, y - 3, x + side + 2, y + side + 2), outline=color, width=3)
    return page


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-kind", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_editing"))
    parser.add_argument("--picture", type=Path, help="also draw the first two edits of each kind")
    args = parser.parse_args()

    store = ImageStore(args.output)
    context = StageContext(
        load_preset("toybox"), store, args.device, "float32", seed=args.seed, batch_size=args.batch_size
    )
    tasks: dict[str, Task] = {}
    records = []
    for kind in KINDS:
        rng = random.Random(f"{args.seed}-{kind}")
        for number in range(args.per_kind):
            name = f"{kind.replace(' ', '-')}-{number:03d}"
            tasks[name] = task = make_task(kind, rng)
            image = store.save(name, "source", Image.fromarray(render_image(task.scene)))
            said = ", ".join(object_phrase(o.noun, o.color) for o in task.scene.objects)
            prompt = f"{BACKGROUND_PHRASES[task.scene.background][0]} with {said}"
            records.append(
                Record(id=name, prompt=prompt, instruction=task.instruction, type=kind, source_image=image.path)
            )
    given = {"rounds": args.rounds}
    config = context.config_for("correct", "image_editing", given)
    result = run_stage(
        records, method_class=resolve("correct", "image_editing"), config=config, given=given, context=context
    )
    write_artifact(args.output / "correct.json", result.makes, result.records)
    judge = context.models.phrase_detector("judge")
    assert isinstance(judge, ToyboxJudge)
    right = {
        r.id: r.image is not None and tasks[r.id].right(judge.detect([store.load(r.image)])[0]) for r in result.records
    }
    for record in result.failed:
        print(f"{record.id}: {record.error.message if record.error else ''}", file=sys.stderr)
    for kind in (*KINDS, "all"):
        mine = [ok for name, ok in right.items() if kind in ("all", tasks[name].kind)]
        low, high = wilson(sum(mine), len(mine))
        print(f"{kind:18s} {len(mine):3d}  {100 * sum(mine) / len(mine):5.1f} [{100 * low:4.1f}, {100 * high:5.1f}]")
    print(f"failed {len(result.failed)}, {result.seconds / len(records):.2f} s per picture, loading included")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {args.seed}, {args.device}")
    if args.picture:
        sheet(store, tasks, result.records, right).save(args.picture)


if __name__ == "__main__":
    main()
