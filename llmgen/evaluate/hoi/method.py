"""People who do something with something: is the thing where it should be, does the action show, did the pose stay."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from llmgen.artifacts import Detection, ImageRef, Interaction, Kind, ModelUse, Record, Score, Stage
from llmgen.artifacts.score import SHARE, Better
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.evaluate.answers import Answers
from llmgen.evaluate.hoi.measures import Sight, distance, noun_of, pose_distance, same_person, wanted_box
from llmgen.evaluate.hoi.relations import expected, holds
from llmgen.evaluate.scores import merge_scores, pictures_to_score
from llmgen.vision.boxes import iou, suppress_overlaps_by_label
from llmgen.vision.queries import phrase_query

if TYPE_CHECKING:
    from PIL import Image

    from llmgen.engine.context import StageContext

_MOST_FOUND = 5
"""So many finds of one noun are kept, the surest."""
_LEAST_SIDE_PX = 0.01
"""A box that is narrower rounds to nothing."""


class HoiEvaluateConfig(StageConfig):
    """Settings of `evaluate hoi`."""

    judge: bool = False
    """Look with the preset's judge, which no loop ever asks, instead of the loop's own detector."""
    threshold: float = Field(default=0.2, ge=0, le=1)
    """Least score of a hit."""
    nms_threshold: float = Field(default=0.5, ge=0, le=1)
    """Overlap (IoU) from which the weaker of two hits for one noun is dropped."""
    moved: float = Field(default=0.05, ge=0, le=1)
    """From so many diagonals of the picture on the object counts as moved."""
    clip: bool = True
    """Compare pictures with the action and with the prompt, where the preset fills the role `clip`."""
    pose: bool = True
    """Find joints, where the preset fills the role `pose`."""
    answers: Path | None = None
    """File of JSON Lines that the models' answers are kept in; a picture that is answered is not looked at again."""


@dataclass(frozen=True)
class _View:
    """What was found in one picture."""

    people: list[Sight]
    things: list[Sight]
    clip: dict[str, Any] | None


