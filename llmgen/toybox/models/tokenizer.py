"""A `CLIPTokenizer` made for the toybox: each word of the closed list is one token, any other is spelled out.

Nothing is trained: the merges follow from the word list, so the tokenizer is as reproducible as the list.
"""

from typing import Final

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from llmgen.toybox.world.vocabulary import words

MAX_LENGTH: Final = 40
"""Tokens of a padded prompt, start and end included."""
_END: Final = "</w>"


def _split(word: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    parts = [*word[:-1], word[-1] + _END]
    while len(parts) > 1:
        pairs = list(zip(parts, parts[1:], strict=False))
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        merged, i = [], 0
        while i < len(parts):
            if tuple(parts[i : i + 2]) == best:
                merged.append(parts[i] + parts[i + 1])
                i += 2
            else:
                merged.append(parts[i])
                i += 1
        parts = merged
    return parts


def build_merges() -> list[tuple[str, str]]:
    """Find merges under which every word of the list becomes one token.

    Returns:
        Pairs in order of rank. Adding a pair at the end never breaks a word that is whole already, so the search ends.
    """
    ranks: dict[tuple[str, str], int] = {}
    for word in words():
        while len(parts := _split(word, ranks)) > 1:
            ranks[(parts[0], parts[1])] = len(ranks)
    return list(ranks)


def build_tokenizer() -> CLIPTokenizer:
    """Make the tokenizer.

    Returns:
        A tokenizer of standard class; the end token has the highest id, as CLIP's pooling expects.
    """
    letters = list(bytes_to_unicode().values())
    merges = build_merges()
    tokens = [*letters, *(letter + _END for letter in letters), *dict.fromkeys(a + b for a, b in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_LENGTH)
