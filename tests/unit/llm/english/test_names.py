"""A name is one thing, whole; what the lexicon knows is read as words."""

import pytest

from llmgen.llm.english.grammar import read_prompt

NAMED = {
    "Darth Vader in Kyoto": (["darth vader"], "Kyoto"),
    "Taylor Swift in Rio de Janeiro": (["taylor swift"], "Rio de Janeiro"),
    "Winnie the Pooh and Geralt of Rivia": (["winnie the pooh", "geralt of rivia"], None),
    "Thanos and Groot": (["thanos", "groot"], None),
    "Vincent van Gogh painting a sunflower": (["vincent van gogh", "sunflower"], None),
    "a Porsche 911 beside a Vespa": (["porsche 911", "vespa"], None),
    "Baba Yaga's hut": (["hut"], None),
    "Luke Skywalker, Leia Organa, Han Solo": (["luke skywalker", "leia organa", "han solo"], None),
    "Aloy hunting Thunderjaw": (["aloy", "thunderjaw"], None),
    "Buenos Aires street with a tango dancer": (["tango dancer"], "Buenos Aires street"),
    "A Red Ball On A Table": (["ball", "table"], None),
    "a Persian cat and a French bulldog": (["persian cat", "french bulldog"], None),
    "a dog called Rex": (["dog", "rex"], None),
}


@pytest.mark.parametrize("prompt", NAMED)
def test_names(prompt):
    meaning, (nouns, background) = read_prompt(prompt), NAMED[prompt]
    assert [wanted.noun for wanted in meaning.objects] == nouns
    assert all(wanted.count == 1 for wanted in meaning.objects)
    assert background is None or meaning.background == background
    assert meaning.remarks == ()


def test_two_of_a_name_are_counted():
    (wanted,) = read_prompt("two Pokemons").objects
    assert (wanted.noun, wanted.count) == ("pokemon", 2)
