"""What ReCorD is worth on the toybox: who does what with what, in triples that no training has seen.

    python benchmarks/toybox_record.py                        # 200 held-out prompts, five candidates each
    python benchmarks/toybox_record.py --count 6 --samples 2  # a quick look
    python benchmarks/toybox_record.py --without Q1 --without Q3   # one way more for each: ReCorD with that one as published
    python benchmarks/toybox_record.py --pose outputs/pose-2  # also the pose kept, by a pose model from another seed

Three ways, from the same seeds: the text alone; candidates, of which the critic chooses one by its pose; ReCorD, which draws the chosen
one again with its object where the verb wants it. The judge, which no stage uses, says of each picture whether somebody of the right class
and colour is in the verb's pose, whether the object is there, whether it lies where the verb wants it, and whether the whole picture is
right. McNemar's exact test compares ReCorD with each of the others. The prompts come of the triples in the world's `held_out.json`, drawn
from a fixed seed.

The pose counts as kept by the distance of joints from candidate to corrected picture, against that of two candidates, in units of the
figure's spread, where the object's box was moved by more than half (IoU below 0.5). It needs a pose model that no stage uses: one that
`llmgen train toybox pose --seed 2` left in the folder of --pose.
"""

import argparse
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The script's own folder is on the path when it is run.
from toybox_frozen import HELD_OUT_SEED, share

from llmgen.artifacts import AddEdit, MoveEdit, Record
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.evaluate.summary import mcnemar
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


def held_out_prompts(count: int) -> dict[str, Prompt]:
    """Prompts about one interaction each, by record id."""
    rng = random.Random(HELD_OUT_SEED)
    found: dict[str, Prompt] = {}
    while len(found) < count:
        prompt = sample_prompt(rng, "interaction", held_out=True)
        if len(prompt.truth.acts) == 1:
            found[f"interaction-{len(found)}"] = prompt
    return found


class Study:
    """Prompts, the stages that draw them and the judge."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.asked = held_out_prompts(args.count)
        self.store = ImageStore(args.output)
        self.context = StageContext(
            load_preset("toybox"), self.store, "cpu", "float32", seed=args.seed, batch_size=args.batch_size
        )
        self.judge = ToyboxJudge.from_pretrained(WEIGHTS / "judge")

    def run(self, records: Sequence[Record], stage: str, method: str, **given: Any) -> list[Record]:
        """Records after a stage; failures are said."""
        config = self.context.config_for(stage, method, given)
        done = run_stage(
            list(records), method_class=resolve(stage, method), config=config, given=given, context=self.context
        )
        failed = [record.error for record in done.records if record.error is not None]
        if failed:
            print(f"{stage} {method}: {len(failed)} records failed, the first: {failed[0].message}", file=sys.stderr)
        return done.records

    def verdicts(self, records: Sequence[Record]) -> list[ActionVerdict]:
        """What the judge says of each record's picture; a record that failed is wrong in all."""
        shown = [record for record in records if record.error is None and record.image is not None]
        seen = self.judge.look([self.store.load(record.image) for record in shown if record.image is not None])
        said = {
            record.id: judge_action(
                self.asked[record.id].truth, [item.sighting for item in picture.objects], picture.background
            )
            for record, picture in zip(shown, seen, strict=True)
        }
        return [said.get(record.id, ActionVerdict(False, False, False, False)) for record in records]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="prompts")
    parser.add_argument("--samples", type=int, default=5, help="candidates of each")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="of the run; the prompts are fixed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--profile", choices=("llmgen", "reference"), default="llmgen")
    parser.add_argument("--without", action="append", choices=tuple(QUIRKS), default=[], help="leave it as published")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of both runs")
    parser.add_argument("--pose", type=Path, help="folder of a pose model that no stage uses")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_record"))
    args = parser.parse_args()
    study = Study(args)
    given = {"profile": args.profile, **dict(entry.split("=", 1) for entry in args.set)}
    planned = study.run(
        [Record(id=name, prompt=p.text, type=p.type) for name, p in study.asked.items()], "layout", "interaction"
    )
    ways: dict[str, list[Record]] = {"text alone": study.run(planned, "generate", "sd")}
    ways |= recorded(study, planned, given, args.samples)
    for name in args.without:
        changed = {**given, QUIRKS[name]: True}
        ways[f"ReCorD, {name} as published"] = recorded(study, planned, changed, args.samples)["ReCorD"]
    print_table(study, ways)
    print_moved(study, ways["candidates"], ways["ReCorD"], args.pose)


