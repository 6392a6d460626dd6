"""Wishes, questions and fragments turned into commands: "What if the ball were blue?", "no lamp please", "cat -> dog"."""

import re
from typing import Final

from llmgen.llm.english import statements as st
from llmgen.llm.english.clauses import is_command
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.lexicon import COLORS, NUMBERS
from llmgen.llm.english.selections import read_selection
from llmgen.llm.english.tokens import tokenize
from llmgen.llm.replies.bounds import Remark, log_remark

_SOME: Final = r"(?:a|an|the|some|several|many|more|another|one|two|three|four|five|\d+|any|no|all|both|every|his|her|its|their|my|your)"
_NEW: Final = r"(?:a|an|some|another|one|two|three|four|five|\d+)"
_THE: Final = r"(?:the|any|all|that|this|those|these|my|his|her|your|both)"
_N: Final = rf"(?:{'|'.join(n for n in NUMBERS if n != 'one')}|\d+|a single|one(?! (?:more|of|bit|side)\b))"
_BE: Final = rf"(?:was|were|is|are|be|{st.MODAL} (?:only |just |also )?be|needs? to be)"
_OUT: Final = (
    r"^\s*(?:please[, ]+)?(?:take|cut|edit|leave|get|kick|move) ((?:(?! and | then |,).)+?) out"
    r"(?: of (?:it|here|there|the (?:picture|image|photo|scene|frame|shot|way)))?[.! ]*$"
)
_PLAIN: Final[tuple[tuple[str, str], ...]] = (
    ("’", "'"),
    (r"^\s*(?:please[, ]+)?(?:only|just) (keep|leave) ", r"\1 only "),
    (r"\b(?:pls|plz)\b", "please"),
    (r"\b(?:can|could|would|will) u\b", "can you"),
    (r"\bwanna\b", "want to"),
    (r"\b(there|it|that|he|she)'s (?=\w)", r"\1 is "),
    (r"\bpolka dotted\b", "polka-dotted"),
    (r"\b(can|could|would|will) (?:you|u) (?:please )?(?:make|ensure) (?=(?:sure|it so)\b)", r"\1 you make "),
    (r"\b(?:make|create|add|put|draw) (?:a|one|another) (?:copy|duplicate|clone|double|twin) of\b", "duplicate"),
    (r"\b(?:make|create|add|put|draw) (\w+) (?:copies|duplicates|clones) of (.+?)(?=$|[,.;!?])", r"duplicate \2 \1 times"),
    (rf"\b(?:swap|switch|trade|change|exchange) (?:out )?({_THE} (?:(?! and |,).)+?)(?: out)? (?=for\b)", r"replace \1 "),
    (rf"\b(?:swap|switch|trade|change) out ({_THE} (?:(?! and |,).)+?) (?=with\b|by\b)", r"replace \1 "),
    (r"\b(?:swap|switch|exchange|interchange|trade) (?:the )?(colou?r|size)s?(?: of| between| for)? (?=the|my|both|all|these|those)", r"exchange-\1s "),
    (r"\b(?:swap|switch|exchange|interchange|trade) (the [\w ]+?)'s (?:colou?r) (?:with|and|for) (the [\w ]+?)(?:'s(?: colou?r)?)?(?=$|[,.;!?])",
     r"exchange-colors \1 and \2"),
    (r"\b(make .+?) the (?:same )?size (?:of|as) (?=the\b|my\b)", r"\1 as big as "),
    (rf"\bthere (?:are|is) too many ([\w ]+?)[.,;:!]+ (?:just |only )?({_N})\b(?: of (?:them|those))?", r"\2 \1"),
    (rf"\b(?:duplicate|clone|copy|add|draw|remove|delete) (?:the |that |more |some )?([\w ]+?) (?:so|until|till)(?: that)? (?:we|i|you|there) "
     rf"(?:have|are|is|get)(?: only| just)? ({_N})\b(?: of (?:them|it|those))?(?: left)?", rf"have exactly \2 \1"),
    (r"\bset (?=the (?:colou?r|size)\b)", "change "),
    (r"\b(?:the )?way (the .+?|it) (?:is|are) (?:colou?red|painted)", r"the same colour as \1"),
    (rf"\bfrom ({'|'.join(sorted(COLORS))}) (?=to\b)", ""),
)  # fmt: skip
"""Other words for what is said in one way from here on."""
_LEADS: Final = re.compile(
    r"\s*(?:(?:please|kindly|maybe|perhaps|ok|okay|hey|hi|oh|well|actually|instead(?! of)|in addition|additionally|(?:i think|i guess|i feel|"
    r"i believe)(?: that| like)?|if possible)\b[, ]*"
    r"|(?P<ask>(?:can|could|would|will) you(?: (?:please|maybe|possibly|just))*(?! have| see)|you (?:should|could|can|might|must|need to|have to)|"
    r"would it be possible to|is it possible to|i(?: would|'d) like you to|i want you to|i need you to|i(?: would|'d)? (?:want|like|love|prefer) to"
    r"(?! (?:see|have|get))|would you mind|do you mind|mind|how about (?=\w+ing\b)|what about (?=\w+ing\b)|why don't (?:you|we)|why not|"
    r"go ahead and|try to|try|feel free to|we should|let's|let us|remember to|don't forget to|be so kind (?:as )?to)\b[, ]*"
    r"|(?P<wish>what if|how about(?: if)?|what about(?: if)?|imagine(?: if| that)?|suppose(?: that)?|i wish(?: for)?|"
    r"i(?:'d| would) (?:really |also )?(?:like|want|love)(?: it if| to see| to have| to get| that)?|i (?:really |also )?want(?: that| to see| to have)?|"
    r"i (?:also )?need(?: to see| to have)?|(?:can|could|may) (?:you|we|i) (?:please )?(?:have|get|see)|make it (?:look like|seem like|so that|so)|"
    r"make it (?=there\b)|(?:make|be) sure(?: that)?|ensure(?: that)?|see to it that|we (?:need|want)(?: to have| to)?|"
    r"it(?: would|'d) (?:be|look) \w+(?: \w+)? if|i(?: would|'d) (?:be happy|be happier|prefer it) if|would it be \w+ if|i hope(?: that)?)\b[, ]*)",
    re.IGNORECASE,
)
"""How a request (a command follows) and a wish (a state of things, or a thing) begin."""
_TAIL: Final = re.compile(
    r"(?:,? (?:please|thanks|thank you|either|as well|too|now|at all|if possible|if you can))*[ ?!.]*$", re.IGNORECASE
)
_UNWANTED: Final = (
    rf"^(?:i|we) (?:do not|don't|no longer) (?:want|need|like)(?: to see)? ({_THE}\b.+?)"
    rf"(?: any ?more| in there| {st.IN_IT})*$"
)
_DISLIKED: Final = (
    rf"^({_THE}\b.+?) (?:(?:is|are) (?:not|no longer) (?:needed|necessary|wanted)|(?:is|are)n't (?:needed|necessary|wanted)|"
    r"(?:is|are) (?:unnecessary|superfluous|in the way|not supposed to be there)|(?:does|do)(?: not|n't) (?:belong|fit)(?: in)?(?: here| there| in it)?|"
    r"bothers? me|annoys? me|distracts? me)$"
)
_THERE_IS: Final = (
    rf"(?:there (?:{st.MODAL} be|is|are|was|were)|(?:i|we|you) (?:{st.MODAL} have|want|need|have|had)|"
    r"i(?:'d| would) (?:like|prefer|love)(?: to see| to have)?|put|add|place|draw|show|have|insert|use|make it)"
)
_STANDS: Final = r"(?:sit|stand|lie|rest|hang|perch|lean|float|hover|fly|be)"
_BETTER: Final = r"(?:better|nicer|prettier|cooler|preferable|more fitting|more suitable|great|nice|good|cool|lovely)"
_COLORS: Final = "|".join(sorted(COLORS))
_REASON: Final = (
    r"^(?:(?:i think|i feel) )?((?:the|this|that|these|those|my|his|her)\b.+?) "
    r"(?:(?:looks?|seems?|feels?|appears?)|(?:is|are) (?:too|so|way too|not))\b(?! (?:like|as)\b).*$"
)
"""Why something should be done, before that is said: "the plant looks sad, replace it"."""
_EXACTLY: Final = "have exactly"
"""The command by which there are so many of something."""
_FORMS: Final[tuple[tuple[str, str], ...]] = (
    # How many there should be.
    (rf"^(?:there|it) (?:{_BE[3:-1]}|had|has) (?:only |just |exactly )*({_N} .+?)(?: only)?$", rf"{_EXACTLY} \1"),
    (rf"^(?:only|just|exactly|keep only|keep just|leave only|leave just|only keep|only leave|make (?:it|that)) ({_N} [^,]+)$", rf"{_EXACTLY} \1"),
    (rf"^(?:have|show|with|let there be) (?:only|just|exactly) ({_N} [^,]+)$", rf"{_EXACTLY} \1"),
    (rf"^({_N}) of (?:the |them )?(.*?) ?(?:is|are|would be|will be) (?:enough|plenty|sufficient|all .+)$", rf"{_EXACTLY} \1 \2"),
    (rf"^({_N} .+?|{_N}) (?:(?:is|are|would be|will be|'d be) (?:enough|plenty|sufficient|fine)|(?:would|will|should|'ll) (?:do|suffice))$", rf"{_EXACTLY} \1"),
    (rf"^({_N} .+?) (?:only|in total|altogether)$", rf"{_EXACTLY} \1"),
    (rf"^({_N}) (.+?) (?:less|fewer)$|^({_N}) (?:less|fewer) (.+)$", r"remove \1\3 \2\4"),
    (rf"^(?:reduce|increase|limit|change|raise|lower|bring|cut|make)\b.* number of (.+?) (?:to|be) ({_N})$", rf"{_EXACTLY} \2 \1"),
    (rf"^(?:the )?number of (.+?) {st.MODAL} be ({_N})$", rf"{_EXACTLY} \2 \1"),
    (r"^double (?:the )?number of (.+)$|^twice as many (.+)$", r"duplicate all \1\2"),
    # What should not be there.
    (rf"^(?:there|it) (?:{_BE[3:-1]}|had|has) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:we|you|it|i|they|the (?:picture|image|photo|scene)) (?:had|has|have) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:have|let|make|get) there be no (?:more )?(.+)$", r"remove all \1"),
    (r"^there (?:should|must|need|can|could|would)(?: not|n't)(?: to)? be (?:any |an? |the )?(?!too |more than )(.+)$", r"remove all \1"),
    (rf"^(?:no(?: more)?|without)(?: any| the)? (?!change|edit|need|other|matter|touching|changing|chang|alter)((?:(?!\b{_BE} ).)+)$",
     r"remove all \1"),
    (_UNWANTED, r"remove \1"),
    (_DISLIKED, r"remove \1"),
    (rf"^(?:i|we) (?:can|could) do without ({_THE}\b.+)$", r"remove \1"),
    (rf"^(?:neither|none) of ((?:the|these|those|my|his|her)\b.+?) {st.MODAL} (?:be|stay|remain)\b(?: left| {st.IN_IT})?$",
     r"remove all \1"),
    # What should be another.
    (rf"^instead of (.+?),? {_THERE_IS} (.+)$", r"replace \1 with \2"),
    (rf"^(an? .+?) would (?:be|look) {_BETTER}(?: there| here)? than (.+)$", r"replace \2 with \1"),
    (rf"^(an? .+?) would (?:be|look) {_BETTER}(?: there| here)?$", r"prefer \1"),
    (r"^i(?:'d| would) (?:rather|prefer)(?: to)?(?: have| see)? (an? .+?)(?: instead)?$", r"prefer \1"),
    (rf"^((?:{_COLORS})) ([\w-]+) (?:instead of|not|rather than) (?:{_COLORS})$", r"make the \2 \1"),
    (r"^(?:the )?([\w-]+(?: [\w-]+){0,2}) ?(?:-+|=+|→)>? ?(?:an? )?([\w-]+(?: [\w-]+){0,3})$", r"replace the \1 with a \2"),
    # What should be there.
    (r"^(?:have|let|make|get) (?:there|it) (?:to )?be (.+)$", r"add \1"),
    (rf"^(?:can|could|should|would|may|might) there (?:also )?be (.+)$|^there {_BE} (?:also )?(?!too |not |fewer |less )(.+)$", r"add \1\2"),
    (r"^(?:we|you|i|they|it) (?:had|have|has|got) (?:also )?(.+)$", r"add \1"),
    (rf"^(?:have|let|make|get) ({_NEW}\b.+?) {_STANDS} (?={st.PLACED})", r"add \1 "),
    (rf"^(?:have|get|see) ({_NEW}\b.+)$", r"add \1"),
    (rf"^((?:the|both|all|every)\b(?:(?!\b{_BE} ).)+?) in ({_COLORS})$", r"make \1 \2"),
)  # fmt: skip
_BEGINS: Final = re.compile(
    r"(?:have|let|get|make|no|without|instead|i|i'd|we|only|just|exactly|keep|leave|reduce|increase|limit|change|can|could|should|would|may|double|"
    rf"twice|show|{_COLORS}) |there |the |all |both |every|neither |none |it |they |he |she |"
    rf"[\w -]+(?:->|=>|→)|{_N} |an? .+ (?:should|would|could|must|needs to|has to) ",
    re.IGNORECASE,
)
"""How a wish begins that nobody led in by "what if" and the like."""
_ENDS: Final = re.compile(
    r"(\s*[.;!?:]+\s+(?:(?:and|but|then|so)\s+)?|,\s+(?:and|but|then|so)\s+(?:then\s+)?|\s+and\s+(?=no\s)|"
    r",\s+(?=(?:(?:just|please|so|instead|simply)\s+)?(?:make|move|put|replace|turn|remove|delete|add|paint|change|swap|shift|give|get|take|"
    r"drop|erase|lose|shrink|enlarge|recolou?r|duplicate|place|draw)\b))"
)
_IT: Final = re.compile(r"\b(?:it|them|they)\b", re.IGNORECASE)
_WHY: Final = re.compile(
    r"(?:,? (?:because|since|as (?=(?:it|they)\b)|(?<!it )so (?:that )?(?=(?:the|it|they|we|i|you|there|one)\b)|in order to|to make (?:room|space)\b)|"
    r", (?=(?:it|they|that)(?:'s|n't| (?:is|are|looks?|seems?|does|do|bothers?|blocks?))\b))(?!.*\b(?:should|must|and then)\b)[^.;!?]*",
    re.IGNORECASE,
)
"""Why something should be done, after that was said."""
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
_TOPS: Final = frozenset("head back shoulder shoulders lap roof top nose".split())
_AT_PART: Final = re.compile(
    rf"\b(on top of|on|in|at|into|onto|over|by|around|to) ({_THE} [\w -]+?)'s ({'|'.join(sorted(_TOPS))}|hands?|foot|feet|arms?|neck|face|mouth|side|paws?)\b",
    re.IGNORECASE,
)
"""A part of something by which a place is named; it lies on top of that thing, or it does not."""
_BOTH: Final = re.compile(r"\bboth (?=(?:the|my|his|her|their|its) (?:[\w-]+ ){1,4}and\b)", re.IGNORECASE)
_JUST: Final = re.compile(
    r"\b(?:directly|just|immediately|exactly|precisely|straight|(?<!the )(?<!to )(?<!top )(?<!bottom )(?<!upper )(?<!lower )(?<!far )right)"
    r" (?=(?:beside|next to|above|below|under|underneath|beneath|behind|in front|between|on top|over|near|in the|on the|at the|where)\b)",
    re.IGNORECASE,
)


