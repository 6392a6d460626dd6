"""The contract between the engine and a method: what a method is, and what it is given."""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.engine.config import build_config
from llmgen.engine.devices import Offload
from llmgen.presets import Preset
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore

if TYPE_CHECKING:
    from llmgen.diffusion.loading import ModelPool
    from llmgen.engine.crew import Crew
    from llmgen.engine.turns import Turn
    from llmgen.llm.providers.ledger import Ledger, Tokens
    from llmgen.llm.providers.provider import Answer, Provider

logger = logging.getLogger(__name__)

T = TypeVar("T")


class StageMethod(Protocol):
    """One method of one stage: loads its models once, then maps records to records.

    A call fills its section and nothing else: provenance, errors, seeds and the journal are the engine's. It must not depend on the
    order or the neighbours of a record in the batch. What it mends, cuts or leaves out it says by `StageContext.remark_on`. When a
    batch raises an `LlmgenError`, the engine runs its records one by one and writes the error into the record that caused it.

    Where workers do the work there are several of it, each in a process of its own: what it keeps from one call to the next may save time,
    and nothing else. In a run, batches of other stages come between its own: what it changes in a shared model holds for one call.

    A method that only asks the planner, and asks the same whenever it is called, may have `ask_ahead(record)`: the engine calls it for
    records whose turn comes later, from threads, so that a server answers several at the same time.

    A method that leaves a setting to the length of the run has a static `long_from(config)`, how many records make a run long (None where
    nothing is left open), and a static `settled(context, config, is_long, say)`, the settings as they hold for the whole run.

    A method whose model is asked equally often whatever is in the picture has a static `model_calls(config)`, how often for one picture.

    A method whose settings can be wrong in what they name has a static `check_settings(context, config)`, which raises before any work.
    """

    stage: ClassVar[Stage]
    name: ClassVar[str]
    makes: ClassVar[Kind]
    """Kind of the artifact that comes out."""
    needs: ClassVar[tuple[str, ...]]
    """Sections of a record that must be filled, for example `("image",)`."""
    Config: ClassVar[type[Any]]
    """The method's subclass of `StageConfig`; of `SampledConfig` where it draws pictures of a prompt."""

    def __init__(self, context: "StageContext", config: Any) -> None:
        """Load what is needed."""
        ...

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use, for the provenance."""
        ...

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Map records to new records, same number, same order."""
        ...


