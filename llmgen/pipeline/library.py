"""llmgen in a program or a notebook: prompts or records in memory in, records and pictures out, by the engine of the command line."""

import base64
import html
import io
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, overload

from llmgen.artifacts import HistoryEntry, ImageRef, Record, Stage
from llmgen.artifacts.io import records_from_prompts
from llmgen.artifacts.manifest import PromptEntry, long_names
from llmgen.engine.local import run_stage
from llmgen.engine.pictures import bring
from llmgen.errors import InputError, LlmgenError, error_class
from llmgen.pipeline.options import DEFAULT_BATCH_SIZE, Choice, RunOptions, choose
from llmgen.pipeline.settling import settled
from llmgen.registry import DEFAULT_PRESET, unknown
from llmgen.vision.images import ImageStore

if TYPE_CHECKING:
    from PIL import Image

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
_SHOWN_PX: Final = 256
"""Longest side of a picture in a notebook."""


class _Folder:
    """Where pictures lie: a folder that somebody named, or one that goes with the last who needs it."""

    def __init__(self, folder: Path | None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="llmgen-")) if folder is None else Path(folder)
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Drawn:
    """What became of one prompt. A notebook shows its pictures."""

    record: Record
    """All that is known: layout, detections, edits, scores, remarks; `error` if it failed."""
    _home: _Folder = field(repr=False)

    @property
    def prompt(self) -> str:
        """What was to be drawn."""
        return self.record.prompt

    @property
    def image(self) -> "Image.Image":
        """The current picture, as RGB.

        Raises:
            LlmgenError: If the record failed.
            InputError: If nothing was drawn.
        """
        if self.record.error is not None:
            raise _as_error(self.record)
        if self.record.image is None:
            raise InputError(f"record {self.record.id!r} has no picture; put `generate` into the chain")
        return self._load(self.record.image)

    @property
    def images(self) -> list["Image.Image"]:
        """All samples of the prompt; or where one was drawn, its pictures from the first to the last that was kept."""
        return [self._load(ref) for _, ref in self._shown()]

    @property
    def path(self) -> Path | None:
        """The file of the current picture, which also says how it was made; it goes with this object unless a folder was named."""
        return None if self.record.image is None else self._home.path / self.record.image.path

    def _load(self, ref: ImageRef) -> "Image.Image":
        return ImageStore(self._home.path).load(ref)

    def _shown(self) -> list[tuple[str, ImageRef]]:
        record = self.record
        if record.samples:
            return [(f"sample {sample.index}", sample.image) for sample in record.samples]
        kept: list[HistoryEntry] = [entry for entry in record.history if entry.kept]
        if not kept and record.image is not None:
            return [("picture", record.image)]
        return [(entry.stage, entry.image) for entry in kept]

    def _repr_html_(self) -> str:
        """The pictures side by side, above the prompt; the words of a prompt stay words."""
        figures = []
        for word, ref in self._shown():
            picture = self._load(ref)
            picture.thumbnail((_SHOWN_PX, _SHOWN_PX))
            data = io.BytesIO()
            picture.save(data, "PNG")
            url = base64.b64encode(data.getvalue()).decode("ascii")
            figures.append(
                f'<figure style="display:inline-block;margin:4px"><img alt="{html.escape(word)}" '
                f'src="data:image/png;base64,{url}"><figcaption>{html.escape(word)}</figcaption></figure>'
            )
        said = html.escape(self.prompt or self.record.instruction or "")
        failed = f"<p>{html.escape(self.record.error.message)}</p>" if self.record.error is not None else ""
        return f"<div>{''.join(figures)}<p>{said}</p>{failed}</div>"


Prompt = str | Mapping[str, Any] | Record | Drawn
"""A text; an object as in a file of prompts; a record; or what a chain has made of one before."""


