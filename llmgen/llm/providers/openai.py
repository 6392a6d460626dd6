"""A model behind any server that speaks OpenAI's chat completions.

A reply is asked for by strict schema, then as a JSON object, then as text, depending on what the server takes. One that
cannot be read is sent back with what is wrong, at most twice. Status 200 is no success until the reply reads.
"""

import ipaddress
import json
import logging
import os
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import openai

from llmgen import settings
from llmgen.artifacts import Reply
from llmgen.errors import MissingRequirementError, ModelError
from llmgen.llm.providers.cache import ReplyCache
from llmgen.llm.providers.provider import Answer
from llmgen.llm.questions.question import Question

logger = logging.getLogger(__name__)
T = TypeVar("T")
Message = dict[str, Any]

RE_ASKS: Final = 2
TIMEOUT_S: Final = 120.0
CONNECT_TIMEOUT_S: Final = 5.0
RETRIES: Final = 2
"""Of the HTTP request, by the client, on broken connections and on statuses 408, 409, 429 and 5xx."""
_RUNGS: Final = ("schema", "json", "text")
_NO_KEY: Final = "none"
_LIMITS: Final = {"temperature": 0, "seed": None}


class OpenAI:
    """Asks a model. Settings come from `LLMGEN_OPENAI_MODEL` and the `openai` package's own variables."""

    provider = "openai"

    def __init__(
        self,
        *,
        model: str | None = None,
        base_url: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        cache: ReplyCache | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            model: Name of the model, `LLMGEN_OPENAI_MODEL` by default.
            base_url: Server, `OPENAI_BASE_URL` by default.
            timeout_s: Longest wait for one answer in seconds.
            retries: How often a request is repeated when the connection breaks or the server is busy.
            cache: Where replies are kept.

        Raises:
            MissingRequirementError: If there is no key and the server is not a local one.
        """
        self.model: str | None = (model or settings.openai_model()).strip()
        self.base_url = base_url or settings.openai_base_url()
        key = (os.environ.get("OPENAI_API_KEY") or "").strip()
        if not key and not (self.base_url and _is_local(self.base_url)):
            raise MissingRequirementError(
                "the planner 'openai' needs a key: set OPENAI_API_KEY (or OPENAI_BASE_URL to a local server), "
                "or use --planner rules"
            )
        try:
            self._client = openai.OpenAI(
                api_key=key or _NO_KEY,
                base_url=self.base_url,
                timeout=openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
                max_retries=retries,
            )
        except (ValueError, TypeError, openai.OpenAIError) as error:
            raise MissingRequirementError(f"OPENAI_BASE_URL is not usable: {self._clean(error)}") from error
        self._cache = cache or ReplyCache()
        self._rung = 0
        self._dropped: set[str] = set()

    def close(self) -> None:
        """Close the connections; the provider cannot be used afterwards."""
        self._client.close()

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        messages: list[Message] = [
            {"role": "system", "content": question.system},
            {"role": "user", "content": _content_of(question)},
        ]
        schema = question.schema()
        key = self._cache.key(
            {
                "provider": self.provider, "server": self._server(), "model": self.model, "messages": messages,
                "schema": schema, "limits": {**_LIMITS, "seed": question.seed},
            }
        )  # fmt: skip
        cached = self._cache.get(key)
        if cached is not None:
            try:
                return Answer(question.read(cached[0]), self._reply(question, *cached))
            except ModelError:
                logger.info("a cached reply no longer reads; asking again")
        text, value, attempts = self._talk(question, messages, schema)
        self._cache.put(key, text, attempts)
        return Answer(value, self._reply(question, text, attempts))

    def _reply(self, question: Question[Any], text: str, attempts: int) -> Reply:
        return Reply(call=question.name, provider=self.provider, model=self.model, text=text, attempts=attempts)

    def _talk(self, question: Question[T], messages: list[Message], schema: dict[str, Any]) -> tuple[str, T, int]:
        attempts = 0
        while True:
            attempts += 1
            text = self._send(question, messages, schema)
            try:
                return text, question.read(text), attempts
            except ModelError as error:
                if attempts > RE_ASKS:
                    raise ModelError(
                        f"model {self.model!r} gave no usable answer to the {question.name} call in {attempts} attempts; "
                        f"the last: {error}"
                    ) from error
                logger.info("asking again: %s", error)
                messages = [
                    *messages,
                    {"role": "assistant", "content": text},
                    {
                        "role": "user",
                        "content": f"That cannot be used. {error} Answer again with the complete JSON object only.",
                    },
                ]

    def _send(self, question: Question[Any], messages: list[Message], schema: dict[str, Any]) -> str:
        while True:
            try:
                completion = self._client.chat.completions.create(**self._request(question, messages, schema))
                break
            except openai.BadRequestError as error:
                if not self._step_down(error):
                    raise ModelError(f"server {self._server()} refused the request: {self._clean(error)}") from error
            except openai.UnprocessableEntityError as error:
                if not self._step_down(error):
                    raise ModelError(f"server {self._server()} refused the request: {self._clean(error)}") from error
            except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
                raise MissingRequirementError(
                    f"server {self._server()} does not accept the key (status {error.status_code}); check OPENAI_API_KEY"
                ) from error
            except openai.NotFoundError as error:
                raise MissingRequirementError(
                    f"server {self._server()} does not know model {self.model!r} or this address; set "
                    "LLMGEN_OPENAI_MODEL and OPENAI_BASE_URL (it usually ends in /v1)"
                ) from error
            except openai.APIConnectionError as error:
                raise MissingRequirementError(
                    f"no answer from {self._server()} ({'timeout' if _timed_out(error) else 'no connection'}); check the "
                    "server or OPENAI_BASE_URL, or use --planner rules"
                ) from error
            except openai.APIStatusError as error:
                raise ModelError(
                    f"server {self._server()} failed with status {error.status_code} after {RETRIES} retries: "
                    f"{self._clean(error)}"
                ) from error
            except (openai.OpenAIError, ValueError) as error:
                raise ModelError(
                    f"server {self._server()} answered something unreadable: {self._clean(error)}"
                ) from error
        return self._content(completion)

    def _request(self, question: Question[Any], messages: list[Message], schema: dict[str, Any]) -> dict[str, Any]:
        limits: dict[str, Any] = {**_LIMITS, "seed": question.seed % 2**31}
        request: dict[str, Any] = {name: value for name, value in limits.items() if name not in self._dropped}
        rung = _RUNGS[self._rung]
        if rung == "schema":
            form = {"name": f"{question.name}_answer", "strict": True, "schema": schema}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        else:
            # The schema goes into the text, where the word JSON must stand for servers that look for it.
            told = f"The JSON object follows this JSON schema: {json.dumps(schema)}"
            messages = [{**messages[0], "content": f"{messages[0]['content']}\n\n{told}"}, *messages[1:]]
            if rung == "json":
                request["response_format"] = {"type": "json_object"}
        return {"model": self.model, "messages": messages, **request}

    def _step_down(self, error: openai.APIStatusError) -> bool:
        """Ask for less after a refused request; False when there is nothing left to give up."""
        message = str(error).lower()
        for name in _LIMITS:
            if name in message and name not in self._dropped and "response_format" not in message:
                self._dropped.add(name)
                return True
        if self._rung + 1 < len(_RUNGS):
            self._rung += 1
            logger.info("the server does not take that; asking by %s instead", _RUNGS[self._rung])
            return True
        return False

    def _content(self, completion: Any) -> str:
        choices = getattr(completion, "choices", None)
        if not choices or choices[0].message is None:
            raise ModelError(f"server {self._server()} sent no answer: {self._clean(completion)}")
        choice = choices[0]
        refusal = getattr(choice.message, "refusal", None)
        if refusal or choice.finish_reason == "content_filter":
            why = " ".join(str(refusal or "filtered").split())[:200]
            raise ModelError(f"model {self.model!r} refused to answer: {why}")
        return choice.message.content or ""

    def _server(self) -> str:
        return urlsplit(self.base_url).netloc.rpartition("@")[2] if self.base_url else "api.openai.com"

    def _clean(self, error: object) -> str:
        text = " ".join(str(error).split())[:300]
        key = (os.environ.get("OPENAI_API_KEY") or "").strip()
        return text.replace(key, "***") if key else text


def _content_of(question: Question[Any]) -> str | list[dict[str, Any]]:
    """A plain text, or with pictures a list of parts: servers without eyes take no lists."""
    if not question.pictures:
        return question.text
    shown = [{"type": "image_url", "image_url": {"url": picture.data_url}} for picture in question.pictures]
    return [{"type": "text", "text": question.text}, *shown]


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith((".local", ".localhost", ".internal")) or (host and "." not in host):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _timed_out(error: openai.APIConnectionError) -> bool:
    return isinstance(error, openai.APITimeoutError)