@dataclass
class StageContext:
    """Collaborators of a stage. One context serves a whole run, so that models load once."""

    preset: Preset
    images: ImageStore
    device: str
    """Resolved: `cpu`, `cuda`, `cuda:1`, `mps`."""
    dtype: str
    """Resolved: `float32`, `float16`, `bfloat16`."""
    seed: int = 0
    """Seed of the run; a record's own seed derives from it and the record's id."""
    planner_name: str | None = None
    """Overrides the preset's planner."""
    critic_name: str | None = None
    """Who looks at what was drawn; the planner by default."""
    offload: Offload = "none"
    """Where diffusion models wait on an accelerator; resolved, too."""
    metadata: bool = True
    """Whether new pictures say how they were made."""
    batch_size: int = 8
    """Most records in one call of a model."""
    progress: Callable[[str], None] = lambda message: None
    """Told about long steps inside a batch, one short line each."""
    remark: Callable[[str], None] = lambda text: None
    """Told what is worth knowing of a stage when it is over, such as what it cost; the last remark counts."""
    remark_on: Callable[[str, str], None] = lambda record_id, text: logger.warning("record %r: %s", record_id, text)
    """Told, by id, what of a record was mended, cut or left out. The engine writes it into the record and says it once."""
    concurrency: int | None = None
    """Questions that a language model is asked at the same time; as many as suit its server by default."""
    budget_tokens: int | None = None
    """Tokens after which a language model is asked no more; no end by default."""
    when_saved: list[Callable[[], None]] = field(default_factory=list)
    """Called once the records of a batch are finished and in the journal: a method forgets what it kept for an interruption."""
    crew: "Crew | None" = field(default=None, repr=False)
    """Who works on the batches; this process itself by default."""
    turn: "Turn | None" = field(default=None, repr=False)
    """When the stage may compute with models, where others work at the same time; at any time by default."""
    payer: str = ""
    """For whom language models are asked, where others ask at the same time."""
    _lender: "StageContext | None" = field(default=None, repr=False)
    """Whose models and language models these are, where several contexts share them."""
    _making: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _ledger: "Ledger | None" = field(default=None, repr=False)
    _models: "ModelPool | None" = field(default=None, repr=False)
    _planner: "Provider | None" = field(default=None, repr=False)
    _critic: "Provider | None" = field(default=None, repr=False)
    _methods: dict[str, StageMethod] = field(default_factory=dict, repr=False)

    def close(self) -> None:
        """Send the workers home, where there are some."""
        if self.crew is not None:
            self.crew.close()

    def beside(self, turn: "Turn", payer: str) -> "StageContext":
        """The collaborators of one stage among several that work at the same time, each in a thread.

        Models, language models and what those cost are shared. What is told of records and pictures is the stage's own, and so are
        its other methods, which tell it.

        Args:
            turn: When it may compute with models.
            payer: A name of its own.
        """
        own: dict[str, Any] = {
            "images": self.images.beside(),
            "when_saved": [],
            "crew": None,
            "turn": turn,
            "payer": payer,
        }
        return replace(self, **own, _lender=self, _making=threading.RLock(), _planner=None, _critic=None, _methods={})

    def at_work(self) -> AbstractContextManager[object]:
        """Around the work on a batch."""
        return nullcontext() if self.turn is None else self.turn

    @property
    def models(self) -> "ModelPool":
        """Models by role, loaded on first use."""
        if self.turn is not None:
            self.turn.take()
        if self._lender is not None:
            return self._lender.models
        if self._models is None:
            from llmgen.engine.warm import models_of

            self._models = models_of(self.preset, device=self.device, dtype=self.dtype, offload=self.offload)
        return self._models

    @property
    def ledger(self) -> "Ledger":
        """What the language models cost so far."""
        if self._lender is not None:
            return self._lender.ledger
        with self._making:
            if self._ledger is None:
                from llmgen.llm.providers.ledger import Ledger

                self._ledger = Ledger(self.budget_tokens)
            return self._ledger

    @property
    def spent(self) -> "Tokens":
        """What the language models cost this stage and those before it, or this stage alone where others ask at the same time."""
        return self.ledger.spent_by(self.payer) if self.payer else self.ledger.spent

    @property
    def planner(self) -> "Provider":
        """Who plans: a language model, or rules."""
        with self._making:
            if self._planner is None:
                name = self.planner_name or self.preset.planner
                made = self._provider(name, "planner") if self._lender is None else self._lender.planner
                self._planner = self._paying(made)
            return self._planner

    @property
    def critic(self) -> "Provider":
        """Who compares what was drawn with what was asked for; the planner, unless somebody else is named."""
        if self.critic_name is None:
            return self.planner
        with self._making:
            if self._critic is None:
                made = self._provider(self.critic_name, "critic") if self._lender is None else self._lender.critic
                self._critic = self._paying(made)
            return self._critic

    def _provider(self, name: str, role: str) -> "Provider":
        from llmgen.llm.providers.provider import load_provider

        return load_provider(name, role=role, at_once=self.concurrency, ledger=self.ledger)

    def _paying(self, provider: "Provider") -> "Provider":
        """A provider that has it written down for whom it is asked, where that is not plain."""
        if not self.payer:
            return provider
        from llmgen.llm.providers.paying import Paying

        return Paying(provider, self.ledger, self.payer)

    def heard(self, record_id: str, answer: "Answer[T]") -> "Answer[T]":
        """An answer about a record; what was mended in it or not understood is remarked on the record."""
        for line in answer.remarks:
            self.remark_on(record_id, line)
        return answer

    def config_for(self, stage: str, method: str, given: Mapping[str, Any] | None = None) -> Any:
        """The settings of a method by its name; see `settings_of`.

        Raises:
            UnknownNameError: If there is no such method.
            InputError: If a setting does not exist or has a bad value.
        """
        return self.settings_of(resolve(stage, method), given)

    def settings_of(self, method_class: Any, given: Mapping[str, Any] | None = None) -> Any:
        """A method's settings: its own defaults, then the preset's, then what was given.

        A method with an attribute `settings_like` takes the preset's settings of that method of its stage, too.

        Raises:
            InputError: If a setting does not exist or has a bad value.
        """
        stage, method, defaults = method_class.stage, method_class.name, self.preset.defaults
        like = getattr(method_class, "settings_like", method)
        preset_defaults = {**defaults.get(f"{stage}.{like}", {}), **defaults.get(f"{stage}.{method}", {})}
        return build_config(method_class, preset_defaults, given or {})

    def collaborator(
        self, stage: str, method: str | None = None, given: Mapping[str, Any] | None = None
    ) -> StageMethod:
        """Another stage's method, for example the detector inside a correction loop; made once for each of its settings.

        Args:
            stage: Of the method.
            method: Its name; the preset's by default.
            given: Settings that differ from the preset's.

        Raises:
            UnknownNameError: If there is no such method.
            InputError: If a setting does not exist or has a bad value.
        """
        name = method or self.preset.methods.get(stage)
        other = method is not None or bool(given)
        key = f"{stage} {name} {json.dumps(given or {}, sort_keys=True, default=str)}" if other else stage
        if key not in self._methods:
            method_class = resolve(stage, name)
            self._methods[key] = method_class(self, self.settings_of(method_class, given))
        return self._methods[key]
