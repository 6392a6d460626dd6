"""A method's settings: their base, and the settings of a publication."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from llmgen.artifacts import ArtifactModel


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
