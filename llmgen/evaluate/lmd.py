"""The LMD benchmark's score: does every clause of the prompt hold."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llmgen.artifacts import Detection, ImageRef, Kind, ModelUse, Record, Score, Stage
from llmgen.artifacts.score import Scored
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.evaluate.scores import merge_scores, pictures_to_score
from llmgen.evaluate.verdict import (
    Found,
    Verdict,
    attributed_phrases,
    found_by_phrase,
    found_in_detections,
    found_in_layout,
    is_checkable,
    judge_found,
    plain_phrases,
    prompt_type,
)
from llmgen.llm.english.grammar import PromptMeaning, read_prompt
from llmgen.vision.boxes import BoxTuple, suppress_overlaps_by_label
from llmgen.vision.protocols import PhraseDetector
from llmgen.vision.queries import phrase_query

if TYPE_CHECKING:
    from PIL import Image

    from llmgen.engine.context import StageContext


logger = logging.getLogger(__name__)


class LmdEvaluateConfig(StageConfig):
    """Settings of `evaluate lmd`."""

    of: Literal["auto", "layout", "detections", "images"] = "auto"
    """What to score: the plan, the detections in the record, or the pictures. `auto` takes pictures, else the plan."""
    judge: bool = False
    """Look with the preset's judge, which no loop ever asks, instead of the loop's own detector."""
    threshold: float = Field(default=0.2, ge=0, le=1)
    """Least score of a hit for a plain noun."""
    attribution_threshold: float = Field(default=0.45, ge=0, le=1)
    """Least score of a hit for a noun with attributes."""
    nms_threshold: float = Field(default=0.15, ge=0, le=1)
    """Overlap (IoU) from which the weaker of two hits for one phrase is dropped."""


@dataclass(frozen=True)
class _Look:
    """One picture and what to look for in it."""

    image: "Image.Image"
    meaning: PromptMeaning


@dataclass(frozen=True)
class _Sight:
    """What was seen in one picture."""

    found: Found
    seen: tuple[Detection, ...]


class LmdEvaluate:
    """Scores 1 when the prompt holds, else 0.

    The first picture is scored beside the last one when a record went through correction or refinement. A prompt that asks for nothing
    that boxes can show gets no score, nor does one of which something was not read.

    Source:
        LMD (Lian et al. 2024) and SLD (Wu et al. 2024). Thresholds are those of SLD; LMD's own figures were made with 0.15 for everything
        and another detector, so tables of both are not comparable.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "lmd"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ()
    Config: ClassVar[type[LmdEvaluateConfig]] = LmdEvaluateConfig

    def __init__(self, context: "StageContext", config: LmdEvaluateConfig) -> None:
        """Nothing is loaded before a picture is to be scored: plans and detections need no model."""
        self.context = context
        self.config = config
        self.role = "judge" if config.judge else "detector"
        self._detector: PhraseDetector | None = None
        self._looked = False

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The judge or the detector if it looked at a picture of the last batch; what came before must not matter."""
        return (self.context.models.use(self.role),) if self._looked else ()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record lacks what is to be scored.
        """
        meanings = [read_prompt(record.prompt) for record in records]
        new: list[list[Score]] = [[] for _ in records]
        pictures: list[tuple[int, Literal["initial", "final"], ImageRef]] = []
        for i, (record, meaning) in enumerate(zip(records, meanings, strict=True)):
            if meaning.remarks:
                logger.warning(
                    "record %r is not scored, as its prompt is not read wholly: %s",
                    record.id,
                    "; ".join(meaning.remarks),
                )
            if not is_checkable(meaning):
                continue
            what = self._what(record)
            if what == "images":
                pictures += [(i, of, ref) for of, ref in pictures_to_score(record)]
            else:
                new[i].append(self._score_without_looking(record, meaning, what))
        self._looked = bool(pictures)
        for i, of, score in self._score_pictures(records, meanings, pictures):
            new[i].append(score.model_copy(update={"of": of}))
        return [
            record.grown(scores=merge_scores(record.scores or (), scores))
            for record, scores in zip(records, new, strict=True)
        ]

    def _what(self, record: Record) -> Literal["layout", "detections", "images"]:
        what = self.config.of
        if what == "auto":
            what = "images" if record.image is not None else "layout"
        section = {"images": record.image, "layout": record.layout, "detections": record.detections}[what]
        if section is None:
            missing = (
                "no picture and no layout" if self.config.of == "auto" else f"no {what.removesuffix('s')} to score"
            )
            raise InputError(f"record {record.id!r} has {missing}; run the stage that makes it first")
        return what

    def _score_without_looking(
        self, record: Record, meaning: PromptMeaning, what: Literal["layout", "detections"]
    ) -> Score:
        if what == "layout":
            assert record.layout is not None
            size = (record.layout.width, record.layout.height)
            verdict = judge_found(meaning, found_in_layout(meaning, record.layout), size)
            return self._score(record, meaning, verdict, of="layout", by="layout")
        assert record.detections is not None
        canvas = record.image or record.layout
        size = (canvas.width, canvas.height) if canvas else (1, 1)
        verdict = judge_found(meaning, found_in_detections(meaning, record.detections), size)
        return self._score(record, meaning, verdict, of="detections", by="detector")

    def _score_pictures(
        self,
        records: Sequence[Record],
        meanings: Sequence[PromptMeaning],
        pictures: Sequence[tuple[int, Literal["initial", "final"], ImageRef]],
    ) -> list[tuple[int, Literal["initial", "final"], Score]]:
        # A record that correction left alone has the same picture twice: look once.
        places: dict[tuple[int, str], int] = {}
        looks: list[_Look] = []
        if not pictures:
            return []
        self._detector = self._detector or self.context.models.phrase_detector(self.role)
        for i, _, ref in pictures:
            asked = (*attributed_phrases(meanings[i]), *plain_phrases(meanings[i]))
            for text in self._detector.cut_phrases([phrase_query(phrase) for phrase in asked]):
                self.context.remark_on(records[i].id, text)
            if (i, ref.path) not in places:
                places[i, ref.path] = len(looks)
                looks.append(_Look(self.context.images.load(ref), meanings[i]))
        sights = self._look(self._detector, looks)
        scores = []
        for i, of, ref in pictures:
            sight = sights[places[i, ref.path]]
            verdict = judge_found(meanings[i], sight.found, (ref.width, ref.height))
            score = self._score(records[i], meanings[i], verdict, of=of, by=self.role, seen=sight.seen)
            scores.append((i, of, score))
        return scores

    def _look(self, detector: "PhraseDetector", looks: Sequence[_Look]) -> list[_Sight]:
        boxes: list[dict[str, list[BoxTuple]]] = [{} for _ in looks]
        seen: list[list[Detection]] = [[] for _ in looks]
        passes = ((attributed_phrases, self.config.attribution_threshold), (plain_phrases, self.config.threshold))
        for phrases_of, threshold in passes:
            asked = {i: phrases for i, look in enumerate(looks) if (phrases := phrases_of(look.meaning))}
            queries = [[phrase_query(phrase) for phrase in phrases] for phrases in asked.values()]
            answers = detector.detect_phrases([looks[i].image for i in asked], queries, threshold=threshold)
            for (i, phrases), hits in zip(asked.items(), answers, strict=True):
                phrase_of = {phrase_query(phrase): phrase for phrase in phrases}
                kept = suppress_overlaps_by_label(
                    [hit.box_xyxy for hit in hits],
                    [hit.score for hit in hits],
                    [hit.query for hit in hits],
                    self.config.nms_threshold,
                )
                for hit in (hits[k] for k in kept):
                    phrase = phrase_of[hit.query]
                    boxes[i].setdefault(phrase, []).append(hit.box_xyxy)
                    detection = _as_detection(looks[i].meaning, phrase, hit.box_xyxy, hit.score, len(boxes[i][phrase]))
                    if detection is not None:
                        seen[i].append(detection)
        return [
            _Sight(found_by_phrase(look.meaning, dict(found)), tuple(detections))
            for look, found, detections in zip(looks, boxes, seen, strict=True)
        ]

    def _score(
        self,
        record: Record,
        meaning: PromptMeaning,
        verdict: Verdict,
        *,
        of: Scored,
        by: str,
        seen: tuple[Detection, ...] | None = None,
    ) -> Score:
        return Score(
            metric=self.name,
            of=of,
            value=float(verdict.ok),
            type=record.type or prompt_type(meaning),
            by=by,
            detail=verdict.detail,
            seen=seen,
        )


def _as_detection(meaning: PromptMeaning, phrase: str, box: BoxTuple, score: float, number: int) -> Detection | None:
    """What the judge saw, for the record; None for a box that rounds to nothing."""
    x0, y0, x1, y1 = (round(value, 2) for value in box)
    if x1 <= x0 or y1 <= y0:
        return None
    wanted = next((wanted for wanted in meaning.objects if wanted.attributes and wanted.phrase == phrase), None)
    return Detection(
        id=f"{phrase} #{number}",
        phrase=phrase,
        noun=wanted.noun if wanted else phrase,
        attributes=wanted.attributes if wanted else (),
        box_xyxy=(x0, y0, x1, y1),
        score=round(min(max(score, 0.0), 1.0), 4),
    )