def as_command(text: str, remark: Remark = log_remark) -> str:
    """A wish as the command that it means; any other text as it is.

    Args:
        text: An instruction.
        remark: Told of what is taken for a reason, and so not done.
    """
    for pattern, simple in _PLAIN:
        text = re.sub(pattern, simple, text, flags=re.IGNORECASE)
    text = re.sub(_OUT, r"remove \1", text, flags=re.IGNORECASE)
    text = _JUST.sub("", _BOTH.sub("", text))
    for pattern, simple in _SAID_SIMPLY:
        text = re.sub(pattern, simple, text, flags=re.IGNORECASE)
    text = _AT_PART.sub(lambda found: f"{'on' if found[3].lower() in _TOPS else 'next to'} {found[2]}", text)
    text = _without_reason(text, remark)
    parts = _ENDS.split(text)
    said: list[str] = []
    for number in range(0, len(parts), 2):
        wish, follows = parts[number], "".join(parts[number + 1 : number + 3])
        spoken = _spoken_of(wish) if follows else ""
        if spoken and _IT.search(follows):
            # "I don't want the tree there; move it to the left": that it should go is not meant, nor that it should look sad.
            parts[number + 1], parts[number + 2] = "", _IT.sub(spoken, parts[number + 2], count=1)
            said += ["", ""]
            continue
        command = _one(wish)
        if follows and command == wish and _is_reason(wish) and _begins_command(parts[number + 2]):
            remark(f"{wish.strip()!r} is taken for a reason")
            parts[number + 1] = ""
            said += ["", ""]
            continue
        said += [command, *parts[number + 1 : number + 2]]
    return "".join(said)


