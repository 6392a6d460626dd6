"""Sentences that say how something should be, turned into the commands that make it so: "the ball ought to be a bit further up"."""

import re
from typing import Final

from llmgen.llm.english.clauses import is_command
from llmgen.llm.english.dictionary import look_up, verb_form
from llmgen.llm.english.lexicon import COLORS

SUBJECT: Final = (
    r"(?:the|all|every|everything|everyone|both|each|this|that|these|those|its|his|her|their|my|your|it|they|he|she|"
    r"(?:one|two|three) of the)\b"
)
"""How what is there begins."""
MODAL: Final = (
    r"(?:should|would|could|must|shall|might|may|can|will|has to|have to|had to|needs? to|ought to|had better|wants? to|"
    r"(?:is|are) (?:supposed |meant )?to)"
)
_BE: Final = r"(?:was|were|is|are|be|became|become|becomes|turned|looked|had been)"
MARGIN: Final = (
    r"(?:(?:a (?:little |tiny |small )?bit|a (?:little|lot|touch|tad|notch)|slightly|somewhat|much|way|far|more|some|\d+ (?:pixels?|"
    r"px)|over|"
    r"further|directly|just|right) )*"
)
PLACED: Final = (
    MARGIN
    + r"(?:(?:on|in|at|to|under|underneath|beneath|above|below|next|near|nearer|behind|beside|besides|between|over|where|further|"
    r"farther|closer|together|apart|up|upwards?|down|downwards?|higher|lower|inside|onto|alongside|towards?|away from|against)\b|"
    r"(?:(?:top|bottom|upper|lower) )?(?:left|right)(?: of\b| corner\b|$))"
    rf"(?! (?:{'|'.join(sorted(COLORS))}|(?:the |a )?(?:same |different )?(?:colou?r|size|shape)|fire)(?: |$))"
)
"""How it is said where something should be."""
IN_IT: Final = (
    r"(?:(?:(?:in|on|part of) (?:it|the (?:picture|image|photo|scene|frame|shot)))|there|here|visible|shown|present)"
)
_GONE: Final = (
    rf"(?:gone|removed|deleted|missing|absent|away|erased|out|out of (?:it|here|there|the \w+)|not {IN_IT}|no more)"
)
_PLACES: Final = r"(?:places?|positions?|spots?|locations?|sides)"
_STANDS: Final = (
    r"(?:sit|sitting|stand|standing|lie|lying|rest|resting|hang|hanging|perch|perching|lean|leaning|float|floating|hover|hovering|"
    r"fly|flying|go|going|move|come|be|appear|park|parked|placed|put|live|face)"
)
_NEW: Final = r"(?:a|an|some|another|one|two|three|four|five|\d+|more)\b"
BETTER: Final = (
    r"(?:better|nicer|prettier|cooler|preferable|more fitting|more suitable|great|nice|good|cool|lovely|perfect)"
)
_LACKS: Final = r"(?:(?:also |really )?(?:wants|want|needs|need|deserves|lacks|misses|could use|can use|would like)|is missing|are missing)"
_ADVERBS: Final = re.compile(
    r"^(?:now|rather|instead|also|just|really|probably|definitely|simply|always|then|still|preferably|please|maybe)\b,? ?"
)
_DOES: Final[tuple[tuple[str, str], ...]] = (
    (rf"(?:be |become |get )?{_GONE}(?: {IN_IT})?$", r"remove {}"),
    (r"(?:go|go away|get lost|disappear|vanish|leave|be left out)(?: from .+)?$", r"remove {}"),
    (rf"(?:trade|switch|change|swap|exchange)(?: (?:their|its|his|her))? {_PLACES}(?: with each other)?$", r"swap {}"),
    (rf"(?:trade|switch|change|swap|exchange) {_PLACES} with (.+)$", r"swap {} and \1"),
    (r"(?:trade|switch|swap|exchange)(?: (?:their|its))? (colou?r|size)s?(?: with each other)?$", r"exchange-\1s {}"),
    (r"(?:trade|switch|swap|exchange) (colou?r|size)s? with (.+)$", r"exchange-\1s {} and \2"),
    (r"(?:swap|switch|trade|exchange)(?: with each other)?$", r"swap {}"),
    (r"be (?:swapped|switched|exchanged)(?: around| with each other)?$", r"swap {}"),
    (r"(?:be )?(?:stay|remain|kept|left)\b(?: there| here| alone| as .+| where .+| the same| unchanged| untouched)?$", r"keep {}"),
    (r"match(?:es|ed)? (?=the |my |his |her )", r"make {} match "),
    (rf"(?:have|has|had|hold|wear|carry|get|be (?:holding|wearing|carrying|having|given)) (?={_NEW})(.+)$", r"give {} \1"),
    (rf"(?:be )?{_STANDS} (?={PLACED})(.+)$", r"move {} \1"),
    (rf"(?:be )?(?={PLACED})(.+)$", r"move {} \1"),
    (r"(grow|shrink)\b(.*)$", r"\1 {}\2"),
    (r"(?:be )?(?:face|facing|(?:look|looking|turned) (?:left|right|up|down|at|away))\b.*$", ""),
)  # fmt: skip
"""What is said of a thing, without "should", and the command; the braces stand for the thing. None where there is none."""
_OPPOSITES: Final[dict[str, str]] = {
    **dict.fromkeys("small little tiny short thin narrow".split(), "make {} bigger"),
    **dict.fromkeys("big large huge tall wide long fat".split(), "make {} smaller"),
    "high": "move {} down", "low": "move {} up", "far left": "move {} right", "far right": "move {} left",
    "far to the left": "move {} right", "far to the right": "move {} left", "far up": "move {} down", "far down": "move {} up",
}  # fmt: skip
"""What to do with what is too much so."""
_BASES: Final = frozenset(
    "be become get turn look have hold wear carry trade swap switch change exchange match go move come stand sit lie hang float fly "
    "stay remain leave disappear vanish face grow shrink rest perch lean hover appear park".split()
)
_VERBS: Final = "|".join(sorted(_BASES))
_RELATIVES: Final = frozenset("that which who whose where".split())


