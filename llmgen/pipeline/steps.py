"""The stages of a run, at work: at the same time, each on what the one before has finished, or one after the other."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmgen.artifacts import Record
from llmgen.artifacts.io import MAX_INPUT_BYTES, read_records
from llmgen.artifacts.manifest import PROMPTS, Branch
from llmgen.artifacts.writing import ArtifactWriter
from llmgen.engine.driver import StageRun
from llmgen.engine.fingerprint import weights_digest
from llmgen.engine.journal import Journal
from llmgen.engine.progress import Progress, Tally
from llmgen.engine.turns import Turn
from llmgen.errors import OutputError
from llmgen.pipeline.ended import Ending
from llmgen.pipeline.flow import Flow, Stream
from llmgen.pipeline.options import Choice
from llmgen.pipeline.output import open_journal
from llmgen.pipeline.shards import Part, Shard
from llmgen.pipeline.sources import Source


@dataclass(frozen=True)
class Step:
    """One stage on one artifact."""

    choice: Choice
    branch: Branch


@dataclass(frozen=True)
class StageOutcome:
    """One stage of a run that is over, on one artifact."""

    stage: str
    method: str
    path: Path
    branch: Branch
    tally: Tally

    @functools.cached_property
    def records(self) -> list[Record]:
        """What it left, read from its artifact."""
        return list(read_records(self.path).records) if self.path.stat().st_size else []


def target_of(folder: Path, step: Step, shard: Shard | None) -> Path:
    """Where a stage of a run leaves its artifact."""
    path = folder / step.branch.file
    return path if shard is None else shard.path(path)


@dataclass
class Stages:
    """Runs the stages of a run on its records.

    Args:
        folder: Of the run.
        steps: Its stages, each behind the one that it starts from.
        records: What the run begins with.
        prompts: The file that says what those are, if it says all; then a stage that is over is believed to be so.
        part: Which part of the records of a run they are, where they are a shard's.
        force: Make everything anew.
        barrier: Let each stage wait for the one before.
    """

    folder: Path
    steps: Sequence[Step]
    records: list[Record]
    prompts: Path | None
    part: Part | None = None
    force: bool = False
    barrier: bool = False
    _done: dict[str, StageOutcome] = field(default_factory=dict, init=False)
    """By the names of the artifacts."""
    _looked_at: set[tuple[bytes, bytes]] = field(default_factory=set, init=False)
    """References to pictures that are as they were."""

    def run(self, progress: Progress) -> list[StageOutcome]:
        """Run all stages; those that an earlier run finished are only looked at.

        Args:
            progress: Told how they get on.

        Returns:
            What they came to, in their order.

        Raises:
            LlmgenError: If a stage cannot go on at all; the others end, too, and what is finished is in the journals.
        """
        left = []
        for step in self.steps:
            before = self._finished_before(step, progress)
            if before is None:
                left.append(step)
            else:
                self._keep(before)
        if self.barrier or len(left) < 2:
            self._one_by_one(left, progress)
        else:
            self._together(left, progress)
        return [self._done[step.branch.name] for step in self.steps]

    def _keep(self, outcome: StageOutcome) -> None:
        self._done[outcome.branch.name] = outcome

    def _finished_before(self, step: Step, progress: Progress) -> StageOutcome | None:
        """What a stage came to in an earlier run, if one line of its journal and its files tell that there is nothing left to do."""
        source = self._source(step)
        if source is None or self.force or step.branch.source not in (PROMPTS, *self._done):
            return None
        tally = Ending(source, self._path(step), step.choice, self._looked_at).found(progress)
        return None if tally is None else self._outcome(step, tally)

    def _source(self, step: Step) -> Source | None:
        """The file that says what a stage works on."""
        if self.prompts is None:
            return None
        name = step.branch.source
        return Source(str(self.prompts if name == PROMPTS else self.folder / f"{name}.json"))

    def _outcome(self, step: Step, tally: Tally) -> StageOutcome:
        return StageOutcome(step.branch.entry.stage, step.choice.method, self._path(step), step.branch, tally)

    def _path(self, step: Step) -> Path:
        return target_of(self.folder, step, None if self.part is None else self.part.shard)

    def _at_hand(self, step: Step) -> list[Record]:
        """What a stage works on, where all of it is there before the stage begins."""
        name = step.branch.source
        return self.records if name == PROMPTS else self._done[name].records

    def _one_by_one(self, steps: Sequence[Step], progress: Progress) -> None:
        for step in steps:
            with self._opened(step) as files:
                self._keep(self._work(step, files, self._at_hand(step), (), progress))

    def _together(self, steps: Sequence[Step], progress: Progress) -> None:
        """All at once, each in a thread. Whatever is to be refused is refused before any begins."""
        weights_digest(steps[0].choice.context.preset)  # looked at once, not by each thread for itself
        flow: Flow[StageOutcome] = Flow()
        waits_for = {step.branch.name: step.branch.source for step in steps}
        inboxes = {name: flow.stream() for name, source in waits_for.items() if source in waits_for}
        with ExitStack() as files:
            for place, step in enumerate(steps):
                name = step.branch.name
                context = step.choice.context.beside(Turn(flow.turns, place), name)
                own = Step(replace(step.choice, context=context), step.branch)
                opened = files.enter_context(self._opened(own))
                records = inboxes[name] if name in inboxes else self._at_hand(step)
                followers = [inbox for other, inbox in inboxes.items() if waits_for[other] == name]
                flow.add(functools.partial(self._work, own, opened, records, followers, progress.beside()))
            flow.run(self._keep)

    @contextmanager
    def _opened(self, step: Step) -> Iterator[tuple[Journal, ArtifactWriter]]:
        """The files that a stage writes. When they are closed, a thread that is late writes nothing more."""
        path, choice = self._path(step), step.choice
        journal = open_journal(path, choice, goes_on=True, anew=self.force)
        with closing(journal), ArtifactWriter(path, choice.method_class.makes) as writer:
            yield journal, writer

    def _work(
        self,
        step: Step,
        files: tuple[Journal, ArtifactWriter],
        records: Iterable[Record],
        followers: Sequence[Stream],
        progress: Progress,
    ) -> StageOutcome:
        """One stage, from its first record to its artifact."""
        choice, path, (journal, writer) = step.choice, self._path(step), files
        stage = StageRun(choice.method_class, choice.config, choice.given, choice.context, progress, journal, str(path))

        def emit(finished: Sequence[Record]) -> None:
            writer.add(finished)
            for follower in followers:
                follower.add(finished)

        stage.go(records, emit, len(self.records))
        if writer.size > MAX_INPUT_BYTES:
            raise OutputError(
                f"{path} would be {writer.size // 2**20} MiB, and no report reads more than {MAX_INPUT_BYTES // 2**20}; split the "
                "prompts and run the parts: what is finished is kept in the journal of this artifact"
            )
        writer.finish()
        if self.part is not None:
            self.part.write_note(self.folder / step.branch.file, choice)
        source = self._source(step)
        if source is not None and not stage.tally.failed:
            Ending(source, path, choice).write(journal, writer.sha256, stage.tally.count, None)
        for follower in followers:
            follower.end()
        return self._outcome(step, stage.tally)
