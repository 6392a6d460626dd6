"""Several pictures of one prompt, for every method alike: a record is taken apart into one view a picture, and put together again.

A method sees views only: records of one picture each. So one that draws need not know of samples, nor one that looks or scores.
A view is called like its record and its sample, for example `three-balls.s1`, and so are the pictures that are drawn for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from llmgen.artifacts import HistoryEntry, Record, Sample, Stage
from llmgen.engine.seeds import derive_seed
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError

MOST_SAMPLES = 64
USUAL_BATCH_SIZE = 8
"""Whoever asks for less has less memory, and is obeyed to the letter."""
LOOKING: tuple[Stage, ...] = ("detect", "evaluate")
"""Stages that look at all samples. The others go on with the chosen one."""
_MOST_NAME = 120
"""So much of a record's id stays in the name of a view, which is no longer than an id may be."""


class SampledConfig(StageConfig):
    """Base of the settings of every method that draws pictures of a prompt."""

    samples: int = Field(default=1, ge=1, le=MOST_SAMPLES)
    """Pictures of each prompt, each with a seed of its own; the first is the one that is drawn alone."""
    first_alone: ClassVar[bool] = True
    """Whether the first samples of a batch are drawn in one call and the others in calls of their own, because who shares a call
    changes the last bits of a picture. False fills the calls, for a method whose samples belong together."""
    call_size: ClassVar[int] = 1
    """So many samples share a call at least, for a method whose samples belong together; a batch size below the usual one still
    bounds them."""

    def own_seeds(self) -> tuple[int, ...] | None:
        """The seeds that a publication draws its samples from, whatever the record's; None to derive them."""
        return None


@dataclass(frozen=True)
class View:
    """One picture of one record."""

    record: Record
    """What the method is given."""
    row: int
    """Place of the record among those that were taken apart."""
    sample: int | None = None
    """Number of the sample; None for the record's current picture."""


def check_samples_asked(config: StageConfig) -> None:
    """Refuse settings that ask for more samples than a publication has seeds.

    Raises:
        InputError: If they do.
    """
    own = config.own_seeds() if isinstance(config, SampledConfig) else None
    if own is not None and isinstance(config, SampledConfig) and config.samples > len(own):
        raise InputError(f"samples={config.samples}, but these settings draw from {len(own)} seeds of their own")


def sample_seeds(record: Record, config: StageConfig) -> tuple[int, ...] | None:
    """The seed of each picture to draw; None where there is one picture, drawn from the record's own seed.

    Args:
        record: With its seed.
        config: Settings of the method that draws.

    Returns:
        The first is the record's own seed. The others derive from it, the record's id and their place, so they depend on neither
        order nor number.
    """
    if not isinstance(config, SampledConfig):
        return None
    own = config.own_seeds()
    if own is not None:
        return own[: config.samples]
    if config.samples == 1:
        return None
    seed = record.seed or 0
    return (seed, *(derive_seed(seed, record.id, index) for index in range(1, config.samples)))


def views_to_draw(records: Sequence[Record], config: StageConfig) -> list[View]:
    """One view for each picture that is to be drawn. What was drawn before does not matter to it."""
    views = []
    for row, record in enumerate(records):
        seeds = sample_seeds(record, config)
        if seeds is None:
            views.append(View(record.grown(samples=()) if record.samples else record, row))
            continue
        views += [View(_named(record, index, seed=seed), row, index) for index, seed in enumerate(seeds)]
    return views


def calls_of(views: Sequence[View], batch_size: int, *, first_alone: bool = True) -> list[list[int]]:
    """In which calls of a method its views are worked on: places of the views, call by call.

    Args:
        views: Of all records of a batch.
        batch_size: Most views of a call.
        first_alone: As of `SampledConfig`.
    """
    first = [place for place, view in enumerate(views) if not view.sample or not first_alone]
    others = [place for place in range(len(views)) if place not in set(first)]
    step = max(1, batch_size)
    return [part[i : i + step] for part in (first, others) for i in range(0, len(part), step)]


def call_size(config: StageConfig, batch_size: int) -> int:
    """Most views of a call of a method.

    Args:
        config: Settings of the method.
        batch_size: Most records of a call that somebody asked for, or the usual number.
    """
    least = config.call_size if isinstance(config, SampledConfig) else 1
    return max(batch_size, least) if batch_size >= USUAL_BATCH_SIZE else batch_size


