"""From a reply to its answer: thoughts and wrappers off, then the first complete list or object that has the wanted form."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from llmgen.llm.replies.bounds import check_reply
from llmgen.llm.replies.loose_values import Found, LooseReader

_NAMES: Final = r"think(?:ing)?|thoughts?|reasoning|analysis|scratchpad|reflection"
_THINKING = re.compile(rf"<(?:{_NAMES})>|\[THINK\]|◁think▷", re.IGNORECASE)
_THOUGHT = re.compile(rf"</(?:{_NAMES})>|\[/THINK\]|◁/think▷", re.IGNORECASE)
_FINAL: Final = "<|channel|>final<|message|>"
_BRACKET = re.compile(r"[\[{［｛]")
_MOST_WRAPPERS: Final = 4


def body_of(text: str) -> str:
    """A reply without its thoughts.

    A lone end of thoughts (the server kept their beginning) ends them as well; where nothing follows, they are the answer.

    Args:
        text: A model's reply.

    Raises:
        ModelError: If it is too long, or holds half of a character.
    """
    body = check_reply(text).removeprefix("\ufeff")
    if _FINAL in body:
        body = body.partition(_FINAL)[2]
    parts, rest = [], 0
    while end := _THOUGHT.search(body, rest):
        begin = _THINKING.search(body, rest, end.start())
        parts.append(body[rest : begin.start()] if begin else "")
        rest = end.end()
    parts.append(body[rest:])
    left = " ".join(parts)
    return left if left.strip() else body


def values_in(body: str, start: int = 0) -> Iterator[Found]:
    """All lists and objects of a text that are in no other, in its order.

    Args:
        body: A text.
        start: Where to begin.
    """
    reader = LooseReader(body)
    while (bracket := _BRACKET.search(body, start)) is not None:
        found, start, _ = reader.read(bracket.start())
        yield from found


def why_no_value(body: str) -> str | None:
    """Why the first bracket of a text begins no value; None if it does, or there is none."""
    bracket = _BRACKET.search(body)
    return LooseReader(body).read(bracket.start())[2] if bracket else None


def plain_key(key: str) -> str:
    """The name of a field without the ways in which models write it: `Background Prompt` is `background_prompt`."""
    return "_".join(re.split(r"[\s_\-]+", key.strip(" \t*:`'\"").lower()))


def find_answer(body: str, keys: Sequence[str], is_bare: Callable[[Any], bool]) -> Found | None:
    """The first complete answer of a text.

    Args:
        body: A reply without thoughts.
        keys: Fields, written plainly (`plain_key`), of which the answer has one or more.
        is_bare: Says of a list whether it may stand for the whole answer.

    Returns:
        An object with one of the keys, its keys plain, or a list that `is_bare` takes, unwrapped; None where there is neither.
    """
    for found in values_in(_decoded(body)):
        value = unwrapped(found.value, keys, is_bare)
        if value is not None and (found.whole or isinstance(value, dict)):
            return Found(value, found.start, found.end, found.whole)
    return None


def find_json(text: str, keys: Sequence[str]) -> dict[str, Any] | None:
    """The first object of a reply that has one of the keys, its keys plain; None where it does not come to its end.

    Args:
        text: A model's reply.
        keys: Written plainly (`plain_key`).

    Raises:
        ModelError: If the reply is too long, or holds half of a character.
    """
    found = find_answer(body_of(text), keys, _no_list)
    return found.value if found is not None and found.whole else None


def unwrapped(value: Any, keys: Sequence[str], is_bare: Callable[[Any], bool], depth: int = 0) -> Any:
    """The answer within a value: itself, or what it wraps as in `{"layout": {...}}`, the outermost first; None if there is none."""
    if isinstance(value, list):
        if is_bare(value):
            return value
        inner = value[:1] if len(value) == 1 else []
    elif isinstance(value, dict):
        plain = {plain_key(key): item for key, item in value.items()}
        mine = [key for key in keys if key in plain]
        # `{"layout": {"objects": [...]}}`: a field of the answer may also be the name of the whole.
        whole = (
            unwrapped(plain[mine[0]], keys, _no_list, depth + 1) if len(mine) == 1 and depth < _MOST_WRAPPERS else None
        )
        if mine:
            return plain if whole is None else whole
        inner = list(plain.values())
    elif isinstance(value, str) and depth and value.lstrip()[:1] in ("{", "["):
        inner = [found.value for found in values_in(value) if found.whole][:1]
    else:
        return None
    if depth >= _MOST_WRAPPERS:
        return None
    return next((found for one in inner if (found := unwrapped(one, keys, is_bare, depth + 1)) is not None), None)


def _no_list(value: Any) -> bool:
    return False


def _decoded(body: str) -> str:
    """A reply that is one quoted text, as what the text says."""
    stripped = body.strip()
    if stripped[:1] != '"':
        return body
    read = LooseReader(stripped).read_text(0)
    return read[0] if read is not None and read[1] == len(stripped) else body
