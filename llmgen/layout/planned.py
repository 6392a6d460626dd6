"""What the layouts of a planner share: the planner, its place in the provenance, and records one by one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from llmgen.artifacts import Kind, Layout, ModelUse, Record, Stage
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.llm.providers.provider import Answer

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class CanvasConfig(StageConfig):
    """Settings of layouts that are planned anew."""

    width: int | None = Field(default=None, gt=0, le=16384)
    """Width of the canvas in pixels; the preset's by default."""
    height: int | None = Field(default=None, gt=0, le=16384)
    """Height of the canvas in pixels; the preset's by default."""


class PlannedLayout:
    """A method that asks the planner, one record after the other."""

    stage: ClassVar[Stage] = "layout"
    makes: ClassVar[Kind] = "layouts"

    def __init__(self, context: "StageContext", config: Any) -> None:
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
            InputError: If the planner cannot do what a record asks for.
            ModelError: If no usable reply came.
        """
        return [self.planned(record, _seed_of(record)) for record in records]

    def ask_ahead(self, record: Record) -> None:
        """Ask what the record's turn will ask. The provider remembers the answer."""
        self.planned(record, _seed_of(record))

    def planned(self, record: Record, seed: int) -> Record:
        """The record with its layout and the planner's reply."""
        raise NotImplementedError

    def grown(self, record: Record, answer: Answer[Layout]) -> Record:
        """The record with a layout that was planned anew, and the reply that it was read from."""
        self.context.heard(record.id, answer)
        return record.grown(layout=answer.value, replies=(*record.replies, answer.reply))

    @property
    def canvas(self) -> tuple[int, int]:
        """Width and height of a layout that is planned anew."""
        preset = self.context.preset
        return self.config.width or preset.width, self.config.height or preset.height


def _seed_of(record: Record) -> int:
    if record.seed is None:
        raise InputError(f"record {record.id!r} has no seed; the engine gives it one")
    return record.seed
