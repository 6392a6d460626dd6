"""Questions about pictures on the toybox: how many answers are right, by the judge, for LGD and what it is compared with.

    python benchmarks/toybox_lgd.py                                   # 250 questions of held-out scenes, 250 of held-out templates
    python benchmarks/toybox_lgd.py --count 4 --split templates       # a quick look: four of each category
    python benchmarks/toybox_lgd.py --tuned FOLDER                    # also question-guided by an editor tuned on the questions
    python benchmarks/toybox_lgd.py --set num_inference_steps=30      # of all arms alike
    python benchmarks/toybox_lgd.py --resume                          # arms whose artifacts are there are not drawn again

All arms get the same pictures and questions, the same seeds, steps, guidance and size; no arm sees the right answer. The judge, which no
arm uses, looks at each picture: is it the state of the world after the question, exactly, and is what the question does not touch as it
was? `kept` is the PSNR outside what should change. The first sample of each question counts; `any sample` is the best of `--samples`.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

# The script's own folder is on the path when it is run.
from toybox_frozen import share

from llmgen.artifacts import HistoryEntry, Record
from llmgen.artifacts.io import read_records, write_artifact
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.evaluate.summary import mcnemar
from llmgen.presets import Preset, load_preset
from llmgen.registry import resolve
from llmgen.toybox.recipes.question_files import HeldOut, sample_pairs, write_questions
from llmgen.toybox.world.pairs import CATEGORIES, Pair
from llmgen.vision.images import ImageStore

SEEDS: dict[HeldOut, int] = {"scenes": 1_100_000, "templates": 1_200_000}
"""Of the questions; no recipe trains on seeds from a million on."""
COPY = "copied input"


@dataclass(frozen=True)
class Arm:
    """One way to answer.

    Attributes:
        name: In the table.
        method: Of `generate`.
        settings: Beside those that all arms share.
        edit: Folder of another editor's U-Net, or nothing.
    """

    name: str
    method: str
    settings: Mapping[str, Any]
    edit: str | None = None


def arms(tuned: str | None) -> list[Arm]:
    """LGD first: the others are held against it."""
    found = [
        Arm("LGD", "lgd", {}),
        Arm("question-guided", "question-guided", {}),
        Arm("answer-guided, planner", "answer-guided", {}),
        Arm("answer-guided, BLIP-2", "answer-guided", {"answer_by": "answerer"}),
    ]
    if tuned:
        found.append(Arm("question-guided, tuned", "question-guided", {}, tuned))
        found.append(Arm("answer-guided, tuned", "answer-guided", {}, tuned))
    return found


def with_editor(preset: Preset, folder: str | None) -> Preset:
    """The preset with another editor."""
    if folder is None:
        return preset
    role = preset.role("edit").model_copy(update={"source": folder})
    return preset.model_copy(update={"roles": {**preset.roles, "edit": role}})


def questions(folder: Path, pairs: Sequence[Pair], store: ImageStore) -> list[Record]:
    """The questions as records; pictures and right answers are written to the folder."""
    write_questions(folder, pairs)
    root = folder.relative_to(store.root)
    return [
        Record(
            id=f"{i:05d}",
            instruction=pair.question,
            type=pair.category,
            source_image=f"{root.as_posix()}/{i:05d}a.png",
            target_image=f"{root.as_posix()}/{i:05d}b.png",
        )
        for i, pair in enumerate(pairs)
    ]


def copies(records: Sequence[Record], store: ImageStore) -> list[Record]:
    """The answers of who does nothing."""
    made = []
    for record in records:
        ref = store.refer(record.source_image or "")
        made.append(
            record.grown(kind="images", image=ref, history=(HistoryEntry(stage="generate", round=0, image=ref),))
        )
    return made


def verdicts(records: Sequence[Record], metric: str) -> dict[str, float]:
    """Value of a metric for the first sample of each record."""
    return {
        record.id: score.value
        for record in records
        for score in (record.scores or () if record.error is None else ())
        if score.metric == metric
    }


def best(records: Sequence[Record]) -> list[bool]:
    """Whether any sample of each record is right."""
    found = []
    for record in records:
        scores = [record.scores or (), *(sample.scores or () for sample in record.samples)]
        found.append(any(score.metric == "vqai" and score.value >= 1 for some in scores for score in some))
    return found


def table(pairs: Sequence[Pair], scored: Mapping[str, Sequence[Record]]) -> None:
    """Print the figures of one split."""
    right = {name: verdicts(records, "vqai") for name, records in scored.items()}
    ids = [f"{i:05d}" for i in range(len(pairs))]
    print(f"{'right, %':24s}" + "".join(f"{category:>22s}" for category in (*CATEGORIES, "all", "need the picture")))
    for name, mine in right.items():
        cells = []
        for category in (*CATEGORIES, "all", "picture"):
            chosen = [
                mine.get(i, 0.0) >= 1
                for i, pair in zip(ids, pairs, strict=True)
                if category in ("all", pair.category) or (category == "picture" and pair.needs_picture)
            ]
            cells.append(f"{share(chosen) if chosen else '-':>22s}")
        print(f"{name:24s}" + "".join(cells))
    first = next((name for name in scored if name != COPY), COPY)
    for name, mine in right.items():
        kept = verdicts(scored[name], "vqai.kept")
        rest = verdicts(scored[name], "vqai.rest")
        line = (
            f"{name:24s} any sample {share(best(scored[name]))}  rest stayed {share([v >= 1 for v in rest.values()])}"
        )
        line += f"  kept {median(kept.values()):.1f} dB (median of {len(kept)})" if kept else ""
        if name != first:
            both = mcnemar([(mine.get(i, 0.0), right[first].get(i, 0.0)) for i in ids])
            gained, lost, p = both["fixed"], both["broken"], both["p_value"]
            line += f"  {first}: right where this is wrong {gained}, the other way {lost}, McNemar p {p:.2g}"
        print(line)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="questions of each category")
    parser.add_argument("--split", choices=("scenes", "templates", "both"), default="both", help="what is held out")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--tuned", metavar="FOLDER", help="an editor that was fine-tuned on the questions")
    parser.add_argument("--arms", nargs="+", metavar="NAME", help="some of them; all by default")
    parser.add_argument("--resume", action="store_true", help="take arms from the folder; code and weights as then")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="a setting of all arms")
    parser.add_argument("--preset", default="toybox")
    parser.add_argument("--seed", type=int, default=0, help="of the run; the questions are fixed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_lgd"))
    args = parser.parse_args()

    shared: dict[str, Any] = {"samples": args.samples}
    for item in args.set:
        name, _, value = item.partition("=")
        shared[name] = json.loads(value)
    known = arms(args.tuned)
    if unknown := set(args.arms or ()) - {arm.name for arm in known}:
        parser.error(
            f"no such arm: {', '.join(sorted(unknown))}; there are {', '.join(repr(arm.name) for arm in known)}"
        )
    chosen = [arm for arm in known if not args.arms or arm.name in args.arms]
    splits: tuple[HeldOut, ...] = ("scenes", "templates") if args.split == "both" else (args.split,)
    store, preset = ImageStore(args.output), load_preset(args.preset)
    for split in splits:
        pairs = sample_pairs(args.count * len(CATEGORIES), SEEDS[split], split)
        folder = args.output / f"questions-{split}"
        records = questions(folder, pairs, store)
        scored: dict[str, Sequence[Record]] = {}
        for arm in (Arm(COPY, "", {}), *chosen):
            name = arm.name.replace(", ", "-").replace(" ", "-")
            path = args.output / f"{split}-{name}.json"
            if args.resume and path.exists():
                kept = read_records(path).records
                if [record.instruction for record in kept] == [pair.question for pair in pairs]:
                    scored[arm.name] = kept
                    continue
            context = StageContext(
                with_editor(preset, arm.edit), store, args.device, "float32", seed=args.seed, batch_size=args.batch_size
            )
            made: Sequence[Record] = copies(records, store)
            if arm.method:
                kind, given = resolve("generate", arm.method), {**shared, **arm.settings}
                config = context.settings_of(kind, given)
                result = run_stage(records, method_class=kind, config=config, given=given, context=context)
                made = result.records
                seconds = result.seconds / (len(records) * args.samples)
                print(f"{split}: {arm.name}: {seconds:.2f} s a picture, {len(result.failed)} failed", file=sys.stderr)
                for record in result.failed[:3]:
                    print(f"  {record.id}: {record.error.message if record.error else ''}", file=sys.stderr)
            kind = resolve("evaluate", "vqai")
            given = {"truths": str(folder / "right_answers.jsonl"), "round_trips": arm.method == ""}
            config = context.settings_of(kind, given)
            done = run_stage(made, method_class=kind, config=config, given=given, context=context)
            scored[arm.name] = done.records
            write_artifact(path, done.makes, done.records)
        print(
            f"\nheld-out {split}: {len(pairs)} questions, {sum(pair.needs_picture for pair in pairs)} need the picture"
        )
        table(pairs, scored)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {args.seed}, {args.device}")


if __name__ == "__main__":
    main()
