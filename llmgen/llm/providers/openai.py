"""A model behind any server that speaks OpenAI's chat completions.

What was answered is kept on disk, by all that can change it. See `server` for one request, `ladder` for how a server is asked,
`conversation` for what happens to an answer that cannot be used.
"""

import ipaddress
import logging
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from llmgen import settings
from llmgen.artifacts import Reply
from llmgen.errors import BudgetError, LlmgenError, MissingRequirementError, ModelError
from llmgen.llm.providers.cache import CachedReply, ReplyCache
from llmgen.llm.providers.conversation import Conversation
from llmgen.llm.providers.ladder import find_manner
from llmgen.llm.providers.ledger import Ledger
from llmgen.llm.providers.provider import Answer
from llmgen.llm.providers.server import ChatServer
from llmgen.llm.questions.question import Question

logger = logging.getLogger(__name__)
T = TypeVar("T")

RETRIES: Final = 2
"""Of an HTTP request, by the client, on broken connections and on statuses 408, 409, 429 and 5xx."""
AT_ONCE: Final = 8
"""Questions that a remote server is asked at the same time."""


class OpenAI:
    """Asks a model. Its settings are environment variables; see `llmgen.settings`."""

    provider = "openai"

    def __init__(
        self,
        *,
        model: str | None = None,
        base_url: str | None = None,
        timeout_s: float | None = None,
        max_tokens: int | None = None,
        retries: int = RETRIES,
        cache: ReplyCache | None = None,
        at_once: int | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            model: Name of the model; `LLMGEN_OPENAI_MODEL` by default, else the server's only one.
            base_url: Server; `OPENAI_BASE_URL` by default.
            timeout_s: Longest time for one answer in seconds; `LLMGEN_OPENAI_TIMEOUT` by default.
            max_tokens: Most tokens of one answer; `LLMGEN_OPENAI_MAX_TOKENS` by default.
            retries: How often a request is repeated when the connection breaks or the server is busy.
            cache: Where replies are kept.
            at_once: Questions that are asked at the same time; `AT_ONCE` by default, the slots of a local server that tells of
                them, and one of a local server that does not.
            ledger: Where tokens are written down, and the budget for them.

        Raises:
            MissingRequirementError: If there is no key and the server is not a local one, or the key must not go there.
            InputError: If a setting is no number.
        """
        key, url = settings.openai_key(), base_url or settings.openai_base_url()
        stray = settings.stray_destination() if base_url is None else None
        if stray is not None:
            raise MissingRequirementError(
                f"{stray} comes from .env in this folder and OPENAI_API_KEY does not: the key is not sent there; set both in one "
                f"place (export {stray}, or unset OPENAI_API_KEY and put the key into .env)"
            )
        if not key and not (url and _is_local(url)):
            raise MissingRequirementError(
                "the planner 'openai' needs a key: set OPENAI_API_KEY (or OPENAI_BASE_URL to a local server), "
                "or use --planner rules"
            )
        self._max_tokens = max_tokens or settings.openai_max_tokens()
        self._server = ChatServer(
            url,
            (model or settings.openai_model() or "").strip() or None,
            key,
            timeout_s=timeout_s or settings.openai_timeout_s(),
            retries=retries,
            ledger=ledger,
        )
        self._cache = cache or ReplyCache()
        self._conversation: Conversation | LlmgenError | None = None
        self._beginning = threading.Lock()
        self._at_once = at_once or (None if url and _is_local(url) else AT_ONCE)
        self._slots: AbstractContextManager[Any] = (
            threading.Semaphore(self._at_once) if self._at_once else nullcontext()
        )
        """Of questions on their way: a thread that asks ahead and the one whose turn it is may be more than may ask."""

    def close(self) -> None:
        """Close the connections; the provider cannot be used afterwards."""
        self._server.close()

    @property
    def model(self) -> str | None:
        """The model that is asked for."""
        return self._server.model

    @property
    def at_once(self) -> int:
        """See `Provider.at_once`."""
        if self._at_once is None:
            self._at_once = self._server.slots() or 1
            self._slots = threading.Semaphore(self._at_once)
        return self._at_once

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        served = self._server.served()
        key = self._cache.key(
            {
                "provider": self.provider, "server": self._server.base_url, "model": served.model, "served": served.telling,
                "question": question.identity, "max_tokens": self._max_tokens,
            }
        )  # fmt: skip
        cached = self._cache.get(key)
        if cached is not None:
            try:
                return Answer.read_from(question, self._reply(question, cached))
            except ModelError:
                logger.info("a cached reply no longer reads; asking again")
        with self._slots:
            reply = self._begun().hold(question)
        self._cache.put(key, reply)
        return Answer.read_from(question, self._reply(question, reply))

    def _reply(self, question: Question[Any], reply: CachedReply) -> Reply:
        return Reply(
            call=question.name, provider=self.provider, model=reply.model, text=reply.text, attempts=reply.attempts
        )

    def _begun(self) -> Conversation:
        """The conversation, once it is known how the server is asked; if that fails, it fails for all questions."""
        with self._beginning:
            if self._conversation is None:
                try:
                    manner = find_manner(self._server, self._max_tokens)
                    self._conversation = Conversation(self._server, manner, self._max_tokens)
                except BudgetError:
                    raise
                except LlmgenError as error:
                    self._conversation = error
        if isinstance(self._conversation, LlmgenError):
            raise self._conversation.with_traceback(None)
        return self._conversation


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith((".local", ".localhost", ".internal")) or (host and "." not in host):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
