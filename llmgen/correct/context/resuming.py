"""Finished depths of a record that is not finished, so that an interruption does not cost them.

A stage's journal knows whole records. A depth takes as long as many records of other methods, so each is written to a file of its own
beside the pictures, under a key of everything that can change it, and trusted only while its pictures are what they were. The files go
once the record is in the journal.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from llmgen.artifacts import Record
from llmgen.artifacts.files import write_atomic
from llmgen.artifacts.hashing import plain_record
from llmgen.artifacts.pictures import image_refs
from llmgen.correct.context.settings import ContextConfig
from llmgen.engine.fingerprint import StageFingerprint
from llmgen.errors import InputError

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

logger = logging.getLogger(__name__)

MOST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Finished:
    """A record after a depth."""

    record: Record
    remarks: tuple[str, ...]
    """What was remarked on it since it came in."""
    ended: bool
    """Whether it was the last depth."""


class FinishedDepths:
    """Files of finished depths.

    Args:
        context: Pictures, and what a result depends on.
        config: Settings.
    """

    def __init__(self, context: "StageContext", config: ContextConfig) -> None:
        self._context = context
        self._fingerprint = StageFingerprint(context, "correct", "context", config)
        self._written: set[Path] = set()

    def key(self, record: Record) -> str:
        """Of a record as it came in."""
        return self._fingerprint.key(record)

    def find(self, key: str) -> Finished | None:
        """What is finished of a record; None where there is nothing that can be trusted."""
        path = self._path(key)
        try:
            if not path.is_file() or path.is_symlink() or path.stat().st_size > MOST_BYTES:
                return None
            value = json.loads(path.read_text(encoding="utf-8"))
            record = Record.model_validate_json(json.dumps(value["record"]))
            for ref in image_refs(record):
                self._context.images.read(ref)
            finished = Finished(record, tuple(map(str, value["remarks"])), bool(value["ended"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError, InputError) as error:
            logger.info("%s: finished depths are not used again: %s", path, error)
            return None
        self._take_note(path)
        return finished

    def keep(self, key: str, finished: Finished) -> None:
        """Write the record after a depth.

        Raises:
            OutputError: If it cannot be written.
        """
        path = self._path(key)
        value = {"record": plain_record(finished.record), "remarks": finished.remarks, "ended": finished.ended}
        write_atomic(path, json.dumps(value, ensure_ascii=False).encode())
        self._take_note(path)

    def _take_note(self, path: Path) -> None:
        self._written.add(path)
        if self.forget not in self._context.when_saved:
            self._context.when_saved.append(self.forget)

    def forget(self) -> None:
        """Remove what was kept: the records are in the journal."""
        for path in self._written:
            path.unlink(missing_ok=True)
        self._written.clear()

    def _path(self, key: str) -> Path:
        return self._context.images.root / ".llmgen" / "depths" / f"{key}.json"
