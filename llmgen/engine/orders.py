"""What a worker is told and what it answers: plain values, which can be sent to another process or machine."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llmgen import settings
from llmgen.artifacts import Record
from llmgen.engine.context import StageContext
from llmgen.engine.devices import Offload
from llmgen.engine.stage import StageConfig
from llmgen.engine.working import BatchResult
from llmgen.llm.providers.ledger import Tokens
from llmgen.presets import Preset
from llmgen.vision.images import ImageStore, PictureFormat


@dataclass(frozen=True)
class ContextOrder:
    """How a worker makes the collaborators of its stages; one for a whole run."""

    preset: Preset
    root: Path
    """Folder of the pictures, as the driver calls it: it stands in messages."""
    folder: str
    form: PictureFormat
    device: str
    dtype: str
    seed: int
    planner_name: str | None
    critic_name: str | None
    offload: Offload
    metadata: bool
    batch_size: int
    concurrency: int | None
    budget_tokens: int | None
    share: int
    """How many workers there are: each asks a language model for its part of what is asked at once."""
    place: Path
    """The driver's working directory, from which relative paths go."""
    log_level: int
    from_dotenv: Mapping[str, str]
    """Variables that a `.env` brought: a key is not sent where that alone says."""

    @classmethod
    def of(cls, context: StageContext, share: int) -> "ContextOrder":
        """The order by which workers have what a driver has.

        Args:
            context: The driver's.
            share: How many workers there are.
        """
        return cls(
            preset=context.preset,
            root=context.images.root,
            folder=str(context.images.folder),
            form=context.images.form,
            device=context.device,
            dtype=context.dtype,
            seed=context.seed,
            planner_name=context.planner_name,
            critic_name=context.critic_name,
            offload=context.offload,
            metadata=context.metadata,
            batch_size=context.batch_size,
            concurrency=context.concurrency,
            budget_tokens=context.budget_tokens,
            share=share,
            place=Path.cwd(),
            log_level=logging.getLogger("llmgen").getEffectiveLevel(),
            from_dotenv=settings.from_dotenv(),
        )

    def context(self) -> StageContext:
        """The collaborators, in the worker's own process."""
        os.chdir(self.place)
        settings.know_from_dotenv(self.from_dotenv)
        return StageContext(
            preset=self.preset,
            images=ImageStore(self.root, self.folder, self.form),
            device=self.device,
            dtype=self.dtype,
            seed=self.seed,
            planner_name=self.planner_name,
            critic_name=self.critic_name,
            offload=self.offload,
            metadata=self.metadata,
            batch_size=self.batch_size,
            concurrency=self.concurrency,
            budget_tokens=self.budget_tokens,
        )


@dataclass(frozen=True)
class StageOrder:
    """Which method a worker loads, and with which settings."""

    method_class: Any
    config: StageConfig
    given: Mapping[str, Any]
    """The settings that somebody gave, for the provenance."""


@dataclass(frozen=True)
class Task:
    """A batch to work on."""

    records: tuple[Record, ...]
    old: tuple[Record, ...] | None = None
    """What became of them the last time, where only those that failed are tried again."""
    spent: Tokens = Tokens()
    """What language models cost so far, all workers together."""

    def one(self, place: int) -> "Task":
        """The task of one record alone."""
        return replace(
            self,
            records=self.records[place : place + 1],
            old=None if self.old is None else self.old[place : place + 1],
        )


@dataclass(frozen=True)
class Done:
    """What became of a task."""

    result: BatchResult | None
    error: BaseException | None = None
    """Why the stage cannot go on at all; then there is no result."""
    lines: tuple[str, ...] = ()
    """What is said of single records."""
    seconds: float = 0.0
    tokens: Tokens = Tokens()
    """What language models cost meanwhile."""


@dataclass(frozen=True)
class Said:
    """What a worker says while it works."""

    how: Literal["message", "remark", "log"]
    text: str
    level: int = logging.INFO
    """Of a line of the log."""
    logger: str = "llmgen"
    """Whose line it is."""