def statement(text: str, *, wished: bool = False) -> str:
    """The command in a sentence of subject and predicate, "" where it is none.

    Args:
        text: "the two balls should trade places", "the fish in the middle is too small".
        wished: Whether something before it asks for it ("I want"), so that "the ball to be red" is a sentence too.
    """
    inverted = re.match(rf"(?:{MODAL[3:-1]}) (?={SUBJECT})", text, re.IGNORECASE)
    if inverted:
        return asked(text[inverted.end() :])
    to = rf"|(?:not )?to(?= (?:{_VERBS})\b)" if wished else ""
    ties = (
        rf" (?:(?P<lacks>{_LACKS})(?= {_NEW})(?! a (?:bit|little|lot)\b)|(?P<modal>{MODAL}{to})(?P<no>n['’]t| not)?|"
        rf"(?:belongs?|goes)(?= {PLACED})|{_BE})\b ?"
    )
    for tie in re.finditer(ties, text, re.IGNORECASE):
        who = text[: tie.start()]
        if who.rpartition(" ")[2].lower() in _RELATIVES:
            continue  # "the ball that is on the left"
        if not re.match(SUBJECT, who, re.IGNORECASE):
            return _new(who, text[tie.end() :]) if tie["modal"] else ""
        if tie["lacks"]:
            return f"give {who} {text[tie.end() :]}"
        return predicate(who, f"{'not ' if tie['no'] else ''}{text[tie.end() :]}")
    return ""


def predicate(who: str, said: str) -> str:
    """The command by which a thing becomes what is said of it, "" where none is known.

    Args:
        who: The thing, as it was named.
        said: What it should be or do: "be a bit bigger", "trade places with the cup".
    """
    said = said.strip()
    while (adverb := _ADVERBS.match(said)) is not None:
        said = said[adverb.end() :]
    said = re.sub(rf"^(?:be|look) (?:much |way |a lot |even )?{BETTER} (?:as )?(?=\w)", "", said)
    shared = re.match(r"(both|all|each)\b (?=\w)", said)
    if shared:
        who, said = f"{shared[1].replace('each', 'all')} {who}", said[shared.end() :]
    denied = re.match(r"not (?:to )?(?:(?:be|stay|remain) )?", said)
    if denied:
        but = re.search(r",? but (.+)$", said)
        rest = said[denied.end() :]
        return predicate(who, but[1]) if but else f"remove {who}" if not rest or re.fullmatch(IN_IT, rest) else ""
    for pattern, command in _DOES:
        found = re.match(pattern, said, re.IGNORECASE)
        if found:
            return found.expand(command.replace("{}", who.replace("\\", ""))) + said[found.end() :]
    quality = re.sub(r"^(?:be|become|look|turn|get|appear)\b ?", "", said)
    passive = _passive(who, quality)
    if passive:
        return passive
    excess = re.match(r"(?:way |much |far |a bit |a little )*too ([\w ]+?)(?: for .+)?$", quality)
    if excess:
        return _OPPOSITES.get(excess[1], "").replace("{}", who)
    return f"make {who} {quality}" if quality else ""


def small_clause(text: str) -> str:
    """The command in what follows "I want": "the dog next to the tree", "the house green"; "" where it does not speak of what is there."""
    if not re.match(SUBJECT, text, re.IGNORECASE):
        return ""
    who = re.match(rf"(.+?) {_GONE}$", text)
    if who:
        return f"remove {who[1]}"
    return _participle(text) or (f"put {text}" if re.search(rf" {PLACED}", text) else f"make {text}")


def asked(text: str) -> str:
    """The command in subject and bare verb, as in a question or after "let": "the two balls trade places"; "" where it is none."""
    words = text.split(" ")
    for index, word in enumerate(words[1:], start=1):
        if word.lower() in _BASES and words[index - 1].lower() not in ("the", "to"):
            return predicate(" ".join(words[:index]), " ".join(words[index:]))
    return ""


def _new(who: str, said: str) -> str:
    """What is not there yet and should be: "a dog should sit on the bench"."""
    said = re.sub(rf"^(?:(?:be|also|appear) )*(?:added|put|placed|inserted|{_STANDS}\b)? ?(?={PLACED}|$)", "", said)
    placed = not said or re.match(PLACED, said)
    if not re.match(_NEW, who, re.IGNORECASE):
        return ""
    # "one pillow must be blue" is one of those that are there.
    return f"add {who} {said}".strip() if placed else predicate(who, said)


def _passive(who: str, said: str) -> str:
    """The command in a passive: "replace the dog with a cat" of "replaced with a cat"."""
    adverb = re.match(r"(\w+ly) (?=\w)", said)
    first, _, rest = (said[adverb.end() :] if adverb else said).partition(" ")
    lemma = look_up(first.lower()).verb
    if (
        not lemma
        or first.lower() == "left"
        or verb_form(first.lower(), lemma) != "past"
        or first.lower() == lemma
        or not is_command(lemma)
        or rest.startswith(("of ", "from ", "out of "))
    ):
        return ""
    return " ".join(part for part in (adverb[1] if adverb else "", lemma, who, rest) if part)


def _participle(text: str) -> str:
    """The command in what is named and a participle: "the dog removed", "the ball painted red"."""
    words = text.split(" ")
    for index in range(2, len(words)):
        command = _passive(" ".join(words[:index]), " ".join(words[index:]))
        if command:
            return command
    return ""
