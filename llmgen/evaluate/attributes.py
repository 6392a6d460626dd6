"""Colours and textures: does each instance of the picture have the attribute that its phrase asks for."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from llmgen.artifacts import ImageRef, Instance, Kind, Layout, ModelUse, Record, Score, Stage
from llmgen.artifacts.score import SHARE
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.evaluate.answers import Answers
from llmgen.evaluate.attribute_binding import (
    COLORS,
    TEXTURES,
    CropScores,
    accuracy,
    attribute_of,
    attribute_prompts,
    is_hit,
    local_score,
)
from llmgen.evaluate.scores import merge_scores, pictures_to_score
from llmgen.llm.english.grammar import head_noun
from llmgen.vision.protocols import PhraseScorer

if TYPE_CHECKING:
    from PIL import Image

    from llmgen.engine.context import StageContext

ROLE = "clip"


class AttributesEvaluateConfig(StageConfig):
    """Settings of `evaluate attributes`."""

    kind: Literal["color", "texture"] = "color"
    """Which attributes are looked for."""
    labels: Literal["phrase", "id"] = "phrase"
    """Where the wanted attribute stands: in the instance's words, or in the number that its id ends with (COCO's annotation id)."""
    colors: tuple[str, ...] = COLORS
    """The colours that compete."""
    textures: tuple[str, ...] = TEXTURES
    """The textures that compete."""
    max_instances: int = Field(default=30, ge=1)
    """Instances of a layout that are looked at, from the first."""
    answers: Path | None = None
    """File of JSON Lines that the model's answers are kept in; what it answers already is not asked again."""


