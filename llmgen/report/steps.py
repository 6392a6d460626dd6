"""The life of a record as a row of pictures: the plan, the drawn picture, each round, the refined one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from llmgen.artifacts import (
    Detection,
    EditOutcome,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Instance,
    Layout,
    Record,
    RepaintEdit,
    Score,
)
from llmgen.artifacts.score import SHARE
from llmgen.report.instances import Drawing, draw_layout, has_inputs, in_words
from llmgen.report.overlay import (
    GROWN,
    SHRUNK,
    EditWords,
    Labels,
    Mark,
    edit_marks,
    edit_words,
    font_size,
    found_marks,
    number,
)
from llmgen.report.pictures import Picture, Pictures

Layer = Literal["found", "edits", "region", "judge"]


@dataclass(frozen=True, slots=True)
class Step:
    """One figure of a record.

    Attributes:
        title: For example `Round 1`.
        alt: The picture in words.
        width: Width of the canvas in pixels of the original.
        height: Height of the canvas.
        font_size: Size of the labels in the same pixels.
        picture: None for the plan, which is drawn on an empty canvas.
        final: Whether this is the record's last word.
        plan: What the layout asks for: all there is on an empty canvas, layers like the others over a picture.
        marks: Layers with what they draw.
        region: Veil over what an edit may not change.
        edits: The edits that made the picture, in words.
        planned: The edits are planned but not carried out.
        notes: Short remarks.
        reasoning: Why the planner wanted the edits.
        extra: Lines of text under a plan: background, what must be absent.
        attention: A word, and where the picture attended to it while it was drawn.
    """

    title: str
    alt: str
    width: int
    height: int
    font_size: str
    picture: Picture | None = None
    final: bool = False
    dropped: bool = False
    plan: Drawing | None = None
    marks: tuple[tuple[Layer, tuple[Mark, ...]], ...] = ()
    region: Picture | None = None
    edits: tuple[EditWords, ...] = ()
    planned: bool = False
    notes: tuple[str, ...] = ()
    reasoning: str | None = None
    extra: tuple[tuple[str, str], ...] = ()
    attention: tuple[str, Picture] | None = None


def make_steps(record: Record, pictures: Pictures, judged: dict[str, Score]) -> tuple[Step, ...]:
    """The figures of a record, in order.

    Args:
        record: Any record, finished or not.
        pictures: Reads the pictures.
        judged: Scores by what was scored; what was seen in the first and the final picture becomes a layer.
    """
    steps = [_plan_step(record)] if record.layout is not None else []
    entries = _entries(record)
    seen = _seen(record, entries, judged)
    for index, entry in enumerate(entries):
        if entry.outcomes:
            steps += object_steps(entry, pictures, steps[-1].picture if steps else None)
        final = entry.image == record.image and not any(e.image == entry.image for e in entries[index + 1 :])
        steps.append(_picture_step(entry, record.layout, pictures, final, _title(entry, record), seen.get(index)))
    planned = _planned(record)
    if planned is not None and record.image is not None:
        steps.append(_planned_step(record.image, planned, pictures))
    return tuple(steps)


def make_samples(record: Record, pictures: Pictures) -> tuple[Step, ...]:
    """The figures of all pictures that were drawn of a record's prompt, with their seeds, scores and the choice."""
    steps = []
    for sample in record.samples:
        entry = HistoryEntry(
            stage="generate", round=0, image=sample.image, detections=sample.detections, attention=sample.attention
        )
        title = f"Sample {sample.index}" + (", chosen" if sample.chosen else "")
        step = _picture_step(entry, record.layout, pictures, False, title, None)
        notes = [f"seed {sample.seed}", *([sample.reason] if sample.reason else [])]
        scores = [f"{s.metric} {s.value:.2f}" + ("" if s.unit == SHARE else f" {s.unit}") for s in sample.scores or ()]
        steps.append(replace(step, notes=(*notes, *scores, *step.notes)))
    return tuple(steps)


def front(steps: Sequence[Step]) -> Step | None:
    """The figure that stands for a record: its last word, else what there is last."""
    return next((step for step in steps if step.final), steps[-1] if steps else None)


def compared(steps: Sequence[Step]) -> tuple[Picture, Picture] | None:
    """The first and the final picture, if both can be shown and they differ."""
    shown = [step for step in steps if step.picture is not None and step.picture.url is not None and not step.planned]
    final = next((step.picture for step in reversed(shown) if step.final), None)
    first = shown[0].picture if shown else None
    if first is None or final is None or first.key == final.key:
        return None
    return first, final


