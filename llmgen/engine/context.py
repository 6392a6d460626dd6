"""The contract between the engine and a method: what a method is, and what it is given."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    from llmgen.llm.providers.ledger import Ledger
    from llmgen.llm.providers.provider import Answer, Provider

logger = logging.getLogger(__name__)

T = TypeVar("T")


class StageMethod(Protocol):
    """One method of one stage: loads its models once, then maps records to records.

    A call fills its section and nothing else: provenance, errors, seeds and the journal are the engine's. It must not depend on the
    order or the neighbours of a record in the batch. What it mends, cuts or leaves out it says by `StageContext.remark_on`. When a
    batch raises an `LlmgenError`, the engine runs its records one by one and writes the error into the record that caused it.

    Where workers do the work there are several of it, each in a process of its own: what it keeps from one call to the next may save time,
    and nothing else.

    A method that only asks the planner, and asks the same whenever it is called, may have `ask_ahead(record)`: the engine calls it for
    records whose turn comes later, from threads, so that a server answers several at the same time.

    A method that leaves a setting to the length of the run has a static `long_from(config)`, how many records make a run long (None where
    nothing is left open), and a static `settled(context, config, is_long, say)`, the settings as they hold for the whole run.

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
    _ledger: "Ledger | None" = field(default=None, repr=False)
    _models: "ModelPool | None" = field(default=None, repr=False)
    _planner: "Provider | None" = field(default=None, repr=False)
    _critic: "Provider | None" = field(default=None, repr=False)
    _methods: dict[str, StageMethod] = field(default_factory=dict, repr=False)

    def close(self) -> None:
        """Send the workers home, where there are some."""
        if self.crew is not None:
            self.crew.close()

    @property
    def models(self) -> "ModelPool":
        """Models by role, loaded on first use."""
        if self._models is None:
            from llmgen.engine.warm import models_of

            self._models = models_of(self.preset, device=self.device, dtype=self.dtype, offload=self.offload)
        return self._models

    @property
    def ledger(self) -> "Ledger":
        """What the language models cost so far."""
        if self._ledger is None:
            from llmgen.llm.providers.ledger import Ledger

            self._ledger = Ledger(self.budget_tokens)
        return self._ledger

    @property
    def planner(self) -> "Provider":
        """Who plans: a language model, or rules."""
        if self._planner is None:
            from llmgen.llm.providers.provider import load_provider

            self._planner = load_provider(
                self.planner_name or self.preset.planner, at_once=self.concurrency, ledger=self.ledger
            )
        return self._planner

    @property
    def critic(self) -> "Provider":
        """Who compares what was drawn with what was asked for; the planner, unless somebody else is named."""
        if self.critic_name is None:
            return self.planner
        if self._critic is None:
            from llmgen.llm.providers.provider import load_provider

            self._critic = load_provider(self.critic_name, role="critic", at_once=self.concurrency, ledger=self.ledger)
        return self._critic

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