class AttributesEvaluate:
    """Scores a record by the share of its instances whose crop fits their attribute better than all others of the vocabulary.

    The crop is the box of the plan, not what a detector found. `attributes.color` skips crops without pixels, as published;
    `attributes.color.strict` counts them as wrong. `attributes.color.local` is the score of attribute and category together: CLIP's
    cosine (the published CLIP_local; below 0 it counts 0), or a detector's best hit where the preset fills the role with a detector.

    Source:
        InstanceDiffusion (Wang et al. 2024), evaluation of attribute binding.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "attributes"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("layout", "image")
    Config: ClassVar[type[AttributesEvaluateConfig]] = AttributesEvaluateConfig

    def __init__(self, context: "StageContext", config: AttributesEvaluateConfig) -> None:
        """Nothing is loaded before a crop is to be looked at: known answers need no model.

        Raises:
            InputError: As `check_settings` does.
        """
        self.context = context
        self.config = config
        self.vocabulary, self._answers = self._used(context, config)
        self._scorer: PhraseScorer | None = None

    @classmethod
    def check_settings(cls, context: "StageContext", config: AttributesEvaluateConfig) -> None:
        """Refuse, before any work, settings that cannot be used.

        Raises:
            InputError: If there are fewer than two attributes, because the preset's model knows no more, or if the file of
                answers is none.
        """
        cls._used(context, config)

    @staticmethod
    def _used(context: "StageContext", config: AttributesEvaluateConfig) -> tuple[tuple[str, ...], Answers]:
        vocabulary = config.colors if config.kind == "color" else config.textures
        if len(set(vocabulary)) < 2:
            raise InputError(
                f"preset {context.preset.name!r} knows fewer than two {config.kind}s to choose between; "
                f"take another kind or preset, or name them with --set {config.kind}s=..."
            )
        return vocabulary, Answers(config.answers)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """What compares crops with phrases, whether it was asked now or before."""
        spec = self.context.preset.role(ROLE)
        return (ModelUse(role=ROLE, source=spec.source, revision=spec.revision),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record has no layout or picture, or an instance's id has no number where labels come from ids.
        """
        return [record.grown(scores=merge_scores(record.scores or (), self._scores(record))) for record in records]

    def _scores(self, record: Record) -> list[Score]:
        if record.layout is None or record.image is None:
            raise InputError(f"record {record.id!r} has no {'picture' if record.layout else 'layout'} to compare")
        wanted = [
            (instance, attribute)
            for instance in record.layout.instances[: self.config.max_instances]
            if (attribute := self._wanted(instance)) is not None
        ]
        scores: list[Score] = []
        if not wanted:
            return scores
        for of, image in pictures_to_score(record):
            measure, crops = self._look(record.layout, image, wanted)
            hits = sum(map(is_hit, crops))
            values = {
                f"attributes.{self.config.kind}": accuracy(crops),
                f"attributes.{self.config.kind}.strict": accuracy(crops, strict=True),
                f"attributes.{self.config.kind}.local": local_score(crops),
            }
            scores += [
                Score(
                    metric=metric,
                    of=of,
                    value=value,
                    unit=measure if metric.endswith(".local") and measure == "cosine" else SHARE,
                    type=record.type,
                    by="clip" if measure == "cosine" else "detector",
                    detail=f"{hits} of {len(crops)} instances have their {self.config.kind}",
                )
                for metric, value in values.items()
                if value is not None
            ]
        return scores

    def _wanted(self, instance: Instance) -> str | None:
        """The attribute that was asked for; None when the phrase names none of the vocabulary."""
        if self.config.labels == "id":
            number = re.search(r"(\d{1,18})$", instance.id)
            if number is None:
                raise InputError(f"instance {instance.id!r} ends with no number; use --set labels=phrase")
            return attribute_of(int(number[1]), self.vocabulary)
        words = [*(a.lower() for a in instance.attributes), *re.findall(r"[^\W\d_]+", instance.phrase.lower())]
        return next((word for word in words if word in self.vocabulary), None)

    def _look(
        self, layout: Layout, image: ImageRef, wanted: Sequence[tuple[Instance, str]]
    ) -> tuple[str, list[CropScores]]:
        """Scores of every wanted instance in one picture, from the file of answers or from the model."""
        measures: dict[int, str] = {}
        scores: dict[int, list[float]] = {}
        questions, boxes = [], []
        digest = image.sha256 or hashlib.sha256(self.context.images.read(image)).hexdigest()
        labels = attribute_prompts(self.vocabulary)
        for number, (instance, attribute) in enumerate(wanted):
            box = _crop_box(instance, layout, image)
            local = f"{attribute} {(instance.noun or head_noun(instance.phrase)).lower()}"
            boxes.append(box)
            questions.append(
                {
                    "picture": digest,
                    "box_xyxy": list(box),
                    "labels": labels,
                    "local": local,
                    "model": self.models[0].model_dump(exclude_none=True),
                }
            )
            if box[2] <= box[0] or box[3] <= box[1]:
                continue
            known = self._answers.find(questions[number])
            if known is not None:
                measures[number], scores[number] = known["measure"], known["scores"]
        open_ = [i for i, box in enumerate(boxes) if i not in scores and box[2] > box[0] and box[3] > box[1]]
        if open_:
            picture = self.context.images.load(image)
            asked = self._ask(
                [picture.crop(boxes[i]) for i in open_], labels, [str(questions[i]["local"]) for i in open_]
            )
            for i, (measure, values) in zip(open_, asked, strict=True):
                self._answers.add(questions[i], {"measure": measure, "scores": values})
                measures[i], scores[i] = measure, values
        crops = []
        for number, (_, attribute) in enumerate(wanted):
            index = self.vocabulary.index(attribute)
            if number in scores:
                *values, local_value = scores[number]
                crops.append(CropScores(index, tuple(values), local_value))
            else:
                crops.append(CropScores(index, None))
        return next(iter(measures.values()), "cosine"), crops

    def _ask(
        self, crops: "Sequence[Image.Image]", labels: list[str], local: Sequence[str]
    ) -> list[tuple[str, list[float]]]:
        """For each crop the measure, and the scores of all labels and then of the instance's own words."""
        if self._scorer is None:
            self._scorer = self.context.models.phrase_scorer(ROLE)
        of_labels = self._scorer.score_phrases(crops, [labels] * len(crops))
        # Asked alone: with a detector, phrases that are asked together compete for each box.
        alone = self._scorer.score_phrases(crops, [[phrase] for phrase in local])
        measure = self._scorer.measure
        return [
            (measure, [round(value, 6) for value in (*many, *one)]) for many, one in zip(of_labels, alone, strict=True)
        ]


def _crop_box(instance: Instance, layout: Layout, image: ImageRef) -> tuple[int, int, int, int]:
    """The box in whole pixels of the picture; may come out without any."""
    across, down = image.width / layout.width, image.height / layout.height
    x0, y0, x1, y1 = instance.box_xyxy
    left, top, right, bottom = round(x0 * across), round(y0 * down), round(x1 * across), round(y1 * down)
    return (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
