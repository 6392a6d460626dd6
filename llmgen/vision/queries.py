"""How a phrase is put to an open-vocabulary detector."""

from functools import cache

from llmgen.inflection import article


@cache
def phrase_query(phrase: str) -> str:
    """The query for a phrase without article, for example `image of an orange cup` for `orange cup`.

    A plural keeps its form (`image of a backpacks`), as in SLD.
    """
    return f"image of {article(phrase)} {phrase}"
