"""What ReCorD is worth on the toybox: who does what with what, in triples that no training has seen.

    python benchmarks/toybox_record.py                        # 200 held-out prompts, five candidates each
    python benchmarks/toybox_record.py --count 6 --samples 2  # a quick look
    python benchmarks/toybox_record.py --reference            # one way more: ReCorD as published, candidates too
    python benchmarks/toybox_record.py --without Q1 --without Q3   # one way more for each: ReCorD with that one as published
    python benchmarks/toybox_record.py --by-pose              # one way more: candidates chosen by their pose alone, as ReCorD asks
    python benchmarks/toybox_record.py --pose outputs/pose-2  # also the pose kept, by a pose model from another seed
    python benchmarks/toybox_record.py --tuning --count 24    # triples that training has seen: what settings are tuned on
    python benchmarks/toybox_record.py --picture ways.png     # also one prompt of each verb by all ways

Three ways, from the same seeds: the text alone; candidates, of which the critic chooses one by what is seen in it and by its pose; ReCorD,
which draws the chosen one again with its object where the verb wants it. The judge, which no stage uses, says of each picture whether
somebody of the right class and colour is in the verb's pose, whether the object is there, whether it lies where the verb wants it, and
whether the whole picture is right. McNemar's exact test compares ReCorD with each of the others. The prompts come of the triples in the
world's `held_out.json`, drawn from a fixed seed.

Eight prompts are drawn by all ways, then the next eight. What is finished is kept in --output: a run that was stopped goes on where it
was, and a larger --count goes on from a smaller one.

The pose counts as kept by the distance of joints from candidate to corrected picture, against that of two candidates, in units of the
figure's spread, where the object's box was moved by more than half (IoU below 0.5). It needs a pose model that no stage uses: one that
`llmgen train toybox pose --seed 2` left in the folder of --pose.
"""

import argparse
import random
import statistics
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

# The script's own folder is on the path when it is run.
from toybox_frozen import HELD_OUT_SEED, share

from llmgen.artifacts import AddEdit, ImageRef, MoveEdit, Record
from llmgen.artifacts.hashing import digest
from llmgen.artifacts.statistics import mcnemar
from llmgen.engine.context import StageContext
from llmgen.engine.journal import Journal
from llmgen.engine.local import run_stage
from llmgen.llm.planning.interactions import pose_difference
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.world.captions import Prompt, sample_prompt
from llmgen.toybox.world.truth import ActionVerdict, judge_action
from llmgen.vision.boxes import iou
from llmgen.vision.images import ImageStore

PARTS = ("verb_right", "object_right", "placed_right", "all_right")
QUIRKS = {"Q1": "crossed_phase", "Q2": "half_maps", "Q3": "row_softmax", "Q4": "odd_steps"}
"""As published, one by one; Q5 is SDXL's alone."""
PUBLISHED: dict[str, Any] = {
    "profile": "reference", "self_replace": 0.2, "cross_replace": 1.0, "altered_steps": 6, "energy_scale": 15.0,
}  # fmt: skip
"""Of Stable Diffusion's version, its shares for the toybox's twenty steps; the toybox preset has others."""
TUNING_SEED = 20_261_128
PART = 8
"""Prompts that are drawn by all ways before the next ones are begun."""

Steps = tuple[tuple[str, str, dict[str, Any]], ...]
"""Stage, method and settings, one after the other."""


def some_prompts(count: int, *, held_out: bool) -> dict[str, Prompt]:
    """Prompts about one interaction each, by record id."""
    rng = random.Random(HELD_OUT_SEED if held_out else TUNING_SEED)
    found: dict[str, Prompt] = {}
    while len(found) < count:
        prompt = sample_prompt(rng, "interaction", held_out=held_out)
        if len(prompt.truth.acts) == 1:
            found[f"{'interaction' if held_out else 'tuning'}-{len(found)}"] = prompt
    return found


def ways_of(args: argparse.Namespace) -> dict[str, Steps]:
    """The ways that are compared, by the names of the table."""
    given = dict(entry.split("=", 1) for entry in args.set)
    if args.profile != "llmgen":
        given["profile"] = args.profile
    layout: tuple[str, str, dict[str, Any]] = ("layout", "interaction", {})

    def with_record(settings: dict[str, Any]) -> Steps:
        candidates = ("generate", "record", {**settings, "samples": args.samples})
        plan = ("correct", "interaction", {**settings, "plan_only": True})
        return (layout, candidates, plan, ("correct", "interaction", settings))

    ours = with_record(given)
    ways: dict[str, Steps] = {
        "text alone": (layout, ("generate", "sd", {"profile": "ddim"})),
        "candidates": ours[:-1],
        "ReCorD": ours,
    }
    if args.by_pose:
        ways["candidates, by pose"] = (*ours[:-2], ("correct", "interaction", {**ours[-2][2], "choose_by": "pose"}))
    if args.reference:
        ways["ReCorD as published"] = with_record(PUBLISHED)
    return ways | {f"{name} as published": with_record({**given, QUIRKS[name]: True}) for name in args.without}


