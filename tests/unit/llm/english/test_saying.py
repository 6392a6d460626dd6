"""Phrases of layouts are said as the captions say them that the models were trained on."""

import random

import pytest

from llmgen.llm.english.grammar import read_phrase, read_prompt
from llmgen.llm.english.saying import phrase_of, pose_of
from llmgen.llm.questions.layout import LayoutQuestion
from llmgen.toybox.world.scenes import sample_scene
from llmgen.toybox.world.vocabulary import object_phrase

SAID = {
    "a happy boy in red": ["a happy boy in red"],
    "a happy red boy": ["a happy boy in red"],
    "a sad girl in striped blue kicks a ball": ["a sad girl in striped blue kicking", "a ball"],
    "two boys in red carrying a cup": ["a boy in red carrying", "a boy in red carrying", "a cup"],
    "a girl who is feeding a dog in purple": ["a girl feeding", "a dog in purple"],
    "a red dog and a striped ball": ["a red dog", "a striped ball"],
    "a man in black next to a black man": ["a man in black", "a black man"],
    "a boy not kicking a ball": ["a boy"],
    "a boy wearing a red hat": ["a boy", "a red hat"],
    "a red bowl of cherries": ["a red bowl of cherries"],
    "a painting robot and a blue alien": ["a painting robot", "a blue alien"],
}


@pytest.mark.parametrize("prompt", SAID)
def test_layouts_say_what_is_worn_and_done(prompt):
    question = LayoutQuestion(prompt, 512, 512, 1)
    layout, reply = question.by_rules()
    assert [instance.phrase for instance in layout.instances] == SAID[prompt]
    # A reply that is recorded and played again says the same.
    again = question.read(reply)
    assert [(i.phrase, i.noun, i.attributes) for i in again.instances] == [
        (i.phrase, i.noun, i.attributes) for i in layout.instances
    ]


def test_people_of_the_world_are_named_as_its_captions_name_them():
    rng, found = random.Random(5), 0
    for _ in range(100):
        for item in sample_scene(rng).objects:
            if item.noun in ("boy", "girl"):
                pattern = item.pattern if item.color else None
                caption = object_phrase(item.noun, item.color, pattern=pattern, mood=item.mood, verb=item.verb)
                wanted = read_prompt(caption).objects[0]
                assert phrase_of(wanted.noun, wanted.attributes, wanted.detail) == caption
                found += 1
    assert found > 20


def test_phrases_are_read_with_what_is_worn():
    assert read_phrase("a happy boy in striped red kicking") == ("boy", ("happy", "striped", "red"))
    assert read_phrase("a man in a hat") == ("man", ())


@pytest.mark.parametrize(
    ("word", "verb", "pose"),
    [("kicks", "kick", "kicking"), ("rides", "ride", "riding"), ("sits", "sit", "sitting"), ("kicked", "kick", ""),
     ("wearing", "wear", ""), ("named", "name", "")],
)  # fmt: skip
def test_poses(word, verb, pose):
    assert pose_of(word, verb) == pose
