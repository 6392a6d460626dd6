"""Layouts that come with the records, made by hand or elsewhere."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from llmgen.artifacts import Kind, Layout, ModelUse, Record, Stage
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.llm.english.grammar import read_phrase

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class GivenLayoutConfig(StageConfig):
    """Settings of `layout given`; there are none."""


class GivenLayout:
    """Passes on the layout of each record; fills in nouns and attributes that its phrases imply."""

    stage: ClassVar[Stage] = "layout"
    name: ClassVar[str] = "given"
    makes: ClassVar[Kind] = "layouts"
    needs: ClassVar[tuple[str, ...]] = ("layout",)
    Config: ClassVar[type[GivenLayoutConfig]] = GivenLayoutConfig

    def __init__(self, context: "StageContext", config: GivenLayoutConfig) -> None:
        """Nothing to load."""

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """None."""
        return ()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Fill `layout`.

        Raises:
            InputError: If a record has no layout.
        """
        return [record.grown(layout=self._complete(record)) for record in records]

    def _complete(self, record: Record) -> Layout:
        if record.layout is None:
            raise InputError(f"record {record.id!r} has no layout; use `llmgen layout --method lmd` to plan one")
        instances = []
        for instance in record.layout.instances:
            noun, attributes = read_phrase(instance.phrase)
            told = {"noun": instance.noun or noun, "attributes": instance.attributes or attributes}
            instances.append(instance.model_copy(update=told))
        return Layout(**{**dict(record.layout), "instances": tuple(instances)})
