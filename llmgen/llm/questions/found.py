"""What a detector found, as questions tell it."""

import json
from collections.abc import Sequence

from llmgen.artifacts import Detection, EditPlan
from llmgen.llm.reading import read_update_reply
from llmgen.llm.replies import plan_of_update, wire_box


def found_line(detections: Sequence[Detection]) -> str:
    """All detections as one line of JSON."""
    found = [
        {
            "id": d.id,
            "noun": d.noun,
            "attributes": list(d.attributes),
            "score": round(d.score, 3),
            "box": wire_box(d.box_xyxy).model_dump(),
        }
        for d in detections
    ]
    return f"Found: {json.dumps(found, ensure_ascii=False)}"


def read_plan(text: str, detections: Sequence[Detection], *, width: int, height: int) -> EditPlan:
    """A reply that says what becomes of each detection, as a plan.

    Args:
        text: JSON, or SLD's text.
        detections: What was found, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Raises:
        ModelError: If nothing usable is in it.
    """
    update = read_update_reply(text, detections, width=width, height=height)
    return plan_of_update(update, detections)
