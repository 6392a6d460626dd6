"""A deterministic reader of ordinary English prompts: objects with counts and attributes, relations, absences, place.

Tokens, tags, phrases, then one pass that says what belongs to what. Any text gets a best reading and never an error; what was not
read is in `PromptMeaning.remarks`.
"""

import re
from functools import lru_cache

from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.foreign import is_foreign
from llmgen.llm.english.meaning import DEFAULT_BACKGROUND, Ordering, PromptMeaning, Relation, RelationKind, WantedObject
from llmgen.llm.english.phrases import read_noun_phrase
from llmgen.llm.english.reader import Reader
from llmgen.llm.english.tagging import tag
from llmgen.llm.english.tokens import Token, short, tokenize_prompt
from llmgen.llm.english.words import bare, is_plural, number_word, pluralize, singularize, with_article, worn_in

__all__ = [
    "DEFAULT_BACKGROUND",
    "Ordering",
    "PromptMeaning",
    "Relation",
    "RelationKind",
    "WantedObject",
    "bare",
    "head_noun",
    "is_plural",
    "number_word",
    "pluralize",
    "read_phrase",
    "read_prompt",
    "singularize",
    "with_article",
]

MOST_WORDS = 2000
"""So many words of a prompt are read."""
_LEADS = frozenset(
    "please generate draw create make paint imagine render want show give design produce sketch illustrate depict picture i i'd i'm "
    "me us would like can could you need we let's try to let now add put hello hi".split()
)

_LOOK_LIKE = re.compile(
    r"\s*what (?:does|do|did|would|will|could|might) (.{1,400}?) looks? like\b(.{0,2000}?)\??\s*$",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def read_prompt(text: str) -> PromptMeaning:
    """Read a prompt.

    Args:
        text: Any text.

    Returns:
        Its best reading. When no object, relation or absence is found, the whole text is the background.
    """
    plain = _described(_unquoted(text))
    tokens = tokenize_prompt(plain)
    if is_foreign(tokens):
        return PromptMeaning(
            background=text.strip(), remarks=(f"only English is read; nothing was read of {short(text.strip())!r}",)
        )
    remarks = [f"only the first {MOST_WORDS} words were read"] if len(tokens) > MOST_WORDS else []
    first = _lead(tokens)
    if len(tokens) > 2 and tokens[0].lower in lex.QUESTIONS and tokens[1].lower in lex.BE | lex.AUXILIARIES:
        remarks.append(f"a question is read as a description: {short(text.strip())!r}")
        first = 2
    words = tag(tokens[first:MOST_WORDS])
    return Reader(plain, words, remarks).read()


def read_phrase(phrase: str) -> tuple[str, tuple[str, ...]]:
    """Noun and attributes of one instance's phrase.

    Args:
        phrase: For example "a white and small palm tree".

    Returns:
        For example `("palm tree", ("white", "small"))`; a phrase that cannot be read is its own noun.
    """
    words = tag(tokenize_prompt(phrase)[:MOST_WORDS])
    index = 0
    while index < len(words):
        found = read_noun_phrase(words, index)
        if found is not None and found.noun and not found.pronoun:
            worn = worn_in(" ".join(word.lower for word in words[found.last :]))
            return found.noun, tuple(dict.fromkeys((*found.attributes, *(w for w in worn if w != "and"))))
        index = found.last if found is not None else index + 1
    return bare(phrase).lower() or phrase, ()


def head_noun(phrase: str) -> str:
    """Head noun of a phrase in the singular, for example "palm tree" for "two tall palm trees"."""
    return read_phrase(phrase)[0]


def _described(text: str) -> str:
    """What a question asks to see: "What does a walrus look like on a skateboard?"."""
    asked = _LOOK_LIKE.match(text)
    return f"{asked[1]}{asked[2]}" if asked else text


def _unquoted(text: str) -> str:
    inner = text.strip()
    whole = len(inner) > 2 and inner[0] in "\"“'" and inner[-1] in "\"”'" and not any(q in inner[1:-1] for q in '"“”')
    return inner[1:-1] if whole else text


def _lead(tokens: list[Token]) -> int:
    """How many tokens ask for the picture rather than say what it shows: "please draw me"."""
    index = 0
    while index < min(len(tokens), 12) and tokens[index].lower in _LEADS and (index or tokens[0].lower != "to"):
        index += 1
    begins = index < len(tokens) and (
        tokens[index].lower in lex.ARTICLES or tokens[index].lower in lex.NUMBERS or is_plural(tokens[index].lower)
        or tokens[index].lower in lex.IMAGE_HEADS or tokens[index].text.isdigit()
    )  # fmt: skip
    return index if begins else 0
