"""Stages that need no model: real classes of the contract, a few milliseconds each, for tests of what is around a stage.

Run as a program it is `llmgen` on these stages: `python tests/tiny_stages.py run manifest.json`.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from PIL import Image

from llmgen.artifacts import (
    AddEdit,
    Detection,
    EditPlan,
    HistoryEntry,
    Instance,
    Kind,
    Layout,
    ModelUse,
    Record,
    Score,
    Stage,
)
from llmgen.engine.samples import SampledConfig
from llmgen.engine.stage import StageConfig
from llmgen.errors import ModelError

#: Every record that a stage really worked on, one line per stage and id, if this variable names a file.
WORK_LOG = "TINY_WORK_LOG"
#: Ids of records, with commas, that kill the process that works on them; each only once if `TINY_KILLED` names a folder for notes.
KILL, KILLED = "TINY_KILL", "TINY_KILLED"
#: A record and a signal, such as `r7:9`, that the parent of the process that works on the record is sent.
KILL_PARENT = "TINY_KILL_PARENT"
#: How many processes must have begun, by the log, before any goes on.
TOGETHER = "TINY_TOGETHER"


class TinyConfig(StageConfig):
    """Settings of all tiny stages."""

    seconds: float = 0.0
    """How long a record takes."""
    fail: tuple[str, ...] = ()
    """Ids of records that fail."""
    crash: tuple[str, ...] = ()
    """Ids of records that end in an unexpected error."""
    rounds: int = 2
    """Nothing; a number to set."""
    label: str = "plain"
    """Nothing; a text to set."""
    remark: str = ""
    """What is remarked on every record; `{id}` and `{seed}` are filled in."""


class _Tiny:
    Config = TinyConfig
    name: ClassVar[str] = "tiny"
    stage: ClassVar[Stage]

    def __init__(self, context, config):
        self.context, self.config = context, config

    @property
    def models(self):
        return (ModelUse(role="tiny", source="package:tests", revision="1"),)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        grown = []
        told = any(name in os.environ for name in (WORK_LOG, TOGETHER, KILL, KILL_PARENT))
        for record in records:
            if record.id in self.config.fail:
                raise ModelError(f"cannot do {record.id}")
            if record.id in self.config.crash:
                raise ZeroDivisionError("by design")
            if self.config.seconds:  # a sleep of nothing lets every other process go first
                time.sleep(self.config.seconds)
            if told:
                _do_as_told(self.stage, record.id)
            if self.config.remark:
                self.context.remark_on(record.id, self.config.remark.format(id=record.id, seed=record.seed))
            grown.append(self.one(record))
        return grown

    def picture(self, record: Record, label: str):
        """A picture that depends on the record's seed."""
        random_bytes = random.Random(f"{record.seed} {label}").randbytes(16 * 16 * 3)
        return self.context.images.save(record.id, label, Image.frombytes("RGB", (16, 16), random_bytes))


def _do_as_told(stage: Stage, record_id: str) -> None:
    """Note a record, wait for other processes, or end, as the environment says."""
    if WORK_LOG in os.environ:
        with Path(os.environ[WORK_LOG]).open("a") as file:
            file.write(f"{stage} {record_id} {os.getpid()}\n")
    if TOGETHER in os.environ:
        _wait_for_others(int(os.environ[TOGETHER]))
    _kill_if_asked(record_id)


def _kill_if_asked(record_id: str) -> None:
    """End this process as the system ends one that takes too much memory, if the environment says so."""
    if record_id in os.environ.get(KILL, "").split(","):
        note = Path(os.environ[KILLED]) / record_id if KILLED in os.environ else None
        if note is None or not note.exists():
            if note is not None:
                note.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    name, _, number = os.environ.get(KILL_PARENT, "").partition(":")
    if name == record_id:
        os.kill(os.getppid(), int(number))
        time.sleep(60)


