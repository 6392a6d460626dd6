"""One server that speaks OpenAI's chat completions: its models, one request, and what became of it in plain words."""

import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import openai

from llmgen.errors import MissingRequirementError, ModelError
from llmgen.llm.providers.deadline import Loop
from llmgen.llm.providers.ledger import Ledger
from llmgen.llm.providers.secrets import Mask

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5.0
MODELS_TIMEOUT_S: Final = 15.0
MOST_BYTES: Final = 16 * 2**20
"""Of one response; a reply that a model writes is a thousandth of it."""
MOST_SLOTS: Final = 256
DEFAULT_URL: Final = "https://api.openai.com/v1"
DEFAULT_MODEL: Final = "gpt-4o-2024-08-06"
"""Asked for where none is named, unless the server has exactly one, or has none of this name."""
_SHOWN: Final = 300
_MANY: Final = 8
_TELLING: Final = ("id", "meta", "root", "owned_by")
"""What of a model's entry tells it from another one under the same name; times and permissions change from call to call."""


@dataclass(frozen=True)
class Said:
    """What a model answered."""

    text: str
    """Without the key, and with nothing that is no Unicode."""
    model: str
    """Its name in the server's own words."""
    finish: str
    """Why it ended: `stop`, `length`, ..."""


@dataclass(frozen=True)
class Served:
    """What a server has."""

    model: str
    """The one that is asked for."""
    listed: tuple[str, ...] = ()
    """All that it lists; none where it does not say."""
    telling: tuple[Any, ...] = ()
    """What would change if another model lay behind the name."""


