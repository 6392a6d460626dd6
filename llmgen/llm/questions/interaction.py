"""Who does what with what, in the words of a prompt? What ReCorD draws and moves follows from it."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from llmgen.artifacts import Instance, Layout
from llmgen.artifacts.interaction import Interaction, WordSpan
from llmgen.artifacts.parsing import json_kind
from llmgen.llm.english.acting import intransitive, read_interaction
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.grammar import DEFAULT_BACKGROUND, head_noun, read_phrase, read_prompt
from llmgen.llm.planning.interactions import Figure, place_object
from llmgen.llm.questions.bounds import bounded_schema
from llmgen.llm.questions.question import Question, one_line
from llmgen.llm.replies.bounds import Remark, log_remark, unusable
from llmgen.llm.replies.extract import find_json
from llmgen.llm.schemas import WireModel
from llmgen.vision.boxes import BoxTuple

_KEYS: Final = ("subject", "verb", "object")
_HUMAN: Final = (0.28, 0.2, 0.68, 0.92)
"""Somebody in the middle, in shares of the picture."""
_THING: Final = 0.3
"""Side of the thing, in shares of the picture."""


class SaidInteraction(WireModel):
    """The answer: three stretches of the description, word for word."""

    subject: str
    """Who acts, with article."""
    verb: str
    """What is done, one word."""
    object: str
    """What it is done with, with article."""


@dataclass(frozen=True)
class InteractionQuestion(Question[Interaction]):
    """Finds subject, verb and object.

    Attributes:
        subject: What the picture should show.
        seed: Of the record.
    """

    name: ClassVar[str] = "interaction"

    subject: str
    seed: int = 0

    @property
    def text(self) -> str:
        """The prompt."""
        return f"Description: {one_line(self.subject)}"

    def schema(self) -> dict[str, Any]:
        """Of a `SaidInteraction`."""
        return bounded_schema(SaidInteraction)

    def read(self, text: str, remark: Remark = log_remark) -> Interaction:
        """JSON whose words stand in the prompt, in this order."""
        found = find_json(text, _KEYS)
        if found is None:
            raise unusable("it has no JSON object with `subject`, `verb` and `object`", text)
        said = {}
        for key in _KEYS:
            value = found.get(key) or ""
            if not isinstance(value, str):
                raise unusable(f"`{key}` is {json_kind(value)}, not words of the description", text)
            words = " ".join(value.split()).strip(".")
            if not words:
                raise unusable(f"`{key}` is empty", text)
            said[key] = words
        return spans_of(self.subject, said["subject"], said["verb"], said["object"], text)

    def by_rules(self, remark: Remark = log_remark) -> tuple[Interaction, str]:
        """By grammar."""
        found = read_interaction(self.subject, remark)
        said = SaidInteraction(subject=found.subject.text, verb=found.verb.text, object=found.object.text)
        return found, said.model_dump_json()


def spans_of(prompt: str, subject: str, verb: str, thing: str, reply: str) -> Interaction:
    """Words that stand in a prompt, with their places.

    Args:
        prompt: The prompt.
        subject: Who acts.
        verb: What is done; a leading "is" or "are" is left away.
        thing: What it is done with.
        reply: For the message.

    Raises:
        ModelError: If they do not stand there, one after the other.
    """
    verb = re.sub(r"^(?:is|are|was|were)\s+", "", verb, flags=re.IGNORECASE)
    who = _find(prompt, subject, 0, "subject", reply)
    does = _find(prompt, verb, who.end, "verb", reply)
    what = _find(prompt, thing, does.end, "object", reply)
    noun = head_noun(what.text)
    at = what.text.lower().rfind(noun)
    last = what.text.rfind(" ") + 1
    first = at if at >= 0 and at + len(noun) == len(what.text) else last
    base = look_up(does.text.split()[0].lower()).verb or does.text.split()[0].lower()
    return Interaction(
        intransitive_prompt=intransitive(prompt, does.end, what.end),
        subject=who,
        verb=does,
        verb_base=base,
        object=what,
        object_noun=WordSpan(text=what.text[first:], start=what.start + first, end=what.end),
    )


def _find(prompt: str, words: str, begin: int, key: str, reply: str) -> WordSpan:
    spaced = r"\s+".join(map(re.escape, words.split()))
    found = re.compile(rf"(?<!\w){spaced}(?!\w)", re.IGNORECASE).search(prompt, begin)
    if found is None:
        where = "" if begin == 0 else f" after {prompt[:begin][-40:]!r}"
        raise unusable(f"`{key}` must be words of the description, {words[:60]!r} does not stand in it{where}", reply)
    return WordSpan(text=found.group(), start=found.start(), end=found.end())


def background_of(prompt: str) -> str:
    """The scene of a prompt, "" where it names none."""
    background = read_prompt(prompt).background
    return "" if background in (DEFAULT_BACKGROUND, prompt.strip()) else background


def guessed_boxes(prompt: str, interaction: Interaction, width: int, height: int) -> tuple[BoxTuple, BoxTuple]:
    """Boxes of somebody in the middle and of the thing where the verb wants it, in pixels."""
    x0, y0, x1, y1 = _HUMAN
    human = (x0 * width, y0 * height, x1 * width, y1 * height)
    between = prompt[interaction.verb.end : interaction.object.start].strip()
    size = (_THING * width, _THING * height)
    return human, place_object(Figure(human, {}), interaction.verb_base, between, size, (width, height))[1]


def guessed_layout(
    prompt: str, interaction: Interaction, width: int, height: int, thing: BoxTuple | None = None
) -> Layout:
    """Who acts and the thing as a layout, where nothing but the words is known.

    Args:
        prompt: All words.
        interaction: Who does what with what, in them.
        width: Of the canvas in pixels.
        height: Likewise.
        thing: Box of the thing in pixels, where one is known.
    """
    human, guessed = guessed_boxes(prompt, interaction, width, height)
    instances: list[Instance] = []
    for span, box in ((interaction.subject, human), (interaction.object, thing or guessed)):
        noun, attributes = read_phrase(span.text)
        number = 1 + sum(instance.noun == noun for instance in instances)
        instances.append(
            Instance(id=f"{noun}-{number}", phrase=span.text, noun=noun, attributes=attributes, box_xyxy=box)
        )
    return Layout(
        width=width,
        height=height,
        background_prompt=background_of(prompt),
        instances=tuple(instances),
        interaction=interaction,
    )