class HoiEvaluate:
    """Scores the picture of an interaction, and beside it the picture of the same seed before correction.

    - `hoi.subject`, `hoi.object`: they were found, 1 or 0.
    - `hoi.iou`, `hoi.distance`: of the object's box with where it should be: where the plan of the correction put it, else the layout.
      An object that was not found has an IoU of 0 and no distance.
    - `hoi.relation`: the object is where the verb wants it, by the boxes, and near a hand, a foot or the face where the verb says so.
    - `hoi.verb_clip`, `hoi.prompt_clip`: how well the picture fits verb and object, and the whole prompt.
    - `hoi.pose`: mean distance of the joints before and after, in heights of the figure, where the object moved or came; else no score.

    Source:
        The measures that ReCorD (Lin et al. 2024) names; its repository has no evaluation, so their definitions are llmgen's own.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "hoi"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("layout", "image")
    Config: ClassVar[type[HoiEvaluateConfig]] = HoiEvaluateConfig

    def __init__(self, context: "StageContext", config: HoiEvaluateConfig) -> None:
        """Nothing is loaded before a picture is to be looked at: known answers need no model."""
        self.context, self.config = context, config
        self.role = "judge" if config.judge else "detector"
        self._roles = [self.role, *(role for role in ("clip", "pose") if getattr(config, role) and self._has(role))]
        self._answers = Answers(config.answers)
        lacking = [role for role in ("clip", "pose") if getattr(config, role) and not self._has(role)]
        if lacking:
            context.remark(
                f"preset {context.preset.name!r} fills no role {' and no role '.join(lacking)}: no such scores"
            )

    def _has(self, role: str) -> bool:
        return role in self.context.preset.roles

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """Who looked, whether now or before."""
        return tuple(self.context.models.use(role) for role in self._roles)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record's layout does not say who does what with what.
        """
        for record in records:
            if record.layout is None or record.layout.interaction is None:
                raise InputError(
                    f"record {record.id!r} does not say who does what with what; run `llmgen layout --method interaction` first"
                )
        views = self._views([(record, ref) for record in records for _, ref in pictures_to_score(record)])
        return [
            record.grown(scores=merge_scores(record.scores or (), self._scores(record, views))) for record in records
        ]

    # What the models say

    def _views(self, pictures: Sequence[tuple[Record, ImageRef]]) -> dict[tuple[str, str], _View]:
        """What is in each picture, by record and path: known answers, then the models together."""
        questions = {(record.id, ref.path): self._question(record, ref) for record, ref in pictures}
        open_ = {
            (record.id, ref.path): (record, ref)
            for record, ref in pictures
            if self._answers.find(questions[record.id, ref.path]) is None
        }
        if open_:
            for key, answer in zip(open_, self._look(list(open_.values())), strict=True):
                self._answers.add(questions[key], answer)
        return {key: _view(self._answers.find(question)) for key, question in questions.items()}

    def _question(self, record: Record, ref: ImageRef) -> dict[str, Any]:
        subject, thing, action = _words(record)
        digest = ref.sha256 or hashlib.sha256(self.context.images.read(ref)).hexdigest()
        return {
            "picture": digest,
            "nouns": [subject, thing],
            "phrases": [action, record.prompt],
            "threshold": self.config.threshold,
            "nms_threshold": self.config.nms_threshold,
            "models": [use.model_dump(exclude_none=True) for use in self.models],
        }

    def _look(self, pictures: Sequence[tuple[Record, ImageRef]]) -> list[dict[str, Any]]:
        models = self.context.models
        images = [self.context.images.load(ref) for _, ref in pictures]
        words = [_words(record) for record, _ in pictures]
        queries = [list(dict.fromkeys(map(phrase_query, each[:2]))) for each in words]
        detector = models.phrase_detector(self.role)
        answers: list[dict[str, Any]] = []
        found = detector.detect_phrases(images, queries, threshold=self.config.threshold)
        for hits, each in zip(found, words, strict=True):
            boxes, scores = [hit.box_xyxy for hit in hits], [hit.score for hit in hits]
            kept = suppress_overlaps_by_label(boxes, scores, [hit.query for hit in hits], self.config.nms_threshold)
            sized = (hits[k] for k in kept if min(_sides(hits[k].box_xyxy)) >= _LEAST_SIDE_PX)
            best = sorted(sized, key=lambda hit: -hit.score)
            lists = [
                [[*map(_rounded, hit.box_xyxy), _rounded(hit.score)] for hit in best if hit.query == phrase_query(noun)]
                for noun in each[:2]
            ]
            answers.append({"subject": lists[0][:_MOST_FOUND], "object": lists[1][:_MOST_FOUND]})
        if "pose" in self._roles:
            self._add_poses(images, answers)
        if "clip" in self._roles:
            scorer = models.phrase_scorer("clip")
            for (record, _), each in zip(pictures, words, strict=True):
                for text in scorer.cut_phrases([each[2], record.prompt]):
                    self.context.remark_on(record.id, text)
            # Asked one by one: with a detector in CLIP's place, phrases that are asked together compete for each box.
            actions = scorer.score_phrases(images, [[each[2]] for each in words])
            prompts = scorer.score_phrases(images, [[record.prompt] for record, _ in pictures])
            for answer, (action,), (prompt,) in zip(answers, actions, prompts, strict=True):
                answer["clip"] = {"measure": scorer.measure, "verb": _rounded(action), "prompt": _rounded(prompt)}
        return answers

    def _add_poses(self, images: "Sequence[Image.Image]", answers: Sequence[dict[str, Any]]) -> None:
        estimator = self.context.models.pose_estimator()
        poses = estimator.estimate_poses(images, [[hit[:4] for hit in answer["subject"]] for answer in answers])
        for answer, figures in zip(answers, poses, strict=True):
            answer["joints"] = list(estimator.joints)
            answer["poses"] = [
                [[_rounded(x), _rounded(y), _rounded(s)] for (x, y), s in zip(f.points_xy, f.scores, strict=True)]
                for f in figures
            ]

    # What follows from it

    def _scores(self, record: Record, views: dict[tuple[str, str], _View]) -> list[Score]:
        scores: list[Score] = []
        before: tuple[Sight | None, Sight | None] | None = None
        last: ImageRef | None = None
        for of, ref in pictures_to_score(record):
            view = views[record.id, ref.path]
            person = same_person(view.people, before[0] if before else None)
            same_noun = _words(record)[0] == _words(record)[1]
            things = [t for t in view.things if not (same_noun and person is not None and t.box == person.box)]
            thing = things[0] if things else None
            scores += [
                score.model_copy(update={"of": of}) for score in self._of_picture(record, ref, person, thing, view)
            ]
            if before is not None and last is not None:
                scores += self._pose_kept(record, before, (person, thing), last, ref)
            before, last = (person, thing), ref
        return scores

    def _of_picture(
        self, record: Record, ref: ImageRef, person: Sight | None, thing: Sight | None, view: _View
    ) -> list[Score]:
        subject, noun, action = _words(record)
        seen = tuple(
            Detection(
                id=f"{name} #1", phrase=name, noun=name, box_xyxy=sight.box, score=min(max(sight.score, 0.0), 1.0)
            )
            for name, sight in ((subject if subject != noun else f"acting {subject}", person), (noun, thing))
            if sight is not None
        )
        scores = [
            self._score(record, "subject", float(person is not None), detail=f"looked for {subject}"),
            self._score(record, "object", float(thing is not None), detail=f"looked for {noun}", seen=seen),
        ]
        wanted = wanted_box(record, ref)
        if wanted is not None:
            box, source = wanted
            overlap = iou(thing.box, box) if thing is not None else 0.0
            scores.append(self._score(record, "iou", overlap, detail=f"with the box of the {source}"))
            if thing is not None:
                apart = distance(thing.box, box, ref)
                scores.append(self._score(record, "distance", apart, unit="diagonals", better="lower"))
        reason: str | None = f"no {noun if person is not None else subject} was found"
        if person is not None and thing is not None:
            interaction = _interaction(record)
            wants = expected(interaction.verb_base, _preposition(record))
            reason = holds(wants, person.box, thing.box, person.by_part())
        scores.append(
            self._score(record, "relation", float(reason is None), detail=reason or f"as {action!r} wants it")
        )
        if view.clip is not None:
            by, unit = ("clip", "cosine") if view.clip["measure"] == "cosine" else ("detector", SHARE)
            for name in ("verb", "prompt"):
                scores.append(self._score(record, f"{name}_clip", view.clip[name], unit=unit, by=by))
        return scores

    def _pose_kept(
        self,
        record: Record,
        before: tuple[Sight | None, Sight | None],
        after: tuple[Sight | None, Sight | None],
        first: ImageRef,
        last: ImageRef,
    ) -> list[Score]:
        if None in (before[0], after[0], after[1]) or (first.width, first.height) != (last.width, last.height):
            return []
        assert before[0] is not None and after[0] is not None and after[1] is not None
        if before[1] is not None and distance(before[1].box, after[1].box, last) < self.config.moved:
            return []
        apart = pose_distance(before[0], after[0])
        if apart is None:
            return []
        detail = "the object moved" if before[1] is not None else "the object came"
        return [self._score(record, "pose", apart, unit="heights", better="lower", by="pose", detail=detail)]

    def _score(
        self,
        record: Record,
        name: str,
        value: float,
        *,
        unit: str = SHARE,
        better: Better = "higher",
        by: str | None = None,
        detail: str | None = None,
        seen: tuple[Detection, ...] | None = None,
    ) -> Score:
        return Score(
            metric=f"{self.name}.{name}",
            of="final",
            value=value,
            unit=unit,
            better=better,
            type=record.type or _interaction(record).verb_base,
            by=by or self.role,
            detail=detail,
            seen=seen,
        )


