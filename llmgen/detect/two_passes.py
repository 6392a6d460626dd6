"""Open-vocabulary detection in two passes, with attributes, then without: what `owlv2` and `grounding-dino` share.

Source:
    SLD (Wu et al. 2024), "Self-correcting LLM-controlled Diffusion Models".
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from PIL import Image
from pydantic import Field

from llmgen.artifacts import ArtifactModel, Detection, Kind, ModelUse, Record, Reply, Stage
from llmgen.detect.asked import demands_of_layout, demands_of_parsed_prompt, picture_of
from llmgen.detect.merging import (
    Demand,
    Hit,
    drop_contradictions,
    drop_explained,
    expected_counts,
    merge_passes,
    suppress_hits,
)
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.llm.schemas import ParsedPrompt
from llmgen.vision.masks import best_masks, encode_mask

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext
    from llmgen.llm.providers.provider import Answer


class Thresholds(ArtifactModel):
    """Least scores and overlap for one type of record."""

    attribute_threshold: float = Field(ge=0, le=1)
    """See the setting of that name."""
    primitive_threshold: float = Field(ge=0, le=1)
    """See the setting of that name."""
    nms_threshold: float = Field(ge=0, le=1)
    """See the setting of that name."""


class TwoPassConfig(StageConfig):
    """Settings of detection in two passes; each method has its own thresholds."""

    attribute_threshold: float = Field(default=0.45, ge=0, le=1)
    """Least score of a hit for a noun with attributes."""
    primitive_threshold: float = Field(default=0.2, ge=0, le=1)
    """Least score of a hit for a plain noun."""
    nms_threshold: float = Field(default=0.15, ge=0, le=1)
    """Overlap (IoU) from which the weaker of two hits for one phrase is dropped."""
    by_type: dict[str, Thresholds] = Field(default_factory=dict)
    """Other thresholds for records of a type, such as the `dalle` of SLD's tasks, whose type is what made the picture."""
    same_object_iou: float = Field(default=0.6, ge=0, le=1)
    """Overlap (IoU) above which hits of both passes, or for different phrases, are one object. SLD: 0.9 between the passes."""
    show_surplus: bool = True
    """List objects with attributes beyond the number wanted, too, so that they can be removed. SLD hides them."""
    masks: bool = True
    """Add a mask to every detection (needs the preset's segmenter)."""


