"""What the toybox benchmarks ask for, frozen as files, and the judges that score it.

    python benchmarks/toybox_frozen.py      # how far each judge reads the scenes as the world draws them today: the ceiling of figures

The world may grow and the models be trained again; the prompts, instructions and scenes stay those of `data/`, so that figures of
different revisions can be compared. They were drawn when the world had eight nouns. Both judges score everything: the one that is
shipped, and the one of that time, which knows those eight nouns only.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from llmgen.artifacts.statistics import wilson
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.models.judged import JudgedObject
from llmgen.toybox.world.captions import Prompt
from llmgen.toybox.world.scenes import Kind, Scene, SceneObject, render_image
from llmgen.toybox.world.truth import Demand, Placed, Truth

PROMPT_TYPES = ("numeracy", "attribution", "spatial", "negation")
DATA = Path(__file__).parent / "data"
JUDGES = {"judge": WEIGHTS / "judge", "judge of the eight nouns": DATA / "judge_v1"}
"""Folders of the judges by the names that tables give them; the first is the shipped one."""
HELD_OUT_SEED = 20_261_120
"""Of a run on the prompts; no training or tuning has used it."""
EDITING_SEED = 20_261_121
"""Of a run on the instructions."""

Seen = Sequence[JudgedObject]


def load_judges() -> dict[str, ToyboxJudge]:
    """Both judges, by name."""
    return {name: ToyboxJudge.from_pretrained(folder) for name, folder in JUDGES.items()}


def prompts(per_type: int) -> dict[str, Prompt]:
    """The first prompts of each type with their truths, by record id; there are 50 of a type.

    Args:
        per_type: How many of each type.

    Raises:
        SystemExit: If there are not so many.
    """
    found: dict[str, Prompt] = {}
    for row in _first("toybox_prompts_200.json", "prompts", "type", per_type):
        truth = row["truth"]
        demands = tuple(Demand(*demand) for demand in truth["demands"])
        relations = tuple(Placed(*placed) for placed in truth["relations"])
        demanded = Truth(demands, relations, tuple(truth["absent"]))
        found[row["id"]] = Prompt(row["prompt"], row["type"], demanded, _scene(row["scene"]))
    return found


@dataclass(frozen=True)
class Task:
    """An instruction about a scene, and what tells whether it was carried out."""

    kind: str
    prompt: str
    scene: Scene
    instruction: str
    expected: tuple[Kind, ...]
    checks: tuple[dict[str, Any], ...]

    def right(self, seen: Seen) -> bool:
        """Whether exactly the expected objects are there and the rest of what was asked holds."""
        there = Counter((s.noun, s.color) for s in seen) == Counter(self.expected)
        return there and all(_holds(check, seen) for check in self.checks)


def edits(per_kind: int) -> dict[str, Task]:
    """The first instructions of each kind, by record id; there are 20 of a kind.

    Args:
        per_kind: How many of each kind.

    Raises:
        SystemExit: If there are not so many.
    """
    return {
        row["id"]: Task(
            row["kind"],
            row["prompt"],
            _scene(row["scene"]),
            row["instruction"],
            tuple((noun, color) for noun, color in row["expected"]),
            tuple(row["checks"]),
        )
        for row in _first("toybox_edits_120.json", "edits", "kind", per_kind)
    }


def share(verdicts: Sequence[bool]) -> str:
    """Percentage with its Wilson 95 % interval."""
    low, high = wilson(sum(verdicts), len(verdicts))
    return f"{100 * sum(verdicts) / len(verdicts):5.1f} [{100 * low:4.1f}, {100 * high:5.1f}]"


def _first(file: str, rows: str, group: str, count: int) -> list[dict[str, Any]]:
    chosen: list[dict[str, Any]] = []
    seen: Counter[str] = Counter()
    for row in json.loads((DATA / file).read_text(encoding="utf-8"))[rows]:
        seen[row[group]] += 1
        if seen[row[group]] <= count:
            chosen.append(row)
    if min(seen.values()) < count:
        raise SystemExit(f"{file} holds {min(seen.values())} of each {group}, not {count}")
    return chosen


def _scene(row: dict[str, Any]) -> Scene:
    objects = tuple(SceneObject(o["noun"], o["color"], o["size"], tuple(o["box_xyxy"])) for o in row["objects"])
    return Scene(row["background"], objects, row["seed"])


def _center(seen: JudgedObject) -> tuple[float, float]:
    x0, y0, x1, y1 = seen.box_xyxy
    return (x0 + x1) / 2, (y0 + y1) / 2


def _holds(check: dict[str, Any], seen: Seen) -> bool:
    """Whether one condition on the objects of a noun and colour is met; all these objects were found."""
    mine = [s for s in seen if (s.noun, s.color) == tuple(check["kind"])]
    x, y = _center(mine[0])
    if "near_xy" in check:
        # Within a tenth of the picture.
        spot = check["near_xy"]
        return any(abs(_center(s)[0] - spot[0]) < 13 and abs(_center(s)[1] - spot[1]) < 13 for s in mine)
    if "beyond" in check:
        side, line = check["beyond"]
        return y < line if side == "above" else y > line
    if "side_of" in check:
        side, other = check["side_of"]
        theirs = _center(next(s for s in seen if (s.noun, s.color) == tuple(other)))[0]
        return x < theirs if side == "left" else x > theirs
    x0, y0, x1, y1 = mine[0].box_xyxy
    return (x1 - x0) * (y1 - y0) > check["area_above_px"]


def main() -> None:
    """Print the share of the frozen scenes that each judge calls right as drawn, and what it misses."""
    asked = list(prompts(50).values())
    images = [Image.fromarray(render_image(prompt.scene)) for prompt in asked]
    for name, judge in load_judges().items():
        seen = judge.look(images)
        verdicts = [picture.is_right(prompt.truth) for prompt, picture in zip(asked, seen, strict=True)]
        missed: Counter[str] = Counter()
        for prompt, picture in zip(asked, seen, strict=True):
            there = Counter((o.noun, o.color) for o in prompt.scene.objects)
            there.subtract((o.noun, o.color) for o in picture.objects)
            missed.update(noun for (noun, _), count in there.items() for _ in range(count))
        lacks = ", ".join(f"{count} x {noun}" for noun, count in missed.most_common()) or "nothing"
        print(f"{name:26s} {share(verdicts)}  missed: {lacks}")


if __name__ == "__main__":
    main()
