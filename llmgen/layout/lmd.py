"""LLM-grounded layouts: the planner says which objects a prompt wants, and where."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class LmdLayoutConfig(StageConfig):
    """Settings of `layout lmd`."""

    width: int | None = Field(default=None, gt=0, le=16384)
    """Width of the canvas in pixels; the preset's by default."""
    height: int | None = Field(default=None, gt=0, le=16384)
    """Height of the canvas in pixels; the preset's by default."""


class LmdLayout:
    """Asks the planner for a layout. A layout that the record has already is replaced.

    Source:
        LMD (Lian et al. 2023), "LLM-grounded Diffusion", stage 1.
    """

    stage: ClassVar[Stage] = "layout"
    name: ClassVar[str] = "lmd"
    makes: ClassVar[Kind] = "layouts"
    needs: ClassVar[tuple[str, ...]] = ()
    Config: ClassVar[type[LmdLayoutConfig]] = LmdLayoutConfig

    def __init__(self, context: "StageContext", config: LmdLayoutConfig) -> None:
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
        layout, reply = self.planner.layout(
            record.prompt,
            width=self.config.width or self.context.preset.width,
            height=self.config.height or self.context.preset.height,
            seed=record.seed,
        )
        return record.grown(layout=layout, replies=(*record.replies, reply))
