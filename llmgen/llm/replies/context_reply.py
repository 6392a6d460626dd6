"""The context of each object of a picture: a story, and for every object what it should look like in tags.

Models write ids wrong, twice or not at all, name objects instead, write sentences, brackets and weights. What can be told is mended
and said; an object for which nothing usable was said has no tags. Lines of the published loop (`Sky: blue, clouds`) are read as well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmgen.llm.english.words import bare, singularize
from llmgen.llm.replies.bounds import MOST_OBJECTS, MOST_TEXT_CHARS, Remark, check_length, check_words, once, unusable
from llmgen.llm.replies.extract import body_of, find_answer, plain_key, why_no_value
from llmgen.llm.replies.loose_values import LooseReader
from llmgen.llm.schemas import WireModel

MOST_TAGS: Final = 10
"""For one object, as published."""
MOST_TAG_CHARS: Final = 80
"""Of one tag; what is longer is a sentence."""
MOST_STORY_CHARS: Final = 2000
_KEYS: Final = ("objects", "contexts", "items", "story")
_STORY_KEYS: Final = ("story", "scene", "summary", "narrative")
_ID_KEYS: Final = ("object_id", "id", "object", "target", "key")
_NAME_KEYS: Final = ("name", "label", "phrase", "noun", "class")
_TAG_KEYS: Final = ("tags", "prompt", "prompts", "context", "details", "description")
_NEGATIVE_KEYS: Final = ("negative_tags", "negative", "negative_prompt", "avoid")
_REFUSALS: Final = (
    "i'm sorry",
    "i am sorry",
    "i cannot",
    "i can't",
    "i can not",
    "as an ai",
    "i'm unable",
    "i am unable",
    "unable to",
)
_WEIGHT = re.compile(r":\s*-?\d+(?:\.\d+)?(?=\s*(?:[)\]}>]|$))")
_ANGLE = re.compile(r"<[^<>]{0,80}>")
_BRACKETS = re.compile(r"[()\[\]{}]")
_BEGUN = re.compile(r"[\"']objects[\"']\s*:\s*\[", re.IGNORECASE)
_QUOTES: Final = " \t'\"`“”‘’*_~.;|"
_MARKS: Final = r"[ \t>*_`\"'#•\-\[(]*"
_LINE = re.compile(
    rf"^{_MARKS}(?:\d{{1,2}}[.)][ \t]*{_MARKS})?(?P<name>[^:：\n]{{1,60}}?)[*_`\"'\])]*[ \t]*[:：](?P<rest>.*)$"
)


class ObjectContext(WireModel):
    """What one object should look like."""

    object_id: str
    """One of the ids that were asked about."""
    tags: list[str]
    """1 to 10 short tags about this object alone, most important first."""
    negative_tags: list[str]
    """What it should not look like; may be empty."""
    skip: bool
    """True to leave the object as it is."""


class ContextReply(WireModel):
    """The context of all objects of a picture."""

    story: str
    """The scene in one short paragraph, written first."""
    objects: list[ObjectContext]
    """One entry for each object."""


@dataclass(frozen=True)
class Context:
    """What was said of one object, cleaned."""

    tags: tuple[str, ...] = ()
    """Empty where nothing usable was said."""
    negative_tags: tuple[str, ...] = ()
    skip: bool = False


@dataclass(frozen=True)
class Contexts:
    """What was said of a picture: one entry for each object that was asked about, in order."""

    story: str
    objects: tuple[Context, ...]


def read_context_reply(text: str, names: Sequence[str], remark: Remark | None = None) -> Contexts:
    """Read the answer to the context call.

    Args:
        text: JSON of the wanted form, a map of names or ids to tags, or the published loop's lines.
        names: The objects, as the question told them; object `k` has the id `o<k>`. Equal ones are allowed.
        remark: Told what was mended, cut or ignored, a line each; the log by default.

    Raises:
        ModelError: If nothing usable is in it; the message says what is wrong, fit to be sent back.
    """
    say = once(remark)
    body = body_of(text)
    found = find_answer(body, (*_KEYS, *_id_names(names)), _is_bare)
    if found is None:
        story, entries = _cut_short(body)
        if entries:
            check_words(entries, text)
            say("the reply ends before its end; what was complete is used")
        else:
            story, entries = _lines(body, names)
        if not entries:
            raise _refusal(text)
    else:
        check_words(found.value, text)
        story, entries = _parts(found.value, names)
        if not found.whole:
            say("the reply ends before its end; what was complete is used")
    check_length("entries", len(entries), MOST_OBJECTS, text)
    contexts = _by_object(entries, names, say)
    if names and not contexts:
        raise unusable(f"it says nothing of any of {', '.join(_ids(names))}", text)
    for number, name in enumerate(names):
        if number not in contexts:
            say(f"nothing was said of o{number} ({name}); it is painted by its name")
    check_length("characters of story", len(story), MOST_TEXT_CHARS, text)
    return Contexts(_story(story, say), tuple(contexts.get(number, Context()) for number in range(len(names))))


def clean_tags(value: Any, say: Remark, whose: str) -> tuple[str, ...]:
    """Tags without quotation marks, brackets and weights, each once, no sentences, at most ten.

    Args:
        value: A list of tags, or one text with commas.
        say: Told what was left out.
        whose: Words for that, such as `o0 (red ball)`.
    """
    raw = value if isinstance(value, list) else [value]
    parts = [part for one in raw if isinstance(one, str) for part in re.split(r"[,\n\r;、，]", _plain(one))]
    if any(one is not None and not isinstance(one, str) for one in raw):
        say(f"left out tags of {whose} that are no texts")
    tags: dict[str, str] = {}
    for part in parts:
        tag = " ".join(part.strip(_QUOTES).split()).strip(_QUOTES)
        if not any(character.isalnum() for character in tag):
            continue
        if len(tag) > MOST_TAG_CHARS:
            say(f"left out a tag of {whose} of {len(tag)} characters; tags have at most {MOST_TAG_CHARS}")
            continue
        tags.setdefault(tag.lower(), tag)
    if len(tags) > MOST_TAGS:
        say(f"{len(tags)} tags for {whose}, the first {MOST_TAGS} are used")
    return tuple(tags.values())[:MOST_TAGS]


def _plain(text: str) -> str:
    """Without what prompts of web UIs are marked up with: `<lora:x:1>`, `((red))`, `(red:1.2)`; control characters are blanks."""
    text = "".join(character if character.isprintable() or character in "\n\r" else " " for character in text)
    return _BRACKETS.sub(" ", _WEIGHT.sub("", _ANGLE.sub(" ", text)))


def _ids(names: Sequence[str]) -> list[str]:
    return [f"o{number}" for number in range(len(names))]


def _id_names(names: Sequence[str]) -> tuple[str, ...]:
    """Keys of an answer that is a map."""
    return tuple(dict.fromkeys((*_ids(names), *(plain_key(name) for name in names))))


def _is_bare(value: Any) -> bool:
    """Whether a list may stand for the whole answer."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and any(plain_key(key) in _TAG_KEYS for key in one) for one in value)
    )


