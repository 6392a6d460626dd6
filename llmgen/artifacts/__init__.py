"""The data and its rules: what the stages read and write."""

from llmgen.artifacts.base import SCHEMA_VERSION, ArtifactModel, Box, check_inside
from llmgen.artifacts.detection import Detection, Mask
from llmgen.artifacts.edit import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Edit,
    EditOutcome,
    EditPlan,
    MoveEdit,
    RepaintEdit,
)
from llmgen.artifacts.image import ImageRef
from llmgen.artifacts.interaction import Interaction, WordAttention, WordSpan
from llmgen.artifacts.layout import Instance, Layout
from llmgen.artifacts.manifest import Manifest, PromptEntry, StageEntry
from llmgen.artifacts.record import (
    CALL_PATTERN,
    REQUIRED_SECTIONS,
    HistoryEntry,
    Kind,
    ModelUse,
    Provenance,
    Record,
    RecordError,
    Remark,
    Reply,
    Stage,
)
from llmgen.artifacts.sample import Sample
from llmgen.artifacts.score import Score

__all__ = [
    "CALL_PATTERN",
    "REQUIRED_SECTIONS",
    "SCHEMA_VERSION",
    "AddEdit",
    "ArtifactModel",
    "Box",
    "ChangeAttributeEdit",
    "DeleteEdit",
    "Detection",
    "Edit",
    "EditOutcome",
    "EditPlan",
    "HistoryEntry",
    "ImageRef",
    "Instance",
    "Interaction",
    "Kind",
    "Layout",
    "Manifest",
    "Mask",
    "ModelUse",
    "MoveEdit",
    "PromptEntry",
    "Provenance",
    "Record",
    "RecordError",
    "Remark",
    "RepaintEdit",
    "Reply",
    "Sample",
    "Score",
    "Stage",
    "StageEntry",
    "WordAttention",
    "WordSpan",
    "check_inside",
]