class Refused(ModelError):
    """The server answered with a status of failure."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self._reason = reason.lower()

    def speaks_of(self, pattern: str) -> bool:
        """Whether the reason holds a regular expression, written in lower case."""
        return re.search(pattern, self._reason) is not None

    @property
    def of_context(self) -> bool:
        """Whether the request was too long."""
        return self.speaks_of(
            r"context (?:length|size|window)|n_ctx|exceeds? the (?:available )?context|too long|too many tokens"
        )


class ChatServer:
    """A client that asks once and says in one line what went wrong."""

    def __init__(
        self,
        base_url: str | None,
        model: str | None,
        key: str,
        *,
        timeout_s: float,
        retries: int,
        ledger: Ledger | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            base_url: Where the server is; OpenAI's own by default.
            model: Name of the model, if one was named.
            key: Its key; empty for a local server.
            timeout_s: Longest time for one answer in seconds, from the request to the last byte, repetitions included.
            retries: How often a request is repeated when the connection breaks or the server is busy.
            ledger: Where the tokens of its answers are written down.

        Raises:
            MissingRequirementError: If the address is none.
        """
        self.base_url = base_url or DEFAULT_URL
        self.mask = Mask(key)
        self._named, self._timeout_s = model, timeout_s
        self._served: Served | None = None
        self._looking = threading.Lock()
        self._answered = False
        self._ledger = ledger or Ledger()
        try:
            self.name = urlsplit(self.base_url).netloc.rpartition("@")[2] or self.base_url
            self._client = client = openai.AsyncOpenAI(
                api_key=key or "none",
                base_url=self.base_url,
                timeout=openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
                max_retries=retries,
            )
        except (ValueError, TypeError, openai.OpenAIError) as error:
            raise MissingRequirementError(f"OPENAI_BASE_URL is not usable: {self._short(error)}") from error
        self._loop = Loop(client.close)

    def close(self) -> None:
        """Close the connections."""
        self._loop.close()

    @property
    def model(self) -> str:
        """The model that is asked for, as far as it is known before the server was looked at."""
        return self._served.model if self._served else self._named or DEFAULT_MODEL

    def served(self) -> Served:
        """Which models there are; looked up once.

        Raises:
            MissingRequirementError: If nobody answers, the key is not accepted, or none was named and there are several.
        """
        with self._looking:
            if self._served is None:
                self._served = self._choose(self._entries())
            return self._served

    def slots(self) -> int | None:
        """How many questions llama.cpp's server works on at the same time; None for any other server."""
        try:
            body = self._loop.run(self._properties(), MODELS_TIMEOUT_S)
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            logger.debug("%s tells nothing of itself: %s", self.name, self._short(error))
            return None
        slots = body.get("total_slots") if isinstance(body, dict) else None
        return slots if isinstance(slots, int) and 0 < slots <= MOST_SLOTS else None

    def send(self, request: dict[str, Any]) -> Said:
        """Ask once.

        Args:
            request: The body, without the model.

        Raises:
            BudgetError: If nothing more may be asked.
            Refused: If the server answers with a status of failure.
            ModelError: If the answer is unreadable, a refusal of the model, or not whole in time.
            MissingRequirementError: If nobody answers, or the key or the model are unknown.
        """
        self._ledger.check()
        try:
            body = self._loop.run(self._post({"model": self.served().model, **request}), self._timeout_s)
        except TimeoutError as error:
            late = (
                f"server {self.name} had not answered after {self._timeout_s:g} s; LLMGEN_OPENAI_TIMEOUT allows more, "
                "LLMGEN_OPENAI_MAX_TOKENS asks for shorter answers"
            )
            # A server that has answered before may answer the next record in time.
            raise (ModelError if self._answered else MissingRequirementError)(late) from error
        except openai.OpenAIError as error:
            raise self._in_words(error) from error
        except (ValueError, RecursionError) as error:
            raise ModelError(f"server {self.name} answered something unreadable: {self._short(error)}") from error
        self._answered = True
        if isinstance(body, dict) and "choices" in body:
            self._ledger.add(body.get("usage"), self.name)
        return self._said(body)

    async def _post(self, request: dict[str, Any]) -> Any:
        async with self._client.chat.completions.with_streaming_response.create(**request) as response:
            return await self._read(response)

    async def _models(self) -> Any:
        patient = self._client.with_options(max_retries=min(1, self._client.max_retries))
        async with patient.models.with_streaming_response.list() as response:
            return await self._read(response)

    async def _read(self, response: Any) -> Any:
        return await _bounded(response.iter_bytes())

    async def _properties(self) -> Any:
        address = f"{self.base_url.rstrip('/').removesuffix('/v1')}/props"
        key = {"Authorization": f"Bearer {self._client.api_key}"}
        async with (
            httpx2.AsyncClient(timeout=CONNECT_TIMEOUT_S) as client,
            client.stream("GET", address, headers=key) as response,
        ):
            return await _bounded(response.raise_for_status().aiter_bytes())

    def _entries(self) -> list[dict[str, Any]]:
        try:
            body = self._loop.run(self._models(), min(self._timeout_s, MODELS_TIMEOUT_S))
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.APIConnectionError) as error:
            raise self._in_words(error) from error
        except TimeoutError as error:
            raise MissingRequirementError(
                f"no answer from {self.name} (timeout); check the server or OPENAI_BASE_URL, or use --planner rules"
            ) from error
        except (openai.OpenAIError, ValueError, RecursionError) as error:
            logger.info("%s does not list its models: %s", self.name, self._short(error))
            return []
        data = body.get("data") if isinstance(body, dict) else None
        return (
            [e for e in data if isinstance(e, dict) and isinstance(e.get("id"), str)] if isinstance(data, list) else []
        )

    def _choose(self, entries: Sequence[dict[str, Any]]) -> Served:
        listed = tuple(entry["id"] for entry in entries)
        model = self._named or (listed[0] if len(listed) == 1 else DEFAULT_MODEL)
        if listed and model not in listed:
            if self._named is None:
                raise MissingRequirementError(
                    f"server {self.name} has {len(listed)} models; set LLMGEN_OPENAI_MODEL to one of: {self._list(listed)}"
                )
            logger.warning("server %s does not list model %r; it lists: %s", self.name, model, self._list(listed))
        # Where the name is unknown the server chooses among all that it has.
        mine = [entry for entry in entries if entry["id"] == model] or entries
        telling = tuple({key: entry.get(key) for key in _TELLING} for entry in mine)
        return Served(model, listed, telling)

    def _list(self, names: Sequence[str]) -> str:
        shown = ", ".join(self.mask.message(name)[:80] for name in names[:_MANY])
        return shown if len(names) <= _MANY else f"{shown} and {len(names) - _MANY} more"

    def _in_words(self, error: openai.OpenAIError) -> ModelError | MissingRequirementError:
        if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
            return MissingRequirementError(
                f"server {self.name} does not accept the key (status {error.status_code}); check OPENAI_API_KEY"
            )
        if isinstance(error, openai.NotFoundError):
            listed = self._served.listed if self._served else ()
            return MissingRequirementError(
                f"server {self.name} does not know model {self.model!r} or this address; set LLMGEN_OPENAI_MODEL"
                f"{f' (it lists: {self._list(listed)})' if listed else ''} and OPENAI_BASE_URL (it usually ends in /v1)"
            )
        if isinstance(error, openai.APIConnectionError):
            why = "timeout" if isinstance(error, openai.APITimeoutError) else "no connection"
            return MissingRequirementError(
                f"no answer from {self.name} ({why}); check the server or OPENAI_BASE_URL, or use --planner rules"
            )
        if isinstance(error, openai.APIStatusError):
            reason = self.mask.message(reason_of(error))
            what = (
                "refused the request" if error.status_code in (400, 422) else f"failed with status {error.status_code}"
            )
            return Refused(f"server {self.name} {what}: {reason[:_SHOWN]}", error.status_code, reason)
        return ModelError(f"server {self.name} answered something unreadable: {self._short(error)}")

    def _said(self, body: Any) -> Said:
        choices = body.get("choices") if isinstance(body, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            raise ModelError(f"server {self.name} sent no answer: {self._short(json.dumps(body))}")
        finish = str(choice.get("finish_reason"))
        refusal = message.get("refusal")
        if refusal or finish == "content_filter":
            raise ModelError(f"model {self.model!r} refused to answer: {self._short(refusal or 'filtered')}")
        told = body.get("model")
        model = self.mask.message(told)[:200] if isinstance(told, str) else ""
        return Said(self.mask.reply(_unicode(_text(message.get("content")))), _unicode(model) or self.model, finish)

    def _short(self, text: object) -> str:
        return _unicode(self.mask.message(text))[:_SHOWN]


async def _bounded(chunks: AsyncIterator[bytes]) -> Any:
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES // 2**20} MiB")
    return json.loads(data)


def reason_of(error: openai.APIStatusError) -> str:
    """Why a server refused, in its own words: of OpenAI's `message`, FastAPI's `detail`, or whatever else it sent."""
    body = error.body
    while isinstance(body, dict):
        told = next((body[key] for key in ("message", "detail", "error", "msg") if body.get(key)), None)
        if told is None:
            return json.dumps(body)
        body = told
    if isinstance(body, list):
        return json.dumps(body)
    return str(body) if body else str(error)


def _text(content: Any) -> str:
    """The text of a message: a string, or as some servers have it, a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _unicode(text: str) -> str:
    """A text that can be written as UTF-8: halves of surrogate pairs are joined or replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
