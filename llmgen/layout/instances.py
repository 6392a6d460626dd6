"""Layouts for InstanceDiffusion: the planner describes the picture, and each thing in it by a phrase of its own."""

from typing import ClassVar

from pydantic import Field

from llmgen.artifacts import Record
from llmgen.layout.planned import CanvasConfig, PlannedLayout
from llmgen.llm.questions.instances import MOST_INSTANCES, InstancesQuestion


class InstancesLayoutConfig(CanvasConfig):
    """Settings of `layout instances`."""

    most: int = Field(default=MOST_INSTANCES, ge=1, le=1000)
    """Largest number of instances; the published model has 30 slots."""


class InstancesLayout(PlannedLayout):
    """Asks the planner for a description, phrases and boxes. A layout that the record has already is replaced.

    Source:
        The language model of InstanceDiffusion-extension, which invented a scene of one of
        nine kinds; here a prompt may name the scene, its things, or both.
    """

    name: ClassVar[str] = "instances"
    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    Config: ClassVar[type[InstancesLayoutConfig]] = InstancesLayoutConfig

    def planned(self, record: Record, seed: int) -> Record:
        """The record with a description and its instances."""
        question = InstancesQuestion(record.prompt, *self.canvas, seed, self.config.most)
        return self.grown(record, self.planner.ask(question))
