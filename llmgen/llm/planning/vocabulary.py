"""What is asked for against what a preset's models know: a small model draws something whatever it is asked for."""

from collections.abc import Collection, Iterable

from llmgen.artifacts import Layout
from llmgen.errors import InputError
from llmgen.llm.english.grammar import head_noun, read_prompt
from llmgen.llm.english.words import bare, singularize


def nouns_asked_for(prompt: str, layout: Layout | None) -> tuple[str, ...]:
    """What a picture is to hold: the nouns of its layout, or of its prompt while there is none.

    Args:
        prompt: What the picture should show.
        layout: The plan, if there is one.

    Returns:
        Singular nouns, each once; none of a prompt that cannot be read.
    """
    if layout is not None:
        nouns: Iterable[str] = (i.noun or head_noun(bare(i.phrase)) for i in layout.instances)
    else:
        try:
            nouns = (wanted.noun for wanted in read_prompt(prompt).objects)
        except InputError:
            nouns = ()
    return tuple(dict.fromkeys(singularize(noun.lower()) for noun in nouns))


def unknown_nouns(nouns: Iterable[str], words: Collection[str]) -> tuple[str, ...]:
    """Those nouns that models know nothing of.

    Args:
        nouns: Singular, lower case, perhaps of several words, of which the last names the kind.
        words: All that the models know; empty when they know no bounds.

    Returns:
        In the order given.
    """
    return tuple(noun for noun in nouns if words and noun not in words and noun.rsplit(" ", 1)[-1] not in words)
