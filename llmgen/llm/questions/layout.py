"""Where do the things of a prompt go? The first stage of LMD (Lian et al. 2023)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from llmgen.artifacts import Layout
from llmgen.llm.planning.layouts import plan_layout
from llmgen.llm.planning.placement import Canvas
from llmgen.llm.questions.bounds import bounded_schema, most_things
from llmgen.llm.questions.question import Question, one_line, understood
from llmgen.llm.replies.bounds import Remark, log_remark
from llmgen.llm.replies.wire import layout_of_plan, plan_of_layout
from llmgen.llm.schemas import LayoutPlan


@dataclass(frozen=True)
class LayoutQuestion(Question[Layout]):
    """Plans a picture.

    Attributes:
        subject: What the picture should show.
        width: Width of the canvas in pixels.
        height: Height of the canvas in pixels.
        seed: Chooses among equally good plans.
    """

    name: ClassVar[str] = "layout"

    subject: str
    width: int
    height: int
    seed: int

    @property
    def text(self) -> str:
        """Canvas and prompt."""
        return f"Canvas: {self.width} wide, {self.height} high\nDescription: {one_line(self.subject)}"

    def schema(self) -> dict[str, Any]:
        """Of a `LayoutPlan`, boxes on the canvas."""
        items = {"objects": most_things(self.subject)}
        return bounded_schema(LayoutPlan, canvas=(self.width, self.height), items=items)

    def read(self, text: str, remark: Remark = log_remark) -> Layout:
        """JSON, or LMD's text."""
        # Here, because the rules plan without a reply, and what reads every dialect takes a while to come in.
        from llmgen.llm.replies.layout_reply import read_layout_reply

        plan = read_layout_reply(text, width=self.width, height=self.height, remark=remark)
        return layout_of_plan(plan, width=self.width, height=self.height)

    def by_rules(self, remark: Remark = log_remark) -> tuple[Layout, str]:
        """By grammar and search."""
        layout = plan_layout(understood(self.subject, remark), self.subject, Canvas(self.width, self.height), self.seed)
        return layout, plan_of_layout(layout).model_dump_json()
