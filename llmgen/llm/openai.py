"""A planner behind any server that speaks OpenAI's chat completions.

A reply is asked for by strict schema, then as a JSON object, then as text, depending on what the server takes. One that
cannot be read is sent back with what is wrong, at most twice. Status 200 is no success until the reply reads.
"""

import ipaddress
import json
import logging
import os
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import openai

from llmgen import settings
from llmgen.artifacts import Detection, EditPlan, Layout, Reply
from llmgen.errors import InputError, MissingRequirementError, ModelError
from llmgen.llm.cache import ReplyCache
from llmgen.llm.instances import instances_reader, layout_of_instances
from llmgen.llm.reading import read_layout_reply, read_parse_reply, read_update_reply
from llmgen.llm.replies import layout_of_plan, plan_of_update, wire_box
from llmgen.llm.schemas import InstancesPlan, LayoutPlan, LayoutUpdate, ParsedPrompt, WireModel

logger = logging.getLogger(__name__)
Wire = TypeVar("Wire", bound=WireModel)
Call = Literal["layout", "instances", "parse", "differences", "edit"]
Message = dict[str, str]

RE_ASKS: Final = 2
TIMEOUT_S: Final = 120.0
CONNECT_TIMEOUT_S: Final = 5.0
RETRIES: Final = 2
"""Of the HTTP request, by the client, on broken connections and on statuses 408, 409, 429 and 5xx."""
_RUNGS: Final = ("schema", "json", "text")
_NO_KEY: Final = "none"
_LIMITS: Final = {"temperature": 0, "seed": None}


class OpenAIPlanner:
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
        """Close the connections; the planner cannot be used afterwards."""
        self._client.close()

    def parse(self, prompt: str, *, instruction: bool = False) -> tuple[ParsedPrompt, Reply]:
        """See `Planner.parse`."""
        question = _description(prompt, "Instruction" if instruction else "Description")
        return self._ask("parse", ParsedPrompt, question, read_parse_reply, seed=0)

    def layout(self, prompt: str, *, width: int, height: int, seed: int) -> tuple[Layout, Reply]:
        """See `Planner.layout`."""
        plan, reply = self._ask(
            "layout",
            LayoutPlan,
            f"Canvas: {width} wide, {height} high\n{_description(prompt)}",
            lambda text: read_layout_reply(text, width=width, height=height),
            seed=seed,
        )
        return layout_of_plan(plan, width=width, height=height), reply

    def instances(self, prompt: str, *, width: int, height: int, seed: int, most: int) -> tuple[Layout, Reply]:
        """See `Planner.instances`."""
        plan, reply = self._ask(
            "instances",
            InstancesPlan,
            f"Canvas: {width} wide, {height} high\nAt most {most} instances\n{_description(prompt)}",
            instances_reader(width, height, most),
            seed=seed,
        )
        return layout_of_instances(plan, width=width, height=height), reply

    def differences(
        self,
        prompt: str,
        detections: Sequence[Detection],
        *,
        width: int,
        height: int,
        layout: Layout | None,
        seed: int,
    ) -> tuple[EditPlan, Reply]:
        """See `Planner.differences`."""
        lines = [f"Picture: {width} wide, {height} high", _description(prompt)]
        if layout is not None and layout.instances:
            planned = [{"phrase": i.phrase, "box": wire_box(i.box_xyxy).model_dump()} for i in layout.instances]
            lines.append(f"Planned places: {json.dumps(planned, ensure_ascii=False)}")
        lines.append(_found(detections))
        update, reply = self._ask(
            "differences",
            LayoutUpdate,
            "\n".join(lines),
            lambda text: read_update_reply(text, detections, width=width, height=height),
            seed=seed,
        )
        return plan_of_update(update, detections), reply

    def edit(
        self, instruction: str, detections: Sequence[Detection], *, width: int, height: int, seed: int
    ) -> tuple[EditPlan, Reply]:
        """See `Planner.edit`."""
        lines = (
            f"Picture: {width} wide, {height} high",
            _description(instruction, "Instruction"),
            _found(detections),
        )
        update, reply = self._ask(
            "edit",
            LayoutUpdate,
            "\n".join(lines),
            lambda text: read_update_reply(text, detections, width=width, height=height),
            seed=seed,
        )
        return plan_of_update(update, detections), reply

    def _ask(
        self, call: Call, wire: type[Wire], question: str, read: Callable[[str], Wire], *, seed: int
    ) -> tuple[Wire, Reply]:
        template = (files("llmgen.llm") / "prompts" / f"{call}.txt").read_text(encoding="utf-8")
        messages = [{"role": "system", "content": template.strip()}, {"role": "user", "content": question}]
        schema = wire.model_json_schema()
        key = self._cache.key(
            {
                "provider": self.provider, "server": self._server(), "model": self.model, "messages": messages,
                "schema": schema, "limits": {**_LIMITS, "seed": seed},
            }
        )  # fmt: skip
        cached = self._cache.get(key)
        if cached is not None:
            try:
                return read(cached[0]), self._reply(call, *cached)
            except ModelError:
                logger.info("a cached reply no longer reads; asking again")
        text, value, attempts = self._talk(call, messages, schema, seed, read)
        self._cache.put(key, text, attempts)
        return value, self._reply(call, text, attempts)

    def _reply(self, call: Call, text: str, attempts: int) -> Reply:
        return Reply(call=call, provider=self.provider, model=self.model, text=text, attempts=attempts)

    def _talk(
        self, call: Call, messages: list[Message], schema: dict[str, Any], seed: int, read: Callable[[str], Wire]
    ) -> tuple[str, Wire, int]:
        attempts = 0
        while True:
            attempts += 1
            text = self._send(call, messages, schema, seed)
            try:
                return text, read(text), attempts
            except ModelError as error:
                if attempts > RE_ASKS:
                    raise ModelError(
                        f"model {self.model!r} gave no usable answer to the {call} call in {attempts} attempts; "
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

    def _send(self, call: Call, messages: list[Message], schema: dict[str, Any], seed: int) -> str:
        while True:
            try:
                completion = self._client.chat.completions.create(**self._request(call, messages, schema, seed))
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

    def _request(self, call: Call, messages: list[Message], schema: dict[str, Any], seed: int) -> dict[str, Any]:
        limits: dict[str, Any] = {**_LIMITS, "seed": seed % 2**31}
        request: dict[str, Any] = {name: value for name, value in limits.items() if name not in self._dropped}
        rung = _RUNGS[self._rung]
        if rung == "schema":
            form = {"name": f"{call}_answer", "strict": True, "schema": schema}
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


def _description(prompt: str, what: str = "Description") -> str:
    if not prompt.strip():
        raise InputError("the prompt is empty; say what the picture should show")
    return f"{what}: {' '.join(prompt.split())}"


def _found(detections: Sequence[Detection]) -> str:
    found = [
        {
            "id": d.id,
            "noun": d.noun,
            "attributes": list(d.attributes),
            "score": round(d.score, 3),
            "box": wire_box(d.box_xyxy).model_dump(),
        }
        for d in detections
    ]
    return f"Found: {json.dumps(found, ensure_ascii=False)}"


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
