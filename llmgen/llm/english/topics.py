"""What the parts of an instruction only bring up or give for a reason: "the plant looks sad, replace it", "two cups? One is enough"."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from llmgen.llm.english.clauses import COMMANDS, is_command
from llmgen.llm.english.dictionary import look_up
from llmgen.llm.english.selections import read_selection
from llmgen.llm.english.statements import IN_IT, MODAL, SUBJECT
from llmgen.llm.english.tokens import tokenize
from llmgen.llm.english.wording import THE, N

_ENDS: Final = re.compile(
    r"(\s*[.;!?:]+\s+(?:(?:and|but|then|so)\s+)?|,\s+(?:and|but|then|so)\s+(?:then\s+)?|\s+and\s+(?=no\s)|"
    rf",\s+(?=(?:(?:just|please|so|instead|simply)\s+)?(?:get rid|{'|'.join(sorted(COMMANDS))})\s+(?:{THE[3:-1]}|it|them|an?|only|of|"
    rf"me|in|{N}|one)\b|"
    rf"(?:it|they|i|i'd|i'll|we|that)\b|(?:can|could|should|would|may) (?:it|they|you|we)\b|(?:the rest|everything else|the "
    rf"others?)\b|(?:say |let's say |about |maybe )?{N}(?= (?:is|are|will|would|should|please)|$))|\s*-\s+(?=(?:it|they|make|please)\b))",
    re.IGNORECASE,
)
_IT: Final = re.compile(
    r"\b(?:it|them|they|(?:that|this|those|these)(?= (?:an?|one|to|into|bigger|smaller|away)\b|[.,;!?]|$))\b",
    re.IGNORECASE,
)
_IS: Final = (
    r"(?:is|are|was|were|isn't|aren't|does(?:n't| not)|do(?:n't| not)|looks?|seems?|feels?|appears?|has|have|hasn't|haven't|can't|"
    r"cannot)"
)
UNWANTED: Final = rf"^(?:i|we) (?:do not|don't|no longer) (?:want|need|like)(?: to see)? ({THE}\b.+?)(?: any ?more| in there| {IN_IT})*$"
"""What somebody does not want."""
_BROUGHT_UP: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        UNWANTED,
        rf"^(?:i|we) (?:am |are |really |just )*(?:hate|dislike|can't stand|cannot stand|not happy with|unhappy with|tired of|bored "
        rf"of|not sure about|"
        rf"don't care for|am not a fan of|not a fan of|don't love|do not love) ({THE}\b.+)$",
        rf"^(?:(?:i think|i feel) )?({SUBJECT}(?:(?!\b{IN_IT}\b).)*?) {_IS}\b.*$",
        rf"^({THE} (?:[\w-]+ )??[\w-]+) ([a-z]+s) (?:the|my|a|our|everything|too|me)\b.*$",
    )
)
_MANY: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^there (?:is|are) (?:only |just |already |way |far |too |many |so |currently |now )*(?:{N} )?(?P<what>(?!too\b)[\w "
        rf"-]+?)(?: {IN_IT})?$",
        rf"^(?:(?:only |just )?{N}|too many|so many|fewer|less|not so many|more|too few) (?P<what>[\w -]+?)(?: (?:is|are)(?: not|n't) "
        rf"enough| is too (?:few|many|much)| please)?$",
    )
)
"""How many there are of what, before it is said how many there should be."""
_BARE: Final = re.compile(
    rf"(?:please |just |only |say |let's say |about |maybe |i |we |you |'d |would |like |want |need |have |see |prefer |give me |show "
    rf"me |make it |make that |make them |leave |keep |with )*"
    rf"(?P<n>{N})(?: of (?:them|those|it))?(?: (?:is|are|would be|will be|should be|will do|would do|should do|would suffice|will "
    rf"suffice|suffices?|please|"
    r"instead|only|max|at most|enough|plenty|sufficient|fine|better|nicer|would|will|do))*[ .!?]*",
    re.IGNORECASE,
)
"""How many there should be, without of what."""
_WHY: Final = re.compile(
    r",? (?:because|since|as (?=(?:it|they)\b)|(?<!it )so (?:that )?(?=(?:the|it|she|he|they|we|i|you|there|one)\b)|in order to|"
    r"to make (?:room|space)\b)(?!.*\b(?:should|must|and then)\b)[^.;!?]*",
    re.IGNORECASE,
)


def cut(text: str) -> list[str]:
    """The parts of an instruction, and between each two what parts them.

    Args:
        text: In plain words.
    """
    parts = _ENDS.split(text)
    if parts[0].lower().startswith("instead of ") and len(parts) > 2:
        parts[:3] = ["".join(parts[:3])]  # "instead of a girl, I'd like a boy"
    return parts


def without_reason(text: str, remark: Callable[[str], None]) -> str:
    """A text without a clause that says why something should be done.

    Args:
        text: In plain words.
        remark: Told of the clause.
    """
    found = _WHY.search(text)
    if found is None or not found.start():
        return text
    remark(f"{found[0].strip(' ,')!r} is taken for a reason")
    return text[: found.start()] + text[found.end() :]


def is_reason(part: str) -> bool:
    """Whether a part of an instruction says how things are: it begins no command and asks for nothing."""
    says = re.match(
        rf"\s*(?:there|it|they|this|that|these|those|the|my|i|we) .*?\b(?:{_IS[3:-1]}|too|\w+n't|hate|dislike|[a-z]+s)\b",
        part,
        re.IGNORECASE,
    )
    return says is not None and not re.search(rf"\b{MODAL}\b|\b(?:want|need|like)s?\b", part, re.IGNORECASE)


@dataclass
class Topics:
    """What was brought up, for what follows to speak of."""

    spoken: str = ""
    """A thing, as it was named."""
    counted: str = ""
    """Things of which there are too many or too few."""

    def bring_up(self, part: str, follows: str) -> bool:
        """Whether a part only brings something up of which the next says what should become of it.

        Args:
            part: A part of the instruction.
            follows: The next.
        """
        body = re.sub(r"^(?:as for|about|regarding|see) ", "", part.strip(), flags=re.IGNORECASE)
        asks = re.search(rf"\b{MODAL}\b(?! not)", body, re.IGNORECASE) or is_command(body.partition(" ")[0].lower())
        if _BARE.fullmatch(follows.strip()):
            found = next((found for pattern in _MANY if (found := pattern.match(body))), None)
            self.counted = found["what"].strip() if found else ""
        self.spoken = "" if asks or self.counted or not _IT.search(follows) else _named(body)
        return bool(self.counted or self.spoken)

    def put_in(self, part: str) -> str:
        """A part with the name of what was brought up.

        Args:
            part: A part of the instruction.
        """
        bare = _BARE.fullmatch(part.strip()) if self.counted else None
        if bare is not None:
            return f"only {bare['n']} {self.counted}"
        return _IT.sub(self.spoken.replace("\\", ""), part, count=1) if self.spoken else part


def _named(body: str) -> str:
    """What a part names and says something of, or only names."""
    tokens = tokenize(body)
    named = read_selection(tokens, 0, None) if re.match(rf"{THE} ", body, re.IGNORECASE) else None
    if named is not None and named[1] == len(tokens):
        return body
    for pattern in _BROUGHT_UP:
        found = pattern.match(body)
        if found and (found.lastindex == 1 or look_up(found[2].lower()).verb):
            return found[1]
    return ""
