"""Replies to the parse call: which objects a prompt wants, in JSON or in SLD's text."""

from typing import Any

from llmgen.llm.replies.bounds import MOST_OBJECTS, MOST_TEXT_CHARS, Remark, check_length, check_words, once, unusable
from llmgen.llm.replies.checks import clean_attributes, noun_list, nouns_of, validated
from llmgen.llm.replies.extract import body_of, find_answer, plain_key
from llmgen.llm.replies.layout_reply import BACKGROUND_KEYS, NEGATIVE_KEYS
from llmgen.llm.replies.raw_objects import (
    attribute_list,
    check_attributes,
    check_name,
    listed,
    plain_entry,
    split_words,
)
from llmgen.llm.replies.text_fields import labels_in
from llmgen.llm.replies.text_reply import is_counted_nouns, read_text_answer
from llmgen.llm.replies.wire import clean_noun
from llmgen.llm.schemas import ParsedPrompt

_MOST_COUNT = 1000


def read_parse_reply(text: str, *, remark: Remark | None = None) -> ParsedPrompt:
    """Read the answer to the parse call.

    Args:
        text: JSON, or SLD's text.
        remark: Told what was mended, cut or ignored, a line each; the log by default.

    Raises:
        ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
    """
    say = once(remark)
    body = body_of(text)
    found = find_answer(body, ("objects", *BACKGROUND_KEYS), is_bare_parse)
    fields = {label.field for label in labels_in(body)}
    if found is not None and isinstance(found.value, dict):
        parsed = _of_fields(found.value, text, say)
    elif fields & {"objects", "background", "negative"}:
        answer = read_text_answer(body, is_bare_parse)
        if answer.background is None:
            say("the reply says no background")
        negative = nouns_of(answer.negative)
        parsed = _without_avoided(_checked(answer.entries or [], answer.background or "", negative, text, say))
    elif found is not None:
        say("the reply says no background")
        parsed = _checked(found.value, "", [], text, say)
    else:
        parsed = validated(ParsedPrompt, None, text)
    return _mended(parsed, text, say)


def is_bare_parse(value: Any) -> bool:
    """Whether a list may stand for a whole answer."""
    return is_counted_nouns(value) or (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(e, dict) and {"noun", "name", "label", "object"} & {plain_key(k) for k in e} for e in value)
    )


def _of_fields(data: dict[str, Any], text: str, remark: Remark) -> ParsedPrompt:
    check_words(data, text)
    background = next((data[key] for key in BACKGROUND_KEYS if data.get(key) is not None), "")
    negative: Any = next((data[key] for key in NEGATIVE_KEYS if data.get(key) is not None), [])
    more = [name for name in data if name not in ("objects", "reasoning", *BACKGROUND_KEYS, *NEGATIVE_KEYS)]
    if more:
        remark(f"ignored the fields {listed(more)}")
    objects = data.get("objects")
    if isinstance(objects, dict):
        objects = [[noun, instances] for noun, instances in objects.items()]
    reasoning = data.get("reasoning")
    said = reasoning if isinstance(reasoning, str) else ""
    return _checked([] if objects is None else objects, background, noun_list(negative), text, remark, said)


def _checked(
    entries: Any, background: Any, negative: Any, text: str, remark: Remark, reasoning: str = ""
) -> ParsedPrompt:
    check_words(entries, text)
    objects = [_entry(entry, remark) for entry in entries] if isinstance(entries, list) else entries
    data = {"reasoning": reasoning, "objects": objects, "background": background, "negative": negative}
    return validated(ParsedPrompt, data, text)


def _entry(entry: Any, remark: Remark) -> Any:
    if isinstance(entry, str):
        return {"noun": entry, "instances": [{"attributes": []}]}
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list):
        return {"noun": entry[0], "instances": [_instance(one) for one in entry[1]]}
    if not isinstance(entry, dict):
        return entry
    plain = plain_entry(entry, lambda line: None)
    count = next((entry[k] for k in ("count", "number", "amount") if type(entry.get(k)) is int), None)
    instances = plain.get("instances", count)
    attributes = attribute_list(plain.get("attributes"))
    if type(instances) is int and 0 <= instances <= _MOST_COUNT:
        instances = [{"attributes": attributes}] * instances
    elif instances is None:
        if "instances" not in entry:
            remark("an object without instances is wanted once")
        instances = [{"attributes": attributes}] if "instances" not in entry else []
    elif isinstance(instances, list):
        instances = [_instance(one) for one in instances]
    named = {
        "noun": next((plain[key] for key in ("noun", "name", "phrase") if key in plain), None),
        "instances": instances,
    }
    return {key: value for key, value in named.items() if value is not None}


def _instance(one: Any) -> Any:
    if one is None or isinstance(one, str):
        return {"attributes": split_words(one)}
    if isinstance(one, list):
        return {"attributes": attribute_list(one)}
    if isinstance(one, dict):
        return {"attributes": attribute_list(plain_entry(one, lambda line: None).get("attributes"))}
    return one


def _without_avoided(parsed: ParsedPrompt) -> ParsedPrompt:
    """SLD lists what is to be avoided among the objects, in the plural."""
    objects = []
    for thing in parsed.objects:
        noun = clean_noun(thing.noun)
        instances = [] if noun in parsed.negative else thing.instances
        objects.append(thing.model_copy(update={"noun": noun, "instances": instances}))
    return parsed.model_copy(update={"objects": objects})


def _mended(parsed: ParsedPrompt, text: str, remark: Remark) -> ParsedPrompt:
    """Nameless objects dropped, words in order, everything within bounds."""
    check_length("objects", sum(max(len(thing.instances), 1) for thing in parsed.objects), MOST_OBJECTS, text)
    check_length("nouns to avoid", len(parsed.negative), MOST_OBJECTS, text)
    check_length("characters in the background", len(parsed.background), MOST_TEXT_CHARS, text)
    negative = [noun.strip().lower() for noun in parsed.negative if check_name(noun, text).strip()]
    objects = []
    for thing in parsed.objects:
        if not check_name(thing.noun, text).strip():
            remark("dropped an object without a noun")
            continue
        noun = " ".join(thing.noun.split()).lower()
        instances = []
        for one in thing.instances:
            check_attributes(one.attributes, text)
            instances.append(one.model_copy(update={"attributes": clean_attributes(one.attributes)}))
        objects.append(thing.model_copy(update={"noun": noun, "instances": instances}))
    if parsed.objects and not objects:
        raise unusable("no object has a noun", text)
    return parsed.model_copy(update={"objects": objects, "negative": negative})
