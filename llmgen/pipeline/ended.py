"""A stage that was run to its end on a long input, and is asked for again: one line of its journal tells that there is nothing to do.

The line holds the digests of the input, of the settings and of the artifact. It is believed if all of them, and every picture that the
artifact names, are still so on the disk; else each record is looked up in the journal, as after an interruption.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llmgen.artifacts import ImageRef
from llmgen.engine.fingerprint import StageFingerprint
from llmgen.engine.journal import Journal, journal_path
from llmgen.engine.journal_lines import last_words
from llmgen.engine.progress import Progress, Tally
from llmgen.errors import InputError
from llmgen.pipeline.options import Choice
from llmgen.pipeline.sources import Source
from llmgen.vision.images import ImageStore

_CHUNK: Final = 2**20
_OVERLAP: Final = 2**16
"""More than a reference to a picture takes."""
_PICTURE: Final = re.compile(
    rb'"(path|source_image|target_image)": ("(?:[^"\\]|\\.)*")(?:,\s*"sha256": "([0-9a-f]{64})")?'
)
"""A reference to a picture in an artifact. Inside a text a quote has a backslash, so no text looks like one."""


@dataclass(frozen=True)
class Told:
    """What the line tells."""

    input_sha256: str
    settings: str
    output_sha256: str
    count: int
    notice: str | None
    """What was said of all records."""

    @classmethod
    def of(cls, words: Mapping[str, Any] | None) -> "Told | None":
        """Read the line; None if it is none, or of another version."""
        if words is None or words.keys() != cls.__dataclass_fields__.keys():
            return None
        return cls(**words) if isinstance(words["count"], int) else None


class Ending:
    """What one call of a stage works on, and where it writes.

    Args:
        source: The file that is read.
        output: The artifact.
        choice: How it is made.
        looked_at: References to pictures that were found unchanged; more are added. Shared by the stages of a run, which name the same.
    """

    def __init__(
        self, source: Source, output: Path, choice: Choice, looked_at: set[tuple[bytes, bytes]] | None = None
    ) -> None:
        self._source, self._output, self._choice = source, output, choice
        self._looked_at = set() if looked_at is None else looked_at
        self._stat = _stat(Path(source.path))

    @classmethod
    def of(cls, source: Source, output: Path | None, choice: Choice) -> "Ending | None":
        """That of a call, or None where the input is no file, or goes into none."""
        if output is None or source.prompts or source.path == "-" or not Path(source.path).is_file():
            return None
        return cls(source, output, choice)

    def write(self, journal: Journal, output_sha256: str, count: int, notice: str | None) -> None:
        """Tell that all is done, unless the input was changed meanwhile."""
        digest = _sha256(Path(self._source.path))
        if digest is not None and self._stat is not None and self._stat == _stat(Path(self._source.path)):
            told = Told(digest, self._settings(), output_sha256, count, notice)
            journal.end(vars(told))

    def found(self, progress: Progress) -> Tally | None:
        """What there is to tell of a call that was made before and is made again; None if there may be something to do.

        Args:
            progress: Told what a run that finds everything done tells.
        """
        told = Told.of(last_words(journal_path(self._output)))
        if told is None or not self._output.is_file() or told.input_sha256 != _sha256(Path(self._source.path)):
            return None
        if told.settings != self._settings() or not self._is_whole(told.output_sha256):
            return None
        method = self._choice.method_class
        progress.start(method.stage, method.name, None)
        progress.done_before(told.count)
        progress.finish()
        if told.notice is not None:
            progress.notice(told.notice)
        return Tally(count=told.count, reused=told.count)

    def _settings(self) -> str:
        method = self._choice.method_class
        fingerprint = StageFingerprint(self._choice.context, method.stage, method.name, self._choice.config)
        # How a text is read depends on its name, too.
        return fingerprint.digest_with([os.path.realpath(self._source.path), self._source.read_as])

    def _is_whole(self, sha256: str) -> bool:
        """Whether the artifact is the one that was written, and its pictures are there and unchanged."""
        images = self._choice.context.images
        in_place = Path(self._source.path).parent.resolve() == images.root.resolve()
        total = hashlib.sha256()
        for part, text in _parts(self._output):
            total.update(part)
            for name, path, digest in _PICTURE.findall(text):
                if not in_place:
                    return False  # the pictures of the input must be looked at, too
                if name == b"path" and (path, digest) not in self._looked_at:
                    if not _is_there(images, path, digest):
                        return False
                    self._looked_at.add((path, digest))
        return total.hexdigest() == sha256


def _is_there(images: ImageStore, path: bytes, digest: bytes) -> bool:
    try:
        # Size is of no account: its bytes are those that were recorded.
        ref = ImageRef.model_validate_json(
            b'{"path": ' + path + b', "width": 1, "height": 1' + (b', "sha256": "' + digest + b'"}' if digest else b"}")
        )
        images.read(ref)
    except (ValueError, InputError):
        return False
    return True


def _parts(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """A file in parts, and each with the end of the one before, so that nothing is cut in two."""
    before = b""
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            text = before + part
            yield part, text
            before = text[-_OVERLAP:]


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns
