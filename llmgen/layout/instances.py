"""Layouts for InstanceDiffusion: the planner describes the picture, and each thing in it by a phrase of its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.llm.instances import MOST_INSTANCES

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class InstancesLayoutConfig(StageConfig):
    """Settings of `layout instances`."""

    width: int | None = Field(default=None, gt=0, le=16384)
    """Width of the canvas in pixels; the preset's by default."""
    height: int | None = Field(default=None, gt=0, le=16384)
    """Height of the canvas in pixels; the preset's by default."""
    most: int = Field(default=MOST_INSTANCES, ge=1, le=1000)
    """Largest number of instances; the published model has 30 slots."""


class InstancesLayout:
    """Asks the planner for a description, phrases and boxes. A layout that the record has already is replaced.

    Source:
        The language model of InstanceDiffusion-extension, which invented a scene of one of
        nine kinds; here a prompt may name the scene, its things, or both.
    """

    stage: ClassVar[Stage] = "layout"
    name: ClassVar[str] = "instances"
    makes: ClassVar[Kind] = "layouts"
    needs: ClassVar[tuple[str, ...]] = ()
    Config: ClassVar[type[InstancesLayoutConfig]] = InstancesLayoutConfig

    def __init__(self, context: "StageContext", config: InstancesLayoutConfig) -> None:
        """Load the planner."""
        self.context = context
        self.config = config
        self.planner = context.planner

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The language model, when the planner is one."""
        if self.planner.model is None:
            return ()
        return (ModelUse(role="planner", source=self.planner.model),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Fill `layout`.

        Raises:
            InputError: If the planner cannot place what a prompt asks for.
            ModelError: If no usable reply came.
        """
        return [self._plan(record) for record in records]

    def _plan(self, record: Record) -> Record:
        if record.seed is None:
            raise InputError(f"record {record.id!r} has no seed; the engine gives it one")
        layout, reply = self.planner.instances(
            record.prompt,
            width=self.config.width or self.context.preset.width,
            height=self.config.height or self.context.preset.height,
            seed=record.seed,
            most=self.config.most,
        )
        return record.grown(layout=layout, replies=(*record.replies, reply))
