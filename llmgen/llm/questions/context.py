"""What should each object of a picture look like? Tags for every object that was found, and the story that ties them together.

Source:
    GPT4-Contextual-Diffusion (2023) asked for a line of tags for each class. Here every object has an id and a place, earlier depths are
    told, and the answer has a schema.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from llmgen.artifacts import Detection
from llmgen.llm.planning.contexts import ANY, Known, plan_contexts
from llmgen.llm.questions.bounds import bounded_schema
from llmgen.llm.questions.found import MOST_NAMED
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.questions.question import Question, one_line
from llmgen.llm.replies.bounds import Remark, log_remark
from llmgen.llm.replies.context_reply import (
    MOST_TAGS,
    ContextReply,
    Contexts,
    ObjectContext,
    read_context_reply,
)


@dataclass(frozen=True)
class PaintedBefore:
    """An object that an earlier depth painted."""

    phrase: str
    """What it was, with article."""
    noun: str
    tags: tuple[str, ...]
    box_xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class EarlierDepth:
    """What an earlier depth came to."""

    depth: int
    story: str
    painted: tuple[PaintedBefore, ...]


@dataclass(frozen=True)
class ContextQuestion(Question[Contexts]):
    """Asks for the context of each object.

    Attributes:
        subject: What the picture shows.
        detections: The objects, boxes in pixels; object `k` is told as `o<k>`.
        areas: For each the pixels of its mask, or of its box where it has none.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        seed: Chooses among equally good contexts.
        depth: Number of the depth, from 1.
        depths: How many there are.
        goal: What this depth is for, in words; may be empty.
        offered: Noun and details that the painter knows; empty for any.
        earlier: What was told and painted before.
        pictures: The picture, for models that see.
    """

    name: ClassVar[str] = "context"
    repeatable: ClassVar[bool] = False

    subject: str
    detections: tuple[Detection, ...]
    areas: tuple[float, ...]
    width: int
    height: int
    seed: int
    depth: int = 1
    depths: int = 1
    goal: str = ""
    offered: tuple[tuple[str, tuple[str, ...]], ...] = ()
    earlier: tuple[EarlierDepth, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What each object is called."""
        return tuple(found.phrase for found in self.detections)

    @property
    def text(self) -> str:
        """Size, prompt, depth, what is on offer, what came before, and the objects."""
        lines = [f"Picture: {self.width} wide, {self.height} high", f"Description: {one_line(self.subject)}"]
        lines.append(f"Depth: {self.depth} of {self.depths}{f'; {one_line(self.goal)}' if self.goal else ''}")
        for noun, words in self.offered:
            lines.append(f"Details on offer: {'any object' if noun == ANY else noun}: {', '.join(words)}")
        for told in self.earlier:
            painted = [{"object": one.phrase, "tags": list(one.tags)} for one in told.painted]
            lines.append(f"Story of depth {told.depth}: {one_line(told.story) or '(none)'}")
            lines.append(f"Painted at depth {told.depth}: {json.dumps(painted, ensure_ascii=False)}")
        return "\n".join((*lines, f"Objects: {json.dumps(self._objects(), ensure_ascii=False)}"))

    def _objects(self) -> list[dict[str, Any]]:
        told = []
        for number, (found, pixels) in enumerate(zip(self.detections, self.areas, strict=True)):
            sides = (self.width, self.height) * 2
            box = [round(100 * value / side) for value, side in zip(found.box_xyxy, sides, strict=True)]
            share = round(100 * pixels / (self.width * self.height), 1)
            told.append({"id": f"o{number}", "object": found.phrase, "box_percent": box, "area_percent": share})
        return told

    def schema(self) -> dict[str, Any]:
        """Of a `ContextReply`, for the ids that are asked about."""
        count = max(1, len(self.detections))
        items = {"objects": count, "tags": MOST_TAGS, "negative_tags": MOST_TAGS}
        schema = bounded_schema(ContextReply, items=items)
        ids = [f"o{number}" for number in range(len(self.detections))]
        if 0 < len(ids) <= MOST_NAMED:
            schema["$defs"]["ObjectContext"]["properties"]["object_id"] = {"type": "string", "enum": ids}
        return schema

    def read(self, text: str, remark: Remark = log_remark) -> Contexts:
        """JSON of the wanted form, a map, or the published loop's lines."""
        return read_context_reply(text, self.names, remark)

    def by_rules(self, remark: Remark = log_remark) -> tuple[Contexts, str]:
        """A detail for each object, of those on offer."""
        details: Mapping[str, tuple[str, ...]] = dict(self.offered)
        known = [
            Known(one.tags[0] if one.tags else one.phrase, one.noun, one.box_xyxy)
            for told in self.earlier
            for one in told.painted
        ]
        planned = plan_contexts(self.subject, self.detections, details, known, self.seed)
        wire = ContextReply(
            story=planned.story,
            objects=[
                ObjectContext(
                    object_id=f"o{number}",
                    tags=list(context.tags),
                    negative_tags=list(context.negative_tags),
                    skip=context.skip,
                )
                for number, context in enumerate(planned.objects)
            ],
        )
        return planned, wire.model_dump_json()