def views_to_look_at(records: Sequence[Record], needs: Sequence[str]) -> tuple[list[View], list[str]]:
    """A view of each record's current picture, and one of each sample that is another picture.

    Args:
        records: Records, with or without samples.
        needs: Sections that the method needs.

    Returns:
        Views, and for each record what must be said of samples that were left out, or an empty text.
    """
    views, left_out = [], []
    for row, record in enumerate(records):
        views.append(View(record.grown(samples=()) if record.samples else record, row))
        lacking = []
        for sample in record.samples:
            if sample.image == record.image:
                continue
            view = _named(
                record,
                sample.index,
                seed=sample.seed,
                image=sample.image,
                detections=sample.detections,
                scores=sample.scores,
                edits=None,
                history=(HistoryEntry(stage="generate", round=0, image=sample.image),),
            )
            if missing_sections(view, needs):
                lacking.append(sample.index)
            else:
                views.append(View(view, row, sample.index))
        left_out.append(
            f"samples without {' and '.join(needs)} are left out: {', '.join(map(str, lacking))}" if lacking else ""
        )
    return views, left_out


def drawn(records: Sequence[Record], views: Sequence[View], grown: Sequence[Record]) -> list[Record]:
    """Records of the views that a method has drawn: the first sample is the chosen one.

    Args:
        records: What was taken apart.
        views: The views of all records, in order.
        grown: What the method made of each view.
    """
    finished = []
    for record, parts in zip(records, _by_row(len(records), views, grown), strict=True):
        first = parts[0][1]
        if parts[0][0].sample is None:
            finished.append(first)
            continue
        samples = []
        for view, new in parts:
            if new.image is None:
                raise RuntimeError(f"no picture was drawn for {new.id!r}")
            index = view.sample or 0
            attention = next((entry.attention for entry in new.history if entry.image == new.image), None)
            seed = view.record.seed or 0
            samples.append(Sample(index=index, seed=seed, image=new.image, attention=attention, chosen=index == 0))
        finished.append(
            first.grown(
                id=record.id, seed=record.seed, samples=tuple(samples), replies=_all_replies([new for _, new in parts])
            )
        )
    return finished


def looked_at(records: Sequence[Record], views: Sequence[View], grown: Sequence[Record]) -> list[Record]:
    """Records of the views that a method has looked at; arguments as of `drawn`."""
    finished = []
    for record, row in zip(records, _by_row(len(records), views, grown), strict=True):
        parts = {view.sample: new for view, new in row}
        current = parts[None]
        if not record.samples:
            finished.append(current)
            continue
        samples = []
        for sample in record.samples:
            if sample.image == record.image:
                last = tuple(score for score in current.scores or () if score.of != "initial")
                found = {"detections": current.detections, "scores": last or None}
            elif sample.index in parts:
                found = {"detections": parts[sample.index].detections, "scores": parts[sample.index].scores or None}
            else:
                found = {}
            samples.append(sample.model_copy(update=found))
        finished.append(current.grown(samples=tuple(samples), replies=_all_replies(list(parts.values()))))
    return finished


def _by_row(many: int, views: Sequence[View], grown: Sequence[Record]) -> list[list[tuple[View, Record]]]:
    """The views of each record, with what became of them."""
    rows: list[list[tuple[View, Record]]] = [[] for _ in range(many)]
    for view, new in zip(views, grown, strict=True):
        rows[view.row].append((view, new))
    return rows


def missing_sections(record: Record, needs: Sequence[str]) -> list[str]:
    """Those of some sections that a record lacks; a blank prompt is none."""
    return [section for section in needs if getattr(record, section) is None or not _said(getattr(record, section))]


def _said(section: object) -> bool:
    return not isinstance(section, str) or bool(section.strip())


def _named(record: Record, index: int, **sections: object) -> Record:
    name = f"{record.id[:_MOST_NAME]}.s{index}" if index else record.id
    return record.grown(id=name, samples=(), **sections)


def _all_replies(records: Sequence[Record]) -> tuple[object, ...]:
    """The replies of the first, then what others were told besides."""
    replies = list(records[0].replies)
    for record in records[1:]:
        replies += [reply for reply in record.replies if reply not in replies]
    return tuple(replies)