def _wait_for_others(many: int) -> None:
    """Wait until so many processes are at work; longer than any machine takes to start one is a fault."""
    end = time.monotonic() + 120
    while len({line.split()[2] for line in Path(os.environ[WORK_LOG]).read_text().splitlines()}) < many:
        if time.monotonic() > end:
            raise RuntimeError(f"{many} processes never were at work together")
        time.sleep(0.01)


class TinyLayout(_Tiny):
    stage: ClassVar[Stage] = "layout"
    makes: ClassVar[Kind] = "layouts"
    needs: ClassVar[tuple[str, ...]] = ()

    def one(self, record):
        thing = Instance(id="ball-1", phrase="a ball", noun="ball", box_xyxy=(1.0, 2.0, 9.5, 10.0))
        return record.grown(layout=Layout(width=16, height=16, background_prompt="a meadow", instances=(thing,)))


class TinyGenerateConfig(SampledConfig, TinyConfig):
    """Settings of the tiny stage that draws."""

    published: bool = False
    """Whether samples are drawn from the seeds 11, 12 and 13."""

    def own_seeds(self):
        return (11, 12, 13) if self.published else None


class TinyGenerate(_Tiny):
    Config = TinyGenerateConfig
    stage: ClassVar[Stage] = "generate"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ()

    def one(self, record):
        image = self.picture(record, "generate")
        return record.grown(image=image, history=(HistoryEntry(stage="generate", round=0, image=image),))


class TinyDetect(_Tiny):
    stage: ClassVar[Stage] = "detect"
    makes: ClassVar[Kind] = "detections"
    needs: ClassVar[tuple[str, ...]] = ("image",)

    def one(self, record):
        self.context.images.load(record.image)
        found = Detection(id="ball #1", phrase="ball", noun="ball", box_xyxy=(0.0, 0.0, 8.0, 8.0), score=0.5)
        return record.grown(detections=(found,))


class TinyCorrect(_Tiny):
    stage: ClassVar[Stage] = "correct"
    makes: ClassVar[Kind] = "corrections"
    needs: ClassVar[tuple[str, ...]] = ("image", "detections")

    def one(self, record):
        self.context.images.load(record.image)
        plan = EditPlan(
            edits=(AddEdit(target="ball #2", phrase="a ball", noun="ball", box_xyxy=(8.0, 8.0, 16.0, 16.0)),)
        )
        image = self.picture(record, "correct-1")
        entry = HistoryEntry(stage="correct", round=1, image=image, edits=plan)
        return record.grown(image=image, edits=plan, history=(*record.history, entry))


class TinyRefine(_Tiny):
    stage: ClassVar[Stage] = "refine"
    makes: ClassVar[Kind] = "refinements"
    needs: ClassVar[tuple[str, ...]] = ("image",)

    def one(self, record):
        image = self.picture(record, "refine")
        return record.grown(image=image, history=(*record.history, HistoryEntry(stage="refine", round=0, image=image)))


class TinyEvaluate(_Tiny):
    stage: ClassVar[Stage] = "evaluate"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("image",)

    def one(self, record):
        def score(of, value):
            return Score(metric="tiny", of=of, value=value, by="judge", type=record.type)

        return record.grown(scores=(score("initial", 0.0), score("final", 1.0)))


CLASSES = (TinyLayout, TinyGenerate, TinyDetect, TinyCorrect, TinyRefine, TinyEvaluate)


def methods(stage: str) -> dict[str, str]:
    """A table as in `llmgen.registry`."""
    from llmgen.registry import STAGES, unknown

    if stage not in STAGES:
        raise unknown("stage", stage, STAGES)
    return {c.name: f"tiny_stages:{c.__name__}" for c in CLASSES if c.stage == stage}


def main() -> int:
    """`llmgen` on the tiny stages."""
    import llmgen.registry
    from llmgen.cli import main

    llmgen.registry.methods = methods
    return main()


if __name__ == "__main__":
    # Under its own name, by which workers find it.
    import tiny_stages

    sys.exit(tiny_stages.main())
