"""Repeats recorded replies: our own records, plain lists of replies, LMD's caches, layouts of ChatGPT."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from llmgen.artifacts import CALL_PATTERN, Reply
from llmgen.artifacts.files import why_unread
from llmgen.errors import InputError, ModelError
from llmgen.llm.providers.provider import Answer
from llmgen.llm.questions.question import Question

T = TypeVar("T")


@dataclass(frozen=True)
class _Entry:
    """One recorded reply, and the texts of the record that it came with."""

    call: str
    prompt: str
    instruction: str
    """The prompt where there was none."""
    text: str
    model: str | None = None


class Replay:
    """Answers from a file.

    Replies are found by question and prompt. When a prompt has several replies to one question, the first that asks takes
    the first, one that differs (another seed, other detections) the next, and one that was asked before gets the same
    answer again.
    """

    provider = "replay"
    model: str | None = None
    at_once = 1

    def __init__(self, path: str | Path) -> None:
        """Read a file.

        Args:
            path: JSON or JSON Lines: an artifact or records with `replies`; entries `{"call", "prompt", "text"}`;
                LMD's cache, an object from prompt to its layout replies; or replies of InstanceDiffusion's extension,
                `{"caption", "annos"}`, whose caption is the prompt. Of a folder, all its `*.json`.

        Raises:
            InputError: If the file cannot be read or holds no replies.
        """
        self.path = Path(path)
        self._entries: dict[tuple[str, str, str], list[_Entry]] = {}
        self._given: dict[tuple[str, str], dict[str, int]] = {}
        for path in sorted(self.path.glob("*.json")) if self.path.is_dir() else [self.path]:
            for entry in _entries(_read(path), path):
                for field in ("prompt", "instruction"):
                    where = (entry.call, field, _key(getattr(entry, field)))
                    self._entries.setdefault(where, []).append(entry)
        if not self._entries:
            raise InputError(f"{self.path} holds no recorded replies")

    def ask(self, question: Question[T]) -> Answer[T]:
        """See `Provider.ask`."""
        said = question.subject[:80]
        name, known = self._known(question)
        given = self._given.setdefault((name, _key(question.subject)), {})
        index = given.setdefault(question.identity, len(given))
        if index >= len(known):
            if not question.repeatable:
                raise ModelError(
                    f"{self.path} has {len(known)} replies to the {name} call for the prompt {said!r}; "
                    f"another one was asked for"
                )
            index %= len(known)
        entry = known[index]
        reply = Reply(call=name, provider=self.provider, model=entry.model, text=entry.text)
        return Answer.read_from(question, reply)

    def _known(self, question: Question[Any]) -> tuple[str, list[_Entry]]:
        subject = _key(question.subject)
        for name in (question.name, *question.like):
            found = [e for field in question.about for e in self._entries.get((name, field, subject), [])]
            if found:
                # A text that is prompt and instruction at once is found twice.
                return name, list({id(entry): entry for entry in found}.values())
        calls = ", ".join(sorted({call for call, _, _ in self._entries}))
        raise InputError(
            f"{self.path} has no reply to the {question.name} call for the prompt {question.subject[:80]!r}; "
            f"its replies are to: {calls}"
        )


def _key(prompt: str) -> str:
    # LMD strips prompts and drops their last period before it asks.
    return " ".join(prompt.split()).rstrip(".")


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the recorded replies {path}: {why_unread(error)}") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]  # a string may hold other separators raw
    except (ValueError, RecursionError) as error:
        raise InputError(f"the recorded replies {path} are neither JSON nor JSON Lines") from error


def _entries(value: Any, path: Path) -> Iterator[_Entry]:
    if isinstance(value, list):
        for entry in value:
            yield from _entries(entry, path)
    elif isinstance(value, dict) and isinstance(value.get("records"), list):
        yield from _entries(value["records"], path)
    elif isinstance(value, dict) and isinstance(value.get("caption"), str) and "annos" in value:
        caption = value["caption"]
        yield _Entry("instances", caption, caption, json.dumps(value, ensure_ascii=False))
    elif isinstance(value, dict) and isinstance(value.get("prompt"), str):
        prompt, instruction = value["prompt"], value.get("instruction")
        replies = value["replies"] if isinstance(value.get("replies"), list) else [value]
        for reply in replies:
            if not _is_reply(reply):
                if "replies" not in value and "call" not in value:
                    continue  # a record that nobody asked about yet
                raise InputError(
                    f'{path}: a reply is not {{"call": NAME, "text": TEXT}}; names are of lower-case letters, such as layout'
                )
            model = reply.get("model")
            yield _Entry(
                reply["call"],
                prompt,
                instruction if isinstance(instruction, str) else prompt,
                reply["text"],
                model if isinstance(model, str) else None,
            )
    elif isinstance(value, dict) and _is_reply(value):
        raise InputError(
            f'{path}: a reply to the {value["call"]} call does not say to which prompt; give it a "prompt"'
        )
    elif isinstance(value, dict) and value and all(isinstance(v, (str, list)) for v in value.values()):
        for prompt, texts in value.items():
            for text in [texts] if isinstance(texts, str) else texts:
                if not isinstance(text, str):
                    raise InputError(f"{path}: a reply to {prompt[:80]!r} is not text")
                yield _Entry("layout", prompt, prompt, text)
    else:
        raise InputError(f"{path}: neither records with replies, nor replies, nor a reply cache")


def _is_reply(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    call, text = value.get("call"), value.get("text")
    return isinstance(call, str) and re.fullmatch(CALL_PATTERN, call) is not None and isinstance(text, str)
