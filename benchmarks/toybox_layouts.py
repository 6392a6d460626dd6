"""Ways to draw a prompt on the toybox, side by side: from the text alone, corrected, from LMD layouts, and the baselines.

    python benchmarks/toybox_layouts.py                     # 200 prompts, 50 of each type; prints the table of the README
    python benchmarks/toybox_layouts.py --ablate            # what SLD's settings do for text + SLD, 15 prompts of each type
    python benchmarks/toybox_layouts.py --picture ways.png  # also draw a prompt of each type by all ways
    python benchmarks/toybox_layouts.py --per-type 2        # a quick look

The same prompts, seeds, layouts and verdict as `toybox_sld.py`; the smaller study takes the first prompts of the larger one. McNemar's test
compares each row with the first on the same prompts. Finished pictures are kept in `--output`: a run that was stopped goes on where it was,
and one that is finished is only judged and printed again.
"""

import argparse
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont

# The script's own folder is on the path when it is run.
from toybox_frozen import HELD_OUT_SEED, PROMPT_TYPES, load_judges, prompts, share
from toybox_sld import right

from llmgen.artifacts import Record
from llmgen.artifacts.hashing import digest
from llmgen.artifacts.statistics import mcnemar
from llmgen.engine.context import StageContext
from llmgen.engine.journal import Journal
from llmgen.engine.local import run_stage
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox.world.captions import Prompt
from llmgen.vision.images import ImageStore

STUDY_PER_TYPE, ABLATION_PER_TYPE = 50, 15


@dataclass(frozen=True)
class Step:
    """One stage of a way."""

    stage: str
    method: str
    given: Mapping[str, Any] = field(default_factory=dict)


def with_sld(**given: Any) -> tuple[Step, ...]:
    """Draw from the text, look, correct."""
    settings = {"rounds": 2, **given}
    return (Step("generate", "sd"), Step("detect", "owlv2"), Step("correct", "self_correction", settings))


WAYS: dict[str, tuple[Step, ...]] = {
    "text alone": (Step("generate", "sd"),),
    "text + SLD": with_sld(),
    "backward guidance": (Step("generate", "backward-guidance"),),
    "BoxDiff": (Step("generate", "boxdiff"),),
    "GLIGEN": (Step("generate", "gligen"),),
    "LMD+": (Step("generate", "lmd"),),
}
DEFAULT = "text + SLD as it is (2 rounds)"
ABLATIONS: dict[str, tuple[Step, ...]] = {
    DEFAULT: with_sld(),
    "1 round": with_sld(rounds=1),
    "4 rounds": with_sld(rounds=4),
    "frozen steps 0": with_sld(frozen_step_ratio=0.0),
    "frozen steps 0.25": with_sld(frozen_step_ratio=0.25),
    "frozen steps 0.75": with_sld(frozen_step_ratio=0.75),
    "final guidance 1": with_sld(guidance_scale=1.0),
    "final guidance 5": with_sld(guidance_scale=5.0),
    "no energy guidance": with_sld(energy_scale=0.0),
}
"""One setting at a time; frozen steps are a share of the final sampling's."""


