"""Detections against the layout: is each planned object found in its box."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from llmgen.artifacts import Kind, ModelUse, Record, Score, Stage
from llmgen.engine.stage import StageConfig
from llmgen.evaluate.average_precision import ScoredPicture, f1_at, found_boxes, wanted_boxes
from llmgen.evaluate.scores import check_mask, looks_to_score, merge_scores
from llmgen.evaluate.verdict import prompt_type
from llmgen.llm.english.grammar import read_prompt

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class CocoEvaluateConfig(StageConfig):
    """Settings of `evaluate coco`."""

    iou: float = Field(default=0.5, gt=0, le=1)
    """Least overlap of a match in a record's own score; the summary's AP uses COCO's thresholds."""


class CocoEvaluate:
    """Scores a record by the F1 of its detections against its layout; the summary adds AP and AR over all records.

    AP and AR are of boxes and, where plan and detections have them, of masks.
    Phrases are the categories: a ball found in the box of a red ball counts only when its colour was confirmed. Detections are those in
    the record, so their thresholds bound what AP can reach.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "coco"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("layout", "detections")
    Config: ClassVar[type[CocoEvaluateConfig]] = CocoEvaluateConfig

    def __init__(self, context: "StageContext", config: CocoEvaluateConfig) -> None:
        """No model is needed: the detections are there."""
        self.context = context
        self.config = config

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """None."""
        return ()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record has no layout or no detections, or a mask that is broken.
        """
        return [record.grown(scores=merge_scores(record.scores or (), self._scores(record))) for record in records]

    def _scores(self, record: Record) -> list[Score]:
        scores = []
        for look in looks_to_score(record, "evaluate coco"):
            for found in look.detections:
                if found.mask is not None:
                    check_mask(record, found, look.size)
            picture = ScoredPicture(wanted_boxes(look.layout, look.size), found_boxes(look.detections))
            value, matches = f1_at(picture, self.config.iou)
            scores.append(
                Score(
                    metric=self.name,
                    of=look.of,
                    value=value,
                    type=record.type or prompt_type(read_prompt(record.prompt)),
                    by="detector",
                    detail=f"{matches} of {len(picture.wanted)} wanted boxes matched by {len(picture.found)} detections",
                )
            )
        return scores