def _entries(record: Record) -> list[HistoryEntry]:
    entries = list(record.history)
    if record.image is None:
        return entries
    if not any(entry.image == record.image for entry in entries):
        # A picture from outside has no history of its own.
        entries.append(HistoryEntry(stage="generate", round=0, image=record.image, detections=record.detections))
    return [
        entry.model_copy(update={"detections": record.detections})
        if entry.detections is None and entry.image == record.image
        else entry
        for entry in entries
    ]


def _seen(
    record: Record, entries: Sequence[HistoryEntry], judged: dict[str, Score]
) -> dict[int, tuple[Detection, ...]]:
    places: dict[str, Callable[[], int | None]] = {
        "initial": lambda: 0 if entries else None,
        "final": lambda: max((i for i, e in enumerate(entries) if e.image == record.image), default=None),
    }
    seen = {}
    for of, place in places.items():
        index = place()
        score = judged.get(of)
        if index is not None and score is not None and score.seen is not None:
            seen[index] = score.seen
    return seen


def _title(entry: HistoryEntry, record: Record) -> str:
    if entry.stage == "correct":
        return f"{'Round' if entry.outcomes is None else 'Depth'} {entry.round}"
    if entry.stage == "refine":
        return "Refined"
    if entry.image.path == record.source_image:
        return "Given"
    return "Drawn" if any(entry.image == known.image for known in record.history) else "Picture"


def _plan_step(record: Record) -> Step:
    layout = record.layout
    assert layout is not None
    extra = [("Background", layout.background_prompt)] if layout.background_prompt not in ("", record.prompt) else []
    if layout.absent:
        extra.append(("Absent", ", ".join(layout.absent)))
    labels = Labels(layout.width, layout.height, SHRUNK if has_inputs(layout) else GROWN)
    return Step(
        title="Plan",
        alt=f"Planned layout: {in_words(layout)}",
        width=layout.width,
        height=layout.height,
        font_size=number(font_size(layout.width, layout.height)),
        plan=draw_layout(layout, layout.width, layout.height, labels),
        extra=tuple(extra),
    )


def _picture_step(
    entry: HistoryEntry,
    layout: Layout | None,
    pictures: Pictures,
    final: bool,
    title: str,
    seen: tuple[Detection, ...] | None,
) -> Step:
    width, height = entry.image.width, entry.image.height
    marks: list[tuple[Layer, tuple[Mark, ...]]] = []
    # What the page shows at first has the first choice of room for its words.
    plan_first = layout is not None and has_inputs(layout)
    size = SHRUNK if plan_first else GROWN
    labels = Labels(width, height, size)
    plan = draw_layout(layout, width, height, labels) if layout is not None and plan_first else None
    if entry.detections:
        marks.append(("found", found_marks(entry.detections, labels)))
    if layout is not None and not plan_first:
        plan = draw_layout(layout, width, height, labels)
    if seen:
        marks.insert(0, ("judge", found_marks(seen, Labels(width, height, size), "judge")))
    if entry.edits is not None and entry.edits.edits:
        marks.append(("edits", edit_marks(entry.edits, width, height)))
    return Step(
        title=title,
        alt=_alt(title, entry.detections),
        width=width,
        height=height,
        font_size=number(font_size(width, height)),
        picture=pictures.show(entry.image),
        final=final,
        dropped=not entry.kept,
        plan=plan,
        marks=tuple(marks),
        region=pictures.region(entry.region) if entry.region is not None else None,
        edits=edit_words(entry.edits) if entry.edits is not None else (),
        notes=_notes(entry, final),
        reasoning=entry.edits.reasoning if entry.edits is not None else None,
        attention=(entry.attention.word, pictures.show(entry.attention.image)) if entry.attention is not None else None,
    )


def _alt(title: str, detections: Sequence[Detection] | None) -> str:
    if detections is None:
        return f"{title} picture"
    return f"{title} picture, found in it: {', '.join(d.phrase for d in detections) or 'nothing'}"


