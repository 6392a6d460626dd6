"""LLM-grounded layouts: the planner says which objects a prompt wants, and where."""

from typing import ClassVar

from llmgen.artifacts import Record
from llmgen.layout.planned import CanvasConfig, PlannedLayout
from llmgen.llm.questions.layout import LayoutQuestion


class LmdLayoutConfig(CanvasConfig):
    """Settings of `layout lmd`."""


class LmdLayout(PlannedLayout):
    """Asks the planner for a layout. A layout that the record has already is replaced.

    Source:
        LMD (Lian et al. 2023), "LLM-grounded Diffusion", stage 1.
    """

    name: ClassVar[str] = "lmd"
    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    Config: ClassVar[type[LmdLayoutConfig]] = LmdLayoutConfig

    def planned(self, record: Record, seed: int) -> Record:
        """The record with objects, background and what must be absent."""
        return self.grown(record, self.planner.ask(LayoutQuestion(record.prompt, *self.canvas, seed)))
