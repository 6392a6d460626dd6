"""Instructions cut into clauses, one verb each."""

from dataclasses import dataclass
from typing import Final, Literal

from llmgen.llm.english.lexicon import FRAME_NOUNS
from llmgen.llm.english.spelling import misspelt
from llmgen.llm.english.tokens import Token

EXCHANGES: Final[dict[str, Literal["color", "size"]]] = {
    "exchange-colors": "color", "exchange-colours": "color", "exchange-sizes": "size",
}  # fmt: skip
"""Commands, of no English, by which not places are exchanged."""
_VERBS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "remove delete erase eliminate clear lose ditch discard omit exclude scrap trash dump banish wipe axe subtract nix kill nuke "
            "zap yank purge"
        ).split(),
        "remove",
    ),
    **dict.fromkeys("add insert draw include create introduce generate plant sketch".split(), "add"),
    **dict.fromkeys(
        "move shift push slide drag relocate raise lift lower pull carry send nudge transfer scoot reposition".split(),
        "move",
    ),
    **dict.fromkeys(
        "put place position set lay stick hang mount install stand park pop rest bring get attach tie fasten pin glue hook seat sit spread "
        "scatter arrange lean tuck squeeze float drop hide throw toss".split(),
        "put",
    ),
    **dict.fromkeys("swap exchange switch interchange trade".split(), "swap"),
    **dict.fromkeys(EXCHANGES, "swap"),
    **dict.fromkeys("duplicate clone copy replicate repeat multiply".split(), "duplicate"),
    "prefer": "prefer",
    **dict.fromkeys("replace substitute".split(), "replace"),
    **dict.fromkeys("enlarge increase grow expand magnify upscale embiggen inflate widen lengthen".split(), "enlarge"),
    **dict.fromkeys("shrink reduce decrease downsize downscale minimize minimise shorten narrow".split(), "shrink"),
    **dict.fromkeys(
        "make turn change transform convert paint color colour recolor recolour dye tint let modify morph repaint shade stain".split(),
        "change",
    ),
    "give": "give",
    **dict.fromkeys("keep leave preserve maintain maintaining keeping leaving retain".split(), "keep"),
}
_PHRASES: Final[dict[tuple[str, ...], str]] = {
    ("get", "rid", "of"): "remove", ("do", "away", "with"): "remove", ("dispose", "of"): "remove", ("scale", "up"): "enlarge",
    ("blow", "up"): "enlarge", ("scale", "down"): "shrink", ("don't", "change"): "keep", ("do", "not", "change"): "keep",
    ("bring", "in"): "add", ("throw", "in"): "add", ("put", "in"): "add", ("give", "me"): "add", ("show", "me"): "add",
    ("give", "us"): "add", ("draw", "in"): "add", ("paint", "in"): "add", ("have", "exactly"): "count", ("size", "up"): "enlarge",
    ("size", "down"): "shrink",
}  # fmt: skip
_SEPARABLE: Final = frozenset(
    "take throw cut edit crop wipe clear pull rub blot chuck move carry send drive strip scale size blow".split()
)
_PARTICLES: Final = frozenset("away out".split())
"""What makes a removal of a verb, next to it or behind what it is said of: "take the lamp away"."""
_LEADS: Final = frozenset(
    "please now also then and can could would you just i want to need first next finally afterwards".split()
)
_SCALED: Final[dict[str, str]] = {"up": "enlarge", "down": "shrink"}
_DOUBTFUL: Final = frozenset("drop hide throw toss".split())
"""Verbs that put something where it is said where, and remove it where it is not: "drop a ball next to the dog", "drop the ball"."""
_PLACES: Final = frozenset(
    "on onto in into to under underneath beneath above below next near behind beside besides between over at by where up down".split()
)
_NEGATIONS: Final = ("do not ", "don't ", "never ")
_JOINTS: Final = frozenset([",", ";", ".", "and", "then", "but", "while", "!", "?", "also", "please"])
_LIFTS: Final[dict[str, str]] = {"raise": "up", "lift": "up", "lower": "down"}
"""Verbs that name their direction."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause.

    Attributes:
        verb: What is to be done, as one of a few words: remove, add, move, put, swap, replace, enlarge, shrink,
            change, give, keep, count, duplicate, prefer.
        tokens: What follows the verb.
        text: The clause as it was written, for messages.
        of: What is exchanged, where it is not the place.
    """

    verb: str
    tokens: tuple[Token, ...]
    text: str
    of: Literal["color", "size"] | None = None