def _notes(entry: HistoryEntry, final: bool) -> tuple[str, ...]:
    notes = []
    if entry.satisfied:
        notes.append("nothing left to correct")
    elif entry.satisfied is False and final:
        notes.append("still not as planned")
    if len(entry.energies) > 1:
        notes.append(f"energy of the attention {entry.energies[0]:.2f} to {entry.energies[-1]:.2f}")
    if entry.agreement is not None and not entry.satisfied:
        notes.append(f"{round(entry.agreement * 100)}\N{NO-BREAK SPACE}% of the demands seen")
    if not entry.kept:
        notes.append("dropped in favour of a better picture")
    if entry.detections is not None and not entry.detections:
        notes.append("nothing found")
    if entry.outcomes is not None:
        notes += depth_notes(entry)
    return tuple(notes)


def _planned(record: Record) -> EditPlan | None:
    """A plan that no picture of the history has carried out."""
    plan = record.edits
    if plan is None or not plan.edits or any(entry.edits == plan for entry in record.history):
        return None
    return plan


def _planned_step(image: ImageRef, plan: EditPlan, pictures: Pictures) -> Step:
    return Step(
        title="Next",
        alt=f"Planned edits: {'; '.join(words.text for words in edit_words(plan))}",
        width=image.width,
        height=image.height,
        font_size=number(font_size(image.width, image.height)),
        picture=pictures.show(image),
        marks=(("edits", edit_marks(plan, image.width, image.height)),),
        edits=edit_words(plan),
        planned=True,
        notes=("planned, not carried out",),
        reasoning=plan.reasoning,
    )


def object_steps(entry: HistoryEntry, pictures: Pictures, shown: Picture | None) -> list[Step]:
    """A figure for each object that was painted, with its mask and its context.

    Before it comes the picture that it started from, unless that is the figure before.

    Args:
        entry: Of one depth.
        pictures: Reads the pictures.
        shown: What the figure before shows.
    """
    edits = {edit.target: edit for edit in (entry.edits.edits if entry.edits else ()) if isinstance(edit, RepaintEdit)}
    steps: list[Step] = []
    for outcome in entry.outcomes or ():
        edit = edits.get(outcome.target)
        if edit is None or outcome.before is None or outcome.after is None:
            continue
        before, after = pictures.show(outcome.before), pictures.show(outcome.after)
        title = f"Depth {entry.round}: {outcome.target}"
        if shown is None or shown.key != before.key:
            steps.append(_object_step(f"{title}, before", before, outcome.before, edit, (), False))
        notes = (*_measures(outcome), *([outcome.reason] if outcome.reason else []))
        dropped = outcome.status == "rolled_back"
        steps.append(_object_step(title, after, outcome.after, edit, notes, dropped))
        shown = after
    return steps


def _object_step(
    title: str, picture: Picture, image: ImageRef, edit: RepaintEdit, notes: tuple[str, ...], dropped: bool
) -> Step:
    layout = Layout(
        width=image.width,
        height=image.height,
        background_prompt="",
        instances=(
            Instance(id=edit.target, phrase=edit.phrase, noun=edit.noun, box_xyxy=edit.box_xyxy, mask=edit.mask),
        ),
    )
    return Step(
        title=title,
        alt=f"{title}: {edit.description}",
        width=image.width,
        height=image.height,
        font_size=number(font_size(image.width, image.height)),
        picture=picture,
        dropped=dropped,
        plan=draw_layout(layout, image.width, image.height, Labels(image.width, image.height, SHRUNK)),
        notes=(f"rolled back: {notes[-1]}", *notes[:-1]) if dropped and notes else notes,
        extra=(
            ("Tags", ", ".join(edit.tags) or f"none; painted by its name, {edit.phrase}"),
            *((("Not", ", ".join(edit.negative_tags)),) if edit.negative_tags else ()),
        ),
    )


def _measures(outcome: EditOutcome) -> list[str]:
    told = []
    if outcome.score_before is not None and outcome.score_after is not None:
        told.append(f"fits its tags {outcome.score_before:.2f} \N{RIGHTWARDS ARROW} {outcome.score_after:.2f}")
    if outcome.found_iou is not None:
        told.append(f"found again, overlap {outcome.found_iou:.2f}")
    return told


def depth_notes(entry: HistoryEntry) -> list[str]:
    """What became of the objects of a depth, in numbers, and of those that were not painted the reason."""
    outcomes = entry.outcomes or ()
    if not outcomes:
        return ["nothing to paint"]
    counts = {status: sum(o.status == status for o in outcomes) for status in ("painted", "rolled_back", "skipped")}
    notes = [", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts.items() if count)]
    return notes + [f"{o.target} skipped: {o.reason}" for o in outcomes if o.status == "skipped"]