class Study:
    """Runs ways over prompts, each stage journalled in a file of its own.

    Args:
        folder: Pictures and journals.
        asked: Prompts with their truths, by record id.
        seed: Of the run.
        batch_size: Most pictures in one call of a model.
    """

    def __init__(self, folder: Path, asked: dict[str, Prompt], seed: int, batch_size: int) -> None:
        self.folder, self.asked, self.store = folder, asked, ImageStore(folder)
        self.context = StageContext(
            load_preset("toybox"), self.store, "cpu", "float32", seed=seed, batch_size=batch_size
        )
        self.judges = load_judges()
        named = [Record(id=name, prompt=prompt.text, type=prompt.type) for name, prompt in asked.items()]
        self.planned = self.draw([Step("layout", "lmd")], named)[0]

    def draw(self, steps: Sequence[Step], records: Sequence[Record]) -> tuple[list[Record], float]:
        """The records after a way's steps, and the seconds that making them took, loading included."""
        drawn, seconds = list(records), 0.0
        for number, step in enumerate(steps, start=1):
            before = [(s.stage, s.method, dict(s.given)) for s in steps[:number]]
            name = f"{step.stage}-{step.method}-{digest([self.context.seed, before])[:10]}"
            journal = Journal(self.folder / ".journals" / f"{name}.jsonl")
            result = run_stage(
                drawn,
                method_class=resolve(step.stage, step.method),
                config=self.context.config_for(step.stage, step.method, dict(step.given)),
                given=step.given,
                context=self.context,
                journal=journal,
            )
            drawn = result.records
            seconds += journal.seconds()
        return drawn, seconds

    def table(self, ways: Mapping[str, Sequence[Step]]) -> tuple[dict[str, list[Record]], dict[str, dict[str, bool]]]:
        """Run all ways and print a row for each as soon as it is there; pictures and the shipped judge's verdicts by way."""
        types = (*PROMPT_TYPES, "all")
        shipped, *others = self.judges
        print(" | ".join(["| way", *types, *(f"all, by the {name}" for name in others), "s/picture", "p |"]))
        print("| --- |" + " --- |" * (len(types) + len(others) + 2))
        drawn: dict[str, list[Record]] = {}
        verdicts: dict[str, dict[str, bool]] = {}
        for way, steps in ways.items():
            drawn[way], seconds = self.draw(steps, self.planned)
            by_judge = {
                name: right(judge, self.store, self.asked, drawn[way], first=False)
                for name, judge in self.judges.items()
            }
            verdicts[way] = mine = by_judge[shipped]
            cells = [share([mine[i] for i, p in self.asked.items() if t in ("all", p.type)]).strip() for t in types]
            cells += [share(list(by_judge[name].values())).strip() for name in others]
            first = next(iter(verdicts.values()))
            p = "" if mine is first else f"{mcnemar((first[i], mine[i]) for i in self.asked)['p_value']:.1g}"
            print(f"| {way} | " + " | ".join(cells) + f" | {seconds / len(self.asked):.2f} | {p} |", flush=True)
            failed = [record.id for record in drawn[way] if record.error is not None]
            if failed:
                print(f"{way}: {len(failed)} failed and count as wrong: {', '.join(failed)}", file=sys.stderr)
        return drawn, verdicts


def comparison(study: Study, drawn: Mapping[str, list[Record]], verdicts: Mapping[str, dict[str, bool]]) -> Image.Image:
    """A row for each type, its first prompt on which the ways do not agree; a column for each way; green is right, red is wrong."""
    side, gap, words, head = 144, 8, 190, 26
    font = ImageFont.load_default(13)

    def differs(name: str) -> bool:
        return len({mine[name] for mine in verdicts.values()}) > 1

    rows = []
    for type_ in PROMPT_TYPES:
        mine = [name for name, prompt in study.asked.items() if prompt.type == type_]
        rows.append(next(filter(differs, mine), mine[0]))
    sheet = Image.new("RGB", (words + len(drawn) * (side + gap) + gap, head + len(rows) * (side + gap) + gap), "white")
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(rows):
        y = head + gap + row * (side + gap)
        draw.multiline_text((gap, y), textwrap.fill(study.asked[name].text, 26), fill="black", font=font)
        for column, (way, records) in enumerate(drawn.items()):
            x = words + gap + column * (side + gap)
            draw.text((x, 6), way, fill="black", font=font)
            ref = next(record.image for record in records if record.id == name)
            if ref is not None:
                sheet.paste(study.store.load(ref).resize((side, side), Image.Resampling.LANCZOS), (x, y))
            color = "#2a9d4a" if verdicts[way][name] else "#c8442e"
            draw.rectangle((x - 3, y - 3, x + side + 2, y + side + 2), outline=color, width=3)
    return sheet


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablate", action="store_true", help="SLD's settings instead of the ways")
    parser.add_argument("--per-type", type=int, help=f"{STUDY_PER_TYPE}, or {ABLATION_PER_TYPE} with --ablate")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="of the run; the prompts are fixed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/toybox_layouts"))
    parser.add_argument("--picture", type=Path, help="also draw one prompt of each type by all ways")
    args = parser.parse_args()

    per_type = args.per_type or (ABLATION_PER_TYPE if args.ablate else STUDY_PER_TYPE)
    study = Study(args.output, prompts(per_type), args.seed, args.batch_size)
    drawn, verdicts = study.table(ABLATIONS if args.ablate else WAYS)
    if args.picture:
        comparison(study, drawn, verdicts).save(args.picture)
    print(
        f"{4 * per_type} prompts; percent right with 95 % intervals; p against the first row; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {args.seed}"
    )


if __name__ == "__main__":
    main()