def _without_reason(text: str, remark: Remark) -> str:
    """A text without what says why, at its end."""
    found = _WHY.search(text)
    if found is None or not found.start():
        return text
    remark(f"{found[0].strip(' ,')!r} is taken for a reason")
    return text[: found.start()] + text[found.end() :]


def _spoken_of(wish: str) -> str:
    """What a part of a text only brings up, for the next to say what should become of it; "" where it asks for something itself."""
    body = _LEADS.sub("", wish.strip(), count=1) if not re.match(r"\s*how|\s*what", wish, re.IGNORECASE) else wish.strip()
    body = re.sub(r"^(?:as for|about|regarding) ", "", body, flags=re.IGNORECASE)
    for pattern in (_UNWANTED, _REASON):
        found = re.match(pattern, body, re.IGNORECASE)
        if found and (pattern != _REASON or not re.search(rf"\b{st.MODAL}\b", body)):
            return found[1]
    tokens = tokenize(body)
    named = read_selection(tokens, 0, None) if re.match(rf"{_THE} ", body, re.IGNORECASE) else None
    if named is not None and named[1] == len(tokens):
        return body
    acting = re.match(rf"^({_THE} (?:[\w-]+ )??[\w-]+) ([a-z]+s) (?:the|my|a|our|everything|too|me)\b", body, re.IGNORECASE)
    return acting[1] if acting and look_up(acting[2].lower()).verb and not is_command(body.split()[0].lower()) else ""


