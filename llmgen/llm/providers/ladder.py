"""How a server wants to be asked for JSON: found out once, by a tiny question, and decided by what came back.

Servers take a schema and enforce it, take it and ignore it (status 200 with prose), or refuse it by 400, 422 or 500. So a
refusal that speaks of the format and an answer that shows no trace of the schema both lead one rung down:

1. `schema`: `{"type": "json_schema", ...}`, strict
2. `object_schema`: `{"type": "json_object", "schema": ...}`, llama.cpp's own form
3. `object`: `{"type": "json_object"}` with the schema told in words
4. `text`: the schema told in words
"""

import json
import logging
from dataclasses import dataclass, replace
from typing import Any, Final

from llmgen.errors import MissingRequirementError, ModelError
from llmgen.llm.providers.server import ChatServer, Refused, Said
from llmgen.llm.questions.bounds import BOUNDS, unbounded
from llmgen.llm.replies.extract import find_json

logger = logging.getLogger(__name__)

RUNGS: Final = ("schema", "object_schema", "object", "text")
Message = dict[str, Any]

_PROBE_TOKENS: Final = 96
_KEY: Final = "hue_word"
"""A key that no model writes unless it was told to."""
_PROBE: Final = {
    "type": "object",
    "properties": {
        _KEY: {"type": "string", "maxLength": 12},
        "leg_count": {"type": "integer", "minimum": 0, "maximum": 99},
        "other_names": {"type": "array", "maxItems": 2, "items": {"type": "string", "maxLength": 12}},
    },
    "required": [_KEY, "leg_count", "other_names"],
    "additionalProperties": False,
}
_PROBE_MESSAGES: Final[tuple[Message, ...]] = (
    {"role": "system", "content": "You answer in a few words."},
    # The word JSON must stand somewhere for servers that look for it.
    {"role": "user", "content": "Name an animal and tell of it, as JSON."},
)
_OF_FORMAT: Final = r"response_format|json_schema|json_object|schema|grammar|guided|structured|literal_error|\bformat\b"
_OF_MODEL: Final = r"\bmodel\b.*(?:not|unknown|pinned|exist)|pinned"
_OF_BOUNDS: Final = "|".join(name.lower() for name in BOUNDS)


@dataclass(frozen=True)
class Manner:
    """How a server is asked."""

    rung: str = RUNGS[0]
    bounds: bool = True
    """Whether its schemas may hold limits."""
    limit: str = "max_tokens"
    """Its name for the most tokens of an answer."""
    temperature: bool = True
    """Whether it takes a temperature."""
    seed: bool = True
    """Whether it takes a seed."""

    def request(
        self,
        messages: list[Message],
        name: str,
        schema: dict[str, Any],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> dict[str, Any]:
        """The body of a request, without the model.

        Args:
            messages: The chat, the system's message first.
            name: Name of the question.
            schema: JSON Schema of the answer.
            max_tokens: Most tokens of the answer.
            temperature: 0 for the likeliest answer.
            seed: Any number; servers take 31 bits.
        """
        request: dict[str, Any] = {self.limit: max_tokens}
        if self.temperature:
            request["temperature"] = temperature
        if self.seed:
            request["seed"] = seed % 2**31
        if not self.bounds:
            schema = unbounded(schema)
        if self.rung == "schema":
            form = {"name": f"{name}_answer", "strict": True, "schema": schema}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.rung == "object_schema":
            request["response_format"] = {"type": "json_object", "schema": schema}
        else:
            told = f"The JSON object follows this JSON schema: {json.dumps(schema)}"
            messages = [{**messages[0], "content": f"{messages[0]['content']}\n\n{told}"}, *messages[1:]]
            if self.rung == "object":
                request["response_format"] = {"type": "json_object"}
        return {"messages": messages, **request}

    def down(self) -> "Manner":
        """The next rung; the last one stays."""
        return replace(self, rung=RUNGS[min(RUNGS.index(self.rung) + 1, len(RUNGS) - 1)])

    def without(self, refused: Refused) -> "Manner | None":
        """The same rung without the parameter that a refusal names; None when it names none that could go."""
        if refused.of_context:
            return None
        if self.limit == "max_tokens" and refused.speaks_of("max_completion_tokens"):
            return replace(self, limit="max_completion_tokens")
        if self.temperature and refused.speaks_of("temperature"):
            return replace(self, temperature=False)
        if self.seed and refused.speaks_of(r"\bseed\b"):
            return replace(self, seed=False)
        if self.bounds and self.rung in ("schema", "object_schema") and refused.speaks_of(_OF_BOUNDS):
            return replace(self, bounds=False)
        return None


def find_manner(server: ChatServer, max_tokens: int) -> Manner:
    """Ask the tiny question, rung by rung, until an answer follows the schema.

    Args:
        server: The server.
        max_tokens: Most tokens of one answer, for models that think before they answer.

    Raises:
        MissingRequirementError: If the server refuses whatever it is asked, or does not answer.
    """
    manner, heard = Manner(), False
    while manner.rung != "text" or not heard:
        try:
            said = _probe(server, manner, max_tokens)
        except Refused as refused:
            lesser = manner.without(refused)
            if lesser is None and not _of_the_form(refused, manner):
                raise MissingRequirementError(f"{refused} (asked a small question to begin with)") from refused
            manner = lesser or manner.down()
            continue
        except ModelError as error:
            raise MissingRequirementError(f"{error} (asked a small question to begin with)") from error
        heard = True
        if _follows(said, manner):
            break
        manner = manner.down()
    logger.info("%s is asked by %s%s", server.name, manner.rung, "" if manner.bounds else ", without limits")
    return manner


def _probe(server: ChatServer, manner: Manner, max_tokens: int) -> Said:
    for most in (min(_PROBE_TOKENS, max_tokens), max_tokens):
        said = server.send(
            manner.request(list(_PROBE_MESSAGES), "probe", _PROBE, max_tokens=most, temperature=0, seed=0)
        )
        if said.text.strip() or said.finish != "length":
            break  # else it was still thinking
    return said


def _follows(said: Said, manner: Manner) -> bool:
    """Whether an answer shows that the rung does what it is for."""
    if manner.rung == "text":
        return True
    found = find_json(said.text, (_KEY,))
    if manner.rung == "object":
        return found is not None
    # Cut short, an answer under a schema still begins with its first key.
    return found is not None or said.text.lstrip().startswith("{") and f'"{_KEY}"' in said.text


def _of_the_form(refused: Refused, manner: Manner) -> bool:
    """Whether a refusal is one of the format: a 500 only if it says so, a 400 unless it speaks of something else."""
    if manner.rung == "text":
        return False
    return of_the_form(refused) or (
        refused.status in (400, 422, 501) and not refused.of_context and not refused.speaks_of(_OF_MODEL)
    )


def of_the_form(refused: Refused) -> bool:
    """Whether a refusal of a real question speaks of its schema."""
    return not refused.of_context and refused.speaks_of(_OF_FORMAT)
