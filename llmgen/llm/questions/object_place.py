"""Where must the object be for the pose that was chosen? ReCorD's interaction-aware reasoning."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from llmgen.llm.planning.interactions import RELATIONS, Figure, Relation, place_object
from llmgen.llm.questions.bounds import bounded_schema
from llmgen.llm.questions.figures import PUBLISHED_FRAME, checked_object_box, joints_line, read_box
from llmgen.llm.questions.found import whole_box
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.questions.question import Question, one_line
from llmgen.llm.replies.bounds import Remark, log_remark, unusable
from llmgen.llm.replies.extract import body_of, find_json
from llmgen.llm.replies.originals import object_location
from llmgen.llm.schemas import WireBox, WireModel
from llmgen.vision.boxes import BoxTuple

DEFAULT_SHARE = 0.3
"""Side of an object that nobody has seen, as a share of the picture's."""


class ProposedPlace(WireModel):
    """The answer."""

    relation: str
    """Where the object is, seen from who acts."""
    object_box: WireBox
    reason: str
    """Why, in a short sentence."""


@dataclass(frozen=True)
class ObjectPlace:
    """A place as it is read.

    Attributes:
        relation: Where the object is, seen from who acts.
        box: In pixels.
        reason: In the critic's words.
    """

    relation: Relation
    box: BoxTuple
    reason: str


@dataclass(frozen=True)
class ObjectPlaceQuestion(Question[ObjectPlace]):
    """Proposes the box of the object for the pose in one picture.

    Attributes:
        subject: What the picture should show.
        verb: What is done, in the words of the prompt.
        verb_base: The verb's base form.
        preposition: What stands between verb and object, "" for nothing.
        noun: The object.
        figure: Who was found to act, or None.
        object_box: Where the object was found, or None.
        found_by: What found it: `detector`, `attention` or nobody ("").
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        seed: Of the record.
        pictures: The picture.
    """

    name: ClassVar[str] = "object_place"
    repeatable: ClassVar[bool] = False
    reasks: ClassVar[int] = 1

    subject: str
    verb: str
    verb_base: str
    preposition: str
    noun: str
    figure: Figure | None
    object_box: BoxTuple | None
    found_by: str
    width: int
    height: int
    seed: int
    pictures: tuple[Picture, ...] = ()

    @property
    def text(self) -> str:
        """Prompt, figure and object."""
        human = json.dumps(whole_box(self.figure.box)) if self.figure is not None else "not found"
        joints = joints_line(self.figure) if self.figure is not None else "{}"
        found = (
            f"{json.dumps(whole_box(self.object_box))} (by {self.found_by})"
            if self.object_box is not None
            else "not found"
        )
        return "\n".join(
            (
                f"Picture: {self.width} wide, {self.height} high",
                f"Description: {one_line(self.subject)}",
                f"Human: {human}",
                f"Joints: {joints}",
                f"Object: {one_line(self.noun)}, {found}",
            )
        )

    def schema(self) -> dict[str, Any]:
        """Of a `ProposedPlace`, the box on the canvas."""
        schema = bounded_schema(ProposedPlace, canvas=(self.width, self.height))
        schema["properties"]["relation"] = {"type": "string", "enum": list(RELATIONS)}
        schema["properties"]["reason"]["maxLength"] = 200
        return schema

    def read(self, text: str, remark: Remark = log_remark) -> ObjectPlace:
        """JSON in pixels of the picture, or the published reply in its frame of 512."""
        human = self.figure.box if self.figure is not None else None
        canvas = (self.width, self.height)
        found = find_json(text, ("object_box",))
        if found is None:
            corners = object_location(body_of(text), self.noun)
            if corners is None:
                raise unusable("it has no JSON object with `relation`, `object_box` and `reason`", text)
            remark("the box was read from a reply in the published form, in its frame of 512")
            scale = (self.width / PUBLISHED_FRAME, self.height / PUBLISHED_FRAME)
            box = (corners[0] * scale[0], corners[1] * scale[1], corners[2] * scale[0], corners[3] * scale[1])
            reason, relation = " ".join(body_of(text).split())[:300], "near"
        else:
            box = read_box(found["object_box"], text)
            reason = " ".join(str(found.get("reason") or "").split())[:300]
            relation = str(found.get("relation") or "near").strip().lower().replace(" ", "_")
        box = checked_object_box(box, canvas, human, text, remark)
        known = next((each for each in RELATIONS if each == relation), None)
        if known is None:
            remark(f"the relation {relation[:40]!r} is none of {', '.join(RELATIONS)}; 'near' is written down")
        return ObjectPlace(known or "near", box, reason or "no reason was given")

    def by_rules(self, remark: Remark = log_remark) -> tuple[ObjectPlace, str]:
        """By the geometry of the verb, from the figure's joints; without a figure the object stays where it is."""
        canvas = (self.width, self.height)
        box = self.object_box
        size = (
            (box[2] - box[0], box[3] - box[1])
            if box is not None and self.found_by == "detector"
            else (DEFAULT_SHARE * self.width, DEFAULT_SHARE * self.height)
        )
        if self.figure is not None:
            found = box if self.found_by == "detector" else None
            relation, placed = place_object(self.figure, self.verb_base, self.preposition, size, canvas, found)
            reason = f"{self.verb}: the {self.noun} belongs {relation.replace('_', ' ')}"
            if placed == found:
                reason += ", and is there"
        elif box is not None:
            relation, placed, reason = "near", box, f"nobody was found; the {self.noun} stays where it was found"
            remark(f"nobody was found who is {self.verb}; the {self.noun} stays where the {self.found_by} found it")
        else:
            standing = Figure((0.3 * self.width, 0.15 * self.height, 0.7 * self.width, 0.95 * self.height), {})
            relation, placed = place_object(standing, self.verb_base, self.preposition, size, canvas)
            reason = f"neither was found; the {self.noun} is placed as for somebody in the middle"
            remark(reason)
        x0, y0, x1, y1 = (float(round(side)) for side in placed)
        place = ObjectPlace(relation, (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)), reason)
        answer = {"relation": relation, "object_box": whole_box(place.box), "reason": reason}
        return place, json.dumps(answer, ensure_ascii=False)
