"""The context loop: do objects fit their context better, are all still there, is all else untouched, and what did it cost."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from llmgen.artifacts import (
    Detection,
    EditOutcome,
    HistoryEntry,
    ImageRef,
    Instance,
    Kind,
    ModelUse,
    Record,
    RepaintEdit,
    Score,
    Stage,
)
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.evaluate.scores import merge_scores
from llmgen.llm.english.words import singularize
from llmgen.vision.blending import crop_around
from llmgen.vision.boxes import iou
from llmgen.vision.protocols import PhraseScorer

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

ROLE = "clip"
MARGIN = 0.15
"""Of the longer side of an object's box: what of its surroundings is compared with its tags, too."""


class ContextEvaluateConfig(StageConfig):
    """Settings of `evaluate context`."""

    fit: bool = True
    """Compare objects with their tags, which needs the role `clip`."""
    keep_iou: float = Field(default=0.5, ge=0, le=1)
    """Overlap from which an object of the first depth counts as still there."""


class ContextEvaluate:
    """Scores a record that went through `correct --mode context`.

    `context.fit` is how well the objects that were to be painted fit their tags, before all depths and after them: the mean of CLIP's
    cosines. `context.fit.shuffled` holds the last picture's objects against each other's tags, so it must be lower. `context.kept` is the
    share of the first depth's objects that the detections of the last picture still show. `context.outside` counts the pixels that
    differ between the first and the last picture outside all soft masks, which must be 0. `context.rolled_back` is the share of painted
    objects whose picture was dropped, `context.pixel_steps` the pixels times denoising steps of all that was painted, in millions.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "context"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("image",)
    Config: ClassVar[type[ContextEvaluateConfig]] = ContextEvaluateConfig

    def __init__(self, context: "StageContext", config: ContextEvaluateConfig) -> None:
        """Nothing is loaded before an object is to be compared."""
        self._context, self._config = context, config
        self._scorer: PhraseScorer | None = None

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """What compares crops with tags."""
        return (self._context.models.use(ROLE),) if self._config.fit else ()

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record has no depth behind it.
        """
        return [record.grown(scores=merge_scores(record.scores or (), self._scores(record))) for record in records]

    def _scores(self, record: Record) -> list[Score]:
        depths = [entry for entry in record.history if entry.outcomes is not None]
        if not depths or record.image is None:
            raise InputError(f"record {record.id!r} has no depth behind it; run `llmgen correct --mode context` first")
        first, last = picture_before(record, depths[0]), depths[-1].image
        scores = list(self._fit(record, depths, first, last)) if self._config.fit else []
        scores += kept(record, depths[0], self._config.keep_iou)
        outside = changed_outside(
            self._pixels(first),
            self._pixels(last),
            [self._pixels(e.region)[..., 0] for e in depths if e.region is not None],
        )
        scores.append(_score(record, "outside", float(outside), unit="px", better="lower", by="pixels"))
        return [*scores, *costs(record, depths)]

    def _fit(self, record: Record, depths: Sequence[HistoryEntry], first: ImageRef, last: ImageRef) -> Iterator[Score]:
        edits = asked_of(depths)
        if not edits:
            return
        if self._scorer is None:
            self._scorer = self._context.models.phrase_scorer(ROLE)
        scorer, texts = self._scorer, [edit.description for edit in edits]
        for text in scorer.cut_phrases(texts):
            self._context.remark_on(record.id, text)
        unit, by = ("cosine", "clip") if scorer.measure == "cosine" else ("hit", "detector")
        pictures = {"initial": self._context.images.load(first), "final": self._context.images.load(last)}
        others = texts[1:] + texts[:1]
        for of, wanted, name in (("initial", texts, "fit"), ("final", texts, "fit"), ("final", others, "fit.shuffled")):
            if name == "fit.shuffled" and len(set(texts)) < 2:
                continue
            crops = [crop_around(pictures[of], edit.box_xyxy, MARGIN) for edit in edits]
            rows = scorer.score_phrases(crops, [[text] for text in wanted])
            mean = sum(row[0] for row in rows) / len(rows)
            yield _score(record, name, mean, of=of, unit=unit, by=by, detail=f"{len(rows)} objects")

    def _pixels(self, ref: ImageRef) -> NDArray[np.uint8]:
        return np.asarray(self._context.images.load(ref).convert("RGB"))


def picture_before(record: Record, depth: HistoryEntry) -> ImageRef:
    """The picture that a depth started from: that of its first painted object, else that of the entry before."""
    painted = next((o.before for o in depth.outcomes or () if o.before is not None), None)
    place = record.history.index(depth)
    return painted or (record.history[place - 1].image if place else depth.image)


def asked_of(depths: Sequence[HistoryEntry]) -> list[RepaintEdit]:
    """The edits of all depths that were painted, kept or not; of one object the last."""
    painted = [
        edit
        for entry in depths
        for edit, outcome in _with_outcomes(entry)
        if outcome.status != "skipped" and isinstance(edit, RepaintEdit)
    ]
    return [
        edit
        for number, edit in enumerate(painted)
        if all(iou(edit.box_xyxy, later.box_xyxy) < 0.5 or edit.noun != later.noun for later in painted[number + 1 :])
    ]


def kept(record: Record, depth: HistoryEntry, keep_iou: float) -> list[Score]:
    """The share of a depth's objects that the record's detections still show."""
    objects = depth.edits.target if depth.edits is not None else ()
    if not objects or record.detections is None:
        return []
    lost = [one.id for one in objects if not _shows(record.detections, one, keep_iou)]
    detail = f"lost: {', '.join(lost)}" if lost else f"all of {len(objects)}"
    return [_score(record, "kept", 1 - len(lost) / len(objects), by="detector", detail=detail)]


def changed_outside(first: NDArray[np.uint8], last: NDArray[np.uint8], regions: Sequence[NDArray[np.uint8]]) -> int:
    """Pixels that differ where no region is white.

    Args:
        first: `uint8[h, w, 3]`.
        last: The same picture afterwards.
        regions: `uint8[h, w]`, not 0 where pixels could change.
    """
    free = np.zeros(first.shape[:2], dtype=bool)
    for region in regions:
        free |= region > 0
    return int(((first != last).any(axis=-1) & ~free).sum())


def costs(record: Record, depths: Sequence[HistoryEntry]) -> list[Score]:
    """What was painted, and how much of it was dropped."""
    outcomes = [o for entry in depths for o in entry.outcomes or () if o.status != "skipped"]
    if not outcomes:
        return []
    dropped = [o.target for o in outcomes if o.status == "rolled_back"]
    pixels = sum((o.painted_width or 0) * (o.painted_height or 0) * (o.steps or 0) for o in outcomes)
    return [
        _score(
            record,
            "rolled_back",
            len(dropped) / len(outcomes),
            better="lower",
            by="outcomes",
            detail=f"{len(dropped)} of {len(outcomes)} painted",
        ),
        _score(record, "pixel_steps", pixels / 1e6, unit="Mpx steps", better="lower", by="outcomes"),
    ]


def _with_outcomes(entry: HistoryEntry) -> Iterator[tuple[object, EditOutcome]]:
    edits = entry.edits.edits if entry.edits is not None else ()
    of_target = {outcome.target: outcome for outcome in entry.outcomes or ()}
    for edit in edits:
        if edit.target in of_target:
            yield edit, of_target[edit.target]


def _shows(detections: Sequence[Detection], one: Instance, keep_iou: float) -> bool:
    noun = singularize((one.noun or one.phrase).lower())
    return any(singularize(d.noun.lower()) == noun and iou(d.box_xyxy, one.box_xyxy) >= keep_iou for d in detections)


def _score(record: Record, name: str, value: float, **more: object) -> Score:
    values: dict[str, object] = {"of": "final", **more}
    return Score.model_validate({"metric": f"context.{name}", "value": value, "type": record.type, **values})
