"""Wishes, questions and fragments turned into commands: "What if the ball were blue?", "no lamp please", "cat -> dog"."""

import re
from collections.abc import Callable
from typing import Final

from llmgen.llm.english import statements as st
from llmgen.llm.english.clauses import is_command
from llmgen.llm.english.closed import CLOSED
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.lexicon import COLORS
from llmgen.llm.english.saying import pose_of
from llmgen.llm.english.topics import UNWANTED, Topics, cut, is_reason, without_reason
from llmgen.llm.english.wording import THE, N, in_plain_words

_SOME: Final = r"(?:a|an|the|some|several|many|more|another|one|two|three|four|five|\d+|any|no|all|both|every|his|her|its|their|my|your)"
_NEW: Final = r"(?:a|an|some|another|one|two|three|four|five|\d+)"
_BE: Final = rf"(?:was|were|is|are|be|{st.MODAL} (?:only |just |also )?be|needs? to be)"
_LEADS: Final = re.compile(
    r"\s*(?:(?:please|kindly|maybe|perhaps|ok|okay|hey|hi|oh|well|actually|instead(?! of)|in addition|additionally|(?:i think|i guess|"
    r"i feel|"
    r"i believe)(?: that| like)?|if possible)\b[, ]*"
    r"|(?P<ask>(?:can|could|would|will) you(?: (?:please|maybe|possibly|just))*(?! have| see)|(?:can|could|may|should|shall) (?:we|"
    r"i)(?: (?:please|maybe|just))*(?! have| get(?! rid)| see)|you (?:should|could|can|might|must|need to|have to)|"
    r"would it be possible to|is it possible to|i(?: would|'d) like you to|i want you to|i need you to|i(?: would|'d)? (?:want|like|"
    r"love|prefer) to"
    r"(?! (?:see|have|get))|would you mind|do you mind|mind|how about (?=\w+ing\b)|what about (?=\w+ing\b)|why don't (?:you|we)|why not|"
    r"go ahead and|try to|try|feel free to|we should|let's|let us|remember to|don't forget to|be so kind (?:as )?to)\b[, ]*"
    r"|(?P<wish>what if|how about(?: if)?|what about(?: if)?|imagine(?: if| that)?|suppose(?: that)?|i wish(?: for)?|"
    r"i(?:'d| would) (?:prefer|rather have|rather see|rather)(?: it if| to (?:see|have))?(?= (?:the|all|both|my|it|them|every)\b)|"
    r"i(?:'d| would) (?:really |also )?(?:like|want|love)(?: it if| to see| to have| to get| that)?|i (?:really |also )?want(?: that| "
    r"to see| to have)?|"
    r"i (?:also )?need(?: to see| to have)?|(?:can|could|may) (?:you|we|i) (?:please )?(?:have|get|see)|make it (?:look like|seem "
    r"like|so that|so)|"
    r"make it (?=there\b)|(?:make|be) sure(?: that)?|ensure(?: that)?|see to it that|we (?:need|want)(?: to have| to)?|"
    r"it(?: would|'d) (?:be|look) \w+(?: \w+)? if|i(?: would|'d) (?:be happy|be happier|prefer it) if|would it be \w+ if|i hope(?: "
    r"that)?)\b[, ]*)",
    re.IGNORECASE,
)
"""How a request (a command follows) and a wish (a state of things, or a thing) begin."""
_TAIL: Final = re.compile(
    r"(?:,? (?:please|thanks|thank you|either|as well|too|now|at all|if possible|if you can))*[ ?!.]*$", re.IGNORECASE
)
_DISLIKED: Final = (
    rf"^({THE}\b.+?) (?:(?:is|are) (?:not|no longer) (?:needed|necessary|wanted)|(?:is|are)n't (?:needed|necessary|wanted)|"
    r"(?:is|are) (?:unnecessary|superfluous|in the way|not supposed to be there)|(?:does|do)(?: not|n't) (?:belong|fit)(?: in)?(?: "
    r"here| there| in it)?|"
    r"bothers? me|annoys? me|distracts? me)$"
)
_THERE_IS: Final = (
    rf"(?:there (?:{st.MODAL} be|is|are|was|were)|(?:i|we|you) (?:{st.MODAL} have|want|need|have|had)|"
    r"i(?:'d| would) (?:like|prefer|love)(?: to see| to have)?|put|add|place|draw|show|have|insert|use|make it)"
)
_STANDS: Final = r"(?:sit|stand|lie|rest|hang|perch|lean|float|hover|fly|be)"
_COLORS: Final = "|".join(sorted(COLORS))
_EXACTLY: Final = "have exactly"
"""The command by which there are so many of something."""
_FORMS: Final[tuple[tuple[str, str], ...]] = (
    # How many there should be.
    (rf"^there (?:is|are) ({N}) (.+?) too many$", r"remove \1 \2"),
    (rf"^(?:there|it) (?:{_BE[3:-1]}|had|has) (?:only |just |exactly )*({N} .+?)(?: only)?$", rf"{_EXACTLY} \1"),
    (rf"^(?:only|just|exactly|keep only|keep just|leave only|leave just|only keep|only leave|make (?:it|that)) ({N} "
     rf"[^,]+)$", rf"{_EXACTLY} \1"),
    (rf"^(?:have|show|with|let there be) (?:only|just|exactly) ({N} [^,]+)$", rf"{_EXACTLY} \1"),
    (rf"^({N}) of (?:the |them )?(.*?) ?(?:is|are|would be|will be) (?:enough|plenty|sufficient|all .+)$", rf"{_EXACTLY} \1 \2"),
    (rf"^({N} .+?|{N}) (?:(?:is|are|would be|will be|'d be) (?:enough|plenty|sufficient|fine)|(?:would|will|should|'ll) (?:do|"
     rf"suffice))$", rf"{_EXACTLY} \1"),
    (rf"^({N} .+?) (?:only|in total|altogether|(?:instead of|not|rather than) (?:just |only )?(?:{N}|one))$", rf"{_EXACTLY} \1"),
    (rf"^({N}) (.+?) (?:less|fewer)$|^({N}) (?:less|fewer) (.+)$", r"remove \1\3 \2\4"),
    (rf"^(?:reduce|increase|limit|change|raise|lower|bring|cut|make)\b.* number of (.+?) (?:to|be) ({N})$", rf"{_EXACTLY} \2 \1"),
    (rf"^(?:the )?number of (.+?) {st.MODAL} be ({N})$", rf"{_EXACTLY} \2 \1"),
    (r"^double (?:the )?number of (.+)$|^twice as many (.+)$", r"duplicate all \1\2"),
    (r"^(?:the rest|everything else|all else|the others?)\b.* (?:stays?|remains?|unchanged|untouched|as (?:it is|is|they are|"
     r"before))$", "keep everything"),
    (rf"^only (the .+?) {st.MODAL} (?:stay|remain|be left|be there|be visible)$", r"keep only \1"),
    # What should not be there.
    (r"^no ([\w -]+?) but (an? .+)$", r"replace the \1 with \2"),
    (r"^(?:nobody|no one|no-one)\b.*$", "remove everyone"),
    (rf"^(?:there|it) (?:{_BE[3:-1]}|had|has) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:we|you|it|i|they|the (?:picture|image|photo|scene)) (?:had|has|have) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:have|let|make|get) there be no (?:more )?(.+)$", r"remove all \1"),
    (r"^there (?:should|must|need|can|could|would)(?: not|n't)(?: to)? be (?:any |an? |the )?(?!too |more than )(.+)$", r"remove all \1"),
    (rf"^(?:no(?: more)?|without)(?: any| the)? (?!change|edit|need|other|matter|touching|changing|chang|alter)((?:(?!\b{_BE} ).)+)$",
     r"remove all \1"),
    (UNWANTED, r"remove \1"),
    (_DISLIKED, r"remove \1"),
    (rf"^(?:i|we) (?:can|could) do without ({THE}\b.+)$", r"remove \1"),
    (rf"^(?:neither|none) of ((?:the|these|those|my|his|her)\b.+?) {st.MODAL} (?:be|stay|remain)\b(?: left| {st.IN_IT})?$",
     r"remove all \1"),
    # What should be another.
    (rf"^((?:the )?(?:[\w-]+ ){{1,3}})(?:-+|=+|→)>? ?((?:{_COLORS}))$", r"make \1\2"),
    (rf"^(an? .+?) would (?:be|look) {st.BETTER} (?={st.PLACED})", r"add \1 "),
    (rf"^instead of (.+?),? {_THERE_IS} (.+)$", r"replace \1 with \2"),
    (rf"^(an? .+?) would (?:be|look) {st.BETTER}(?: there| here)? than (.+)$", r"replace \2 with \1"),
    (rf"^(an? .+?) would (?:be|look) {st.BETTER}(?: there| here)?$", r"prefer \1"),
    (r"^i(?:'d| would) (?:rather|prefer)(?: to)?(?: have| see)? (an? .+?)(?: instead)?$", r"prefer \1"),
    (r"^(?:(?:have|try|use|go for|go with|see|i'd like) )?(an? .+?) instead$", r"prefer \1"),
    (rf"^((?:{_COLORS})) ([\w-]+) (?:instead of|not|rather than) (?:{_COLORS})$", r"make the \2 \1"),
    (r"^(?:the )?([\w-]+(?: [\w-]+){0,2}) ?(?:-+|=+|→)>? ?(?:an? )?([\w-]+(?: [\w-]+){0,3})$", r"replace the \1 with a \2"),
    # What should be there.
    (r"^(?:have|let|make|get) (?:there|it) (?:to )?be (.+)$", r"add \1"),
    (rf"^(?:can|could|should|would|may|might) there (?:also )?be (.+)$|^there {_BE} (?:also )?(?!too |not |fewer |less "
     rf")(.+)$", r"add \1\2"),
    (r"^(?:we|you|i|they|it) (?:had|have|has|got) (?:also )?(.+)$", r"add \1"),
    (rf"^(?:have|let|make|get) ({_NEW}\b.+?) {_STANDS} (?={st.PLACED})", r"add \1 "),
    (rf"^(?:have|get|see) ({_NEW}\b.+)$", r"add \1"),
    (rf"^((?:the|both|all|every)\b(?:(?!\b(?:{_BE}|{st.MODAL}) ).)+?) in ({_COLORS})$", r"make \1 \2"),
)  # fmt: skip
_BEGINS: Final = re.compile(
    r"(?:have|let|get|make|no|without|instead|i|i'd|we|only|just|exactly|keep|leave|reduce|increase|limit|change|can|could|should|"
    r"would|may|double|"
    rf"twice|show|{_COLORS}) |there |the |all |both |every|neither |none |nobody|no one|no-one|it |an? .+ instead$|(?:try|use|go) |"
    rf"they |he |she |"
    rf"[\w -]+(?:->|=>|→)|{N} |an? .+ (?:should|would|could|must|needs to|has to) ",
    re.IGNORECASE,
)
"""How a wish begins that nobody led in by "what if" and the like."""