class Chain:
    """Stages in order, whose models stay loaded from one call to the next.

    ```python
    chain = llmgen.Chain("layout", "generate", methods={"generate": "lmd"}, settings={"generate": {"steps": 10}})
    for drawn in chain.stream(["two red balls", "a blue car"]):
        drawn.image.save(f"{drawn.record.id}.png")
    ```

    Args:
        stages: Names of stages; `layout` and `generate` by default.
        methods: Stage to method; the preset's by default.
        settings: Stage to settings of its method, under the names of `llmgen methods STAGE`; `steps`, `guidance` and `n` are understood.
        preset: Name, or path of a JSON file.
        planner: `rules`, `openai` or `replay:FILE`; the preset's by default.
        seed: Of the run; each record's own derives from it and its id.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        batch_size: Most records in one call of a model.
        folder: Where pictures are kept; by default a temporary one that goes with the last of the results.

    Raises:
        LlmgenError: If a stage, method, setting or preset does not exist, before anything is loaded.
    """

    def __init__(
        self,
        *stages: str,
        methods: Mapping[str, str] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        preset: str = DEFAULT_PRESET,
        planner: str | None = None,
        seed: int = 0,
        device: str = "auto",
        batch_size: int = DEFAULT_BATCH_SIZE,
        folder: str | Path | None = None,
    ) -> None:
        named = stages or ("layout", "generate")
        for stage in (*named, *(methods or {}), *(settings or {})):
            if stage not in STAGES:
                raise unknown("stage", stage, STAGES)
        stray = next((stage for stage in (*(methods or {}), *(settings or {})) if stage not in named), None)
        if stray is not None:
            raise InputError(f"the chain has no stage {stray!r}, for which a method or settings are given")
        self._home = _Folder(None if folder is None else Path(folder))
        options = RunOptions(preset=preset, planner=planner, seed=seed, device=device, batch_size=batch_size)
        self._context = options.context(ImageStore(self._home.path))
        self._choices: list[Choice] = []
        for stage in named:
            try:
                given = long_names((settings or {}).get(stage, {}))
            except ValueError as error:
                raise InputError(f"{stage}: {error}") from error
            self._choices.append(choose(self._context, stage, (methods or {}).get(stage), given))

    def __call__(self, prompts: Prompt | Iterable[Prompt]) -> list[Drawn]:
        """Run all stages.

        Returns:
            One result for each prompt, in order. One that failed says so in `record.error` and stops no other.

        Raises:
            LlmgenError: If the stages cannot run at all, no prompt can be read, or the id of one cannot name a record.
        """
        return list(self.stream(prompts))

    def stream(self, prompts: Prompt | Iterable[Prompt]) -> Iterator[Drawn]:
        """As a call, but each result as soon as its batch is through all stages."""
        records = self._records([prompts] if isinstance(prompts, str | Mapping | Record | Drawn) else list(prompts))
        choices = [settled(choice, iter(records))[0] for choice in self._choices]
        step = self._context.batch_size
        for start in range(0, len(records), step):
            batch: Sequence[Record] = records[start : start + step]
            for choice in choices:
                done = run_stage(
                    batch,
                    method_class=choice.method_class,
                    config=choice.config,
                    given=choice.given,
                    context=self._context,
                    name="the prompts",
                )
                batch = done.records
            yield from (Drawn(record, self._home) for record in batch)

    def _records(self, prompts: Sequence[Prompt]) -> list[Record]:
        """Records of any prompts, their pictures brought here; an id that is there already gets a number."""
        bare: list[str | PromptEntry] = []
        for prompt in prompts:
            if isinstance(prompt, Mapping):
                bare.append(_entry(prompt))
            elif isinstance(prompt, str):
                bare.append(prompt)
        found = records_from_prompts(bare, "the prompts", Path()) if bare else None
        if found is not None and found.dropped:
            raise InputError(found.dropped[0])  # there would be no result in its place
        read = iter(found.records if found is not None else ())
        records: list[Record] = []
        for prompt in prompts:
            if isinstance(prompt, Drawn):
                records.append(bring(prompt.record, ImageStore(prompt._home.path), self._context.images))
            else:
                record = prompt if isinstance(prompt, Record) else next(read)
                records.append(bring(record, ImageStore(Path()), self._context.images))
        ids = [record.id for record in records]
        twice = next((name for name in ids if ids.count(name) > 1), None) if len(set(ids)) < len(ids) else None
        if twice is not None:
            raise InputError(f"two records are called {twice!r}; ids name the pictures, so give each its own")
        return records


@overload
def draw(prompts: Prompt, **options: Any) -> Drawn: ...


@overload
def draw(prompts: Iterable[Prompt], **options: Any) -> list[Drawn]: ...


def draw(
    prompts: Prompt | Iterable[Prompt],
    *,
    n: int = 1,
    method: str | None = None,
    preset: str = DEFAULT_PRESET,
    seed: int = 0,
    folder: str | Path | None = None,
    **settings: Any,
) -> Drawn | list[Drawn]:
    """Draw one prompt, or several.

    ```python
    llmgen.draw("a red ball and a blue car", n=4, seed=7).image
    ```

    Args:
        prompts: One prompt, or several.
        n: Pictures of each, each from a seed of its own.
        method: Of `generate`, such as `sd` (the text alone); one that draws by boxes has them planned first.
        preset: Name, or path of a JSON file.
        seed: Of the run.
        folder: Where pictures are kept; by default they go with the results.
        settings: Of the method: `steps`, `guidance`, `negative_prompt`, `width` ...

    Returns:
        The result of one prompt, or a list of as many results as prompts.

    Raises:
        LlmgenError: If something asked for does not exist; or if the one prompt could not be drawn.
    """
    from llmgen.presets import load_preset
    from llmgen.registry import resolve

    needs = resolve("generate", method or load_preset(preset).methods.get("generate")).needs
    stages = ("layout", "generate") if "layout" in needs else ("generate",)
    chain = Chain(
        *stages,
        methods={} if method is None else {"generate": method},
        settings={"generate": {**settings, **({} if n == 1 else {"n": n})}},
        preset=preset,
        seed=seed,
        folder=folder,
    )
    made = chain(prompts)
    if not isinstance(prompts, str | Mapping | Record | Drawn):
        return made
    if made[0].record.error is not None:
        raise _as_error(made[0].record)
    return made[0]


def _entry(prompt: Mapping[str, Any]) -> PromptEntry:
    from pydantic import ValidationError

    from llmgen.artifacts.complaints import describe

    try:
        return PromptEntry.model_validate(dict(prompt))
    except ValidationError as error:
        raise InputError(f"a prompt: {describe(error, PromptEntry.model_fields)}") from error


def _as_error(record: Record) -> LlmgenError:
    assert record.error is not None
    return error_class(record.error.type)(f"record {record.id!r}: {record.error.message}")
