"""What does an instruction change in what was found?"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from llmgen.artifacts import Detection, EditPlan
from llmgen.llm.english.instructions import read_instruction
from llmgen.llm.planning.editing import plan_edits
from llmgen.llm.planning.layouts import seeded_random
from llmgen.llm.planning.placement import Canvas
from llmgen.llm.questions.found import found_line, read_plan, update_schema
from llmgen.llm.questions.question import Question, one_line
from llmgen.llm.replies.bounds import Remark, log_remark
from llmgen.llm.replies.wire import update_of_plan


@dataclass(frozen=True)
class EditQuestion(Question[EditPlan]):
    """Carries an instruction out on a list of objects.

    The answer: the edits, and the objects as they should be afterwards. SLD keeps the replies to both questions in one
    place, so a recorded one to "differences" will do.

    Attributes:
        subject: What should change.
        detections: What was found in the picture, boxes in pixels.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        seed: Chooses among equally good edits.
    """

    name: ClassVar[str] = "edit"
    about: ClassVar[tuple[Literal["prompt", "instruction"], ...]] = ("instruction",)
    like: ClassVar[tuple[str, ...]] = ("differences",)
    repeatable: ClassVar[bool] = False

    subject: str
    detections: tuple[Detection, ...]
    width: int
    height: int
    seed: int

    @property
    def text(self) -> str:
        """Size, instruction and what was found."""
        return "\n".join(
            (
                f"Picture: {self.width} wide, {self.height} high",
                f"Instruction: {one_line(self.subject)}",
                found_line(self.detections),
            )
        )

    def schema(self) -> dict[str, Any]:
        """Of a `LayoutUpdate`, for the ids that were found."""
        return update_schema(self.subject, self.detections, (self.width, self.height))

    def read(self, text: str, remark: Remark = log_remark) -> EditPlan:
        """JSON, or SLD's text."""
        return read_plan(text, self.detections, width=self.width, height=self.height, remark=remark)

    def by_rules(self, remark: Remark = log_remark) -> tuple[EditPlan, str]:
        """By grammar and search."""
        rng = seeded_random(self.subject, self.seed, self.name)
        canvas = Canvas(self.width, self.height)
        plan = plan_edits(read_instruction(self.subject), self.detections, canvas, rng, remark)
        return plan, update_of_plan(plan, self.detections).model_dump_json()
