"""What does a picture look like as a whole, and each thing in it, and where? A phrase and a box for each.

Source:
    InstanceDiffusion (Wang et al. 2024) draws from such layouts. https://github.com/Jellemvdl/InstanceDiffusion-extension had
    a language model invent them; it asked for corners and drew them as positions and sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from llmgen.artifacts import Instance, Layout
from llmgen.errors import InputError, ModelError
from llmgen.llm.english.grammar import read_phrase, read_prompt
from llmgen.llm.english.words import bare, pluralize
from llmgen.llm.planning.layouts import plan_layout
from llmgen.llm.planning.placement import Canvas
from llmgen.llm.questions.bounds import bounded_schema, most_things
from llmgen.llm.questions.question import Question, one_line
from llmgen.llm.reading import find_json, noted, nouns_of, shown, validated
from llmgen.llm.repair import mend_boxes
from llmgen.llm.replies import clean_noun, wire_box, xyxy
from llmgen.llm.schemas import WireBox, WireModel

MOST_INSTANCES: Final = 30
"""Slots of the published InstanceDiffusion."""
MOST_WORDS: Final = 24
"""In one phrase; a text encoder of 77 tokens reads them all."""


class PlannedInstance(WireModel):
    """One thing of a picture that is described thing by thing."""

    phrase: str
    """What it looks like, 2 to 8 words, for example "a brown dog lying on its side"."""
    noun: str
    """Singular, without article."""
    box: WireBox


class InstancesPlan(WireModel):
    """A picture described as a whole and thing by thing."""

    reasoning: str
    """A short thought, written first."""
    description: str
    """The whole picture in one sentence."""
    instances: list[PlannedInstance]
    """One entry for each thing."""
    background: str
    """The scene without its things."""
    negative: list[str]
    """Singular nouns that must not be in the picture."""


@dataclass(frozen=True)
class InstancesQuestion(Question[Layout]):
    """Describes a picture, and each thing in it by a phrase and a box.

    Attributes:
        subject: What the picture should show; it may name only a kind of scene.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
        seed: Chooses among equally good plans.
        most: Largest number of instances.
    """

    name: ClassVar[str] = "instances"

    subject: str
    width: int
    height: int
    seed: int
    most: int

    @property
    def text(self) -> str:
        """Canvas, number and prompt."""
        canvas = f"Canvas: {self.width} wide, {self.height} high\nAt most {self.most} instances"
        return f"{canvas}\nDescription: {one_line(self.subject)}"

    def schema(self) -> dict[str, Any]:
        """Of an `InstancesPlan`, boxes on the canvas."""
        items = {"instances": min(self.most, most_things(self.subject))}
        return bounded_schema(InstancesPlan, canvas=(self.width, self.height), items=items)

    def read(self, text: str) -> Layout:
        """JSON of the wanted form, or the extension's."""
        plan = read_instances_reply(text, width=self.width, height=self.height, most=self.most)
        return layout_of_instances(plan, width=self.width, height=self.height)

    def by_rules(self) -> tuple[Layout, str]:
        """By grammar and search. The prompt itself is the description."""
        layout = plan_layout(read_prompt(self.subject), self.subject, Canvas(self.width, self.height), self.seed)
        if len(layout.instances) > self.most:
            raise InputError(
                f"{self.subject[:80]!r} asks for {len(layout.instances)} instances, at most {self.most} can be drawn"
            )
        return layout, instances_of_layout(layout).model_dump_json()


def read_instances_reply(text: str, *, width: int, height: int, most: int) -> InstancesPlan:
    """Read the answer to the instances call.

    Args:
        text: JSON of the wanted form, or the extension's `{caption, width, height, annos}`.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
        most: Largest number of instances.

    Returns:
        The plan, its boxes inside the canvas and none of them empty.

    Raises:
        ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
    """
    data = find_json(text, ("instances", "annos"))
    if data is not None and "instances" not in data:
        data = _of_annos(data, width, height)
    elif data is not None:
        data = _with_defaults(data)
    plan = validated(InstancesPlan, data, text)
    boxes, notes = mend_boxes([instance.box for instance in plan.instances], width, height)
    kept = []
    for k, (instance, box) in enumerate(zip(plan.instances, boxes, strict=True)):
        phrase = " ".join(instance.phrase.split()).rstrip(".")
        if not phrase:
            raise ModelError(f"unusable reply: instances[{k}] has an empty phrase: {shown(text)}")
        if len(phrase.split()) > MOST_WORDS:
            raise ModelError(
                f"unusable reply: the phrase of instances[{k}] has more than {MOST_WORDS} words: {phrase[:80]!r}"
            )
        if box is None:
            notes.append(f"dropped {phrase[:40]!r}, whose box is empty or outside")
            continue
        kept.append(PlannedInstance(phrase=phrase, noun=" ".join(instance.noun.split()), box=box))
    if plan.instances and not kept:
        raise ModelError(f"unusable reply: no box is inside the {width}x{height} canvas: {shown(text)}")
    if len(kept) > most:
        raise ModelError(f"unusable reply: {len(kept)} instances, at most {most} can be drawn: {shown(text)}")
    negative = [noun.strip().lower() for noun in plan.negative if noun.strip()]
    return noted(plan.model_copy(update={"instances": kept, "negative": negative}), notes)


