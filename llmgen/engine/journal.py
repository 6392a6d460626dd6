"""The journal of a stage: finished records, appended and brought to the disk batch by batch, so that nothing is done twice.

One line of JSON each: first `{"begun": SETTINGS}`, then `{"records": [{"key", "record"}], "seconds", "finished_at"}` for every batch
(and `"tokens": {"in", "out"}`, where a language model was paid meanwhile), and last, where a run is over, perhaps `{"ended": WORDS}`,
each wrapped as `{"sha256": DIGEST, "line": ...}` by the digest of its own text. What a crash tore or a hand changed is noticed by
it, and the journal is cut there. A batch is one line because the pictures of a batch may depend, in their last bits, on who shared it:
after an interruption a batch is there whole or not at all, and the rest is cut into the same batches as before. Times live here and
nowhere else.

Each batch is handed to the system at once, so that it outlives the process, however that ends. It is brought to the disk together with
others as long as they took no more than a second of work and are no more than 64: so much a power cut can cost.

Of a journal, the keys are in memory and where their batches lie; batches are read again one at a time.
"""

import json
import logging
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from llmgen.artifacts import Record
from llmgen.artifacts.files import cannot_write, make_folder
from llmgen.artifacts.hashing import as_json, record_json
from llmgen.artifacts.pictures import image_refs
from llmgen.engine.journal_lines import (
    BEGUN,
    ENDED,
    difference,
    made_by,
    old_batches,
    sealed,
    text_of,
    unsealed,
    value_of,
)
from llmgen.errors import InputError, OutputError
from llmgen.vision.images import ImageStore

logger = logging.getLogger(__name__)

_ENTRY: Final = b'{"key": "%s", "record": %s}'
_RECORDS = b'{"records": [{"key": "'
#: Beginnings of the entries of a batch. Inside a text a quote has a backslash, so no text looks like one; what a setting looks like is told
#: when the batch is read.
_KEY: Final = re.compile(rb'\{"key": "([^"\\]+)", "record": \{')
_SECONDS: Final = re.compile(rb', "seconds": ([0-9.e+-]+), "finished_at": "[^"]*"(?:, "tokens": \{[^{}]*\})?\}$')
_MOST_UNSYNCED_SECONDS: Final = 1.0
_MOST_UNSYNCED_BATCHES: Final = 64


def journal_path(output: Path) -> Path:
    """Where the journal of an output lies: each file has its own."""
    return output.parent / ".llmgen" / f"{output.name}.journal"


def lock_path(output: Path) -> Path:
    """Where the lock of an output lies."""
    return output.parent / ".llmgen" / f"{output.name}.lock"


def old_journal_path(output: Path) -> Path:
    """Where llmgen 0.1 wrote the journal of an output, without digests: `x.json` and `x.jsonl` shared one."""
    return output.parent / ".llmgen" / f"{output.stem}.jsonl"