def _is_reason(wish: str) -> bool:
    """Whether a part of a text says how things are: it begins no command and asks for nothing."""
    begins = re.match(r"\s*(?:there(?:'s| is| are)|it(?:'s| is| looks)|this|that|these|those|the|my|i (?:don't|do not|hate|dislike))\b", wish, re.IGNORECASE)
    return bool(begins) and not re.search(rf"\b{st.MODAL}\b", wish) and bool(re.search(r"\b(?:is|are|'s|too|not|\w+n't|\w+s)\b", wish))


def _begins_command(text: str) -> bool:
    first = re.match(r"\s*(?:please |just |so )*([\w']+)", text, re.IGNORECASE)
    return first is not None and is_command(first[1].lower())


def _one(text: str) -> str:
    """One wish, or several that "and" joins and that are wishes each."""
    body, wished, asked = _led(text)
    commands = _joined(body, wished=wished)
    if commands:
        return commands
    if not wished:
        indefinite = re.match(r"(?:(?:an?|another) (?!bit\b|little\b|lot\b)|(?:some|one|two|three) more )", body, re.IGNORECASE)
        return f"add {body}" if indefinite else body if asked else text
    bare = _TAIL.sub("", body)
    if re.match(r"(?:an?|some|another|more|several|many)\b|\w+s\b", bare, re.IGNORECASE) or re.match(rf"{_NEW}\b", bare, re.IGNORECASE):
        return f"add {bare}"
    return bare


