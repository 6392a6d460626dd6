"""One method at work: loaded once, given records of one picture each, its remarks and its provenance put beside what it made."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

from llmgen import __version__
from llmgen.artifacts import ModelUse, Provenance, Record, Remark
from llmgen.artifacts.hashing import record_digest
from llmgen.artifacts.picture_text import PictureText
from llmgen.artifacts.schedulers import OWN
from llmgen.engine.context import StageContext, StageMethod
from llmgen.engine.fingerprint import package_versions
from llmgen.engine.samples import (
    LOOKING,
    View,
    call_size,
    calls_of,
    check_samples_asked,
    drawn,
    looked_at,
    views_to_draw,
    views_to_look_at,
)
from llmgen.engine.stage import StageConfig
from llmgen.errors import LlmgenError

_NOTHING: Final = hashlib.sha256().hexdigest()
"""Digest of nothing, in the place of one that is still to come."""


class CannotLoad(Exception):
    """What a method needs cannot be loaded, so it can work on no record at all."""

    def __init__(self, reason: LlmgenError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class MethodCaller:
    """Lets a method grow records.

    Args:
        method_class: A class as in `llmgen.engine.context.StageMethod`.
        config: Its resolved settings.
        given: The settings that somebody gave, for the provenance.
        context: Preset, device, seed, pictures and models. Its `remark_on` is this object's from now on.
    """

    def __init__(self, method_class: Any, config: StageConfig, given: Mapping[str, Any], context: StageContext) -> None:
        self._class, self._config, self._given, self._context = method_class, config, dict(given), context
        self._method: StageMethod | None = None
        self._models: list[ModelUse] = []
        self._said: Provenance | None = None
        self._remarks: dict[str, list[str]] = {}
        self._views: list[View] = []
        check_samples_asked(config)
        context.remark_on = self._remark_on

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """What the method makes of some records, with its remarks and its provenance; the kind is left to the engine.

        Raises:
            CannotLoad: If the method cannot be loaded.
            LlmgenError: Whatever the method raises.
        """
        self._remarks, self._models = {}, []
        self._context.images.describe = self._describe if self._context.metadata else None
        # The kind is the engine's: a method may clear a section that the old kind asks for, such as detections of a new picture.
        bare = [record.model_copy(update={"kind": "prompts"}) for record in records]
        if self._class.stage == "generate":
            self._views = views_to_draw(bare, self._config)
            grown = drawn(bare, self._views, self._work())
        elif self._class.stage in LOOKING:
            self._views, left_out = views_to_look_at(bare, self._class.needs)
            grown = looked_at(bare, self._views, self._work())
            for record, text in zip(records, left_out, strict=True):
                if text:
                    self._remark_on(record.id, text)
        else:
            self._views = [View(record, row) for row, record in enumerate(bare)]
            grown = self._work()
        made_so = self._made_so()
        return [
            self._finished(row, old, new, made_so) for row, (old, new) in enumerate(zip(records, grown, strict=True))
        ]

    def remarked(self, row: int, record: Record) -> Record:
        """A record with what the last call said about it; also of use where the call failed.

        Args:
            row: Its place among the records of the call.
            record: The record, finished or failed.
        """
        if not self._remarks:
            return record
        texts = {remark.text: remark for remark in record.remarks if remark.stage == self._class.stage}
        new: list[Remark] = []
        for view in self._views:
            for text in self._remarks.get(view.record.id, ()) if view.row == row else ():
                # What is said of the first picture holds for the record; of another one it is said whose it is, if it is news.
                if text in texts:
                    continue
                said = f"sample {view.sample}: {text}" if view.sample else text
                texts[text] = Remark(stage=self._class.stage, text=said)
                new.append(texts[text])
        return record.grown(remarks=(*record.remarks, *new)) if new else record

    def _describe(self, record_id: str, size: tuple[int, int]) -> dict[str, str] | None:
        """What a new picture of a record says of itself."""
        record = next((view.record for view in self._views if view.record.id == record_id), None)
        if record is None or self._method is None:
            return None
        config = self._config.model_dump(mode="json")
        # The first of several samples is the very picture that is drawn alone.
        settings = {name: value for name, value in config.items() if name != "samples"}
        negative = [settings.get("negative_prompt") or "", record.layout.negative_prompt if record.layout else ""]
        return PictureText(
            llmgen=__version__,
            stage=self._class.stage,
            method=self._class.name,
            preset=self._context.preset.name,
            prompt=record.prompt,
            instruction=record.instruction,
            negative_prompt=", ".join(part for part in negative if part),
            seed=record.seed,
            width=size[0],
            height=size[1],
            settings=settings,
            models=tuple(_without_folders(model) for model in self._method.models),
            layout=record.layout,
        ).chunks()

    @property
    def method(self) -> StageMethod:
        """The method, loaded on first use.

        Raises:
            CannotLoad: If what it needs is missing.
        """
        if self._method is None:
            # What is missing here is missing for all records: no boundary around loading.
            try:
                self._method = self._class(self._context, self._config)
            except LlmgenError as error:
                raise CannotLoad(error) from error
        return self._method

    def _work(self) -> list[Record]:
        """The method's answer for all views, in calls that are no larger than a batch."""
        method = self.method
        grown: dict[int, Record] = {}
        first_alone = getattr(self._config, "first_alone", True)
        size = call_size(self._config, self._context.batch_size)
        for places in calls_of(self._views, size, first_alone=first_alone):
            part = [self._views[place].record for place in places]
            made = method(part)
            if [record.id for record in made] != [record.id for record in part]:
                raise RuntimeError(f"{self._class.stage} {self._class.name} returned other records than it was given")
            grown |= dict(zip(places, made, strict=True))
            self._models += [model for model in method.models if model not in self._models]
            for text in self._left_schedulers():
                for record in part:
                    self._remark_on(record.id, text)
        return [grown[place] for place in range(len(self._views))]

    def _left_schedulers(self) -> list[str]:
        """What the preset says of schedulers and the method does not follow, because it needs its own."""
        roles, given = self._context.preset.roles, getattr(self._config, "scheduler", OWN)
        return [
            f"the preset names the scheduler {roles[model.role].scheduler!r} for {model.role}; {self._class.stage} {self._class.name} "
            f"steps by {model.scheduler!r} in a loop of its own"
            for model in self._models
            if model.scheduler is not None
            and model.role in roles
            and roles[model.role].scheduler not in (OWN, model.scheduler)
            and given == OWN
        ]

    def _made_so(self) -> Provenance:
        """How all records of a call are made: the provenance of each, but for what came in."""
        if self._said is not None and self._said.models == tuple(self._models):
            return self._said
        self._said = Provenance(
            stage=self._class.stage,
            method=self._class.name,
            preset=self._context.preset.name,
            config=self._config.model_dump(mode="json"),
            config_passed=self._given,
            seed=self._context.seed,
            models=tuple(self._models),
            input_sha256=_NOTHING,
            llmgen=__version__,
            packages=package_versions(),
            device=self._context.device,
            dtype=self._context.dtype,
        )
        return self._said

    def _finished(self, row: int, old: Record, new: Record, made_so: Provenance) -> Record:
        provenance = made_so.model_copy(update={"input_sha256": record_digest(old)})
        return self.remarked(row, new.grown(kind=self._class.makes, provenance=(*old.provenance, provenance)))

    def _remark_on(self, record_id: str, text: str) -> None:
        said = self._remarks.setdefault(record_id, [])
        line = " ".join(text.split())
        if line and line not in said:
            said.append(line)


def _without_folders(model: ModelUse) -> ModelUse:
    """A model whose local folder, which says much about a machine and its owner, is called by its last name only."""
    lora = model.lora and tuple(lora.model_copy(update={"source": _last_name(lora.source)}) for lora in model.lora)
    return model.model_copy(update={"source": _last_name(model.source), "lora": lora})


def _last_name(source: str) -> str:
    here = Path(source).is_absolute() or source.startswith((".", "~")) or "\\" in source
    return PurePath(source).name if here else source
