"""What does a picture look like as a whole, and each thing in it, and where? A phrase and a box for each.

Source:
    InstanceDiffusion (Wang et al. 2024) draws from such layouts. https://github.com/Jellemvdl/InstanceDiffusion-extension had
    a language model invent them; it asked for corners and drew them as positions and sizes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from llmgen.artifacts import Instance, Layout
from llmgen.errors import InputError
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.english.words import bare, pluralize
from llmgen.llm.planning.layouts import plan_layout
from llmgen.llm.planning.placement import Canvas
from llmgen.llm.questions.bounds import bounded_schema, most_things
from llmgen.llm.questions.question import Question, one_line, understood
from llmgen.llm.replies.bounds import (
    FARTHEST,
    MOST_TEXT_CHARS,
    Remark,
    check_length,
    check_words,
    log_remark,
    once,
    unusable,
)
from llmgen.llm.replies.checks import noun_list, validated
from llmgen.llm.replies.extract import body_of, find_answer
from llmgen.llm.replies.layout_reply import BACKGROUND_KEYS, NEGATIVE_KEYS, is_bare_layout
from llmgen.llm.replies.object_fields import OBJECT_KEYS, Size, object_fields
from llmgen.llm.replies.raw_objects import RawBox, check_name, listed, plain_entry
from llmgen.llm.replies.units import mend_boxes
from llmgen.llm.replies.wire import clean_noun, wire_box, xyxy
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

    def read(self, text: str, remark: Remark = log_remark) -> Layout:
        """JSON of the wanted form, or the extension's."""
        plan = read_instances_reply(text, width=self.width, height=self.height, most=self.most, remark=remark)
        return layout_of_instances(plan, width=self.width, height=self.height)

    def by_rules(self, remark: Remark = log_remark) -> tuple[Layout, str]:
        """By grammar and search. The prompt itself is the description."""
        layout = plan_layout(understood(self.subject, remark), self.subject, Canvas(self.width, self.height), self.seed)
        if len(layout.instances) > self.most:
            raise InputError(
                f"{self.subject[:80]!r} asks for {len(layout.instances)} instances, at most {self.most} can be drawn"
            )
        return layout, instances_of_layout(layout).model_dump_json()


def read_instances_reply(
    text: str, *, width: int, height: int, most: int, remark: Remark | None = None
) -> InstancesPlan:
    """Read the answer to the instances call.

    Args:
        text: JSON of the wanted form, or the extension's `{caption, width, height, annos}`.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
        most: Largest number of instances.
        remark: Told what was mended, cut or ignored, a line each; the log by default.

    Returns:
        The plan, its boxes inside the canvas and none of them empty.

    Raises:
        ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
    """
    say = once(remark)
    found = find_answer(body_of(text), OBJECT_KEYS, is_bare_layout)
    data = None if found is None else found.value if isinstance(found.value, dict) else {"instances": found.value}
    check_words(data, text)
    plan, raw, canvas = _checked(data, text, say)
    boxes = mend_boxes(raw, width, height, say, canvas)
    kept = []
    for k, (instance, box) in enumerate(zip(plan.instances, boxes, strict=True)):
        phrase = " ".join(check_name(instance.phrase, text).split()).rstrip(".")
        if not phrase:
            raise unusable(f"instances[{k}] has an empty phrase", text)
        if len(phrase.split()) > MOST_WORDS:
            raise unusable(f"the phrase of instances[{k}] has more than {MOST_WORDS} words", phrase)
        if box is None:
            say(f"dropped {phrase[:40]!r}, whose box is empty or outside")
            continue
        kept.append(PlannedInstance(phrase=phrase, noun=" ".join(check_name(instance.noun, text).split()), box=box))
    if plan.instances and not kept:
        raise unusable(f"no box is inside the {width}x{height} canvas", text)
    if len(kept) > most:
        raise unusable(f"{len(kept)} instances, at most {most} can be drawn", text)
    negative = [noun.strip().lower() for noun in plan.negative if check_name(noun, text).strip()]
    return plan.model_copy(update={"instances": kept, "negative": negative})


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


def _checked(data: dict[str, Any] | None, text: str, remark: Remark) -> tuple[InstancesPlan, list[RawBox], Size | None]:
    """The answer in the wire's form, its boxes with what is known of them, and the canvas they were made for."""
    if data is None:
        return validated(InstancesPlan, None, text), [], None
    found = object_fields(data, text, remark, own="instances")
    data, entries = found.data, found.entries
    if entries is None and "instances" in data:
        entries = []
    if isinstance(entries, list):
        entries = [_wire_entry(plain_entry(entry, remark)) for entry in entries]
    used = (*found.used, "reasoning", "description", "caption", *BACKGROUND_KEYS, *NEGATIVE_KEYS)
    more = [name for name in data if name not in used and data[name] not in (None, [], {}, "")]
    if more:
        remark(f"ignored the fields {listed(more)}")
    texts = {name: _first(data, keys, "") for name, keys in _TEXTS.items()}
    for value in texts.values():
        check_length("characters in a field", len(value) if isinstance(value, str) else 0, MOST_TEXT_CHARS, text)
    wire = [{**one, "box": _numbers(one["box"])} if isinstance(one, dict) and isinstance(one.get("box"), RawBox) else one
            for one in entries] if isinstance(entries, list) else entries  # fmt: skip
    negative = noun_list(_first(data, NEGATIVE_KEYS, []))
    plan = validated(InstancesPlan, {**texts, "negative": negative, "instances": wire}, text)
    assert isinstance(entries, list)
    raw = [one["box"] if isinstance(one["box"], RawBox) else RawBox(_numbers_of(planned.box))
           for one, planned in zip(entries, plan.instances, strict=True)]  # fmt: skip
    if not all(abs(v) < FARTHEST for box in raw for v in box.numbers):
        raise unusable("a box holds a number beyond all bounds", text)
    return plan, raw, found.canvas


#: Fields of text to the names they are given.
_TEXTS: Final = {
    "reasoning": ("reasoning",), "description": ("description", "caption"), "background": BACKGROUND_KEYS,
}  # fmt: skip


def _first(data: dict[str, Any], keys: tuple[str, ...], other: Any) -> Any:
    return next((data[key] for key in keys if data.get(key) is not None), other)


def _wire_entry(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    noun = entry.get("noun", "")
    phrase = entry.get("phrase", entry.get("name", noun or None))
    wire = {"phrase": phrase, "noun": noun, "box": entry.get("box")}
    return {key: value for key, value in wire.items() if value is not None}


def _numbers(box: RawBox) -> dict[str, float]:
    return dict(zip(("x", "y", "width", "height"), box.numbers, strict=True))


def _numbers_of(box: WireBox) -> tuple[float, float, float, float]:
    return (box.x, box.y, box.width, box.height)