class Study:
    """Prompts, the stages that draw them and the judge. Each stage of each way is journalled."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.asked = some_prompts(args.count, held_out=not args.tuning)
        self.store, self.journals = ImageStore(args.output), args.output / ".journals"
        self.context = StageContext(
            load_preset("toybox"), self.store, "cpu", "float32", seed=args.seed, batch_size=args.batch_size
        )
        self.judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")
        self.verdicts: dict[str, dict[str, ActionVerdict]] = {}
        """By way and record id; a record that failed is wrong in all."""

    def parts(self) -> Iterator[list[Record]]:
        """Records of the prompts, a few at a time."""
        records = [Record(id=name, prompt=p.text, type=p.type) for name, p in self.asked.items()]
        for start in range(0, len(records), PART):
            yield records[start : start + PART]

    def draw(self, way: str, steps: Steps, records: list[Record]) -> list[Record]:
        """The records after a way's steps, judged; failures are said."""
        for number, (stage, method, given) in enumerate(steps, start=1):
            name = f"{stage}-{method}-{digest([self.context.seed, list(steps[:number])])[:12]}"
            records = run_stage(
                records,
                method_class=resolve(stage, method),
                config=self.context.config_for(stage, method, given),
                given=given,
                context=self.context,
                journal=Journal(self.journals / f"{name}.jsonl"),
            ).records
        for record in records:
            if record.error is not None:
                print(f"{way}: {record.id} failed: {record.error.message}", file=sys.stderr)
        shown = [record for record in records if record.error is None and record.image is not None]
        seen = self.judge.look([self.store.load(record.image) for record in shown if record.image is not None])
        said = {
            record.id: judge_action(
                self.asked[record.id].truth, [item.sighting for item in picture.objects], picture.background
            )
            for record, picture in zip(shown, seen, strict=True)
        }
        wrong = ActionVerdict(False, False, False, False)
        self.verdicts.setdefault(way, {}).update({record.id: said.get(record.id, wrong) for record in records})
        return records


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="prompts")
    parser.add_argument("--samples", type=int, default=5, help="candidates of each")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="of the run; the prompts are fixed")
    parser.add_argument("--tuning", action="store_true", help="prompts of triples that training has seen")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--profile", choices=("llmgen", "reference"), default="llmgen")
    parser.add_argument("--by-pose", action="store_true", help="also candidates chosen by their pose alone")
    parser.add_argument("--reference", action="store_true", help="also ReCorD as published")
    parser.add_argument("--without", action="append", choices=tuple(QUIRKS), default=[], help="leave it as published")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of both runs")
    parser.add_argument("--pose", type=Path, help="folder of a pose model that no stage uses")
    parser.add_argument("--picture", type=Path, help="also draw one prompt of each verb by all ways")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_record"))
    args = parser.parse_args()
    study, ways = Study(args), ways_of(args)
    drawn: dict[str, list[Record]] = {way: [] for way in ways}
    for records in study.parts():
        for way, steps in ways.items():
            drawn[way] += study.draw(way, steps, records)
        right = ", ".join(f"{way} {sum(v.all_right for v in study.verdicts[way].values())}" for way in ways)
        print(f"all right of {len(drawn['ReCorD'])}: {right}", file=sys.stderr, flush=True)
    print_table(study, ways)
    print_moved(study, drawn["candidates"], drawn["ReCorD"], args.pose)
    if args.picture:
        comparison(study, drawn).save(args.picture)


def print_table(study: Study, ways: Mapping[str, Steps]) -> None:
    """Shares by part, and McNemar's p against ReCorD."""
    print("| way | verb's pose | object | place | all | p, all |\n| --- | --- | --- | --- | --- | --- |")
    best = [verdict.all_right for verdict in study.verdicts["ReCorD"].values()]
    for way in ways:
        verdicts = list(study.verdicts[way].values())
        cells = [share([getattr(verdict, part) for verdict in verdicts]).strip() for part in PARTS]
        mine = [verdict.all_right for verdict in verdicts]
        p = "" if way == "ReCorD" else f"{mcnemar(zip(mine, best, strict=True))['p_value']:.2g}"
        print(f"| {way} | {' | '.join(cells)} | {p} |")