def _interaction(record: Record) -> Interaction:
    assert record.layout is not None and record.layout.interaction is not None
    return record.layout.interaction


def _words(record: Record) -> tuple[str, str, str]:
    """Noun of who acts, noun of the thing, and the action with its thing, for example `feeding a red bird`."""
    interaction = _interaction(record)
    action = record.prompt[interaction.verb.start : interaction.object.end]
    return noun_of(interaction.subject.text), noun_of(interaction.object.text), action


def _preposition(record: Record) -> str:
    """The first word between verb and object that is a preposition, "" for none."""
    interaction = _interaction(record)
    between = record.prompt[interaction.verb.end : interaction.object.start].lower().split()
    return next((word for word in between if word not in ("right", "up", "down", "out", "away", "quietly")), "")


def _view(answer: Any) -> _View:
    """A look from what was answered.

    Raises:
        InputError: If a file of answers holds something else.
    """
    try:
        names, poses = answer.get("joints", []), answer.get("poses", [])
        people = [
            Sight(_box(hit), float(hit[4]), _joints(names, poses[number]) if poses else {})
            for number, hit in enumerate(answer["subject"])
        ]
        return _View(people, [Sight(_box(hit), float(hit[4]), {}) for hit in answer["object"]], answer.get("clip"))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"an answer about a picture is none of `evaluate hoi`: {error}; give another file") from error


def _box(hit: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = map(float, hit[:4])
    return (x0, y0, x1, y1)


def _sides(box: Sequence[float]) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def _joints(names: Sequence[str], points: Sequence[Sequence[float]]) -> dict[str, tuple[float, float, float]]:
    return {name: (float(x), float(y), float(s)) for name, (x, y, s) in zip(names, points, strict=True)}


def _rounded(value: Any) -> float:
    return round(float(value), 4)