class Journal:
    """Reads what an earlier run finished and adds to it.

    Args:
        path: The file; made on the first append.
        settings: How the run is made, as `run_settings` says it; None to take whatever is there.
        old: A journal of the old form that is taken over if there is none at `path`.
        otherwise: What to do with a journal that was begun with other settings: refuse it, or forget it.
        anew: Forget whatever is there.

    Raises:
        OutputError: If the journal was begun with other settings and that is refused, or it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        old: Path | None = None,
        otherwise: Literal["refuse", "forget"] = "refuse",
        anew: bool = False,
    ) -> None:
        self.path = path
        self._settings = dict(settings) if settings is not None else None
        #: Key to the place of its batch in the file.
        self._places: dict[str, int] = {}
        self._last_read: tuple[int, dict[str, Any]] = (-1, {})
        self._seconds = 0.0
        self._unsynced_batches, self._unsynced_seconds = 0, 0.0
        self._writing, self._closed = threading.Lock(), False
        #: Length of the part that ends with a whole line; a torn end is cut off before the next append.
        self._sound_bytes = 0
        try:
            if anew:
                self._begin()
            elif path.is_file():
                self._read()
            elif old is not None and old.is_file():
                self._take_over(old)
        except _BegunOtherwise:
            if otherwise == "refuse":
                raise
            self._sound_bytes = 0
            self._places.clear()
            self._begin()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def compare(self, begun: Mapping[str, Any]) -> None:
        """Refuse to go on with what was begun in another way.

        Args:
            begun: Settings by name; those that only one side knows do not matter.

        Raises:
            OutputError: If a setting differs.
        """
        found = difference(begun, self._settings) if self._settings is not None else None
        if found is not None:
            name, before, now = found
            raise _BegunOtherwise(
                f"{self.path.parent.parent / self.path.stem} was begun with {name} {_short(before)}, not {_short(now)}; "
                "go on as it was begun, make it anew with --force, or choose another output with -o"
            )

    def find(self, key: str, images: ImageStore) -> Record | None:
        """The finished record of a key, if its pictures are still there and unchanged.

        Args:
            key: What the record was made from.
            images: Where its pictures lie.
        """
        place = self._places.get(key)
        entry = None if place is None else self._batch_at(place).get(key)
        if entry is None:
            return None
        try:
            record = Record.model_validate_json(as_json(entry))
            for ref in image_refs(record):
                images.read(ref)
        except (ValidationError, InputError) as error:
            logger.info("%s: a finished record is not used again: %s", self.path, error)
            return None
        return record

    def append(self, finished: Sequence[tuple[str, Record]], seconds: float, tokens: tuple[int, int] = (0, 0)) -> None:
        """Add a finished batch.

        Args:
            finished: Keys and records.
            seconds: How long the batch took.
            tokens: What language models took in and gave out meanwhile.

        Raises:
            OutputError: If the journal cannot be written.
        """
        self._add(
            [(key, record_json(record)) for key, record in finished],
            round(seconds, 4),
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            tokens,
        )

    def seconds(self) -> float:
        """Time that all batches in the journal took together, in seconds."""
        return self._seconds

    def end(self, words: Mapping[str, Any]) -> None:
        """Say that the run is over. Whatever is added later takes the place of this line.

        Args:
            words: What `last_words` shall tell; JSON values.

        Raises:
            OutputError: If the journal cannot be written.
        """
        if not self._sound_bytes:
            self._begin()
        before = self._sound_bytes
        self._write(text_of({"ended": dict(words)}))
        self._sound_bytes = before

    def sync(self) -> None:
        """Bring to the disk what is not there yet.

        Raises:
            OutputError: If that cannot be done.
        """
        if not self._unsynced_batches:
            return
        try:
            with self.path.open("r+b") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._unsynced_batches, self._unsynced_seconds = 0, 0.0

    def close(self) -> None:
        """Take nothing more, also from a thread that has not heard yet that its run is over; what is being written is written."""
        with self._writing:
            self._closed = True

    def _add(
        self, records: Sequence[tuple[str, bytes]], seconds: float, finished_at: str, tokens: tuple[int, int] = (0, 0)
    ) -> None:
        if not self._sound_bytes:
            self._begin()
        place = self._sound_bytes
        self._unsynced_batches += 1
        self._unsynced_seconds += seconds
        entries = b", ".join(_ENTRY % (key.encode(), text) for key, text in records)
        paid = b', "tokens": {"in": %d, "out": %d}' % tokens if any(tokens) else b""
        about = json.dumps({"seconds": seconds, "finished_at": finished_at}).encode()
        self._write(b'{"records": [%s], %s%s}' % (entries, about[1:-1], paid))
        if self._unsynced_batches >= _MOST_UNSYNCED_BATCHES or self._unsynced_seconds >= _MOST_UNSYNCED_SECONDS:
            self.sync()
        self._places.update((key, place) for key, _ in records)
        self._seconds += seconds

    def _begin(self) -> None:
        self._write(text_of({"begun": self._settings or {}}))

    def _write(self, text: bytes) -> None:
        data = sealed(text)
        if not self._sound_bytes:
            make_folder(self.path.parent)
        with self._writing:
            if self._closed:
                raise RuntimeError(f"{self.path} is closed")
            try:
                with self.path.open("ab") as file:
                    # Hardly any line follows a torn one, and to cut a file off where it ends takes a system as long as to write a batch.
                    if file.tell() != self._sound_bytes:
                        file.truncate(self._sound_bytes)
                    file.write(data)
            except OSError as error:
                raise cannot_write(self.path, error) from error
            self._sound_bytes += len(data)

    def _read(self) -> None:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = unsealed(line)
                if text is not None and text.startswith(ENDED):
                    return
                if text is None or not self._take_in(text):
                    if line.endswith(b"\n"):
                        logger.warning("%s: line %d is damaged; it and what follows is made anew", self.path, number)
                    return
                self._sound_bytes += len(line)

    def _take_in(self, text: bytes) -> bool:
        """Remember what a line says, and whether it says what a line of a journal can say; its records are not read yet."""
        if text.startswith(BEGUN):
            value = value_of(text)
            if value is not None:
                self.compare(value["begun"])
            return value is not None
        took = _SECONDS.search(text, max(0, len(text) - 200))
        if took is None or not text.startswith(_RECORDS):
            return False
        self._places.update((key.decode(errors="replace"), self._sound_bytes) for key in _KEY.findall(text))
        self._seconds += float(took[1])
        return True

    def _batch_at(self, place: int) -> dict[str, Any]:
        """The records of a batch by their keys; nothing if it is not as it was written."""
        if self._last_read[0] != place:
            with self.path.open("rb") as file:
                file.seek(place)
                text = unsealed(file.readline())
            batch = None if text is None else value_of(text)
            records = {} if batch is None else {entry["key"]: entry["record"] for entry in batch.get("records", ())}
            self._last_read = (place, records)
        return self._last_read[1]

    def _take_over(self, old: Path) -> None:
        """Bring an old journal into the new form. One of another stage is left alone: it belongs to another output."""
        batches = list(old_batches(old))
        made = next((m for m in map(made_by, (e["record"] for b in batches for e in b["records"])) if m), {})
        wanted = self._settings or made
        if not batches or any(made.get(name) != wanted.get(name) for name in ("stage", "method")):
            return
        self.compare(made)
        for batch in batches:
            records = [(entry["key"], as_json(entry["record"])) for entry in batch["records"]]
            self._add(records, float(batch["seconds"]), str(batch["finished_at"]))


class _BegunOtherwise(OutputError):
    """The journal is that of a run with other settings."""


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
