"""One question put to a server: at most three requests, no two of them alike.

An answer that cannot be used is sent back with its fault. It is left away where it is long or was cut, or where the context is
short, and in the third request always: a small model repeats what it sees. Words, seed and temperature change as well.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any, Final

from llmgen.errors import ModelError
from llmgen.llm.providers.cache import CachedReply
from llmgen.llm.providers.ladder import Manner, Message, of_the_form
from llmgen.llm.providers.server import ChatServer, Refused, Said
from llmgen.llm.questions.question import Question
from llmgen.llm.replies.bounds import shown
from llmgen.llm.replies.extract import find_json

logger = logging.getLogger(__name__)

REQUESTS: Final = 3
"""For one question."""
_TEMPERATURES: Final = (0, 0.5, 0.9)
_QUOTABLE: Final = 2000
"""Letters of a bad answer that are sent back."""
_SHORT_SHARE: Final = 4
"""Where the context is short, answers get this part of the usual tokens."""


@dataclass(frozen=True)
class _Fault:
    """What is wrong with an answer."""

    why: str
    answer: str = ""
    """What may be sent back; empty where it is better left away."""


class _Cut(ModelError):
    """The answer was longer than it may be."""


class Conversation:
    """Puts questions to one server in the manner that it takes."""

    def __init__(self, server: ChatServer, manner: Manner, max_tokens: int) -> None:
        """Nothing is sent yet.

        Args:
            server: The server.
            manner: How it is asked.
            max_tokens: Most tokens of one answer.
        """
        self._server, self._manner, self._max_tokens = server, manner, max_tokens
        self._short = False
        """Whether the context has no room for examples; once seen, for all questions that follow."""

    def hold(self, question: Question[Any]) -> CachedReply:
        """Ask until an answer reads.

        Raises:
            ModelError: If none does of as many answers as the question takes, or the server refuses.
            MissingRequirementError: If nobody answers.
        """
        manner, fault, last = self._manner, None, ModelError("")
        bad = 0
        for number in range(REQUESTS):
            try:
                said = self._server.send(self._request(question, manner, number, fault))
            except Refused as refused:
                if refused.of_context and not self._short:
                    self._short, fault = True, fault and replace(fault, answer="")
                elif of_the_form(refused) and manner.rung != "text":
                    # It took a schema before, so it is this one: told in words, for this question.
                    manner = replace(manner, rung="text")
                else:
                    raise
                last = refused
                logger.info("asking otherwise: %s", refused)
                continue
            try:
                self._check(question, said)
                return CachedReply(said.text, number + 1, said.model)
            except _Cut as error:
                last, fault = error, _Fault("it was longer than allowed and was cut.")
            except ModelError as error:
                last, fault = error, _Fault(str(error), said.text)
            bad += 1
            if bad > question.reasks:
                break
            logger.info("asking again: %s", last)
        raise ModelError(
            f"model {self._server.model!r} gave no usable answer to the {question.name} call in {number + 1} attempts; the last: {last}"
            f"{'; LLMGEN_OPENAI_MAX_TOKENS allows longer ones' if isinstance(last, _Cut) else ''}"
        ) from last

    def _check(self, question: Question[Any], said: Said) -> None:
        # What a model goes on to say after a complete answer does no harm.
        if said.finish == "length" and find_json(said.text, _keys(question)) is None:
            raise _Cut(
                f"the answer was cut before it was complete (finish_reason 'length'; {self._tokens} tokens were allowed): "
                f"{shown(said.text)}"
            )
        question.read(said.text)

    @property
    def _tokens(self) -> int:
        return max(16, self._max_tokens // _SHORT_SHARE) if self._short else self._max_tokens

    def _request(self, question: Question[Any], manner: Manner, number: int, fault: _Fault | None) -> dict[str, Any]:
        return manner.request(
            self._messages(question, number, fault),
            question.name,
            question.schema(),
            max_tokens=self._tokens,
            temperature=_TEMPERATURES[number],
            seed=question.seed + number,
        )

    def _messages(self, question: Question[Any], number: int, fault: _Fault | None) -> list[Message]:
        messages: list[Message] = [{"role": "system", "content": question.prompt.system}]
        for asked, answered in () if self._short else question.prompt.examples:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        if fault is None:
            return [*messages, _shown_to(question, question.text)]
        if fault.answer and number == 1 and not self._short and len(fault.answer) <= _QUOTABLE:
            back = f"That cannot be used. {fault.why} Answer again with the complete JSON object only."
            return [
                *messages,
                _shown_to(question, question.text),
                {"role": "assistant", "content": fault.answer},
                {"role": "user", "content": back},
            ]
        how = (
            "Answer with one complete JSON object."
            if number == 1
            else f"Write one JSON object with the keys {', '.join(_keys(question))} and nothing else; keep every text short."
        )
        return [
            *messages,
            _shown_to(question, f"{question.text}\n\nAn earlier answer could not be used: {fault.why} {how}"),
        ]


def _keys(question: Question[Any]) -> list[str]:
    return list(question.schema().get("properties", ()))


def _shown_to(question: Question[Any], text: str) -> Message:
    """A turn of the user's: a plain text, or with pictures a list of parts; servers without eyes take no lists."""
    if not question.pictures:
        return {"role": "user", "content": text}
    shown_too = [{"type": "image_url", "image_url": {"url": picture.data_url}} for picture in question.pictures]
    return {"role": "user", "content": [{"type": "text", "text": text}, *shown_too]}
