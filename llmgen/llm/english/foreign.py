"""Whether a text is English at all."""

from collections.abc import Sequence
from typing import Final

from llmgen.llm.english.closed import CLOSED
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.tokens import Token
from llmgen.llm.english.words import singularize

_FUNCTION_WORDS: Final = frozenset(
    # The commonest words of other languages that are no words of English prompts.
    "der das und ein eine einen einem einer eines auf neben unter über mit ohne zwei drei vier fünf vor hinter im zum zur ist sind "
    "nicht kein keine auch rechts von einige viele dem den des zwischen "
    "un une le la les et sur sous dans avec sans deux trois quatre du au aux est sont une l' d' côté près devant derrière entre "
    "el los las y una unos unas con sin sobre debajo encima junto dos tres cuatro al del es son en delante detrás izquierda derecha "
    "il lo gli uno e su sotto senza due tre quattro di della del nel nella vicino sopra accanto sono davanti dietro da "
    "um uma os em no na nos nas com sem dois três ao do duas perto embaixo ao lado "
    "een het op onder naast met zonder twee drie vier en van bij achter voor op de "
    "ett och på utan två tre fyra bredvid en är av med jag "
    "og et to uten ved siden af på "
    "na i w z pod obok dwa trzy bez jest dwie nad przed za czerwony "
    "ve bir iki üç ile üzerinde altında "
    "di atas bawah dengan dua tiga seekor sebuah dan "
    "ja kaksi kolme alla päällä vieressä ilman "
    "și cu fără doi trei pe sub lângă o "
    "egy és két három alatt mellett ".split()
) - frozenset("a i o do to on no son bin man in an war six at for are us es me en est sub pod alla im em et e z w y".split())  # fmt: skip
_ENGLISH: Final = CLOSED - frozenset("a an as at in on to so no up i me us am do by off is it".split())


def is_foreign(tokens: Sequence[Token]) -> bool:
    """Whether a text is of another language, by its script, its little words, and how few of its words are English.

    Args:
        tokens: The text.
    """
    words = [t.lower for t in tokens if t.is_word and not t.is_quote and not t.text[0].isdigit()]
    if not words:
        return False
    letters = [ch for word in words for ch in word if ch.isalpha()]
    if sum(ch > "ɏ" for ch in letters) * 3 > len(letters):
        return True
    known = [
        word in CLOSED or look_up(word).known or look_up(singularize(word)).known or word.isdigit() for word in words
    ]
    # "Totoro eating ramen": names and dishes are in no table, but no other language does anything in -ing.
    english = sum(word in _ENGLISH or word in ("a", "an") or (len(word) > 5 and _acts(word)) for word in words)
    foreign = sum(word in _FUNCTION_WORDS or word[:2] in ("l'", "d'") for word in words)
    strange = len(words) - sum(known)
    if foreign and foreign + strange > english and foreign + strange >= 2:
        return foreign > english or strange > len(words) / 3
    return len(words) > 1 and strange * 2 >= len(words) and not english


def _acts(word: str) -> bool:
    verb = look_up(word).verb
    return bool(verb) and word.endswith("ing") and not verb.endswith("ing")
