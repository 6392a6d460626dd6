"""What of a question and of an answer sentence the models are given. Pure text.

Source: Latent-Guided Diffusion (Li et al. 2023), image-answering; sections 4.2, 4.5 and 6 of the specification.
"""

import re
from typing import Final

QUESTION_TOKENS: Final = 45
"""Tokens of a question beside the queries, the end token included."""
TEXT_TOKENS: Final = 77
"""Tokens of an answer sentence in the text slot, and rows of either slot for the original's 32 queries."""
MOST_WORDS: Final = 50
"""Words that the original keeps of a question in training; two blanks in a row count as a word between them."""
SUFFIX: Final = " let's do the causal reasoning step by step."
"""What the original puts behind a question when it samples. It never does so in training."""
EMPTY_ANSWER: Final = "END"
"""What the original's language model learns to say where there is no answer sentence; that sample has no weight."""
_DROPPED: Final = re.compile(r"[.!\"()*#:;~]")


def clean_question(question: str) -> str:
    """A question as the original's training sees it.

    Args:
        question: As somebody wrote it.

    Returns:
        In small letters, without `. ! " ( ) * # : ; ~`, without blanks at its end, of at most `MOST_WORDS` words.
    """
    bare = _DROPPED.sub("", question.lower()).rstrip(" ")
    return " ".join(bare.split(" ")[:MOST_WORDS])


def lost_words(question: str) -> int:
    """How many words of a question `clean_question` cuts off."""
    bare = _DROPPED.sub("", question.lower()).rstrip(" ")
    return max(0, len(bare.split(" ")) - MOST_WORDS)


def question_at_evaluation(question: str) -> str:
    """A question as the original samples from it: untouched, with the suffix."""
    return question + SUFFIX


def target_sentence(answer: str) -> tuple[str, int]:
    """What the language model learns to say, and the weight of that sample.

    Args:
        answer: The answer sentence; a blank one counts as one.
    """
    return (answer, 1) if answer else (EMPTY_ANSWER, 0)


def last_question_position(tokens: int, queries: int = 32, rows: int = TEXT_TOKENS) -> int:
    """Where the predictive code of a question ends: the last row that is averaged.

    Args:
        tokens: Of the question, the end token included, counted up to `rows`.
        queries: Rows before the question.
        rows: Of the whole sequence.
    """
    return min(rows - 1, queries + tokens - 1)
