"""From a meaning to a layout: boxes by search, deterministic in prompt and seed."""

import hashlib
import random
from collections.abc import Sequence

from llmgen.artifacts import Instance, Layout
from llmgen.errors import InputError
from llmgen.llm.english.grammar import PromptMeaning
from llmgen.llm.english.words import pluralize, with_article
from llmgen.llm.planning.contact import arrange
from llmgen.llm.planning.placement import (
    MOST,
    BoxXyxy,
    Canvas,
    Demand,
    Rules,
    clearly_ordered,
    place,
    place_on_grid,
)
from llmgen.llm.planning.sizes import wished_size
from llmgen.llm.planning.wanted import wanted_objects

_FEW = 4
"""Up to so many boxes are strewn; more go on a grid."""
_CLEAR_TRIES = 40
"""So often are boxes placed anew until every order is clear; the first places are good enough where none is."""


def plan_layout(meaning: PromptMeaning, prompt: str, canvas: Canvas, seed: int) -> Layout:
    """Place what a prompt asks for.

    Args:
        meaning: What the prompt says.
        prompt: The prompt, for the randomness and for messages.
        canvas: The picture.
        seed: Chooses among equally good layouts.

    Raises:
        InputError: If the objects do not fit or the relations contradict each other.
    """
    refuse_contradiction(meaning, prompt)
    wanted = wanted_objects(meaning, None)
    rules = Rules.of(meaning)
    if len(wanted) > MOST:
        most = max(meaning.objects, key=lambda o: o.count)
        raise InputError(
            f"cannot place {most.count} x {most.phrase!r}: {len(wanted)} objects are too many, at most {MOST} are tried"
        )
    rng = seeded_random(prompt, seed, "layout")
    demands = []
    for want in wanted:
        wish = wished_size(want.noun, want.attributes, len(wanted), canvas, rng)
        demands.append(Demand(wish.width, wish.height, want.group))
    boxes = _boxes(demands, [want.noun for want in wanted], meaning, rules, canvas, rng)
    if boxes is None:
        last = wanted[-1]
        raise InputError(
            f"cannot place {with_article(last.phrase)!r}: no room for {len(wanted)} objects with these relations in "
            f"{canvas.width}x{canvas.height} pixels"
        )
    numbers: dict[str, int] = {}
    instances = []
    for want, box in zip(wanted, boxes, strict=True):
        numbers[want.noun] = numbers.get(want.noun, 0) + 1
        instances.append(
            Instance(
                id=f"{want.noun}-{numbers[want.noun]}",
                phrase=want.drawn_phrase,
                noun=want.noun,
                attributes=want.attributes,
                box_xyxy=box,
            )
        )
    return Layout(
        width=canvas.width,
        height=canvas.height,
        background_prompt=meaning.background,
        negative_prompt=", ".join(pluralize(noun) for noun in meaning.absent),
        absent=meaning.absent,
        instances=tuple(instances),
    )


def _boxes(
    demands: Sequence[Demand],
    nouns: Sequence[str],
    meaning: PromptMeaning,
    rules: Rules,
    canvas: Canvas,
    rng: random.Random,
) -> list[BoxXyxy] | None:
    if not demands:
        return []
    if any(r.object is not None and r.kind not in ("left_of", "right_of", "above", "below") for r in meaning.relations):
        return arrange(demands, nouns, meaning.relations, rules, canvas, rng)
    # "A on the left and B on the right" is a matter of halves; "A left of B" must be seen from A to B.
    said = Rules(PromptMeaning(relations=tuple(r for r in meaning.relations if r.object is not None)).orderings())
    first: list[BoxXyxy] | None = None
    for _ in range(_CLEAR_TRIES):
        boxes = place([], demands, rules, canvas, rng) if len(demands) <= _FEW else None
        boxes = boxes or place_on_grid(demands, rules, canvas, rng) or place([], demands, rules, canvas, rng)
        if boxes is None or clearly_ordered([(d.group, b) for d, b in zip(demands, boxes, strict=True)], said):
            return boxes or first
        first = first or boxes
    return first


def refuse_contradiction(meaning: PromptMeaning, prompt: str) -> None:
    """Refuse what no picture can show.

    Args:
        meaning: What the prompt says.
        prompt: The prompt, for the message.

    Raises:
        InputError: If the relations contradict each other, or something is asked for and forbidden.
    """
    for group, wanted in enumerate(meaning.objects):
        if Rules.of(meaning).contradict((group,)):
            raise InputError(
                f"cannot place {with_article(wanted.phrase)!r}: the relations in {prompt[:80]!r} contradict each other"
            )
        if wanted.noun in meaning.absent or wanted.phrase in meaning.absent:
            raise InputError(
                f"cannot place {with_article(wanted.phrase)!r}: {prompt[:80]!r} asks for it and forbids it"
            )


def seeded_random(prompt: str, seed: int, call: str) -> random.Random:
    """A source of randomness that depends on a text, a seed and the name of a question."""
    digest = hashlib.sha256(f"{call}\0{seed}\0{prompt}".encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
