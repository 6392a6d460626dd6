"""How a phrase is put to an open-vocabulary detector."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import inflect


@cache
def _english() -> "inflect.engine":
    # Imported on first use: it costs more than the rest of this package together.
    import inflect

    return inflect.engine()


@cache
def phrase_query(phrase: str) -> str:
    """The query for a phrase without article, for example `image of an orange cup` for `orange cup`.

    A plural keeps its form (`image of a backpacks`), as in SLD.
    """
    try:
        named = _english().a(phrase)
    except Exception:  # inflect raises its type checker's errors on strings without a word
        named = f"a {phrase}"
    return f"image of {named}"