def _parts(value: Any, names: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """Story and entries of an answer, the keys of the entries plain."""
    if isinstance(value, list):
        return "", [_keyed(one) for one in value]
    story = next((value[key] for key in _STORY_KEYS if isinstance(value.get(key), str)), "")
    listed = next((value[key] for key in ("objects", "contexts", "items") if key in value), None)
    if isinstance(listed, list):
        return story, [_keyed(one) for one in listed if isinstance(one, dict)]
    mapped = listed if isinstance(listed, dict) else value
    entries = []
    for key, said in mapped.items():
        if plain_key(key) in (*_STORY_KEYS, "reasoning"):
            continue
        entries.append({"object_id": key, **(_keyed(said) if isinstance(said, dict) else {"tags": said})})
    known = set(_id_names(names))
    return story, [entry for entry in entries if isinstance(listed, dict) or plain_key(entry["object_id"]) in known]


def _keyed(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {plain_key(key): value for key, value in entry.items()}


def _by_object(entries: Sequence[Mapping[str, Any]], names: Sequence[str], say: Remark) -> dict[int, Context]:
    contexts: dict[int, Context] = {}
    for entry in entries:
        said = next((entry[key] for key in (*_ID_KEYS, *_NAME_KEYS) if entry.get(key) not in (None, "")), None)
        numbers = _meant(said, names, contexts)
        if not numbers:
            say(f"ignored what was said of {_shown(said)}, which is none of the objects")
            continue
        for number in numbers:
            if number in contexts:
                say(f"o{number} ({names[number]}) was told twice; the first time counts")
                continue
            contexts[number] = _context(entry, f"o{number} ({names[number]})", say)
    return contexts


def _context(entry: Mapping[str, Any], whose: str, say: Remark) -> Context:
    tags = next((entry[key] for key in _TAG_KEYS if key in entry), None)
    negative = next((entry[key] for key in _NEGATIVE_KEYS if key in entry), None)
    skip = entry.get("skip")
    cleaned = clean_tags(tags, say, whose)
    if not cleaned and not _is_true(skip):
        say(f"no usable tags for {whose}; it is painted by its name")
    return Context(cleaned, clean_tags(negative, say, f"{whose}, negative"), _is_true(skip))


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() in ("true", "yes", "1"))


def _meant(said: Any, names: Sequence[str], taken: Mapping[int, Context]) -> list[int]:
    """Which objects an id or a name means: all of a name that were not told yet, as the published loop has one line for all of a class."""
    if isinstance(said, int) and not isinstance(said, bool):
        said = f"o{said}"
    if not isinstance(said, str):
        return []
    word = said.strip(_QUOTES + "[](){}#").lower()
    match = re.fullmatch(r"(?:o|object|obj|id)?[ _#]*(\d{1,4})", word)
    if match is not None:
        return [int(match[1])] if int(match[1]) < len(names) else []
    numbered = re.match(r"o(\d{1,4})\b", word)
    if numbered is not None and int(numbered[1]) < len(names):
        return [int(numbered[1])]
    same = [number for number, name in enumerate(names) if _name(name) == _name(word)]
    same = same or [number for number, name in enumerate(names) if _name(name).split()[-1:] == _name(word).split()[-1:]]
    return [number for number in same if number not in taken] or same[:1]


def _name(name: str) -> str:
    return singularize(bare(" ".join(name.replace("_", " ").split()).lower()))


def _cut_short(body: str) -> tuple[str, list[dict[str, Any]]]:
    """The whole entries of an answer that was cut off."""
    begun = _BEGUN.search(body)
    if begun is None:
        return "", []
    entries: list[dict[str, Any]] = []
    place, reader = begun.end(), LooseReader(body)
    while len(entries) < MOST_OBJECTS and (place := body.find("{", place)) >= 0:
        found, end, _ = reader.read(place)
        whole = [one for one in found if one.whole and isinstance(one.value, dict)]
        if not whole:
            break
        entries.append(_keyed(whole[0].value))
        place = max(end, place + 1)
    return "", entries


def _lines(body: str, names: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """The published loop's lines, however they are marked up: `Sky: blue`, `- **Sky**: blue`, `1. [Sky]: blue`."""
    story, entries = "", []
    for name, rest in _labelled(body):
        if plain_key(name) in _STORY_KEYS:
            story = story or rest
        elif _meant(name, names, {}):
            entries.append({"object_id": name, "tags": rest})
    return story, entries


def _labelled(body: str) -> Iterator[tuple[str, str]]:
    for line in body.splitlines():
        match = _LINE.match(line)
        if match is not None:
            yield match["name"].strip(_QUOTES), match["rest"].strip(" \t*_`")


def _story(story: str, say: Remark) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in story).split())
    if len(line) > MOST_STORY_CHARS:
        say(f"the story has {len(line)} characters, the first {MOST_STORY_CHARS} are kept")
    return line[:MOST_STORY_CHARS]


def _shown(said: Any) -> str:
    return (
        repr(said if isinstance(said, str) and len(said) <= 40 else f"{str(said)[:37]}...")
        if said is not None
        else "no id"
    )


def _refusal(text: str) -> Exception:
    lowered = text.lower()
    if any(words in lowered for words in _REFUSALS):
        return unusable("the model refused", text)
    why = why_no_value(text)
    return unusable(
        f"it holds no context of the wanted form{f' (what begins as one cannot be read: {why})' if why else ''}", text
    )
