"""Ids as models repeat them: which detected object each mention means."""

import re
from collections.abc import Iterable, Sequence

from llmgen.llm.replies.wire import clean_noun

_NUMBERED = re.compile(r"(.*?)[\s_-]*#?\s*(\d+)", re.DOTALL)


def resolve_mentions(names: Iterable[str], ids: Sequence[str]) -> dict[str, str]:
    """Say which id every mention means.

    An id that is repeated exactly means itself. `Dog #1`, `a dog #1` and `dog 1` mean `dog #1`. And where one object of a name is
    left and one mention of that name, they belong together, whatever the number: `dog #2` is the only dog.

    Args:
        names: Mentions, in any order.
        ids: Ids of what was detected.

    Returns:
        Mention to id, without the mentions that mean nothing that was detected.
    """
    known = set(ids)
    wanted = list(dict.fromkeys(names))
    meant = {name: name for name in wanted if name in known}
    # From here on, every id can be meant once.
    left = [one for one in ids if one not in meant]
    for parts in (_folded, _named):
        open_names = _by(parts, (name for name in wanted if name not in meant))
        open_ids = _by(parts, left)
        for key, some in open_names.items():
            found = open_ids.get(key, [])
            if len(some) == len(found) == 1:
                meant[some[0]] = found[0]
        taken = set(meant.values())
        left = [one for one in left if one not in taken]
    return meant


def named_alike(a: str, b: str) -> bool:
    """Whether two ids differ in their numbers only."""
    return _named(a) == _named(b)


def _by(parts: object, names: Iterable[str]) -> dict[object, list[str]]:
    found: dict[object, list[str]] = {}
    for name in names:
        assert callable(parts)
        found.setdefault(parts(name), []).append(name)
    return found


def _split(name: str) -> tuple[str, str]:
    text = " ".join(name.split()).lower()
    numbered = _NUMBERED.fullmatch(text)
    words, number = (numbered[1], numbered[2].lstrip("0")) if numbered else (text, "")
    return clean_noun(words.rstrip("# ")) if words.strip("# ") else "", number


def _folded(name: str) -> tuple[str, str]:
    return _split(name)


def _named(name: str) -> str:
    return _split(name)[0]