def as_command(text: str, remark: Callable[[str], None]) -> str:
    """A wish as the command that it means; any other text as it is.

    Args:
        text: An instruction.
        remark: Told of what is taken for a reason, and so not done.
    """
    parts = cut(without_reason(in_plain_words(text), remark))
    topics, said = Topics(), list[str]()
    for number in range(0, len(parts), 2):
        part, follows = topics.put_in(parts[number]), parts[number + 2 :: 2]
        if follows and topics.bring_up(part, follows[0]):
            continue
        command = _one(part)
        if command == part and not number and not _begins_command(part):
            command = _bare(part) or part
        unread = command == part and not _begins_command(part)
        before = any(map(_begins_command, said))
        if is_reason(part) and ((unread and follows and _begins_command(_one(follows[0]))) or before):
            remark(f"{part.strip()!r} is taken for a reason")
            continue
        said += [command, *parts[number + 1 : number + 2]]
    return "".join(said)


def _begins_command(text: str) -> bool:
    first = re.match(r"\s*(?:please |just |so )*([\w'-]+)", text, re.IGNORECASE)
    return first is not None and is_command(first[1].lower())


def _one(text: str) -> str:
    """One wish, or several that "and" joins and that are wishes each."""
    body, wished, asked = _led(text)
    commands = _joined(body, wished=wished)
    if commands:
        return commands
    if not wished:
        indefinite = re.match(
            r"(?:(?:an?|another) (?!bit\b|little\b|lot\b)|(?:some|one|two|three) more )", body, re.IGNORECASE
        )
        return f"add {body}" if indefinite else body if asked or is_command(body.partition(" ")[0].lower()) else text
    bare = _TAIL.sub("", body)
    if re.match(r"(?:an?|some|another|more|several|many)\b|\w+s\b", bare, re.IGNORECASE) or re.match(
        rf"{_NEW}\b", bare, re.IGNORECASE
    ):
        return f"add {bare}"
    return bare


