"""Boxes that a vision-language model, or any detector, gives to the planned objects, against the plan."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llmgen.artifacts import Detection, Kind, Layout, ModelUse, Record, Score, Stage
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError, ModelError
from llmgen.evaluate.answers import read_json_lines
from llmgen.evaluate.coco_words import coco_name
from llmgen.evaluate.grounding_boxes import (
    NamedBox,
    best_by_label,
    match_by_label,
    mean_iou,
    read_grounded_reply,
    recall,
)
from llmgen.evaluate.scores import Look, looks_to_score, merge_scores
from llmgen.llm.english.grammar import head_noun

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


class GroundingEvaluateConfig(StageConfig):
    """Settings of `evaluate grounding`."""

    iou: float = Field(default=0.5, gt=0, le=1)
    """Least overlap with which a planned box counts as found in the recall."""
    answers: Path | None = None
    """File of JSON Lines with `id` of a record and `reply`, what a vision-language model said; detections are taken without it."""


class GroundingEvaluate:
    """Scores a record by how well boxes that somebody found in the picture overlap the boxes of the plan.

    - `grounding.strict`: partners one to one, a planned box without one counts 0.
    - `grounding.recall`: share of the planned boxes that their partner overlaps enough.
    - `grounding.corners`: best IoU of each label that both sides have; labels without partner are forgotten.
    - `grounding.as_published`: the same with corners read as left, top, width, height on both sides, which is how the published 0.42
      came about. Not a measure of anything; here for comparison.

    Source:
        The reproduction of InstanceDiffusion with layouts of a language model, judged by CogVLM.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "grounding"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("layout",)
    Config: ClassVar[type[GroundingEvaluateConfig]] = GroundingEvaluateConfig

    def __init__(self, context: "StageContext", config: GroundingEvaluateConfig) -> None:
        """Read the replies, if there are any.

        Raises:
            InputError: As `check_settings` does.
        """
        self.context = context
        self.config = config
        self._replies = _replies_of(config)

    @staticmethod
    def check_settings(context: "StageContext", config: GroundingEvaluateConfig) -> None:
        """Refuse, before any work, a file of replies that cannot be used.

        Raises:
            InputError: If it cannot be read or holds something else.
        """
        _replies_of(config)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """None: detections or replies are there."""
        return ()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record has no layout, or neither a reply nor detections.
            ModelError: If no box can be read in the reply to a record: that is no score of 0.
        """
        return [record.grown(scores=merge_scores(record.scores or (), self._scores(record))) for record in records]

    def _scores(self, record: Record) -> list[Score]:
        if self._replies is None:
            return [
                score
                for look in looks_to_score(record, "evaluate grounding")
                for score in self._compare(record, look.layout, _boxes_of(look), look.of, "detector")
            ]
        if record.layout is None:
            raise InputError(f"record {record.id!r} has no layout; `evaluate grounding` compares boxes with it")
        if record.id not in self._replies:
            raise InputError(f"record {record.id!r} has no reply in {self.config.answers}")
        canvas = record.layout
        try:
            found = read_grounded_reply(self._replies[record.id], canvas.width, canvas.height)
        except ModelError as error:
            raise ModelError(f"record {record.id!r} in {self.config.answers}: {error}") from error
        return self._compare(record, canvas, found, "final" if record.image else "detections", "vlm")

    def _compare(
        self,
        record: Record,
        layout: Layout,
        found: Sequence[NamedBox],
        of: Literal["initial", "final", "detections"],
        by: str,
    ) -> list[Score]:
        planned = _planned(layout)
        seen = _as_detections([one for one in found if one.box[2] > one.box[0] and one.box[3] > one.box[1]])
        named = [NamedBox(one.noun, one.box_xyxy, not one.id.endswith(FURTHER)) for one in seen]
        first = [one for one in named if one.first]
        matched = match_by_label(named, planned)
        published = best_by_label(first, planned, "xywh")
        corners = best_by_label(first, planned, "corners")
        partners = sum(value is not None for value in matched)
        labels = len({one.label for one in planned})
        per_box = f"{partners} of {len(planned)} planned boxes have one of {len(named)} found boxes"
        per_label = f"{len(published)} of {labels} planned labels were found"
        values = (
            ("grounding.strict", mean_iou(matched), per_box),
            ("grounding.recall", recall(matched, self.config.iou), per_box),
            ("grounding.corners", _mean(corners), per_label),
            ("grounding.as_published", _mean(published), per_label),
        )
        return [
            Score(metric=metric, of=of, value=value, type=record.type, by=by, detail=detail, seen=seen)
            for metric, value, detail in values
            if value is not None
        ]


def label_overlaps(record: Record, score: Score, reading: Literal["xywh", "corners"]) -> list[float]:
    """The best IoU of each label of a scored record, from what the score says was seen; the published mean is taken over these."""
    if record.layout is None:
        return []
    seen = [NamedBox(one.noun, one.box_xyxy) for one in score.seen or () if not one.id.endswith(FURTHER)]
    return list(best_by_label(seen, _planned(record.layout), reading).values())


#: Ends the id of a further box of one group in a reply, which the published score drops.
FURTHER = "of a group"


def _planned(layout: Layout) -> list[NamedBox]:
    return [
        NamedBox(coco_name(instance.noun or head_noun(instance.phrase)), instance.box_xyxy)
        for instance in layout.instances
    ]


def _boxes_of(look: Look) -> list[NamedBox]:
    """Detections in the pixels of the plan."""
    across, down = look.layout.width / look.size[0], look.layout.height / look.size[1]
    boxes = []
    for found in look.detections:
        x0, y0, x1, y1 = found.box_xyxy
        boxes.append(NamedBox(found.noun, (x0 * across, y0 * down, x1 * across, y1 * down)))
    return boxes


def _as_detections(found: Sequence[NamedBox]) -> tuple[Detection, ...]:
    return tuple(
        Detection(
            id=f"{one.label} #{number}" if one.first else f"{one.label} #{number} {FURTHER}",
            phrase=one.label,
            noun=coco_name(one.label),
            box_xyxy=one.box,
            score=1.0,
        )
        for number, one in enumerate(found, start=1)
    )


def _mean(values: dict[str, float]) -> float | None:
    return sum(values.values()) / len(values) if values else None


def _replies_of(config: GroundingEvaluateConfig) -> dict[str, str] | None:
    """Record id to reply, None where detections are scored."""
    if config.answers is None:
        return None
    replies: dict[str, str] = {}
    for entry in read_json_lines(config.answers):
        if not (isinstance(entry.get("id"), str) and isinstance(entry.get("reply"), str)):
            raise InputError(f"{config.answers}: every line needs the texts `id` and `reply`")
        if entry["id"] in replies:
            raise InputError(f"{config.answers}: two replies for the record {entry['id']!r}")
        replies[entry["id"]] = entry["reply"]
    return replies
