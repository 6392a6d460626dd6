"""The last step of reading: words in order, and the wire format's own check."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from llmgen.llm.english.grammar import head_noun
from llmgen.llm.english.tokens import tokenize
from llmgen.llm.replies.bounds import unusable
from llmgen.llm.replies.extract import why_no_value
from llmgen.llm.replies.raw_objects import NO_WORDS
from llmgen.llm.schemas import WireModel

Wire = TypeVar("Wire", bound=WireModel)


def noun_list(negative: Any) -> Any:
    """What to avoid as a list, whether it was written as one, as words, or as null."""
    if negative is None:
        return []
    if isinstance(negative, str):
        return nouns_of(negative)
    return [noun for noun in negative if noun is not None] if isinstance(negative, list) else negative


def nouns_of(text: str) -> list[str]:
    """The nouns of a negative prompt such as "cars, red birds and dogs", singular, each once; none for "None"."""
    parts = re.split(r",|;|\band\b|\bor\b", text.strip().rstrip("."))
    nouns = (head_noun(part) for part in parts if part.strip().lower() not in NO_WORDS and tokenize(part))
    return list(dict.fromkeys(nouns))


def clean_attributes(given: Sequence[str] | None) -> list[str]:
    """Attributes in lower case, each once, without `none` and its like."""
    words = (" ".join(a.split()).lower() for a in given or ())
    return list(dict.fromkeys(a for a in words if a not in NO_WORDS))


def validated(model: type[Wire], data: dict[str, Any] | None, text: str) -> Wire:
    """An answer of the wanted form.

    Args:
        model: The form.
        data: The JSON object found, if any.
        text: The reply, for the message.

    Raises:
        ModelError: If there is none, or it does not fit.
    """
    if data is None:
        why = why_no_value(text)
        broken = f" (what begins as one cannot be read: {why})" if why else ""
        raise unusable(f"it holds no JSON object of the wanted form{broken}", text)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"]) or "the object"
        raise unusable(f"{where}: {first['msg'][:200]}", text) from error
