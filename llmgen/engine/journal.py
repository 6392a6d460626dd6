"""The journal of a stage: finished records, appended and brought to the disk batch by batch, so that nothing is done twice.

One line of JSON per batch: `{"records": [{"key", "record"}], "seconds", "finished_at"}`. A batch is one line because the pictures
of a batch may depend, in their last bits, on who shared it: after an interruption a batch is there whole or not at all, and the
rest is cut into the same batches as before. Times live here and nowhere else.
"""

import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmgen.artifacts import ImageRef, Record
from llmgen.artifacts.files import cannot_write, make_folder
from llmgen.artifacts.hashing import plain_record
from llmgen.errors import InputError
from llmgen.vision.images import ImageStore

logger = logging.getLogger(__name__)


def journal_path(output: Path) -> Path:
    """Where the journal of an output lies."""
    return output.parent / ".llmgen" / f"{output.stem}.jsonl"


class Journal:
    """Reads what an earlier run finished and adds to it.

    Args:
        path: The file; made on the first append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, dict[str, Any]] = {}
        #: Length of the part that ends with a whole line; a torn end is cut off before the next append.
        self._sound_bytes = 0
        if path.is_file():
            self._read()

    def __len__(self) -> int:
        return len(self._entries)

    def discard(self) -> None:
        """Forget everything, on disk too."""
        self._entries.clear()
        self._sound_bytes = 0
        self.path.unlink(missing_ok=True)

    def find(self, key: str, images: ImageStore) -> Record | None:
        """The finished record of a key, if its pictures are still there and unchanged.

        Args:
            key: What the record was made from.
            images: Where its pictures lie.
        """
        entry = self._entries.get(key)
        if entry is None:
            return None
        try:
            record = Record.model_validate_json(json.dumps(entry))
            for ref in image_refs(record):
                images.read(ref)
        except (ValidationError, InputError) as error:
            logger.info("%s: a finished record is not used again: %s", self.path, error)
            return None
        return record

    def append(self, finished: Sequence[tuple[str, Record]], seconds: float) -> None:
        """Add a finished batch.

        Args:
            finished: Keys and records.
            seconds: How long the batch took.

        Raises:
            OutputError: If the journal cannot be written.
        """
        line = {
            "records": [{"key": key, "record": plain_record(record)} for key, record in finished],
            "seconds": round(seconds, 4),
            "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        data = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode()
        make_folder(self.path.parent)
        try:
            with self.path.open("r+b" if self.path.exists() else "wb") as file:
                file.truncate(self._sound_bytes)
                file.seek(self._sound_bytes)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._sound_bytes += len(data)
        self._entries.update({entry["key"]: entry["record"] for entry in line["records"]})  # type: ignore[attr-defined]

    def seconds(self) -> float:
        """Time that all batches in the journal took together, in seconds."""
        return sum(
            json.loads(line).get("seconds", 0.0) for line in self.path.read_bytes()[: self._sound_bytes].splitlines()
        )

    def _read(self) -> None:
        data = self.path.read_bytes()
        for line in data.splitlines(keepends=True):
            try:
                entries = {e["key"]: e["record"] for e in json.loads(line)["records"]}
            except (ValueError, KeyError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            self._entries.update(entries)
            self._sound_bytes += len(line)


def image_refs(record: Record) -> list[ImageRef]:
    """All pictures that a record names."""
    refs = [record.image] if record.image is not None else []
    for entry in record.history:
        refs.append(entry.image)
        if entry.region is not None:
            refs.append(entry.region)
    return [*refs, *(sample.image for sample in record.samples)]
