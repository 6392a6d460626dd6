"""Replies that were paid for once: one small file each, named by the hash of everything that could change them."""

import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmgen import settings
from llmgen.artifacts.files import write_atomic
from llmgen.errors import OutputError

logger = logging.getLogger(__name__)

_FORMAT = 2


@dataclass(frozen=True)
class CachedReply:
    """A reply, and what is known of it."""

    text: str
    attempts: int
    """How many requests it took."""
    model: str
    """Who gave it, in the server's words."""


class ReplyCache:
    """A folder of replies. A cache that cannot be read or written is no error: the model is asked again."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder.

        Args:
            folder: Where the files lie; `replies` in the cache folder of the settings by default.
        """
        self.folder = folder or settings.cache_dir() / "replies"

    @staticmethod
    def key(request: dict[str, Any]) -> str:
        """Hash of a request: server, model, messages, schema, parameters; never a key."""
        plain = json.dumps({"format": _FORMAT, **request}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()

    def get(self, key: str) -> CachedReply | None:
        """A reply, or None."""
        path = self._path(key)
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            text, attempts, model = value["text"], value["attempts"], value["model"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not isinstance(text, str) or not isinstance(model, str) or not isinstance(attempts, int) or attempts < 1:
            return None
        logger.info("reply taken from the cache: %s", path.name)
        return CachedReply(text, attempts, model)

    def put(self, key: str, reply: CachedReply) -> None:
        """Keep a reply."""
        value = json.dumps(dataclasses.asdict(reply), ensure_ascii=False)
        try:
            write_atomic(self._path(key), value.encode("utf-8", "surrogatepass"))
        except OutputError as error:
            logger.warning("the reply is not cached: %s", error)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"
