"""The context loop: segment the picture, have context written for each object, inpaint each object with it, look again.

    depth 1..N   look        the detector of the depth; masks of all objects
                 plan        masks cleaned, one question to the planner, ordered edits of kind `repaint`
                 carry out   object by object on the picture the last one left: paint, lay over by the soft mask, test, keep or roll back

A depth knows what earlier ones told and painted. The loop ends after the last depth, when nothing is found, when nothing was kept, or when
its budget is spent. `profile=reference` has the order and the constants of the published loop.

Source: GPT4-Contextual-Diffusion (2023). Differences: README.md.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from PIL import Image

from llmgen.artifacts import (
    Detection,
    EditOutcome,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Kind,
    Layout,
    ModelUse,
    Record,
    Reply,
    Stage,
)
from llmgen.correct.context.acceptance import ANY_FALL, Acceptance
from llmgen.correct.context.carrying import Budget, Carried, carry_out
from llmgen.correct.context.masks import choose_targets
from llmgen.correct.context.planning import LEFT, ask_for_contexts, depths_behind, left_out, plan_of, question_of
from llmgen.correct.context.resuming import Finished, FinishedDepths
from llmgen.correct.context.settings import ContextConfig
from llmgen.correct.context.surroundings import Surroundings
from llmgen.correct.given_plans import waiting_plan
from llmgen.correct.painters import cut_by_painter, load_inpainter, painter_models, texts_of
from llmgen.correct.regions import object_masks
from llmgen.errors import InputError, MissingRequirementError
from llmgen.paint.inpainter import Inpainter
from llmgen.vision.blending import region_picture
from llmgen.vision.masks import BoolMask, decode_mask

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

PARTS_ROLE = "detector_parts"
CLOSED_DETECTOR = "mask-rcnn"
"""Who looks with the model of that role, and of `keep_role`."""


class ContextCorrection:
    """Add detail to the objects of a picture, depth by depth."""

    stage: ClassVar[Stage] = "correct"
    name: ClassVar[str] = "context"
    makes: ClassVar[Kind] = "corrections"
    needs: ClassVar[tuple[str, ...]] = ("image", "prompt")
    Config = ContextConfig

    def __init__(self, context: "StageContext", config: ContextConfig) -> None:
        self._context, self._config = context, config
        self._inpainter: Inpainter | None = None
        self._parts_missing: str | None = None
        """Why there is no detector of parts; empty where there is one, None before anybody asked."""
        self._finished = FinishedDepths(context, config)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use; none of a painter when only plans are made."""
        models, roles = self._context.models, ["detector"]
        if self._config.depths > 1 and self._lacking_parts() == "":
            roles.append(PARTS_ROLE)
        painters = () if self._config.plan_only else painter_models(self._context, self._config.painter, self._config)
        if self._scores and not self._config.plan_only:
            roles.append("clip")
        if self._config.accept and not self._config.plan_only:
            keepers = (self._config.depth(number).keep_role for number in range(1, self._config.depths + 1))
            roles += dict.fromkeys(role for role in keepers if role is not None and role not in roles)
        return (*(models.use(role) for role in roles if role in self._context.preset.roles), *painters)

    @property
    def _scores(self) -> bool:
        return (self._config.accept or self._config.candidates > 1) and "clip" in self._context.preset.roles

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Each record for itself: who shares a batch does not matter."""
        done: list[Record] = []
        for record in records:
            self._context.progress(f"correct context: {len(done) + 1} of {len(records)} pictures")
            done.append(self._planned(record) if self._config.plan_only else self._carried_through(record))
        return done

    # The life of one record

    def _planned(self, record: Record) -> Record:
        """The record with the plan of its next depth."""
        number = len(depths_behind(record)) + 1
        if number > self._config.depths:
            self._remark(record, f"it has {number - 1} depths behind it, all that were asked for; raise depths")
            return record.grown(edits=record.edits or EditPlan())
        detections, plan, replies = self._plan(record, number)
        return record.grown(detections=detections, edits=plan, replies=(*record.replies, *replies), scores=None)

    def _carried_through(self, record: Record) -> Record:
        key = self._finished.key(record)
        found = self._finished.find(key)
        with self._remembering(record, found.remarks if found is not None else ()) as remarks:
            if found is not None and found.ended:
                return found.record
            return self._depths(record, found.record if found is not None else _with_history(record), key, remarks)

    def _depths(self, record: Record, current: Record, key: str, remarks: list[str]) -> Record:
        """The record after all depths that are left.

        Args:
            record: As it came in.
            current: After the depths that are finished.
            key: Under which finished depths are kept.
            remarks: What was remarked on it so far; grows.
        """
        budget = self._budget(current)
        begun = len(depths_behind(current))
        if begun >= self._config.depths:
            self._remark(record, f"it has {begun} depths behind it, all that were asked for; raise depths")
            return current.grown(edits=current.edits or EditPlan())
        for number in range(begun + 1, self._config.depths + 1):
            current, ends = self._depth(current, number, budget)
            ends = ends or number == self._config.depths
            if ends:
                current = self._last_look(record, current)
            self._finished.keep(key, Finished(current, tuple(remarks), ends))
            if ends:
                break
        return current

    def _depth(self, record: Record, number: int, budget: Budget) -> tuple[Record, bool]:
        """The record after a depth, and whether the loop ends with it."""
        waiting = waiting_plan(record)
        if waiting is not None and waiting.edits:
            plan, replies = waiting, tuple[Reply, ...]()
        else:
            detections, plan, replies = self._plan(record, number)
            record = record.grown(detections=detections)
        assert record.image is not None
        image = self._context.images.load(record.image)
        carried = self._carry_out(record, image, plan, number, budget)
        outcomes = (*self._outcomes(record, carried, number), *left_out(plan))
        kept = [outcome.after for outcome in outcomes if outcome.status == "painted"]
        ref = (kept[-1] if kept else None) or record.image
        region = None if carried.region is None else region_picture(carried.region)
        entry = HistoryEntry(
            stage="correct",
            round=number,
            image=ref,
            edits=plan,
            outcomes=outcomes,
            region=None if region is None else self._save(record, f"depth-{number}-region", region),
        )
        record = record.grown(
            image=ref,
            detections=record.detections if ref == record.image else None,
            edits=plan,
            history=(*record.history, entry),
            replies=(*record.replies, *replies),
            scores=None,
        )
        return record, self._ends(record, number, plan, outcomes, budget)

    def _ends(
        self, record: Record, number: int, plan: EditPlan, outcomes: Sequence[EditOutcome], budget: Budget
    ) -> bool:
        for outcome in outcomes:
            if outcome.status == "skipped" and outcome.reason not in (None, LEFT):
                self._remark(record, f"depth {number}: {outcome.target!r} is skipped: {outcome.reason}")
        reason = None
        if not plan.target and not plan.edits:
            reason = "nothing to paint was found"
        elif not any(outcome.status == "painted" for outcome in outcomes):
            reason = "nothing that was painted was kept"
        elif number < self._config.depths:
            reason = budget.spent()
        if reason is not None:
            self._remark(record, f"depth {number} is the last: {reason}")
        return reason is not None

    def _last_look(self, record: Record, current: Record) -> Record:
        """What the preset's own detector finds in the last picture, so that the record says it of no other."""
        if current.image == record.image and record.detections is not None:
            return current.grown(detections=record.detections)
        (seen,) = self._context.collaborator("detect")([current.grown(detections=None)])
        return current.grown(detections=seen.detections)

    # One depth

    def _plan(self, record: Record, number: int) -> tuple[tuple[Detection, ...], EditPlan, tuple[Reply, ...]]:
        assert record.image is not None
        image, depth = self._context.images.load(record.image), self._config.depth(number)
        detections = self._seen(record, number)

        def remark(text: str) -> None:
            self._remark(record, f"depth {number}: {text}")

        targets = choose_targets(detections, self._masks(image, detections), self._config, depth, remark)
        if not targets:
            return detections, EditPlan(), ()
        question = question_of(record, targets, self._config, number, image)
        contexts, replies = ask_for_contexts(question, self._context.planner, remark)
        return detections, plan_of(targets, contexts, self._config, number, remark), replies

    def _masks(self, image: Image.Image, detections: Sequence[Detection]) -> list[BoolMask]:
        """The detector's own masks, and the segmenter's where it gave none."""
        size = (image.height, image.width)
        missing = [found for found in detections if found.mask is None or found.mask.size != size]
        drawn = object_masks(image, missing, self._context.models.segmenter()) if missing else {}
        return [
            drawn[found.id] if found.id in drawn or found.mask is None else decode_mask(found.mask)
            for found in detections
        ]

    def _seen(self, record: Record, number: int) -> tuple[Detection, ...]:
        """What there is for a depth to paint: what was found before, if the picture is still that one, or a new look."""
        depth = self._config.depth(number)
        own = depth.detector or depth.detector_config or depth.classes or (number > 1 and self._parts_there(record))
        if record.detections is not None and not own and record.image is not None:
            return record.detections
        assert record.image is not None
        return self._look(record, number, record.image)

    def _parts_there(self, record: Record) -> bool:
        """Whether there is a detector of parts; where the preset names one that is not on this machine, it is said."""
        lacking = self._lacking_parts()
        if lacking:
            self._remark(record, lacking)
        return lacking == ""

    def _lacking_parts(self) -> str | None:
        """Why there is no detector of parts on this machine; empty where there is one, None where the preset names none."""
        if PARTS_ROLE in self._context.preset.roles and self._parts_missing is None:
            try:
                self._context.collaborator("detect", CLOSED_DETECTOR, {"role": PARTS_ROLE})
                self._parts_missing = ""
            except MissingRequirementError as error:
                self._parts_missing = f"there is no detector of parts, the first depth's looks again: {error}"
        return self._parts_missing

    def _look(self, record: Record, number: int, image: ImageRef) -> tuple[Detection, ...]:
        """What the detector of a depth finds in a picture."""
        depth = self._config.depth(number)
        method, given = depth.detector, dict(depth.detector_config)
        if method is None and number > 1 and self._parts_there(record):
            method, given = CLOSED_DETECTOR, {"role": PARTS_ROLE, **given}
        view = record.grown(image=image, detections=None)
        if depth.classes:
            # Nouns without a number: all that are found count.
            view = view.grown(
                layout=Layout(width=image.width, height=image.height, background_prompt="", absent=depth.classes)
            )
        (seen,) = self._context.collaborator("detect", method, given)([view])
        found = seen.detections or ()
        return tuple(one for one in found if not depth.classes or one.noun in depth.classes)

    def _carry_out(self, record: Record, image: Image.Image, plan: EditPlan, number: int, budget: Budget) -> Carried:
        if not plan.edits:
            return Carried(image)
        if self._inpainter is None:
            self._inpainter = load_inpainter(self._context, self._config.painter, self._config)
        layout = record.layout
        scene = layout.background_prompt if layout is not None and self._config.scene_in_prompt else ""
        texts = texts_of(plan, scene, self._config.negative_prompt)
        for line in cut_by_painter(self._context, self._config.painter, self._config, texts):
            self._remark(record, line)
        return carry_out(
            image,
            plan,
            self._inpainter,
            self._acceptance(record, number),
            self._config,
            surroundings=Surroundings(record, plan.target),
            scene=scene,
            seed=record.seed or 0,
            number=number,
            budget=budget,
        )

    def _acceptance(self, record: Record, number: int) -> Acceptance:
        config = self._config
        scorer = self._context.models.phrase_scorer("clip") if self._scores else None
        if not config.accept:
            return Acceptance(None, scorer, ANY_FALL, config.keep_iou)
        if not self._scores:
            self._remark(
                record, "the preset has no model for the role 'clip': what is painted is not compared with its tags"
            )

        def look(picture: Image.Image) -> tuple[Detection, ...]:
            ref, role = self._save(record, f"depth-{number}-step", picture), config.depth(number).keep_role
            if role is None:
                return self._look(record, number, ref)
            (seen,) = self._context.collaborator("detect", CLOSED_DETECTOR, {"role": role})(
                [record.grown(image=ref, detections=None)]
            )
            return seen.detections or ()

        return Acceptance(look, scorer, config.clip_tolerance, config.keep_iou)

    # What is kept of it

    def _outcomes(self, record: Record, carried: Carried, number: int) -> list[EditOutcome]:
        """Outcomes with their pictures, which the report shows: each begins with what the last one that was kept left."""
        outcomes, current = [], record.image
        for step in carried.steps:
            if step.after is None:
                outcomes.append(step.outcome)
                continue
            after = self._save(record, f"depth-{number}-step", step.after)
            outcomes.append(step.outcome.model_copy(update={"before": current, "after": after}))
            current = after if step.outcome.status == "painted" else current
        return outcomes

    def _save(self, record: Record, label: str, picture: Image.Image) -> ImageRef:
        return self._context.images.save(record.id, label, picture)

    def _budget(self, record: Record) -> Budget:
        config = self._config
        painted = sum(o.status != "skipped" for entry in depths_behind(record) for o in entry.outcomes or ())
        return Budget(
            None if config.most_edits is None else config.most_edits - painted,
            None if config.most_seconds is None else time.monotonic() + config.most_seconds,
        )

    @contextmanager
    def _remembering(self, record: Record, before: Sequence[str]) -> Iterator[list[str]]:
        """All remarks on a record while it is worked on, those of depths that were finished before an interruption first."""
        say, remarks = self._context.remark_on, list[str]()

        def remember(record_id: str, text: str) -> None:
            if record_id == record.id:
                remarks.append(text)
            say(record_id, text)

        self._context.remark_on = remember
        try:
            for text in before:
                remember(record.id, text)
            yield remarks
        finally:
            self._context.remark_on = say

    def _remark(self, record: Record, text: str) -> None:
        self._context.remark_on(record.id, text)


def _with_history(record: Record) -> Record:
    if record.image is None:
        raise InputError(f"record {record.id!r} has no picture; run `llmgen generate` first")
    if record.history:
        return record
    first = HistoryEntry(stage="generate", round=0, image=record.image, detections=record.detections)
    return record.grown(history=(first,))