def layout_of_instances(plan: InstancesPlan, *, width: int, height: int) -> Layout:
    """The instances call's answer as a layout.

    Args:
        plan: The answer as `read_instances_reply` gives it.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
    """
    numbers: dict[str, int] = {}
    instances = []
    for planned in plan.instances:
        said, attributes = read_phrase(planned.phrase)
        noun = clean_noun(planned.noun) if planned.noun else said
        numbers[noun] = numbers.get(noun, 0) + 1
        instances.append(
            Instance(
                id=f"{noun}-{numbers[noun]}",
                phrase=planned.phrase,
                noun=noun,
                # Attributes belong to the head of the phrase: "a photo of a red barn" says nothing of a photo's colour.
                attributes=attributes if clean_noun(said) == noun else (),
                box_xyxy=xyxy(planned.box),
            )
        )
    absent = tuple(dict.fromkeys(clean_noun(noun) for noun in plan.negative))
    return Layout(
        width=width,
        height=height,
        description=" ".join(plan.description.split()) or None,
        background_prompt=plan.background,
        negative_prompt=", ".join(pluralize(noun) for noun in absent),
        absent=absent,
        instances=tuple(instances),
    )


def instances_of_layout(layout: Layout) -> InstancesPlan:
    """A layout as the instances call's answer."""
    return InstancesPlan(
        reasoning=f"{len(layout.instances)} instances, placed without overlap.",
        description=layout.description or "",
        instances=[
            PlannedInstance(phrase=i.phrase, noun=i.noun or bare(i.phrase), box=wire_box(i.box_xyxy))
            for i in layout.instances
        ],
        background=layout.background_prompt,
        negative=list(layout.absent),
    )


def _with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    known = {"reasoning": "", "description": "", "background": "", "negative": [], "instances": []}
    full = {**known, **{key: value for key, value in data.items() if key in known}}
    if isinstance(full["negative"], str):
        full["negative"] = nouns_of(full["negative"])
    if isinstance(full["instances"], list):
        full["instances"] = [{"noun": "", **entry} if isinstance(entry, dict) else entry for entry in full["instances"]]
        for entry in full["instances"]:
            if isinstance(entry, dict):
                entry["box"] = _named(entry.get("box"))
    return full


def _of_annos(data: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    """The extension's form: boxes in pixels of its own canvas, scaled to ours."""
    sides = (data.get("width"), data.get("height"))
    told = [
        side if isinstance(side, int | float) and side > 0 else mine
        for side, mine in zip(sides, (width, height), strict=True)
    ]
    annos = data["annos"] if isinstance(data.get("annos"), list) else None
    return {
        "reasoning": "", "description": data.get("caption", ""), "background": "", "negative": [],
        "instances": None if annos is None else [
            {
                "phrase": anno.get("caption"),
                "noun": anno.get("category_name", ""),
                "box": _named(anno.get("bbox"), (width / told[0], height / told[1])),
            }
            if isinstance(anno, dict) else anno
            for anno in annos
        ],
    }  # fmt: skip


def _named(box: Any, scale: Sequence[float] = (1.0, 1.0)) -> Any:
    """A box of four bare numbers as the wire has it."""
    if not isinstance(box, list) or len(box) != 4:
        return box
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in box):
        return dict(zip(("x", "y", "width", "height"), box, strict=True))
    x, y, w, h = (value * scale[k % 2] for k, value in enumerate(box))
    return {"x": x, "y": y, "width": w, "height": h}