def _led(text: str) -> tuple[str, bool, bool]:
    """A text without what leads it in, whether that wishes for something, and whether it asks for something to be done."""
    body, wished, asked = text.strip(), False, False
    while (lead := _LEADS.match(body)) is not None and lead.end():
        wished, asked = wished or lead["wish"] is not None, asked or lead["ask"] is not None
        body = body[lead.end() :]
    gerund, _, rest = body.partition(" ")
    lemma = look_up(gerund.lower()).verb if (asked or wished) and gerund.lower().endswith("ing") else ""
    return (f"{lemma} {rest}" if lemma and is_command(lemma) else body), wished, asked


def _joined(text: str, *, wished: bool) -> str:
    """Commands of a text that is a wish, or of several that "and" joins; "" for any other."""
    whole = _converted(text, wished=wished)
    for joint in re.finditer(r",? and |, (?:but )?", text):
        first = _converted(text[: joint.start()], wished=wished)
        rest = text[joint.end() :]
        second = first and (_joined(rest, wished=wished) or (rest if _begins_command(rest) else ""))
        if first and not second and wished and re.match(rf"{_NEW}\b", rest):
            second = f"add {rest}"
        if second:
            return f"{first} and {second}"
    return whole


def _converted(text: str, *, wished: bool) -> str:
    """A wish in one of the known forms as a command, "" for any other text."""
    text = re.sub(r"^\s*please[, ]+", "", text, flags=re.IGNORECASE)
    body = _TAIL.sub("", text.strip())
    if not wished and not _BEGINS.match(body):
        return ""
    counted = re.match(rf"(?:only |just |exactly )?({_N}) (?!of the|more)((?:(?!\b{st.MODAL}\b).)+)$", body, re.IGNORECASE)
    if wished and counted and counted[1].lower() != "one":
        return f"{_EXACTLY} {counted[1]} {counted[2]}"
    for pattern, command in _FORMS:
        found = re.match(pattern, body, re.IGNORECASE)
        if found:
            said = found.expand(command) + body[found.end() :]
            # "no lamp or chair" is neither of them.
            return re.sub(r" n?or ", " and ", said) if said.startswith("remove") else said
    caused = re.match(rf"(have|let|get|make) (?={st.SUBJECT})", body, re.IGNORECASE)
    if caused:
        made = caused[1].lower() == "make"
        rest = body[caused.end() :]
        return st.asked(rest) or ("" if made else st.statement(rest, wished=True) or st.small_clause(rest))
    past = re.match(r"(?:we|you|i) (\w+) (.+)$", body, re.IGNORECASE)
    if past and (lemma := look_up(past[1].lower()).verb) and is_command(lemma):
        return f"{lemma} {past[2]}"
    said = st.statement(body, wished=wished)
    return said or (st.small_clause(body) if wished else "")