def comparison(study: Study, drawn: Mapping[str, list[Record]]) -> Image.Image:
    """A column for each verb, its first prompt whose object was to be moved; a row for each way; green is right, red is wrong.

    Boxes: black is where the object was found, white where the plan wants it.
    """
    first: dict[str, int] = {}
    for place, record in enumerate(drawn["ReCorD"]):
        if record.error is None and was_moved(record):
            first.setdefault(study.asked[record.id].truth.acts[0].verb, place)
    side, gap, words, head, scale = 192, 10, 110, 64, 1.5
    font = ImageFont.load_default(14)
    size = (words + len(first) * (side + gap) + gap, head + len(drawn) * (side + gap) + gap)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, place in enumerate(first.values()):
        x = words + gap + column * (side + gap)
        text = study.asked[drawn["ReCorD"][place].id].text
        draw.multiline_text((x, 4), textwrap.fill(text, 26), fill="black", font=font)
        for row, (way, records) in enumerate(drawn.items()):
            y, record = head + gap + row * (side + gap), records[place]
            draw.multiline_text((gap, y), textwrap.fill(way, 13), fill="black", font=font)
            if record.image is None:
                continue
            sheet.paste(study.store.load(record.image).resize((side, side), Image.Resampling.LANCZOS), (x, y))
            if way == "candidates" and record.edits is not None:
                (edit,) = record.edits.edits
                boxes = [("white", edit.box_xyxy)]
                boxes += [("black", edit.from_box_xyxy)] if isinstance(edit, MoveEdit) else []
                for color, box in boxes:
                    x0, y0, x1, y1 = (scale * corner for corner in box)
                    draw.rectangle((x + x0, y + y0, x + x1, y + y1), outline=color, width=2)
            color = "#2a9d4a" if study.verdicts[way][record.id].all_right else "#c8442e"
            draw.rectangle((x - 4, y - 4, x + side + 3, y + side + 3), outline=color, width=4)
    return sheet


def print_moved(study: Study, chosen: Sequence[Record], corrected: Sequence[Record], pose: Path | None) -> None:
    """How often the object was moved, whether the energy fell, and whether the pose was kept."""
    pairs = [(a, b) for a, b in zip(chosen, corrected, strict=True) if a.error is None and b.error is None]
    moved = [(a, b) for a, b in pairs if was_moved(b)]
    last = [b.history[-1] for _, b in pairs]
    dropped = sum(not entry.kept for entry in last)
    print(
        f"object moved: {len(moved)} of {len(pairs)}; left as it was: {sum(bool(e.satisfied) for e in last)}; dropped: {dropped}"
    )
    fell = [entry.energies[-1] < entry.energies[0] for entry in last if len(entry.energies) > 1]
    if fell:
        print(f"energy lower at the last step than at the first: {share(fell)}")
    if pose is None:
        print("pose kept: not measured; --pose names a model that no stage uses")
        return
    kept, between = [], []
    for before, after in moved:
        others = [s for s in before.samples if not s.chosen]
        if before.image is None or not others:
            continue
        # What was drawn counts, also where the candidate was kept in its stead.
        distance = figure_distance(study, pose, before.id, before.image, after.history[-1].image)
        other = figure_distance(study, pose, before.id, before.image, others[0].image)
        if distance is not None and other is not None:
            kept.append(distance)
            between.append(other)
    if kept:
        print(
            f"pose kept, {len(kept)} pictures: joints apart {statistics.fmean(kept):.3f} from candidate to corrected, "
            f"{statistics.fmean(between):.3f} between two seeds"
        )


def was_moved(record: Record) -> bool:
    """Whether the object was to go elsewhere."""
    edit = record.edits.edits[0] if record.edits is not None and record.edits.edits else None
    return isinstance(edit, AddEdit) or (isinstance(edit, MoveEdit) and iou(edit.from_box_xyxy, edit.box_xyxy) < 0.5)


def figure_distance(study: Study, pose: Path, name: str, one: ImageRef, other: ImageRef) -> float | None:
    """How far the figures of two pictures of a prompt are apart, in units of their spread; None where one has none."""
    joints = [figure_joints(study, pose, name, ref) for ref in (one, other)]
    return pose_difference(*joints) if all(joints) else None


_LOADED: dict[Path, Any] = {}


def figure_joints(study: Study, pose: Path, name: str, ref: ImageRef) -> dict[str, tuple[float, float]]:
    """Joints of the surest figure of the asked class, where the judge sees it."""
    if pose not in _LOADED:
        from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

        from llmgen.diffusion.pose_estimation import VitPoseEstimator

        model = VitPoseForPoseEstimation.from_pretrained(pose)
        _LOADED[pose] = VitPoseEstimator(model, VitPoseImageProcessor.from_pretrained(WEIGHTS / "pose"))
    image = study.store.load(ref)
    truth = study.asked[name].truth
    actor = truth.demands[truth.acts[0].first]
    seen = [item for item in study.judge.look([image])[0].objects if item.noun == actor.noun]
    if not seen:
        return {}
    estimator = _LOADED[pose]
    ((found,),) = estimator.estimate_poses([image], [[max(seen, key=lambda item: item.score).box_xyxy]])
    return {name: (float(x), float(y)) for name, (x, y) in zip(estimator.joints, found.points_xy, strict=True)}


if __name__ == "__main__":
    main()
