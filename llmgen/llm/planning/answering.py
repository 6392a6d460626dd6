"""Causal questions about simple pictures, answered by rules: what happens to the weather, to things, to how somebody feels.

It is a small stand-in for a model that knows the world: a table of causes with their effects, of riddles with what they mean, and of what
has which colour. What a question leaves to the picture ("the thing on the far left") is looked up in what a detector found.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.errors import InputError
from llmgen.inflection import article, plural_of
from llmgen.llm.planning.seen import SeenPicture, SeenThing


@dataclass(frozen=True)
class Effect:
    """An answer.

    Attributes:
        reasoning: Why, in a few words.
        answer: What is different afterwards.
        instruction: The same as an order to a picture editor.
    """

    reasoning: str
    answer: str
    instruction: str


SCENES: Final[dict[str, str]] = {
    "night": "a night scene",
    "snow": "a snowy field",
    "rain": "a rainy day",
    "beach": "a beach",
    "meadow": "a meadow",
}
"""Scene to how it is named."""
CAUSES_OF_SCENES: Final[tuple[tuple[str, str], ...]] = (
    (r"spring (?:comes|arrives)|\bmelt|\bthaw|clouds? (?:are gone|moves? away)|clears? up|cleared up|ground is dry|sun dries|"
     r"(?:shower|storm|rain) (?:is|was|were) over|(?:rain|snow) stops|field of grass|grassy|\bmeadow", "meadow"),
    (r"sun (?:goes|went) down|sun (?:sets|has set)|sunset|night falls|midnight|bedtime|(?<!over the )\bmoon\b|\bowls?\b|\bbats\b|"
     r"(?:it gets|gets|grows|falls) dark|after dark|nightfall|at night\b", "night"),
    (r"\bwinter|\bsnow|blizzard|cold white|\bfrost", "snow"),
    (r"umbrella|clouds? bursts?|(?:dark|heavy|storm) clouds|\brain(?:s|ed|ing|y)?\b|\bpour(?:s|ed|ing)?\b|puddle|drizzl|"
     r"downpour|thunderstorm",
     "rain"),
    (r"(?:by|to|at|near|of) the (?:sea|coast|ocean|shore|beach)(?! is)|seaside|sandcastle|seagull|"
     r"waves (?:come|came|roll|break|crash)", "beach"),
)  # fmt: skip
TURNS: Final[tuple[tuple[str, tuple[str, str]], ...]] = (
    (r"half a day|half a turn", ("night", "meadow")),
    (r"fine to wet|wet to fine|weather (?:turns|changes|changed)|wet if it is dry|dry it gets wet", ("rain", "meadow")),
    (r"half a year|six months|opposite season|half way round the sun", ("snow", "meadow")),
)
"""Causes of which only the picture says which way they turn: into the first scene, unless it is that already."""
RIDDLES: Final[tuple[tuple[str, str], ...]] = (
    (r"\bbounces|(?:one|you|people|children) (?:can )?(?:kicks?|throws?)|\btoy\b", "ball"),
    (r"five points|twinkles|shines in the (?:night )?sky", "star"),
    (r"(?:means|stands for|sign of|symbol of) love|valentine", "heart"),
    (r"(?:people|families|one|you|somebody) (?:can )?lives? in(?! water)|place to live|with a roof", "house"),
    (r"nests?\b|birds build|(?:grows?|has|have|with) (?:green )?leaves|lumberjack|woodcutter|\baxe\b", "tree"),
    (r"drive to work|people drive|on (?:four )?wheels|four wheels|vehicle|drives off", "car"),
    (r"\bswims\b|lives? in (?:the )?water|\bfins\b", "fish"),
    (r"drinks? (?:\w+ )?(?:from|out of)", "cup"),
    (r"\bbarks?\b|four-legged|wags|\bpet\b|buries bones|fetches sticks", "dog"),
)
COLORS_OF: Final[tuple[tuple[str, str], ...]] = (
    (r"tomato|blood|cherr|strawberr|as red as", "red"),
    (r"cloudless sky|\bsea\b|blueberr|as blue as", "blue"),
    (r"grass|\bleaf\b|\bfrog|cucumber|as green as", "green"),
    (r"lemon|banana|sunflower|canary|as yellow as", "yellow"),
    (r"pumpkin|carrot|as orange as", "orange"),
    (r"plum|violet|lavender|\bgrape|aubergine|as purple as", "purple"),
)
FEELINGS: Final[tuple[tuple[str, str], ...]] = (
    (r"loud bang|(?:rabbit|somebody|someone) jump(?:s|ed)|(?:jump|pop|leap)(?:s|ed)? out|\bboo\b|\bghost|out of nowhere|"
     r"elephant in", "surprised"),
    (r"(?:drops?|dropped|loses|lost) (?:his|her|its|the|an)|ice cream falls|moves? far away|moved far away|(?:toy|kite|balloon) breaks|"
     r"is broken|cancel|bad news|nobody wants|all alone|scold", "sad"),
    (r"calms? down|settles? down|deep breath|relaxes", "calm"),
    (r"\bpresents?\b|cheers? up|cheered up|\bgift|\bwins\b|\bwon\b|first prize|\bmedal|\bhug\b|\bjoke|tickle|good news|"
     r"(?:given|gets|gives|got) (?:\w+ )*(?:ice cream|treat|sweets|cake)", "happy"),
)  # fmt: skip
_BEINGS: Final = ("boy", "girl", "dog", "cat", "man", "woman", "child")
_THINGS: Final = (*_BEINGS, *dict.fromkeys(noun for _, noun in RIDDLES))
_GOES: Final = (
    r"tak(?:es?|en|ing) (?:\w+ ){0,5}away|vanish|go(?:es|ne)? away|runs? (?:off|away)|has run off|"
    r"(?<!not )lets? go|has to go home|"
    r"disappear|drives? off|thr(?:own|ows?) away|carrie[sd] off|fl(?:ies|ew) away|blown away|walks? (?:off|away)|"
    r"(?<!clouds )(?:is|are|was|were) gone|(?:goes|went) home|lumberjack|woodcutter|what is left"
)
_COMES: Final = (
    r"\bbrings?\b|wishes for|puts? something|gets a twin\b|\bappear(?:s|ed)\b|turns? up|comes? along|sets? down|"
    r"\bplants? something|\bparks?\b|\b(?:is )?built\b|\bbuilds? (?:something|a)|rolls? in|joined|arrives? here|moves in"
)
_TRAVELS: Final = (
    r"(?:walks|drives|runs|rolls|slides|hops|swims|flies|moves|goes|drifts|"
    r"crawls|crosses|wanders|floats|travels|hurries|steps)(?: over| across| all the way)*"
)
_CARRIES: Final = r"(?:blows|kicks|pushes|carries|moves|throws|pulls|drags|rolls|takes)"
_OVER: Final = r"(?: over| across| all the way)* to the (?:other|opposite|far) side"


def answer_question(question: str, seen: SeenPicture | None) -> Effect:
    """Answer a question.

    Args:
        question: In English.
        seen: What was found in the picture, if somebody looked.

    Raises:
        InputError: If no rule knows an answer, or the picture is needed and does not show what is asked about.
    """
    asked = " ".join(question.lower().split())
    picture = _Picture(seen)
    for rule in (_feeling, _moving, _coming, _going, _scenery):
        effect = rule(asked, picture)
        if effect is not None:
            return effect
    raise InputError(
        f"the rules know no answer to {question!r}; ask a model: --planner openai, or answer_by=answerer for BLIP-2"
    )


class _Picture:
    """What was seen, asked for only where a question needs it."""

    def __init__(self, seen: SeenPicture | None) -> None:
        self._seen = seen

    @property
    def seen(self) -> SeenPicture:
        if self._seen is None:
            raise InputError("this question can only be answered by who sees the picture; set look=true")
        return self._seen


def _scenery(asked: str, picture: _Picture) -> Effect | None:
    scene = _match(CAUSES_OF_SCENES, asked)
    for pattern, (turned, back) in TURNS:
        if scene is None and re.search(pattern, asked):
            scene = back if picture.seen.scene == turned else turned
    if scene is None or " if it is " in asked:
        return None  # "if it is dark it gets light": what it becomes depends on what it is
    return Effect(f"the cause makes the scene {scene}", f"it is {SCENES[scene]} now", f"turn it into {SCENES[scene]}")


def _feeling(asked: str, picture: _Picture) -> Effect | None:
    mood = _match(FEELINGS, asked)
    if mood is None:
        return None
    if "further to the left" in asked or "further to the right" in asked:
        beings = [thing for thing in picture.seen.things if thing.noun in _BEINGS]
        side = 1 if "left" in asked else -1
        who = min(beings, key=lambda being: side * being.center[0]).noun if beings else _nobody()
    elif re.search(r"who is crying|the one who", asked):
        who = next((t.noun for t in picture.seen.things if t.mood == "sad" and t.noun in _BEINGS), None) or _nobody()
    else:
        named = _named(asked, _BEINGS)
        if named is None:
            return None
        who = named
    return Effect(f"what happens makes the {who} {mood}", f"the {who} is {mood} now", f"make the {who} {mood}")


def _going(asked: str, picture: _Picture) -> Effect | None:
    if not re.search(_GOES, asked):
        return None
    noun = _match(RIDDLES, asked)
    if noun is not None:
        return _gone(noun)
    return _gone(_pointed_at(asked, picture).name)


def _coming(asked: str, picture: _Picture) -> Effect | None:
    if not re.search(_COMES, asked):
        return None
    if re.search(r"\btwin\b", asked):
        return _doubled(picture.seen.outermost(1 if "left" in asked else -1))
    noun, color = _match(RIDDLES, asked), _match(COLORS_OF, asked)
    if noun is None:
        return None
    like = re.search(r"colou?r (?:of|as|with) the (\w+)", asked)
    if color is None and like:
        color = picture.seen.only(like[1]).color
    elif color is None and re.search(r"colou?r", asked):
        return None
    phrase = f"{color} {noun}" if color else noun
    who = re.search(r"hands of the (\w+)", asked)
    if who:
        held = f"{article(phrase)} {phrase}"
        return Effect(
            "it is in the hands now",
            f"the {who[1]} is holding {held} now",
            f"put {held} into the hands of the {who[1]}",
        )
    return Effect(
        f"the riddle means a {noun}",
        f"there is {article(phrase)} {phrase} now",
        f"add {article(phrase)} {phrase}",
    )


def _moving(asked: str, picture: _Picture) -> Effect | None:
    swapped = re.search(
        r"the (\w+) and the (\w+) (?:change|swap|trade|switch|exchange) (?:places|positions|spots|seats)", asked
    )
    if swapped:
        left, right = sorted((picture.seen.only(noun) for noun in swapped.groups()), key=lambda thing: -thing.center[0])
        return Effect(
            "they change places",
            f"the {left.noun} is on the left and the {right.noun} on the right now",
            f"swap the {left.noun} and the {right.noun}",
        )
    moved = _moved_to(asked, picture)
    if moved is not None:
        return moved
    color = _match(COLORS_OF, asked)
    if color is None or re.search(_COMES, asked):
        return None
    dressed = re.search(r"the (\w+) puts on clothes", asked)
    if dressed:
        return Effect("the clothes change", f"the {dressed[1]} is in {color} now", f"dress the {dressed[1]} in {color}")
    painted = re.search(r"paints? the (\w+)(?: on the far (left|right))?", asked)
    if painted is None:
        return None
    if painted[2] is None:
        return _painted(painted[1], color)
    return _painted(picture.seen.outermost(1 if painted[2] == "left" else -1).noun, color)


def _moved_to(asked: str, picture: _Picture) -> Effect | None:
    """Who or what goes where: down, up, to a side or to the other one."""
    for pattern, place in (
        (
            r"the (\w+) (?:falls|tumbles|drops|sinks|crashes)(?: all the way)? (?:down|to the ground|to the bottom)",
            "at the bottom",
        ),
        (
            r"the (\w+) (?:flies up|floats up|rises|takes off(?! (?:one|his|her|its|the))|is lifted)",
            "at the top",
        ),
        (r"(?:lifts|pulls|carries) the (\w+) (?:up|high|into the air)", "at the top"),
        (rf"the (\w+) {_TRAVELS} to the (?:far )?left(?! of)", "on the left"),
        (rf"the (\w+) {_TRAVELS} to the (?:far )?right(?! of)", "on the right"),
        (rf"{_CARRIES} the (\w+)(?: over| across)? to the (?:far )?left(?! of)", "on the left"),
        (rf"{_CARRIES} the (\w+)(?: over| across)? to the (?:far )?right(?! of)", "on the right"),
        (rf"{_CARRIES} the (\w+){_OVER}", ""),
        (rf"the (\w+) {_TRAVELS}(?:{_OVER}| to the (?:other|opposite|far) side)", ""),
    ):
        found = re.search(pattern, asked)
        if found is None or found[1] not in _THINGS:
            continue
        if not place:
            thing = picture.seen.only(found[1])
            place = "on the right" if thing.center[0] < picture.seen.width / 2 else "on the left"
        return _moved(found[1], place)
    return None


def _pointed_at(asked: str, picture: _Picture) -> SeenThing:
    """What a question points at without naming it."""
    seen = picture.seen
    beside = re.search(r"\b(left|right) of the (\w+)", asked)
    if beside:
        return seen.beside(seen.only(beside[2]), left=beside[1] == "left")
    if re.search(r"\b(?:above|below|under|over|next to|beside|behind|near|in front of) the \w+", asked):
        raise InputError("the rules know what is left or right of something, and no other place; name the thing itself")
    if "far left" in asked or "far right" in asked:
        return seen.outermost(1 if "far left" in asked else -1)
    if re.search(r"in (his|her|its) hands|\b(?:holds|holding|carries|carrying|burden)\b", asked):
        return seen.at_hand(seen.only(_named(asked, _BEINGS) or _nobody()))
    if "child" in asked:
        return next((thing for thing in seen.things if thing.noun in ("boy", "girl", "child")), None) or seen.only(
            "child"
        )
    if "unlike all the others" in asked:
        return _odd(seen)
    if re.search(r"\b(?:left|right|hands?)\b", asked.replace("what is left", "")):
        raise InputError("the rules do not read which thing of the picture is meant; name it")
    named = _named(asked, tuple(thing.noun for thing in seen.things))
    return seen.only(named or _nobody())


def _odd(seen: SeenPicture) -> SeenThing:
    nouns = [thing.noun for thing in seen.things]
    found = [thing for thing in seen.things if nouns.count(thing.noun) == 1]
    if not found:
        raise InputError("the detector finds nothing in the picture that is unlike all the others")
    return found[0]


def _gone(name: str) -> Effect:
    return Effect(f"the {name} goes", f"the {name} is gone now", f"remove the {name}")


def _doubled(thing: SeenThing) -> Effect:
    many = f"{thing.color} {plural_of(thing.noun)}" if thing.color else plural_of(thing.noun)
    return Effect(f"another {thing.noun} comes", f"there are two {many} now", f"add another {thing.name}")


def _moved(noun: str, place: str) -> Effect:
    return Effect(f"the {noun} moves", f"the {noun} is {place} now", f"move the {noun}: it is {place} now")


def _painted(noun: str, color: str) -> Effect:
    return Effect(f"the {noun} changes its colour", f"the {noun} is {color} now", f"make the {noun} {color}")


def _match(table: Sequence[tuple[str, str]], asked: str) -> str | None:
    return next((meaning for pattern, meaning in table if re.search(pattern, asked)), None)


def _named(asked: str, nouns: Sequence[str]) -> str | None:
    """The noun that a question names first."""
    places = {noun: found.start() for noun in nouns if (found := re.search(rf"\b{re.escape(noun)}\b", asked))}
    return min(places, key=lambda noun: places[noun]) if places else None


def _nobody() -> str:
    raise InputError("the rules do not find in the picture whom or what the question is about")
