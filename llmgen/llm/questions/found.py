"""What a detector found, as questions tell it."""

import json
from collections.abc import Sequence
from typing import Any, Final

from llmgen.artifacts import Detection, EditPlan
from llmgen.llm.questions.bounds import bounded_schema, most_things
from llmgen.llm.replies.bounds import Remark
from llmgen.llm.replies.update_reply import read_update_reply
from llmgen.llm.replies.wire import plan_of_update, wire_box
from llmgen.llm.schemas import LayoutUpdate
from llmgen.vision.boxes import BoxTuple

MOST_NAMED: Final = 100
"""Ids that a schema lists; servers bound the size of schemas. More are free text."""


def whole_box(box: BoxTuple) -> dict[str, int]:
    """A box as models read and write it best: position and size in whole pixels."""
    return {name: round(value) for name, value in wire_box(box).model_dump().items()}


def found_line(detections: Sequence[Detection]) -> str:
    """All detections as one line of JSON."""
    found = [
        {
            "id": d.id,
            "noun": d.noun,
            "attributes": list(d.attributes),
            "score": round(d.score, 3),
            "box": whole_box(d.box_xyxy),
        }
        for d in detections
    ]
    return f"Found: {json.dumps(found, ensure_ascii=False)}"


def update_schema(subject: str, detections: Sequence[Detection], canvas: tuple[int, int]) -> dict[str, Any]:
    """JSON Schema of an answer that says what becomes of each detection.

    Args:
        subject: The prompt or the instruction; it says how many may be added.
        detections: What was found; no other ids can be named.
        canvas: Width and height of the picture in pixels.
    """
    count = max(1, len(detections))
    items = {"keep": count, "delete": count, "move": count, "change": count, "add": most_things(subject)}
    schema = bounded_schema(LayoutUpdate, canvas=canvas, items=items)
    ids = list(dict.fromkeys(d.id for d in detections))
    if ids:
        longest = max(len(name) for name in ids)
        named = {"type": "string", "enum": ids} if len(ids) <= MOST_NAMED else {"type": "string", "maxLength": longest}
        for name in ("keep", "delete"):
            schema["properties"][name]["items"] = named
        for name in ("MovedObject", "ChangedObject"):
            schema["$defs"][name]["properties"]["id"] = named
    return schema


def read_plan(text: str, detections: Sequence[Detection], *, width: int, height: int, remark: Remark) -> EditPlan:
    """A reply that says what becomes of each detection, as a plan.

    Args:
        text: JSON, or SLD's text.
        detections: What was found, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        remark: Told of all that was mended, cut or ignored.

    Raises:
        ModelError: If nothing usable is in it.
    """
    update = read_update_reply(text, detections, width=width, height=height, remark=remark)
    return plan_of_update(update, detections)
