"""Questions of the toybox world as files: annotations and categories as VQAI has them, pictures, and the right answers for the judge."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from PIL import Image

from llmgen.toybox.world.answers import answer_of, answer_to_json
from llmgen.toybox.world.pairs import CATEGORIES, Category, Pair, sample_pair
from llmgen.toybox.world.scenes import render_image

HeldOut = Literal["none", "templates", "scenes"]

VQAI_CATEGORIES: Final[dict[Category, str]] = {
    "scenery": "scenery variation",
    "appears": "more entities",
    "goes": "fewer entities",
    "moves": "entities variation",
    "mood": "emotion variation",
}
"""What the published data set calls each kind of change."""


def sample_pairs(count: int, seed: int, held_out: HeldOut = "none") -> list[Pair]:
    """Pairs of all categories in turn.

    Args:
        count: How many.
        seed: Picks them; recipes train on seeds below a million.
        held_out: What no training has seen: the question's template, or something of the scene. Never both, so that a figure says
            which of the two is hard.
    """
    return [
        sample_pair(
            random.Random(f"question:{seed}:{i}"),
            CATEGORIES[i % len(CATEGORIES)],
            held_out=held_out == "templates",
            held_out_scene=held_out == "scenes",
        )
        for i in range(count)
    ]


def write_questions(folder: Path, pairs: Sequence[Pair], first: int = 0) -> None:
    """Write pairs as a data set.

    Args:
        folder: Gets `annotations.json`, `categories.json`, `right_answers.jsonl` and the pictures; made if need be.
        pairs: The questions.
        first: Number of the first, for names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries, lists, right = [], {name: list[str]() for name in VQAI_CATEGORIES.values()}, []
    for number, pair in enumerate(pairs, start=first):
        name = f"{number:05d}"
        Image.fromarray(render_image(pair.before)).save(folder / f"{name}a.png")
        Image.fromarray(render_image(pair.after)).save(folder / f"{name}b.png")
        entries.append(
            {
                "sample_name": name,
                "image1_name": f"{name}a.png",
                "image2_name": f"{name}b.png",
                "question": pair.question,
                "sent": pair.answer,
                "template": pair.template,
                "needs_picture": pair.needs_picture,
            }
        )
        lists[VQAI_CATEGORIES[pair.category]].append(name)
        right.append(json.dumps({"id": name, "answer": answer_to_json(answer_of(pair.before, pair.after))}) + "\n")
    names = [str(entry["sample_name"]) for entry in entries]
    (folder / "annotations.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    (folder / "categories.json").write_text(
        json.dumps({"total sample": names, **lists}, indent=1) + "\n", encoding="utf-8"
    )
    (folder / "right_answers.jsonl").write_text("".join(right), encoding="utf-8")
