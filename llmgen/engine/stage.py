"""The contract between the engine and a method."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from llmgen.artifacts import ArtifactModel, Kind, ModelUse, Record, Stage

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class Profile(NamedTuple):
    """Settings of a publication, chosen together by a setting called `profile`."""

    settings: Mapping[str, Any]
    """They win over the preset's. Whoever gives another value besides is refused, because it is that profile no more."""
    free: tuple[str, ...] = ()
    """Those that may be given another value all the same: the publication leaves them open."""


class StageConfig(ArtifactModel):
    """Base of every method's settings: strict, frozen, each field documented. Field names are the flags of the command line."""

    profiles: ClassVar[Mapping[str, Profile]] = {}
    """By what the field `profile` says; of methods that have that field."""


class StageMethod(Protocol):
    """One method of one stage: loads its models once, then maps records to records.

    A call fills its section and nothing else: provenance, errors, seeds and the journal are the engine's. It must not depend on the
    order or the neighbours of a record in the batch. When a batch raises an `LlmgenError`, the engine runs its records one by one and
    writes the error into the record that caused it.
    """

    stage: ClassVar[Stage]
    name: ClassVar[str]
    makes: ClassVar[Kind]
    """Kind of the artifact that comes out."""
    needs: ClassVar[tuple[str, ...]]
    """Sections of a record that must be filled, for example `("image",)`."""
    Config: ClassVar[type[Any]]
    """The method's subclass of `StageConfig`."""

    def __init__(self, context: "StageContext", config: Any) -> None:
        """Load what is needed."""
        ...

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use, for the provenance."""
        ...

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Map records to new records, same number, same order."""
        ...