def split_clauses(tokens: list[Token]) -> list[Clause]:
    """Cut where a verb follows the beginning or a joint.

    Args:
        tokens: An instruction.

    Returns:
        The clauses; none when the instruction does not begin with a verb that is known.
    """
    starts: list[tuple[int, int, str]] = []
    fresh = True
    adverbs: dict[int, Token] = {}
    for index, token in enumerate(tokens):
        if starts and index < starts[-1][1]:
            continue
        verb, length = _verb(tokens, index)
        if fresh and verb is not None:
            starts.append((index, index + length, verb))
            fresh = False
        elif token.lower in _JOINTS:
            fresh = True
        elif fresh and token.lower.endswith("ly") and len(token.lower) > 4:
            adverbs[index] = token  # "slightly increase": it belongs to the verb after it
        else:
            fresh = fresh and token.lower in _LEADS
            if not starts and not fresh:
                return []
    clauses = []
    for number, (first, body, verb) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else len(tokens)
        rest = tokens[body:end]
        if end - 1 in adverbs and end < len(tokens):
            rest = rest[:-1]
        while rest and (
            rest[-1].lower in _JOINTS
            or rest[-1].lower in ("please", "too")
            or (len(rest) > 1 and rest[-1].lower == "to" and rest[-2].lower == "and")
        ):
            rest = rest[:-1]
        # "5." at the end of a sentence is no decimal, and marks that say nothing are left out.
        kept = [t for t in rest if t.is_word or t.lower in (",", ".", "%", "-", "#")]
        if first - 1 in adverbs:
            kept.insert(0, adverbs[first - 1])
        direction = _LIFTS.get(tokens[first].lower)
        if direction is not None:
            end = tokens[end - 1].end
            kept.append(Token(direction, direction, end + 1, end + 2))
        kept = _without_particle(verb, kept)
        said = " ".join(t.text for t in tokens[first:end])
        clauses.append(Clause(verb, tuple(kept), said, EXCHANGES.get(tokens[first].lower)))
    # "do not remove the ball", and nothing else, asks for nothing.
    return [] if all(clause.text.lower().startswith(_NEGATIONS) for clause in clauses) else clauses


COMMANDS: Final = frozenset(_VERBS) | _SEPARABLE
"""Verbs that begin commands."""


def is_command(word: str) -> bool:
    """Whether a word in its base form is a verb of commands."""
    return word in COMMANDS or any(word == words[0] for words in _PHRASES)


def _verb(tokens: list[Token], index: int) -> tuple[str | None, int]:
    lower = [t.lower for t in tokens[index : index + 3]]
    negation = 2 if lower[:2] == ["do", "not"] else int(lower[:1] in (["don't"], ["never"]))
    if (
        negation
        and len(lower) > negation
        and (_VERBS.get(lower[negation], "add") != "add" or lower[negation] == "touch")
    ):
        return "keep", negation + 1
    for words, verb in _PHRASES.items():
        if tuple(t.lower for t in tokens[index : index + len(words)]) == words:
            return verb, len(words)
    word = tokens[index].lower
    scaled = _SCALED.get(_particle(tokens, index + 1), "") if word in ("scale", "size", "blow") else ""
    if scaled:
        return scaled, 1
    if word in _SEPARABLE and _is_removal(tokens, index + 1):
        return "remove", 1
    if word in _DOUBTFUL:
        return "put" if _is_placed(tokens, index + 1) else "remove", 1
    return _VERBS.get(word) or _VERBS.get(misspelt(word, _VERBS)), 1


def _particle(tokens: list[Token], index: int) -> str:
    """The "up" or "down" of "scale the dog up"."""
    rest = [token.lower for token in tokens[index:]]
    end = next((k for k, word in enumerate(rest) if word in (",", ";", "then", "and")), len(rest))
    return next((word for word in rest[:end] if word in _SCALED), "")


def _is_placed(tokens: list[Token], index: int) -> bool:
    """Whether the clause says where something goes, or that it is a new thing."""
    rest = [token.lower for token in tokens[index:]]
    end = next((k for k, word in enumerate(rest) if word in (",", ";", ".", "then", "and")), len(rest))
    return rest[:1] in (["a"], ["an"], ["some"], ["another"]) or any(word in _PLACES for word in rest[:end])


def _is_removal(tokens: list[Token], index: int) -> bool:
    """Whether "away" or "out" follows in the clause: "take the two cups away", but not "move it away from the cup"."""
    for k in range(index, len(tokens)):
        word, after = tokens[k].lower, tokens[k + 1].lower if k + 1 < len(tokens) else ""
        if word == "off" and tokens[index - 1].lower in ("take", "wipe", "clear", "cut", "rub", "strip"):
            return True
        if word in _PARTICLES:
            return after != "from" or _frame_follows(tokens, k + 2)
        if word in (",", ";", ".", "then", "but") or (word == "and" and after in _VERBS):
            return False
    return False


def _frame_follows(tokens: list[Token], index: int) -> bool:
    return any(token.lower in FRAME_NOUNS for token in tokens[index : index + 3])


def _without_particle(verb: str, tokens: list[Token]) -> list[Token]:
    """A removal without its "away", a change of size without its "up"."""
    particles = {"remove": _PARTICLES, "enlarge": frozenset(["up"]), "shrink": frozenset(["down"])}.get(
        verb, frozenset()
    )
    at = next((k for k, token in enumerate(tokens) if token.lower in particles), None)
    return tokens if at is None else tokens[:at] + tokens[at + 1 :]
