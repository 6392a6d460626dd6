"""The closed word list of the toybox: classes, colours, backgrounds and every word its captions use.

Kept apart from the renderer because the tokenizer, the captions, the judge and the detector all need the words
and none of them needs a picture.
"""

from typing import Final

NOUNS: Final[tuple[str, ...]] = ("ball", "star", "heart", "house", "tree", "car", "fish", "cup")
"""The object classes, in the order that class indices follow everywhere."""

PLURALS: Final[dict[str, str]] = {noun: noun if noun == "fish" else f"{noun}s" for noun in NOUNS}

COLORS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (222, 38, 44),
    "blue": (38, 92, 226),
    "green": (32, 158, 66),
    "yellow": (252, 216, 32),
    "orange": (246, 130, 22),
    "purple": (152, 54, 190),
}
"""Body colour of an object in RGB, 0..255; the order is the order of colour indices."""

BACKGROUNDS: Final[tuple[str, ...]] = ("meadow", "beach", "night", "snow")

BACKGROUND_PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "meadow": ("a meadow", "a grassy meadow", "a green meadow", "a meadow scene"),
    "beach": ("a beach", "a sandy beach", "the beach", "a beach scene"),
    "night": ("a night scene", "a dark night", "the night", "a night sky"),
    "snow": ("a snowy field", "a snowy scene", "snow", "a snowy landscape"),
}
"""How a background is named when it opens a caption; the first of each is the usual one."""

PLACE_PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "meadow": ("in a meadow", "on a meadow", "in the meadow", "in a grassy meadow", "on a green meadow"),
    "beach": ("on a beach", "on the beach", "at the beach", "on a sandy beach"),
    "night": ("at night", "in the night", "in a night scene", "under a night sky"),
    "snow": ("in the snow", "in a snowy field", "on a snowy field", "on snow"),
}
"""How a background is named when it closes a caption."""

COUNT_WORDS: Final[tuple[str, ...]] = ("zero", "one", "two", "three", "four")

GENERIC_CAPTIONS: Final[tuple[str, ...]] = (
    "a realistic photo of a scene",
    "a realistic image of a scene",
    "a picture of a scene",
    "a photo of a scene",
    "a scene",
    "a picture",
)
"""Captions with no content, as layout-to-image methods send them for an unnamed background."""

PREFIXES: Final[tuple[str, ...]] = (
    "a picture of",
    "a photo of",
    "an image of",
    "a drawing of",
    "a realistic photo of",
    "a realistic image of",
    "a realistic photo of a scene with",
    "a realistic image of a scene with",
    "a picture of a scene with",
    "a scene with",
)

_GLUE: Final[str] = (
    "a an the and with on in at of to is are no not any without left right above below under over top bottom side "
    "next near beside between by there has have contains containing but only also one two three four five six "
    "picture photo image drawing painting realistic scene sky field landscape background small large big little "
    "object objects thing things each other it its , . | : ; ! ? ' -"
)


def words() -> tuple[str, ...]:
    """Every word that is one token of the tokenizer, sorted, each once.

    Returns:
        The closed word list; a word outside it is spelled by characters.
    """
    every = {*_GLUE.split(), *NOUNS, *PLURALS.values(), *COLORS, *COUNT_WORDS, *BACKGROUNDS}
    for phrases in (*BACKGROUND_PHRASES.values(), *PLACE_PHRASES.values(), GENERIC_CAPTIONS, PREFIXES):
        for phrase in phrases:
            every.update(phrase.split())
    return tuple(sorted(every))


def singular(word: str) -> str | None:
    """The class that a word names, in either number.

    Args:
        word: A lower-case word such as "cars".

    Returns:
        The noun, or None when the word names no class.
    """
    for noun, plural in PLURALS.items():
        if word in (noun, plural):
            return noun
    return None


def object_phrase(noun: str, color: str | None = None, count: int = 1, article: bool = True) -> str:
    """Name one object or a group of equal objects.

    Args:
        noun: Class name.
        color: Colour name, or None to leave it open.
        count: How many, 1 to 4.
        article: Whether a single object gets "a" or "an".

    Returns:
        For example "a red ball", "an orange fish" or "two cars".
    """
    body = f"{color} {noun if count == 1 else PLURALS[noun]}" if color else (noun if count == 1 else PLURALS[noun])
    if count > 1:
        return f"{COUNT_WORDS[count]} {body}"
    if not article:
        return body
    return f"{'an' if body[0] in 'aeiou' else 'a'} {body}"
