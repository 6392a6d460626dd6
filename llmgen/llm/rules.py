"""The planner without a model: reads the prompt by grammar, places boxes by search. Deterministic in prompt and seed."""

import hashlib
import logging
import random
from collections.abc import Sequence

from llmgen.artifacts import Detection, EditPlan, Instance, Layout, Reply
from llmgen.errors import InputError
from llmgen.llm.english.grammar import PromptMeaning, read_prompt
from llmgen.llm.english.instructions import parsed_from_instruction, read_instruction
from llmgen.llm.english.words import pluralize, with_article
from llmgen.llm.instances import instances_of_layout
from llmgen.llm.planning.contact import arrange
from llmgen.llm.planning.corrections import correct
from llmgen.llm.planning.editing import plan_edits
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
from llmgen.llm.replies import parsed_from_meaning, plan_of_layout, update_of_plan
from llmgen.llm.schemas import ParsedPrompt

_FEW = 4
"""Up to so many boxes are strewn; more go on a grid."""
_CLEAR_TRIES = 40
"""So often are boxes placed anew until every order is clear; the first places are good enough where none is."""


logger = logging.getLogger(__name__)


class RulesPlanner:
    """Plans by rules. Its replies have the same wire format as a model's, so they can be recorded and replayed."""

    provider = "rules"
    model: str | None = None

    def parse(self, prompt: str, *, instruction: bool = False) -> tuple[ParsedPrompt, Reply]:
        """See `Planner.parse`."""
        if instruction:
            parsed = parsed_from_instruction(read_instruction(prompt))
        else:
            parsed = parsed_from_meaning(_read(prompt))
        return parsed, Reply(call="parse", provider=self.provider, text=parsed.model_dump_json())

    def layout(self, prompt: str, *, width: int, height: int, seed: int) -> tuple[Layout, Reply]:
        """See `Planner.layout`."""
        layout = plan_layout(_read(prompt), prompt, Canvas(width, height), seed)
        return layout, Reply(call="layout", provider=self.provider, text=plan_of_layout(layout).model_dump_json())

    def instances(self, prompt: str, *, width: int, height: int, seed: int, most: int) -> tuple[Layout, Reply]:
        """See `Planner.instances`. The prompt itself is the description."""
        layout = plan_layout(_read(prompt), prompt, Canvas(width, height), seed)
        if len(layout.instances) > most:
            raise InputError(f"{prompt[:80]!r} asks for {len(layout.instances)} instances, at most {most} can be drawn")
        return layout, Reply(
            call="instances", provider=self.provider, text=instances_of_layout(layout).model_dump_json()
        )

    def differences(
        self,
        prompt: str,
        detections: Sequence[Detection],
        *,
        width: int,
        height: int,
        layout: Layout | None,
        seed: int,
    ) -> tuple[EditPlan, Reply]:
        """See `Planner.differences`. Objects that neither prompt nor layout names are deleted if any are named."""
        meaning, canvas = _read(prompt), Canvas(width, height)
        _refuse_contradiction(meaning, prompt)
        planned = layout if layout is not None and layout.instances else _planned(meaning, prompt, canvas, seed)
        wanted = wanted_objects(meaning, planned)
        absent = {*meaning.absent, *(layout.absent if layout is not None else ())}
        looked_at = list(detections) if wanted else [d for d in detections if d.noun in absent or d.phrase in absent]
        # What is there already is judged as the benchmark judges it: least change.
        rules = Rules.of(meaning, compared_only=True)
        plan = correct(wanted, looked_at, rules, canvas, _random(prompt, seed, "differences"))
        if not wanted:
            gone = {d.id for d in looked_at}
            plan = plan.model_copy(update={"target": tuple(_as_it_is(d) for d in detections if d.id not in gone)})
        update = update_of_plan(plan, detections)
        return plan, Reply(call="differences", provider=self.provider, text=update.model_dump_json())

    def edit(
        self, instruction: str, detections: Sequence[Detection], *, width: int, height: int, seed: int
    ) -> tuple[EditPlan, Reply]:
        """See `Planner.edit`."""
        rng = _random(instruction, seed, "edit")
        plan = plan_edits(read_instruction(instruction), detections, Canvas(width, height), rng)
        text = update_of_plan(plan, detections).model_dump_json()
        return plan, Reply(call="edit", provider=self.provider, text=text)


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
    _refuse_contradiction(meaning, prompt)
    wanted = wanted_objects(meaning, None)
    rules = Rules.of(meaning)
    if len(wanted) > MOST:
        most = max(meaning.objects, key=lambda o: o.count)
        raise InputError(
            f"cannot place {most.count} x {most.phrase!r}: {len(wanted)} objects are too many, at most {MOST} are tried"
        )
    rng = _random(prompt, seed, "layout")
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
                phrase=with_article(want.phrase),
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


def _planned(meaning: PromptMeaning, prompt: str, canvas: Canvas, seed: int) -> Layout | None:
    # Without a layout the corrector makes its own, as a source of places; what does not fit is said later.
    try:
        return plan_layout(meaning, prompt, canvas, seed)
    except InputError:
        return None


def _read(prompt: str) -> PromptMeaning:
    if not prompt.strip():
        raise InputError("the prompt is empty; say what the picture should show")
    meaning = read_prompt(prompt)
    for remark in meaning.remarks:
        logger.warning("prompt %r: %s", prompt if len(prompt) <= 60 else prompt[:57] + "...", remark)
    return meaning


def _refuse_contradiction(meaning: PromptMeaning, prompt: str) -> None:
    for group, wanted in enumerate(meaning.objects):
        if Rules.of(meaning).contradict((group,)):
            raise InputError(
                f"cannot place {with_article(wanted.phrase)!r}: the relations in {prompt[:80]!r} contradict each other"
            )
        if wanted.noun in meaning.absent or wanted.phrase in meaning.absent:
            raise InputError(
                f"cannot place {with_article(wanted.phrase)!r}: {prompt[:80]!r} asks for it and forbids it"
            )


def _as_it_is(detection: Detection) -> Instance:
    return Instance(
        id=detection.id,
        phrase=with_article(detection.phrase),
        noun=detection.noun,
        attributes=detection.attributes,
        box_xyxy=detection.box_xyxy,
    )


def _random(prompt: str, seed: int, call: str) -> random.Random:
    digest = hashlib.sha256(f"{call}\0{seed}\0{prompt}".encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