def _bare(text: str) -> str:
    """A thing without its article, and what should become of it: "star top left", "house bigger"; "" for any other text."""
    said = (
        rf"(?:[\w-]+ ){{1,3}}?(?:{st.PLACED}.*|"
        rf"(?:{_COLORS}|bigger|smaller|larger|taller|shorter|wider|narrower|darker|lighter|gone|away))"
    )
    return (
        st.small_clause(f"the {text}")
        if re.fullmatch(said, _TAIL.sub("", text), re.IGNORECASE) and _names(text)
        else ""
    )


def _names(text: str) -> bool:
    first = look_up(text.partition(" ")[0].lower())
    return (
        (first.noun or first.adjective)
        and text.partition(" ")[0].lower() not in CLOSED
        and not re.match(rf"(?:{st.PLACED}|{_SOME}\b)", text, re.IGNORECASE)
    )


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
        if not first and _begins_command(text) and _converted(text[joint.end() :], wished=False):
            first = text[: joint.start()]  # "remove the cat and the dog should be red"
        rest = text[joint.end() :]
        second = first and (_joined(rest, wished=wished) or (rest if _begins_command(rest) else ""))
        if first and not second:
            again = re.match(
                rf"{st.MARGIN}(?:{st.PLACED}|(?:{_COLORS})\b|\w+er\b|(?:be|become|look|have|get) )", rest, re.IGNORECASE
            )
            # "the heart in the middle and a bit larger"
            second = (
                st.predicate("it", rest) if again else f"add {rest}" if wished and re.match(rf"{_NEW}\b", rest) else ""
            )
        if second:
            return f"{first} and {second}"
    return whole


def _converted(text: str, *, wished: bool) -> str:
    """A wish in one of the known forms as a command, "" for any other text."""
    text = re.sub(r"^\s*please[, ]+", "", text, flags=re.IGNORECASE)
    body = _TAIL.sub("", text.strip())
    if not wished and not _BEGINS.match(body):
        return ""
    counted = re.match(
        rf"(?:only |just |exactly )?({N}) (?!of the|more)((?:(?!\b{st.MODAL}\b).)+)$", body, re.IGNORECASE
    )
    if wished and counted and counted[1].lower() != "one":
        return f"{_EXACTLY} {counted[1]} {counted[2]}"
    doing = re.match(rf"(?:have|let|get) ({_NEW} [\w ]+?) (\w+) (?={st.PLACED})(.+)$", body, re.IGNORECASE)
    if doing and not re.fullmatch(_STANDS, doing[2]) and (pose := pose_of(doing[2].lower(), doing[2].lower())):
        return f"add {doing[1]} {pose} {doing[3]}"  # "have a cat sleep on the bed"
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
