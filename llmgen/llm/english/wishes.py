"""Wishes and questions turned into commands: "What if the ball were blue?", "have there be a dog"."""

import re
from typing import Final

_SOME: Final = r"(?:a|an|the|some|several|many|more|another|one|two|three|four|five|\d+|any|no|all|both|every|his|her|its|their|my|your)"
_THOSE: Final = r"(?:have |let |get )?((?:the|all|every|both|each|this|that|these|those|its|his|her|their|my|it|they)\b.*?) (?:to )?"
_PLACED: Final = r"(?:on|in|at|to|under|above|below|next|near|behind|beside|between|over)"
_BE: Final = r"(?:was|were|is|are|be|became|become|becomes|turned|looked|would be|should be|could be|must be|had been)"
_GONE: Final = (
    r"(?:gone|removed|deleted|missing|absent|away|not there|not (?:in|on) the (?:picture|image|photo|scene)|erased)"
)
_IN_IT: Final = r"(?:in|on|part of) (?:it|the (?:picture|image|photo|scene))"
_NOT: Final = r"(?:(?:should|must|need|can|could|ought)(?: not|n['’]t) (?:to )?|does(?: not|n['’]t) belong |do(?: not|n['’]t) belong )"
_MUST: Final = r"(?:should|must|has to|have to|had to|needs? to|can|ought to)"
_OUT: Final = (
    r"^\s*(?:please[, ]+)?(?:take|cut|edit|leave) ((?:(?! and | then |,).)+?) out"
    r"(?: of (?:it|the (?:picture|image|photo|scene)))?[.! ]*$"
)
_LEAD: Final = (
    r"^\s*(?:please[, ]+)?(?:what if|how about(?: if)?|what about(?: if)?|imagine(?: if| that)?|suppose(?: that)?|i wish|"
    r"i(?:'d| would) (?:like|want|prefer|love)(?: it if| to see| that)?|i want(?: that)?|i need|can (?:you|we)|could (?:you|we)|"
    r"would you|let's|let us|we (?:need|want)(?: to)?)\s+"
)
_FORMS: Final[tuple[tuple[str, str], ...]] = (
    (rf"^(?:there|it) (?:{_BE[3:-1]}|had|has) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:we|you|it|i|they|the (?:picture|image|photo|scene)) (?:had|has|have) no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:have|let|make|get) there be no (?:more )?(.+)$", r"remove all \1"),
    (r"^(?:have|let|make|get) (?:there|it) (?:to )?be (.+)$", r"add \1"),
    (r"^there (?:was|were|is|are|be|should be|could be|must be|would be|needs to be) (?:also )?(.+)$", r"add \1"),
    (r"^(?:we|you|i|they|it) (?:had|have|has|got) (?:also )?(.+)$", r"add \1"),
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
    (rf"^{_THOSE}{_MUST} (?:go|go away|disappear|vanish|leave)$", r"remove \1"),
    (rf"^{_THOSE}(?:trade|switch|change|swap|exchange) (?:places|positions)$", r"swap \1"),
    (rf"^{_THOSE}{_BE} (moved|shifted|pushed) (.+)$", r"move \1 \3"),
    (rf"^{_THOSE}{_BE} (?={_PLACED}\b)(.+)$", r"move \1 \2"),
    (rf"^{_THOSE}{_BE} (.+)$", r"make \1 \2"),
)  # fmt: skip


def as_command(text: str) -> str:
    """A wish as the command that it means; any other text as it is.

    Args:
        text: An instruction.
    """
    text = re.sub(r"^\s*(?:please[, ]+)?(?:only|just) (keep|leave) ", r"\1 only ", text, flags=re.IGNORECASE)
    text = re.sub(_OUT, r"remove \1", text, flags=re.IGNORECASE)
    wish = re.sub(_LEAD, "", text.strip(), count=1, flags=re.IGNORECASE)
    body = wish.rstrip(" ?!.")
    asked = wish != text.strip()
    if not asked and not re.match(r"(?:have|let|get) |make (?:there|it) be |there |the |all |it ", body, re.IGNORECASE):
        return text
    for pattern, command in _FORMS:
        if re.match(pattern, body, re.IGNORECASE):
            return re.sub(pattern, command, body, count=1, flags=re.IGNORECASE)
    if (
        asked
        and re.match(rf"{_SOME}\b|\w+s\b", body, re.IGNORECASE)
        and re.match(r"\s*(?:what|how) about|\s*i", text, re.IGNORECASE)
    ):
        return f"add {body}"
    return body if asked else text
