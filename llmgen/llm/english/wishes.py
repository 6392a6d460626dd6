"""Wishes, questions and fragments turned into commands: "What if the ball were blue?", "no lamp please", "cat -> dog"."""

import re
from typing import Final

from llmgen.llm.english.lexicon import COLORS

_SOME: Final = r"(?:a|an|the|some|several|many|more|another|one|two|three|four|five|\d+|any|no|all|both|every|his|her|its|their|my|your)"
_THOSE: Final = (
    r"(?:have |let |get )?((?:the|all|every|everything|everyone|everybody|both|each|"
    r"this|that|these|those|its|his|her|their|my|it|they)\b.*?) (?:to )?"
)
_PLACED: Final = r"(?:on|in|at|to|under|above|below|next|near|behind|beside|between|over|where|further|closer|up|down)"
_MODAL: Final = r"(?:should|would|could|must|shall|might|can|has to|have to|had to|needs? to|ought to|(?:is|are) (?:supposed |meant )?to)"
_BE: Final = (
    rf"(?:was|were|is|are|be|became|become|becomes|turned|looked|had been|{_MODAL} (?:now |rather |instead )?"
    r"(?:be|become|look|turn|get|appear))"
)
_GONE: Final = (
    r"(?:gone|removed|deleted|missing|absent|away|not there|not (?:in|on) the (?:picture|image|photo|scene)|erased)"
)
_IN_IT: Final = r"(?:in|on|part of) (?:it|the (?:picture|image|photo|scene))"
_NOT: Final = r"(?:(?:should|must|need|can|could|ought)(?: not|n['’]t) (?:to )?|does(?: not|n['’]t) belong |do(?: not|n['’]t) belong )"
_OUT: Final = (
    r"^\s*(?:please[, ]+)?(?:take|cut|edit|leave) ((?:(?! and | then |,).)+?) out"
    r"(?: of (?:it|the (?:picture|image|photo|scene)))?[.! ]*$"
)
_LEAD: Final = (
    r"^\s*(?:please[, ]+)?(?:what if|how about(?: if)?|what about(?: if)?|imagine(?: if| that)?|suppose(?: that)?|i wish|"
    r"i(?:['’]d| would) (?:like|want|prefer|love)(?: it if| to see| to have| that)?|i want(?: that| to see)?|i need|"
    r"can (?:you|we|i)(?: have| get| see| please)?|could (?:you|we|i)(?: have| get| see| please)?|make it (?:look like|seem like|so that)|"
    r"(?:make|be) sure(?: that)?|ensure(?: that)?|see to it that|would you|let['’]s|let us|we (?:need|want)(?: to)?)\s+"
)
_UNWANTED: Final = (
    r"^(?:i|we) (?:do not|don['’]t|no longer) (?:want|need|like)(?: to see)? ((?:the|any|all|that|this|those|these|my|his|her)\b.+?)"
    r"(?: there| here| in there| any ?more| in (?:it|the (?:picture|image|photo|scene)))*$"
)
_THERE_IS: Final = (
    rf"(?:there (?:{_MODAL} be|is|are|was|were)|(?:i|we|you) (?:{_MODAL} have|want|need|have|had)|"
    r"i(?:['’]d| would) (?:like|prefer|love)(?: to see| to have)?|put|add|place|draw|show|have|insert|use|make it)"
)
_STANDS: Final = r"(?:sit|stand|lie|rest|hang|perch|lean|float|hover|be)"
_COLORS: Final = "|".join(sorted(COLORS))
_REASON: Final = (
    r"^(?:(?:i think|i feel) )?((?:the|this|that|these|those|my|his|her)\b.+?) "
    r"(?:(?:looks?|seems?|feels?|appears?)|(?:is|are) (?:too|so|way too|not))\b(?! (?:like|as)\b).*$"
)
"""Why something should be done, before that is said: "the plant looks sad, replace it"."""
_FORMS: Final[tuple[tuple[str, str], ...]] = (
    (rf"^(?:there|it) (?:{_BE[3:-1]}|had|has) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:we|you|it|i|they|the (?:picture|image|photo|scene)) (?:had|has|have) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:have|let|make|get) there be no (?:more )?(.+)$", r"remove all \1"),
    (rf"^(?:no(?: more)?|without)(?: any| the)? (?!change|edit|need|other|matter|touching|changing|chang|alter)((?:(?!\b{_BE} ).)+)$",
     r"remove all \1"),
    (_UNWANTED, r"remove \1"),
    (rf"^instead of (.+?),? {_THERE_IS} (.+)$", r"replace \1 with \2"),
    (r"^(?:the )?([\w-]+(?: [\w-]+){0,2}) ?(?:-+|=+|→)>? ?(?:an? )?([\w-]+(?: [\w-]+){0,3})$", r"replace the \1 with a \2"),
    (r"^(?:have|let|make|get) (?:there|it) (?:to )?be (.+)$", r"add \1"),
    (rf"^there (?:was|were|is|are|be|{_MODAL} be) (?:also )?(.+)$", r"add \1"),
    (r"^(?:we|you|i|they|it) (?:had|have|has|got) (?:also )?(.+)$", r"add \1"),
    (rf"^(?:have|let|make|get) ((?:a|an|some|another|one|two|three|four|five|\d+)\b.+?) {_STANDS} (?={_PLACED}\b)", r"add \1 "),
    (rf"^(?:have|let|make|get) ((?:the|both|all|his|her|its|my)\b.+?) {_STANDS} (?={_PLACED}\b)", r"move \1 "),
    (rf"^(?:neither|none) of ((?:the|these|those|my|his|her)\b.+?) {_MODAL} (?:be|stay|remain)\b(?: there| here| left| {_IN_IT})?$",
     r"remove all \1"),
    (rf"^((?:the|both|all|every)\b(?:(?!\b{_BE} ).)+?) in ({_COLORS})$", r"make \1 \2"),
    (r"^(?:have|get|see) ((?:a|an|some|another|one|two|three|four|five|\d+)\b.+)$", r"add \1"),
    (r"^(?:we|you|i) (?:removed|remove) (.+)$", r"remove \1"),
    (r"^(?:we|you|i) (?:added|add) (.+)$", r"add \1"),
    (r"^(?:we|you|i) (?:moved|move) (.+)$", r"move \1"),
    (r"^(?:we|you|i) (?:made|make) (.+)$", r"make \1"),
    (r"^(?:we|you|i) (?:swapped|swap) (.+)$", r"swap \1"),
    (r"^(?:we|you|i) (?:replaced|replace) (.+)$", r"replace \1"),
    (r"^(?:we|you|i) (?:turned|turn) (.+)$", r"turn \1"),
    (r"^(?:we|you|i) (?:put|placed|place) (.+)$", r"put \1"),
    (r"^(?:we|you|i) (?:painted|paint) (.+)$", r"paint \1"),
    (rf"^{_THOSE}{_BE} {_GONE}$", r"remove \1"),
    (rf"^{_THOSE}{_GONE}$", r"remove \1"),
    (rf"^{_THOSE}{_NOT}(?:be )?(?:there|here|visible|shown|{_IN_IT})$", r"remove \1"),
    (rf"^{_THOSE}{_MODAL} (?:go|go away|get out|disappear|vanish|leave)$", r"remove \1"),
    (rf"^{_THOSE}(?:{_MODAL} )?(?:trade|switch|change|swap|exchange) (?:places|positions)$", r"swap \1"),
    (rf"^{_THOSE}{_MODAL} (?:stay|remain)\b(?: there| here| as .+| where .+| the same| unchanged| untouched)?$", r"keep \1"),
    (rf"^{_THOSE}(?:{_MODAL} )?match(?:es|ed)? (?=the |my |his |her )", r"make \1 match "),
    (rf"^{_THOSE}{_BE} (moved|shifted|pushed|put|placed) (.+)$", r"move \1 \3"),
    (rf"^{_THOSE}{_MODAL} (?:hang|stand|sit|lie|go|move|come|rest|float|fly|be) (?={_PLACED}\b)(.+)$", r"move \1 \2"),
    (rf"^{_THOSE}{_BE} (?={_PLACED}\b)(.+)$", r"move \1 \2"),
    (rf"^{_THOSE}{_BE} (.+)$", r"make \1 \2"),
)  # fmt: skip
_BEGINS: Final = re.compile(
    r"(?:have|let|get|no|without|instead|i|we) |make (?:(?:there|it) be|an?) |there |the |all |both |every|neither |none |it |they |"
    r"[\w -]+(?:->|=>|→)",
    re.IGNORECASE,
)
"""How a wish begins that nobody led in by "what if" and the like."""
_ENDS: Final = re.compile(
    r"(\s*[.;!?]+\s+(?:(?:and|but|then|so)\s+)?|,\s+(?:and|but|then|so)\s+(?:then\s+)?|\s+and\s+(?=no\s)|"
    r",\s+(?=(?:(?:just|please|so|instead)\s+)?(?:make|move|put|replace|turn|remove|delete|add|paint|change|swap|shift|give|get|take)\b))"
)
_IT: Final = re.compile(r"\b(?:it|them)\b", re.IGNORECASE)
_REST: Final = r"(?=$|[,.;!?]| and (?!the )| then )"
_SPOT: Final = r"(?:place|position|spot|location)"
_SAID_SIMPLY: Final[tuple[tuple[str, str], ...]] = (
    (
        r"\b((?:make|paint|turn|dye|colou?r|give) (?:the|all|both|my|his|her|it) ?[^,.;]*? )"
        r"(?:in |to |into )?the (?:same )?colou?r of (?=(?:the|my|his|her)\b)",
        r"\1the same colour as ",
    ),
    (r"\b(?:in|at) (?:the )?(?:place|stead) of\b|\bin lieu of\b", "instead of"),
    (r"\b(?:in|into|to|at|on) (?:its|their|his|her) (?:place|stead|spot)\b", "where it was"),
    (rf"\b(?:in|into|to|at|on) (?:the )?{_SPOT} of ((?:the|my|that|this) .+?){_REST}", r"where \1 is"),
    (rf"\b(?:in|into|to|at|on) ((?:the|my|that|this) [^,.;]+?)['’]s {_SPOT}\b", r"where \1 is"),
)
"""Other words for a place that something has or had."""
_BOTH: Final = re.compile(r"\bboth (?=(?:the|my|his|her|their|its) (?:[\w-]+ ){1,4}and\b)", re.IGNORECASE)
_JUST: Final = re.compile(
    r"\b(?:directly|just|immediately|exactly|precisely|straight|(?<!the )(?<!to )(?<!top )(?<!bottom )(?<!upper )(?<!lower )(?<!far )right)"
    r" (?=(?:beside|next to|above|below|under|underneath|beneath|behind|in front|between|on top|over|near|in the|on the|at the|where)\b)",
    re.IGNORECASE,
)


