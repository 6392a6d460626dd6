"""What instructions say in many ways, said in one: contractions, greetings, "substitute a duck for the hen", "on the boy's head"."""

import re
from collections.abc import Callable
from typing import Final

from llmgen.llm.english.lexicon import COLORS, NUMBERS
from llmgen.llm.english.statements import BETTER, PLACED

THE: Final = r"(?:the|any|all|that|this|those|these|my|his|her|your|both)"
"""How a thing that is there is led in."""
N: Final = rf"(?:{'|'.join(n for n in NUMBERS if n != 'one')}|\d+|a single|one(?! (?:more|of|bit|side)\b))"
"""How many."""
_OUT: Final = (
    r"^\s*(?:please[, ]+)?(?:take|cut|edit|leave|get|kick|move) ((?:(?! and | then |,).)+?) out"
    r"(?: of (?:it|here|there|the (?:picture|image|photo|scene|frame|shot|way)))?[.! ]*$"
)
_C: Final = "|".join(sorted(COLORS))
_PLAIN: Final[tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]] = (
    ("’", "'"),
    (r"^\s*(?:please[, ]+)?(?:only|just) (keep|leave) ", r"\1 only "),
    (r"\b(?:pls|plz)\b", "please"),
    (r"^\s*(?:hi|hello|hey|hiya|dear \w+|good (?:morning|evening|day))(?: there| all| team)?\s*[!,.:]+\s*", ""),
    (r"[\s,.!]*\b(?:thanks|thank you|thx|cheers|ty)(?: so much| a lot| very much| in advance| you)?[\s!.:)]*$", ""),
    (r"\b(?:can|could|would|will) u\b", "can you"),
    (r"\bi'm\b", "i am"),
    (rf"^.*\b(?:picture|image|photo|scene|it) (?:would|might|could) (?:be|look) (?:much |way |a lot |even )?{BETTER} (with|without) "
     rf"(.+?)(?: in it| there)?[.!]*$",
     lambda found: f"{'add' if found[1].lower() == 'with' else 'remove'} {found[2]}"),
    (r"(?<!the)(?<!,)(?: first| afterwards| at the end)(?=\s*(?:$|[.,;!?]))", ""),
    (r"\btake (?:over )?(the [\w -]+?)'s (?:place|spot|position)\b", r"go where \1 is"),
    (r"\b(?:center|centre) (?=(?:the|my|both|all)\b(?! (?:of|is)))((?:(?! and |,).)+?)(?=$|[,.;!?]| and )", r"move \1 to the center"),
    (rf"\b(swap|switch|exchange) (?:the )?({_C}) and (?:the )?({_C}) ([\w-]+)(?! (?:with|for|and))", r"\1 the \2 \4 and the \3 \4"),
    (rf"^([\w-]+) ({_C}) (?:to|into) ({_C})$", r"make the \2 \1 \3"),
    (r"^((?:the )?[\w -]+): (remove|delete|erase|get rid of it|gone)$", r"remove \1"),
    (r"\bwhat(?:ever)?(?:'s| is) (?=(?:on|next|in|under|above|below|left|right|to|near|behind|beside|between)\b)", "everything "),
    (r"\b(do|does|is|are|should|ca|wo|must|could|would|was|were)nt\b", r"\1n't"),
    (r"\bid (?=like|love|prefer|rather)", "i'd "),
    (r"\blets (?=\w)", "let's "),
    (r"\b(?:get|take|clear|knock|pull|sweep) ((?:(?! and |,).)+?) off (?:of )?the [\w -]+?(?=$|[,.;!?]| and )", r"remove \1"),
    (r"\bfrom (?=(?:under|underneath|beneath|behind|above|below|beside|next to|between|near|inside|on top of)\b)", ""),
    (r"\b(?:double|triple|quadruple) (?:the (?:size|height|width|area) of )?(?=(?:the|my|both|all)\b(?! number))", "enlarge 2 times "),
    (r"\bhalve (?:the (?:size|height|width|area) of )?(?=(?:the|my|both|all)\b(?! number))", "shrink 2 times "),
    (r"\b(?:take|grab|pick|choose|select) (the (?:(?! and |,).)+?),? and (\w+) (?:it|them)\b", r"\2 \1"),
    (r"^\s*instead of [\w -]+?, (?=(?:make|paint|turn|dye|colou?r)\b)", ""),
    (r"^\s*only (the .+?) (?:may|can|should|must) (?:stay|remain)[,;.] ", r"keep \1, "),
    (rf"^\s*((?!in the (?:picture|image|photo)){PLACED} (?!and\b)(?:[^,]+?)),? (?:there (?:should|must|could) be|put|place|add|draw|"
     rf"insert|i want|i need|i'd like(?: to see)?) "
     r"((?:a|an|some|another|two|three|four|five|one|\d+)\b.+)$", r"add \2 \1"),
    (r"^\s*(?:rather than|in place of) (?=(?:a|an|the)\b)", "instead of "),
    (r"\b(?:the|a) (?:same |nice |different )?shade of ", ""),
    (r"\b(?:substitute|swap in) (an? (?:(?! and |,).)+?) for (the [^,.;]+?)(?=$|[,.;!?])", r"replace \2 with \1"),
    (r"\bmake (?=(?:the|all|both|my|it|them|every)\b[^,.;]*? (?:disappear|vanish|go away|go)\b(?! to))([^,.;]*?) (?:disappear|vanish|"
     r"go away|go)\b",
     r"remove \1"),
    (r"\bwanna\b", "want to"),
    (r"\b(there|it|that|he|she)'s (?=\w)", r"\1 is "),
    (r"\bpolka dotted\b", "polka-dotted"),
    (r"\b(can|could|would|will) (?:you|u) (?:please )?(?:make|ensure) (?=(?:sure|it so)\b)", r"\1 you make "),
    (r"\b(?:make|create|add|put|draw) (?:a|one|another) (?:copy|duplicate|clone|double|twin) of\b", "duplicate"),
    (r"\b(?:make|create|add|put|draw) (\w+) (?:copies|duplicates|clones) of (.+?)(?=$|[,.;!?])", r"duplicate \2 \1 times"),
    (rf"\b(?:swap|switch|trade|change|exchange) (?:out )?({THE} (?:(?! and |,).)+?)(?: out)? (?=for\b)", r"replace \1 "),
    (rf"\b(?:swap|switch|trade|change) out ({THE} (?:(?! and |,).)+?) (?=with\b|by\b)", r"replace \1 "),
    (r"\b(?:swap|switch|exchange|interchange|trade) (?:the )?(colou?r|size)s?(?: of| between| for)? (?=the|my|both|all|these|"
     r"those)", r"exchange-\1s "),
    (r"\b(?:swap|switch|exchange|interchange|trade) (the [\w ]+?)'s (?:colou?r) (?:with|and|for) (the [\w ]+?)(?:'s(?: "
     r"colou?r)?)?(?=$|[,.;!?])",
     r"exchange-colors \1 and \2"),
    (r"\b(make .+?) the (?:same )?size (?:of|as) (?=the\b|my\b)", r"\1 as big as "),
    (rf"\b(?:duplicate|clone|copy|add|draw|remove|delete) (?:the |that |more |some )?([\w ]+?) (?:so|until|till)(?: that)? (?:we|i|"
     rf"you|there) "
     rf"(?:have|are|is|get)(?: only| just)? ({N})\b(?: of (?:them|it|those))?(?: left)?", r"have exactly \2 \1"),
    (r"\bset (?=the (?:colou?r|size)\b)", "change "),
    (r"\b(?:the )?way (the .+?|it) (?:is|are) (?:colou?red|painted)", r"the same colour as \1"),
    (rf"\bfrom ({'|'.join(sorted(COLORS))}) (?=to\b)", ""),
)  # fmt: skip
"""Other words for what is said in one way from here on."""
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
    (
        r"\b(?:put|move|place) (the [^,.;]+?) where (the [^,.;]+?) (?:is|was),? and (?:vice versa|the other way (?:a)?round)",
        r"swap \1 and \2",
    ),
)
"""Other words for a place that something has or had."""
_TOPS: Final = frozenset("head back shoulder shoulders lap roof top nose".split())
_AT_PART: Final = re.compile(
    rf"\b(on top of|on|in|at|into|onto|over|by|around|to) ({THE} [\w -]+?)'s ({'|'.join(sorted(_TOPS))}|hands?|foot|feet|arms?|neck|"
    rf"face|mouth|side|paws?)\b",
    re.IGNORECASE,
)
"""A part of something by which a place is named; it lies on top of that thing, or it does not."""
_BOTH: Final = re.compile(r"\bboth (?=(?:the|my|his|her|their|its) (?:[\w-]+ ){1,4}and\b)", re.IGNORECASE)
_JUST: Final = re.compile(
    r"\b(?:directly|just|immediately|exactly|precisely|straight|(?<!the )(?<!to )(?<!top )(?<!bottom )(?<!upper )(?<!lower )(?<!far )right)"
    r" (?=(?:beside|next to|above|below|under|underneath|beneath|behind|in front|between|on top|over|near|in the|on the|at the|where)\b)",
    re.IGNORECASE,
)


def in_plain_words(text: str) -> str:
    """An instruction without what is only a manner of saying it.

    Args:
        text: As it was written.
    """
    for pattern, simple in _PLAIN:
        text = re.sub(pattern, simple, text, flags=re.IGNORECASE)
    text = re.sub(_OUT, r"remove \1", text, flags=re.IGNORECASE)
    text = _JUST.sub("", _BOTH.sub("", text))
    for pattern, simple in _SAID_SIMPLY:
        text = re.sub(pattern, simple, text, flags=re.IGNORECASE)
    return _AT_PART.sub(lambda found: f"{'on' if found[3].lower() in _TOPS else 'next to'} {found[2]}", text)