def recorded(study: Study, planned: Sequence[Record], given: dict[str, Any], samples: int) -> dict[str, list[Record]]:
    """The chosen candidates, and what they are corrected to."""
    candidates = study.run(planned, "generate", "record", samples=samples, **given)
    chosen = study.run(candidates, "correct", "interaction", plan_only=True, **given)
    return {"candidates": chosen, "ReCorD": study.run(chosen, "correct", "interaction", **given)}


def print_table(study: Study, ways: dict[str, list[Record]]) -> None:
    """Shares by part, and McNemar's p against ReCorD."""
    said = {way: study.verdicts(records) for way, records in ways.items()}
    heads = ("verb's pose", "object", "place", "all", "p, all")
    print(f"{'way':26s} " + " ".join(f"{head:>19s}" for head in heads))
    best = [verdict.all_right for verdict in said["ReCorD"]]
    for way, verdicts in said.items():
        cells = [share([getattr(verdict, part) for verdict in verdicts]) for part in PARTS]
        mine = [verdict.all_right for verdict in verdicts]
        p = "" if way == "ReCorD" else f"{mcnemar(zip(mine, best, strict=True))['p_value']:.2g}"
        print(f"{way:26s} " + " ".join(f"{cell:>19s}" for cell in (*cells, p)))
    failed = {way: sum(r.error is not None for r in records) for way, records in ways.items()}
    if any(failed.values()):
        print("failed: " + ", ".join(f"{way} {count}" for way, count in failed.items()), file=sys.stderr)


def print_moved(study: Study, chosen: Sequence[Record], corrected: Sequence[Record], pose: Path | None) -> None:
    """How often the object was moved, whether the energy fell, and whether the pose was kept."""
    pairs = [(a, b) for a, b in zip(chosen, corrected, strict=True) if a.error is None and b.error is None]
    moved = [(a, b) for a, b in pairs if was_moved(b)]
    energies = [b.history[-1].energies for _, b in pairs if b.history and b.history[-1].energies]
    fell = [e[-1] < e[0] for e in energies if len(e) > 1]
    print(f"object moved: {len(moved)} of {len(pairs)}")
    if fell:
        print(f"energy lower at the last step than at the first: {share(fell)}")
    if pose is None:
        print("pose kept: not measured; --pose names a model that no stage uses")
        return
    kept, between = [], []
    for before, after in moved:
        distance = figure_distance(study, pose, before, after)
        others = [s for s in before.samples if not s.chosen]
        if distance is not None and others:
            other = figure_distance(study, pose, before, before.grown(image=others[0].image, samples=(), edits=None))
            if other is not None:
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


def figure_distance(study: Study, pose: Path, one: Record, other: Record) -> float | None:
    """How far the figures of two pictures are apart, in units of their spread; None where one has none."""
    joints = [figure_joints(study, pose, record) for record in (one, other)]
    return pose_difference(*joints) if all(joints) else None


_LOADED: dict[Path, Any] = {}


def figure_joints(study: Study, pose: Path, record: Record) -> dict[str, tuple[float, float]]:
    """Joints of the surest figure of the asked class, where the judge sees it."""
    if pose not in _LOADED:
        from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

        from llmgen.diffusion.pose_estimation import VitPoseEstimator

        model = VitPoseForPoseEstimation.from_pretrained(pose)
        _LOADED[pose] = VitPoseEstimator(model, VitPoseImageProcessor.from_pretrained(WEIGHTS / "pose"))
    if record.image is None:
        return {}
    image = study.store.load(record.image)
    truth = study.asked[record.id].truth
    actor = truth.demands[truth.acts[0].first]
    seen = [item for item in study.judge.look([image])[0].objects if item.noun == actor.noun]
    if not seen:
        return {}
    estimator = _LOADED[pose]
    ((found,),) = estimator.estimate_poses([image], [[max(seen, key=lambda item: item.score).box_xyxy]])
    return {name: (float(x), float(y)) for name, (x, y) in zip(estimator.joints, found.points_xy, strict=True)}


if __name__ == "__main__":
    main()
