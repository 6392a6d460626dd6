"""The closed word list of the toybox: classes, colours, backgrounds and every word its captions use.

Kept apart from the renderer because the tokenizer, the captions, the judge and the detector all need the words
and none of them needs a picture.
"""

from collections.abc import Sequence
from typing import Final

THINGS: Final[tuple[str, ...]] = ("ball", "star", "heart", "house", "tree", "car", "fish", "cup")
"""The classes without life, in the order of their class indices."""

CHARACTERS: Final[tuple[str, ...]] = ("boy", "girl", "dog")
"""The classes that have a mood, clothes and a pose; their class indices follow those of the things."""

NOUNS: Final[tuple[str, ...]] = THINGS + CHARACTERS
"""All classes, in the order that class indices follow everywhere."""

PLURALS: Final[dict[str, str]] = {noun: noun if noun == "fish" else f"{noun}s" for noun in NOUNS}

COLORS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (222, 38, 44),
    "blue": (38, 92, 226),
    "green": (32, 158, 66),
    "yellow": (252, 216, 32),
    "orange": (246, 130, 22),
    "purple": (152, 54, 190),
}
"""Body colour of a thing or colour of a character's clothes in RGB, 0..255; the order is the order of indices."""

PATTERNS: Final[tuple[str, ...]] = ("plain", "striped", "dotted", "checked")
"""What is on the body of a thing or on a character's clothes; the first is the usual one and is never said."""

MOODS: Final[tuple[str, ...]] = ("calm", "happy", "sad", "surprised")
"""How a character feels; the first is the usual one and is never said."""

VERBS: Final[tuple[str, ...]] = ("holding", "kicking", "riding", "feeding", "pushing", "carrying")
"""What a character does, with an object or without."""

STANDING: Final = "standing"
"""What a character without a verb does."""

FINITE: Final[dict[str, str]] = {
    "holding": "holds",
    "kicking": "kicks",
    "riding": "rides",
    "feeding": "feeds",
    "pushing": "pushes",
    "carrying": "carries",
    STANDING: "stands",
}
"""The verbs as the predicate of one subject."""

CLOTHES: Final[dict[str, str]] = {"boy": "shirt", "girl": "dress", "dog": "pullover"}
"""What of a character has its colour and its pattern."""

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "house": ("window", "door"),
    "car": ("wheel", "window"),
    "cup": ("handle",),
    "tree": ("trunk",),
    "fish": ("tail",),
}
"""The parts of a thing that have boxes and masks of their own."""

PART_STATES: Final[dict[str, tuple[str, ...]]] = {"window": ("dark", "lit"), "door": ("closed", "open")}
"""What a part can be; the first is the usual one and is not said."""

KEYPOINTS: Final[tuple[str, ...]] = (
    "nose",
    *(
        f"{side}_{joint}"
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
)
"""The joints of a character in the order of every array of them; left and right are the figure's own."""

BACKGROUNDS: Final[tuple[str, ...]] = ("meadow", "beach", "night", "snow", "rain")

BACKGROUND_PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "meadow": ("a meadow", "a grassy meadow", "a green meadow", "a meadow scene"),
    "beach": ("a beach", "a sandy beach", "the beach", "a beach scene"),
    "night": ("a night scene", "a dark night", "the night", "a night sky"),
    "snow": ("a snowy field", "a snowy scene", "snow", "a snowy landscape"),
    "rain": ("a rainy day", "a rainy scene", "the rain", "a rainy landscape"),
}
"""How a background is named when it opens a caption; the first of each is the usual one."""

PLACE_PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "meadow": ("in a meadow", "on a meadow", "in the meadow", "in a grassy meadow", "on a green meadow"),
    "beach": ("on a beach", "on the beach", "at the beach", "on a sandy beach"),
    "night": ("at night", "in the night", "in a night scene", "under a night sky"),
    "snow": ("in the snow", "in a snowy field", "on a snowy field", "on snow"),
    "rain": ("in the rain", "on a rainy day", "in a rainy scene", "in rain"),
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
    "object objects thing things each other it its who while dressed now gone still alone same "
    "another empty more , . | : ; ! ? ' -"
)


def words() -> tuple[str, ...]:
    """Every word that is one token of the tokenizer, sorted, each once.

    Returns:
        The closed word list; a word outside it is spelled by characters.
    """
    every = {*_GLUE.split(), *NOUNS, *PLURALS.values(), *COLORS, *PATTERNS, *MOODS, *VERBS, *FINITE, *FINITE.values()}
    every |= {*COUNT_WORDS, *BACKGROUNDS, *CLOTHES.values(), "shirts", "dresses", "pullovers"}
    every |= {word for parts in PARTS.values() for part in parts for word in (part, f"{part}s")}
    every |= {state for states in PART_STATES.values() for state in states}
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


def with_article(body: str) -> str:
    """Put the indefinite article before a noun phrase.

    Args:
        body: For example "orange fish".

    Returns:
        For example "an orange fish".
    """
    return f"{'an' if body[0] in 'aeiou' else 'a'} {body}"


def states_phrase(states: Sequence[tuple[str, str]], count: int) -> str:
    """Name the states of the parts of a thing.

    Args:
        states: Part and state of each that is to be said.
        count: How many things.

    Returns:
        For example "lit windows and an open door".
    """
    return " and ".join(
        f"{state} {part}s" if count > 1 or part == "window" else with_article(f"{state} {part}")
        for part, state in states
    )


def object_phrase(
    noun: str,
    color: str | None = None,
    count: int = 1,
    article: bool = True,
    *,
    pattern: str | None = None,
    mood: str | None = None,
    states: Sequence[tuple[str, str]] = (),
    verb: str | None = None,
) -> str:
    """Name one object or a group of equal objects.

    Args:
        noun: Class name.
        color: Colour name, or None to leave it open.
        count: How many, 1 to 4.
        article: Whether a single object gets "a" or "an".
        pattern: One of `PATTERNS`; the plain one, like None, is not said.
        mood: One of `MOODS`; the calm one, like None, is not said.
        states: Part and state of each part that is to be said.
        verb: One of `VERBS` or `STANDING`, or None.

    Returns:
        For example "a red ball", "two striped cars", "a house with lit windows" or "a happy boy in red kicking".
    """
    look = " ".join(word for word in (pattern if pattern != PATTERNS[0] else None, color) if word)
    body = noun if count == 1 else PLURALS[noun]
    if noun not in CHARACTERS:
        body = f"{look} {body}" if look else body
    elif look:
        # "in striped" alone is no English: the garment is named when there is no colour to lean on.
        body = f"{body} in {look}" if color else f"{body} in {garment(noun, look, count)}"
    if mood and mood != MOODS[0]:
        body = f"{mood} {body}"
    if states:
        body += f" with {states_phrase(states, count)}"
    if verb:
        body += f" {verb}"
    if count > 1:
        return f"{COUNT_WORDS[count]} {body}"
    return with_article(body) if article else body


def garment(noun: str, look: str, count: int = 1) -> str:
    """Name the clothes of a character.

    Args:
        noun: One of `CHARACTERS`.
        look: Pattern and colour in words.
        count: How many characters.

    Returns:
        For example "a striped red shirt", or "red dresses" of several.
    """
    if count == 1:
        return with_article(f"{look} {CLOTHES[noun]}")
    return f"{look} {CLOTHES[noun]}{'es' if CLOTHES[noun].endswith('s') else 's'}"
