"""Mask R-CNN: all instances of a list of classes, with their masks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llmgen.artifacts import Detection, Kind, ModelUse, Record, Stage
from llmgen.detect.asked import absent_of, nouns_of, picture_of
from llmgen.engine.stage import Profile, StageConfig
from llmgen.llm.english.words import singularize
from llmgen.vision.masks import encode_mask
from llmgen.vision.protocols import FoundInstance, InstanceThresholds

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class MaskRcnnDetectConfig(StageConfig):
    """Settings of `detect mask-rcnn`."""

    profiles: ClassVar[Mapping[str, Profile]] = {
        "reference": Profile({"score_threshold": 0.9, "nms_threshold": 0.3, "most": 100, "mask_threshold": 0.5})
    }

    profile: Literal["llmgen", "reference"] = "llmgen"
    """`reference` has the thresholds of the context loop of 2023."""
    role: Literal["detector_objects", "detector_parts"] = "detector_objects"
    """Which detector: of objects, or of their parts. A preset without `detector_objects` has its `detector` look for objects."""
    labels: tuple[str, ...] = ()
    """The classes to look for; by default all of the detector's."""
    score_threshold: float | None = Field(default=None, ge=0, le=1)
    """Least score; by default that which travels with the weights. The context loop of 2023 has 0.9."""
    nms_threshold: float | None = Field(default=None, ge=0, le=1)
    """Overlap (IoU) from which the weaker of two boxes of one class is dropped; likewise. The context loop of 2023 has 0.3."""
    most: int | None = Field(default=None, ge=1, le=100)
    """Most instances of a picture, before `labels` and areas are looked at; likewise. The context loop of 2023 has 100."""
    mask_threshold: float = Field(default=0.5, ge=0, le=1)
    """Least probability of a pixel of a mask."""
    min_area: float = Field(default=0.0, ge=0, le=1)
    """Least share of the picture that a mask covers."""
    max_area: float = Field(default=1.0, ge=0, le=1)
    """Greatest share of the picture that a mask covers: a later depth looks for small things."""
    masks: bool = True
    """Keep the masks."""


class MaskRcnnDetect:
    """Finds all that its detector has classes for, whatever the record asks for; it sees no attributes.

    What the record asks for and the classes do not have is remarked on the record.

    Source:
        He et al. 2017, "Mask R-CNN"; torchvision's `maskrcnn_resnet50_fpn_v2`, Li et al. 2021.
    """

    stage: ClassVar[Stage] = "detect"
    name: ClassVar[str] = "mask-rcnn"
    makes: ClassVar[Kind] = "detections"
    needs: ClassVar[tuple[str, ...]] = ("image",)
    Config: ClassVar[type[MaskRcnnDetectConfig]] = MaskRcnnDetectConfig

    def __init__(self, context: "StageContext", config: MaskRcnnDetectConfig) -> None:
        """Load the detector."""
        self.context, self.config = context, config
        given_by_detector = config.role == "detector_objects" and config.role not in context.preset.roles
        self.role = "detector" if given_by_detector else config.role
        self.detector = context.models.instance_detector(self.role)
        self.labels = {name.casefold(): name for name in self.detector.classes}

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The detector."""
        return (self.context.models.use(self.role),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Fill `detections`.

        Raises:
            InputError: If a record has no picture or it cannot be read.
        """
        config = self.config
        thresholds = InstanceThresholds(
            config.score_threshold, config.nms_threshold, config.most, config.mask_threshold
        )
        pictures = [picture_of(record, self.context) for record in records]
        found = self.detector.detect_instances(pictures, thresholds)
        for record in records:
            self._remark_on_unknown(record)
        return [
            record.grown(detections=self._detections(record, instances))
            for record, instances in zip(records, found, strict=True)
        ]

    def _remark_on_unknown(self, record: Record) -> None:
        # Instances of a layout and nouns of a prompt are objects; parts are asked for as absent, or by the setting.
        of_record = absent_of if self.config.role == "detector_parts" else nouns_of
        asked = self.config.labels or of_record(record)
        unknown = [name for name in asked if self._class_of(name) is None]
        if unknown:
            known = ", ".join(self.labels.values())
            known = known if len(known) <= 300 else f"{known[:300]} ..."
            self.context.remark_on(
                record.id, f"the detector has no class for {', '.join(map(repr, unknown))}; its classes are {known}"
            )

    def _class_of(self, name: str) -> str | None:
        plain = name.casefold().strip()
        return self.labels.get(plain) or self.labels.get(singularize(plain))

    def _detections(self, record: Record, instances: Sequence[FoundInstance]) -> tuple[Detection, ...]:
        wanted = {self._class_of(name) for name in self.config.labels}
        numbers: Counter[str] = Counter()
        detections, empty = [], 0
        for found in instances:
            share = float(found.mask.mean()) if found.mask.size else 0.0
            x0, y0, x1, y1 = (round(value, 2) for value in found.box_xyxy)
            if wanted and found.label not in wanted:
                continue
            if not share or x1 <= x0 or y1 <= y0:
                empty += 1
                continue
            if not self.config.min_area <= share <= self.config.max_area:
                continue
            numbers[found.label] += 1
            detections.append(
                Detection(
                    id=f"{found.label} #{numbers[found.label]}",
                    phrase=found.label,
                    noun=found.label,
                    box_xyxy=(x0, y0, x1, y1),
                    # Rounded, so that kernels that differ in the last bits write the same artifact.
                    score=round(found.score, 4),
                    mask=encode_mask(found.mask) if self.config.masks else None,
                )
            )
        if empty:
            self.context.remark_on(
                record.id, f"{empty} of the {len(instances)} found have an empty mask and are left out"
            )
        return tuple(detections)