class TwoPassDetect(ABC):
    """Finds what a record's layout, or else its prompt, asks for.

    Source:
        SLD (Wu et al. 2024), "Self-correcting LLM-controlled Diffusion Models", open-vocabulary detection in two passes.
    """

    stage: ClassVar[Stage] = "detect"
    name: ClassVar[str]
    makes: ClassVar[Kind] = "detections"
    needs: ClassVar[tuple[str, ...]] = ("image",)
    Config: ClassVar[type[TwoPassConfig]] = TwoPassConfig

    def __init__(self, context: "StageContext", config: TwoPassConfig) -> None:
        """Load the detector, and the segmenter when masks are asked for."""
        self.context = context
        self.config = config
        self.detector = context.models.phrase_detector("detector")
        self.segmenter = context.models.segmenter() if config.masks else None
        self._parsed: dict[str, Answer[ParsedPrompt]] = {}

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """Detector and, with masks, segmenter."""
        roles = ("detector", "segmenter") if self.config.masks else ("detector",)
        return tuple(self.context.models.use(role) for role in roles)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Fill `detections`.

        Raises:
            InputError: If a record has no picture or it cannot be read.
        """
        pictures = [picture_of(record, self.context) for record in records]
        wanted = [self._wanted(record) for record in records]
        demands = [asked for asked, _ in wanted]
        for record, asked in zip(records, demands, strict=True):
            for text in self.detector.cut_phrases(
                [self.query(p) for demand in asked for p in demand.attributed or [demand.noun]]
            ):
                self.context.remark_on(record.id, text)
        found = self._look(pictures, demands, [self._thresholds(record) for record in records])
        return [
            record.grown(detections=detections, replies=record.replies + replies)
            for record, detections, (_, replies) in zip(records, found, wanted, strict=True)
        ]

    @abstractmethod
    def query(self, phrase: str) -> str:
        """How the detector is asked for a phrase without article, such as `red ball`."""

    def _wanted(self, record: Record) -> tuple[tuple[Demand, ...], tuple[Reply, ...]]:
        if record.layout is not None:
            return demands_of_layout(record.layout), ()
        known = next((reply for reply in record.replies if reply.call == ParseQuestion.name), None)
        if known is not None:  # A prompt that was taken apart once, here or elsewhere, is not taken apart again.
            return demands_of_parsed_prompt(
                ParseQuestion(record.prompt or record.instruction or "").read(known.text)
            ), ()
        if not record.prompt.strip():
            raise InputError(f"record {record.id!r} has neither layout nor prompt that says what to look for")
        if record.prompt not in self._parsed:
            self._parsed[record.prompt] = self.context.planner.ask(ParseQuestion(record.prompt))
        # What was mended holds for all records of the prompt, though the planner is asked once.
        answer = self.context.heard(record.id, self._parsed[record.prompt])
        return demands_of_parsed_prompt(answer.value), (answer.reply,)

    def _thresholds(self, record: Record) -> Thresholds:
        return self.config.by_type.get(record.type or "") or Thresholds(
            attribute_threshold=self.config.attribute_threshold,
            primitive_threshold=self.config.primitive_threshold,
            nms_threshold=self.config.nms_threshold,
        )

    def _look(
        self,
        pictures: Sequence[Image.Image],
        demands: Sequence[tuple[Demand, ...]],
        thresholds: Sequence[Thresholds],
    ) -> list[tuple[Detection, ...]]:
        counts = [expected_counts(asked) for asked in demands]
        overlaps = [t.nms_threshold for t in thresholds]
        attributed = [t.attribute_threshold for t in thresholds]
        attribute_hits = self._pass(pictures, [list(c.attribute) for c in counts], attributed, overlaps)
        plain_scores = [t.primitive_threshold for t in thresholds]
        primitive_hits = self._pass(pictures, [list(c.primitive) for c in counts], plain_scores, overlaps)
        found = []
        for picture, asked, with_attributes, plain in zip(
            pictures, demands, attribute_hits, primitive_hits, strict=True
        ):
            same_iou = self.config.same_object_iou
            named = merge_passes(
                asked,
                with_attributes,
                drop_explained(asked, with_attributes, plain, same_iou),
                show_surplus=self.config.show_surplus,
                same_iou=same_iou,
            )
            detections = [
                Detection(
                    id=hit.id,
                    phrase=hit.phrase,
                    noun=hit.noun,
                    attributes=hit.attributes,
                    box_xyxy=hit.box_xyxy,
                    score=hit.score,
                )
                for hit in named
            ]
            found.append(tuple(self._with_masks(picture, detections)))
        return found

    def _pass(
        self,
        pictures: Sequence[Image.Image],
        phrases: Sequence[list[str]],
        scores: Sequence[float],
        overlaps: Sequence[float],
    ) -> list[list[Hit]]:
        queries = [[self.query(phrase) for phrase in asked] for asked in phrases]
        # A box belongs to its best query whatever the threshold, so the least one serves all pictures of a call.
        answers = self.detector.detect_phrases(pictures, queries, threshold=min(scores, default=0.0))
        results = []
        for asked, answer, score, overlap in zip(phrases, answers, scores, overlaps, strict=True):
            phrase_of = {self.query(phrase): phrase for phrase in asked}
            # Rounded, so that kernels that differ in the last bits write the same artifact.
            hits = [
                Hit(phrase_of[hit.query], rounded, round(hit.score, 4))
                for hit in answer
                if hit.score >= score and (rounded := _rounded(hit.box_xyxy)) is not None
            ]
            kept = suppress_hits(hits, asked, overlap)
            results.append(drop_contradictions(kept, self.config.same_object_iou))
        return results

    def _with_masks(self, picture: Image.Image, detections: list[Detection]) -> list[Detection]:
        if self.segmenter is None or not detections:
            return detections
        proposals, trust = self.segmenter.segment(picture, [found.box_xyxy for found in detections])
        chosen = best_masks(proposals, trust)
        return [
            found.model_copy(update={"mask": encode_mask(mask)}) for found, mask in zip(detections, chosen, strict=True)
        ]


def _rounded(box: tuple[float, float, float, float]) -> tuple[float, float, float, float] | None:
    x0, y0, x1, y1 = (round(value, 2) for value in box)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
