"""Which token of the full prompt is which of the intransitive one, and for how long each is borrowed.

Source: Prompt-to-prompt (Hertz et al. 2022), refinement, as in ReCorD (Lin et al. 2024).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from llmgen.errors import InputError

TOKENS: Final = 77
"""CLIP's tokens of a prompt."""
Span = tuple[int, int]
Bounds = tuple[float, float]
Replace = float | Bounds
"""Share of the steps, from the first, or first and last share."""


@dataclass(frozen=True)
class Alignment:
    """The tokens of a full prompt among those of an intransitive one.

    Attributes:
        places: For each token its place in the intransitive prompt, -1 for one that is only in the full prompt. `int64[tokens]`.
    """

    places: Tensor

    @property
    def shared(self) -> Tensor:
        """1 for tokens of both prompts, else 0. `float32[tokens]`."""
        return (self.places >= 0).float()


def align(base: Sequence[int], target: Sequence[int], length: int = TOKENS) -> Alignment:
    """Find the tokens of one prompt in another: global alignment, a match is worth 1, a gap 0.

    A mismatch costs more than two gaps, so only equal tokens are aligned. Of equally good alignments the one is taken that, read from the
    end, leaves tokens of the target out first, then tokens of the base.

    Args:
        base: Token ids of the intransitive prompt, start and end included.
        target: Token ids of the full prompt, likewise.
        length: Of the result; tokens behind the end of `target` are aligned with those at their own place.

    Returns:
        The alignment.
    """
    rows, columns = len(base), len(target)
    score = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            diagonal = score[i - 1][j - 1] + (1 if base[i - 1] == target[j - 1] else -1)
            score[i][j] = max(score[i][j - 1], score[i - 1][j], diagonal)
    places = list(range(length))
    places[:columns] = [-1] * min(columns, length)
    i, j = rows, columns
    while i > 0 and j > 0:
        if score[i][j] == score[i][j - 1]:
            j -= 1
        elif score[i][j] == score[i - 1][j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            if j < length:
                places[j] = min(i, length - 1)
    return Alignment(torch.tensor(places))


def token_spans(text: str, tokenizer: Any) -> list[Span]:
    """Where each token of a text stands in it: characters, end exclusive; (0, 0) for the start and the end token.

    Args:
        text: Any text; it is cut as for the model.
        tokenizer: A fast tokenizer.
    """
    encoded = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length, return_offsets_mapping=True)
    return [(int(first), int(last)) for first, last in encoded["offset_mapping"]]


def tokens_in(span: Span, spans: Sequence[Span]) -> tuple[int, ...]:
    """Places of the tokens that touch a span of characters.

    Args:
        span: First character and end.
        spans: Those of all tokens, as `token_spans` gives them.
    """
    first, last = span
    return tuple(place for place, (begin, end) in enumerate(spans) if begin < end and begin < last and end > first)


def word_tokens(text: str, word: str, spans: Sequence[Span]) -> tuple[int, ...]:
    """Places of the tokens of a word, wherever it stands; none for what is no single word of the text.

    Args:
        text: A prompt.
        word: As it stands between spaces.
        spans: Those of all tokens.
    """
    found: list[int] = []
    begin = 0
    for part in text.split(" "):
        if part == word:
            found += tokens_in((begin, begin + len(part)), spans)
        begin += len(part) + 1
    return tuple(found)


def word_schedule(
    text: str, spans: Sequence[Span], steps: int, replace: Replace | Mapping[str, Replace], length: int = TOKENS
) -> Tensor:
    """In which rows of the schedule each token of the full prompt is borrowed.

    Args:
        text: The full prompt.
        spans: Of its tokens.
        steps: Of the run.
        replace: A share for all words, or one by word; `default_` is for the words that are not named, 1 where it is not given.
        length: Tokens.

    Returns:
        1 where it is, else 0. `float32[steps + 1, length]`.

    Raises:
        InputError: If a share is a whole number or no pair: the original stops there as well.
    """
    named = dict(replace) if isinstance(replace, Mapping) else {"default_": replace}
    schedule = torch.zeros(steps + 1, length)
    _fill(schedule, slice(None), named.pop("default_", (0.0, 1.0)))
    for word, share in named.items():
        places = list(word_tokens(text, word, spans))
        if places:
            _fill(schedule, places, share)
    return schedule


def _fill(schedule: Tensor, columns: slice | list[int], share: Replace) -> None:
    first, last = bounds(share)
    rows = len(schedule)
    column = torch.zeros(rows)
    column[int(first * rows) : int(last * rows)] = 1
    schedule[:, columns] = column[:, None]


def bounds(share: Any) -> Bounds:
    """A share of the steps as a pair.

    Raises:
        InputError: If it is neither a fraction nor a pair.
    """
    if isinstance(share, float):
        return (0.0, share)
    if isinstance(share, tuple | list) and len(share) == 2:
        return (float(share[0]), float(share[1]))
    raise InputError(f"{share!r} is no share of the steps: give a fraction such as 0.2, or a pair such as [0.0, 0.4]")