def as_command(text: str) -> str:
    """A wish as the command that it means; any other text as it is.

    Args:
        text: An instruction.
    """
    text = re.sub(r"^\s*(?:please[, ]+)?(?:only|just) (keep|leave) ", r"\1 only ", text, flags=re.IGNORECASE)
    text = _JUST.sub("", _BOTH.sub("", re.sub(_OUT, r"remove \1", text, flags=re.IGNORECASE)))
    for pattern, simple in _SAID_SIMPLY:
        text = re.sub(pattern, simple, text, flags=re.IGNORECASE)
    parts = _ENDS.split(text)
    said: list[str] = []
    for number in range(0, len(parts), 2):
        wish, follows = parts[number], "".join(parts[number + 1 : number + 3])
        unwanted = re.match(_UNWANTED, wish.strip(), re.IGNORECASE) or re.match(_REASON, wish.strip(), re.IGNORECASE)
        if unwanted and _IT.search(follows):
            # "I don't want the tree there; move it to the left": that it should go is not meant, nor that it should look sad.
            parts[number + 1], parts[number + 2] = "", _IT.sub(unwanted[1], parts[number + 2], count=1)
            said += ["", ""]
            continue
        said += [_one(wish), *parts[number + 1 : number + 2]]
    return "".join(said)


