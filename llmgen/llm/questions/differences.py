"""What must change so that a picture shows what was asked? SLD's comparison of a prompt with what was found."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from llmgen.artifacts import Detection, EditPlan, Layout
from llmgen.errors import InputError
from llmgen.llm.english.grammar import PromptMeaning
from llmgen.llm.planning.corrections import correct
from llmgen.llm.planning.layouts import plan_layout, refuse_contradiction, seeded_random
from llmgen.llm.planning.placement import Canvas, Rules
from llmgen.llm.planning.wanted import wanted_objects
from llmgen.llm.questions.found import found_line, read_plan, update_schema, whole_box
from llmgen.llm.questions.question import Question, one_line, understood
from llmgen.llm.replies.bounds import Remark, log_remark
from llmgen.llm.replies.wire import as_instance, update_of_plan


@dataclass(frozen=True)
class DifferencesQuestion(Question[EditPlan]):
    """Compares what was found with what was wanted.

    The answer: the edits, none when all is right, and the objects as they should be afterwards.

    Attributes:
        subject: What the picture should show.
        detections: What was found in it, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        layout: The plan that it was made after, if any.
        seed: Chooses among equally good corrections.
    """

    name: ClassVar[str] = "differences"
    repeatable: ClassVar[bool] = False

    subject: str
    detections: tuple[Detection, ...]
    width: int
    height: int
    layout: Layout | None
    seed: int

    @property
    def text(self) -> str:
        """Size, prompt, planned places and what was found."""
        lines = [f"Picture: {self.width} wide, {self.height} high", f"Description: {one_line(self.subject)}"]
        if self.layout is not None and self.layout.instances:
            planned = [{"phrase": i.phrase, "box": whole_box(i.box_xyxy)} for i in self.layout.instances]
            lines.append(f"Planned places: {json.dumps(planned, ensure_ascii=False)}")
        return "\n".join((*lines, found_line(self.detections)))

    def schema(self) -> dict[str, Any]:
        """Of a `LayoutUpdate`, for the ids that were found."""
        return update_schema(self.subject, self.detections, (self.width, self.height))

    def read(self, text: str, remark: Remark = log_remark) -> EditPlan:
        """JSON, or SLD's text."""
        return read_plan(text, self.detections, width=self.width, height=self.height, remark=remark)

    def by_rules(self, remark: Remark = log_remark) -> tuple[EditPlan, str]:
        """By grammar and search. Objects that neither prompt nor layout names are deleted if any are named."""
        meaning, canvas, layout = understood(self.subject, remark), Canvas(self.width, self.height), self.layout
        refuse_contradiction(meaning, self.subject)
        planned = layout if layout is not None and layout.instances else self._planned(meaning, canvas)
        wanted = wanted_objects(meaning, planned)
        absent = {*meaning.absent, *(layout.absent if layout is not None else ())}
        looked_at = [d for d in self.detections if wanted or d.noun in absent or d.phrase in absent]
        # What is there already is judged as the benchmark judges it: least change.
        rules = Rules.of(meaning, compared_only=True)
        plan = correct(wanted, looked_at, rules, canvas, seeded_random(self.subject, self.seed, self.name))
        if not wanted:
            gone = {d.id for d in looked_at}
            plan = plan.model_copy(
                update={"target": tuple(as_instance(d) for d in self.detections if d.id not in gone)}
            )
        return plan, update_of_plan(plan, self.detections).model_dump_json()

    def _planned(self, meaning: PromptMeaning, canvas: Canvas) -> Layout | None:
        # Without a layout the corrector makes its own, as a source of places; what does not fit is said later.
        try:
            return plan_layout(meaning, self.subject, canvas, self.seed)
        except InputError:
            return None