def _one(text: str) -> str:
    """One wish, or several that "and" joins and that are wishes each."""
    for joint in re.finditer(r" and ", text):
        parts = text[: joint.start()], text[joint.end() :]
        commands = [_converted(part) for part in parts]
        if all(commands):
            return " and ".join(commands)
    command = _converted(text)
    if command:
        return command
    body = re.sub(_LEAD, "", text.strip(), count=1, flags=re.IGNORECASE)
    if body == text.strip():
        indefinite = re.match(r"(?:(?:an?|another) (?!bit\b|little\b|lot\b)|(?:some|one) more )", body, re.IGNORECASE)
        return f"add {body}" if indefinite else text
    if re.match(rf"{_SOME}\b|\w+s\b", body.rstrip(" ?!."), re.IGNORECASE) and not re.match(
        r"\s*(?:please[, ]+)?(?:let|would|make|ensure|be sure|see)", text, re.IGNORECASE
    ):
        return f"add {body.rstrip(' ?!.')}"
    return body.rstrip(" ?!.")


def _converted(text: str) -> str:
    """A wish in one of the known forms as a command, "" for any other text."""
    text = re.sub(r"^\s*please[, ]+", "", text, flags=re.IGNORECASE)
    wish = re.sub(_LEAD, "", text.strip(), count=1, flags=re.IGNORECASE)
    body = re.sub(
        r"(?:,? (?:please|thanks|thank you|either|as well|too|now|at all))*[ ?!.]*$", "", wish, flags=re.IGNORECASE
    )
    if wish == text.strip() and not _BEGINS.match(body):
        return ""
    for pattern, command in _FORMS:
        if re.match(pattern, body, re.IGNORECASE):
            return re.sub(pattern, command, body, count=1, flags=re.IGNORECASE)
    return ""
