"""Prompts as users type them: what holds something, which of several, pictures as things, weather, who lacks what."""

import pytest

from llmgen.llm.english.grammar import PromptMeaning, read_phrase, read_prompt
from llmgen.llm.english.words import with_article, with_detail
from llmgen.llm.planning.layouts import plan_layout
from llmgen.llm.planning.placement import Canvas
from llmgen.llm.planning.wanted import wanted_objects
from llmgen.llm.replies.wire import layout_of_plan, plan_of_layout

# Things, each with its number unless one; relations; what must not be there; "?" for a line.
ROWS = [
    # What something holds, shows or has on it goes with it.
    ("a bowl of cherries", "bowl of cherries"),
    ("two red bowls of plums and pears on a table", "2 red bowl of plums and pears; table; 0 on 1"),
    ("a roll of tape", "roll of tape"),
    ("three slices of cake and a cup of tea", "3 slice of cake; cup of tea"),
    ("a bouquet of roses in a vase", "2 rose; vase; 0 in 1"),
    ("a house with lit windows and an open door", "house with lit windows and an open door"),
    ("a cat with blue eyes on a chair", "cat with blue eyes; chair; 0 on 1"),
    ("a tree with a door in its trunk", "tree; door; trunk; 1 in 2"),
    ("a car with a missing wheel", "car with a missing wheel"),
    # What "one" and "it" stand for, and what is on top.
    ("a red cup on a table and a blue one on a chair", "red cup; table; blue cup; chair; 0 on 1; 2 on 3"),
    ("a girl holding a red balloon and a boy holding a blue one", "girl; red balloon; boy; blue balloon; 0 holding 1; 2 holding 3"),
    ("an owl on a branch, a moon behind it", "owl; branch; moon; 0 on 1; 2 behind 0"),
    ("a cake with a cherry on top", "cake; cherry; 1 on 0"),
    ("a crate filled with oranges beside a bicycle", "crate; 2 orange; bicycle; 0 next_to 2"),
    ("a panda eating bamboo while sitting on a swing", "panda; bamboo; swing; 0 on 2"),
    ("a kitten asleep inside a box", "asleep kitten; box; 0 in 1"),
    ("left: a cat, right: a dog", "cat; dog; 0 on_left; 1 on_right"),
    ("the left half of the picture shows a lion, the right half a tiger", "lion; tiger; 0 on_left; 1 on_right"),
    # Verbs in the base form after plurals and lists.
    ("several mice nibble cheese under the table", "3 mouse; cheese; table; 0 below 2; 1 below 2"),
    ("two chefs chop onions in a kitchen", "2 chef; 2 onion"),
    ("a man and a woman hold hands under an umbrella",
     "man; woman; 2 hand; umbrella; 0 holding 2; 1 holding 2; 0 below 3; 1 below 3; 2 below 3"),
    ("a fisherman mends his net beside a boat", "fisherman; net; boat; 0 next_to 2; 1 next_to 2"),
    ("a spider hangs by a thread over a baby", "spider; thread; baby; 0 above 2; 1 above 2"),
    # What is missing.
    ("a snowman missing its carrot nose", "snowman; no carrot nose"),
    ("a keyboard missing two keys next to a mouse", "keyboard; mouse; 0 next_to 1; no key"),
    ("a doll with its head missing", "doll; head; ?"),
    ("the toy's left arm is missing", "arm; ?"),
    ("neither the boy nor the girl has a balloon", "boy; girl; no balloon"),
    ("neither the chef nor the waiter wears an apron", "chef; waiter; no apron"),
    ("neither the boy nor the girl is happy", "boy; girl; ?"),
    ("none of the knights has a sword", "2 knight; no sword"),
    ("a hill with neither cows nor fences", "no cow; no fence"),
    # Which of several: boxes that are yet to be planned cannot say it.
    ("the third lamp from the left", "lamp; 0 on_left; ?"),
    ("the 2nd chair is red", "red chair; ?"),
    ("a second dog behind a fence", "dog; fence; 0 behind 1"),
    ("a first aid kit on a shelf", "first aid kit; shelf; 0 on 1"),
    ("a candle on each table", "candle; table; 0 on 1; ?"),
    ("three tables, each with a candle", "3 table; 3 candle"),
    ("two chairs on a rug, each chair is red", "2 red chair; rug; 0 on 1"),
    ("an owl on each of three posts", "owl; 3 post; ?"),
    # Pictures that are things.
    ("a painting of a horse next to a real horse", "painting of a horse; real horse; 0 next_to 1"),
    ("a child's drawing of a house on the fridge", "drawing of a house; fridge; 0 on 1"),
    ("a poster of a rocket pinned to a door", "poster of a rocket; door; 0 on 1"),
    ("a drawing of a bird on a branch", "bird; branch; 0 on 1"),
    ("a photograph of a magnet on the fridge", "magnet; fridge; 0 on 1"),
    ("a painting of the sea with two boats", "2 boat"),
    ("An oil painting at the beach of a bicycle to the left of a bench", "bicycle; bench; 0 left_of 1"),
    # All of what was named apart.
    ("cat right of a dog, both black", "black cat; black dog; 0 right_of 1"),
    ("an apple, a pear and a plum, all green", "green apple; green pear; green plum"),
    ("a dog and a cat, both on a rug", "dog; cat; rug; 0 on 2; 1 on 2"),
    ("three dogs, all on a rug", "3 dog; rug; 0 on 1"),
    ("a boy and a girl, both wearing red hats", "boy; girl; 2 red hat; 0 wearing 2; 1 wearing 2"),
    ("five candles, two of them lit", "2 lit candle; 3 candle"),
    # How the picture is made.
    ("a castle, octane render, trending on artstation", "castle"),
    ("a fox, by greg rutkowski, golden hour, 8k", "fox"),
    ("a cactus in the desert, low poly", "cactus"),
    ("an old sailor, oil on canvas", "old sailor"),
    ("a fox, ink and watercolor on paper", "fox"),
    ("a sofa and a lamp, soft warm light, muted colors", "sofa; lamp"),
    ("a lamp, a red light", "lamp; red light"),
    # Whose side it is was named before.
    ("a street lamp and, to its right, a bus stop", "street lamp; bus stop; 1 right_of 0"),
    ("a cat with a ball to its left", "cat; ball; 1 left_of 0"),
    ("a tower, with a bench to its left and a tree to its right", "tower; bench; tree; 1 left_of 0; 2 right_of 0"),
    ("a man holding a cup in his right hand", "man; cup; 0 holding 1"),
    ("a house with a tree on the left", "house; tree; 1 on_left"),
    ("two cups, the left one is red", "red cup; cup; 0 left_of 1"),
    ("three cups, the middle one is green", "green cup; 2 cup; ?"),
    ("a man carrying a surfboard under his arm", "man; surfboard; arm; 0 holding 1; 1 below 2"),
    # Words that the dictionary lacks.
    ("two storefronts and a birdfeeder", "2 storefront; birdfeeder"),
    ("a shiba inu on a rug", "shiba inu; rug; 0 on 1"),
    # Buildings are places where something is in them.
    ("a robot in a greenhouse", "robot"),
    ("a kite over a greenhouse", "kite; greenhouse; 0 above 1"),
    # What somebody wears and does.
    ("a happy boy in red is kicking a striped ball", "happy red boy; striped ball"),
    ("a boy in striped red kicks a cup", "striped red boy; cup"),
    ("a girl dressed in orange holds a fish", "orange girl; fish; 0 holding 1"),
    ("a boy in red boots", "boy; 2 red boot; 0 in 1"),
    ("a dog with a blue pullover", "dog; blue pullover; 0 wearing 1"),
    ("a sad boy in red right of a dog in purple", "sad red boy; purple dog; 0 right_of 1"),
]  # fmt: skip


def said(meaning: PromptMeaning) -> str:
    # What somebody wears and does is in the phrases of layouts: `english/test_saying.py`.
    things = [
        f"{o.count if o.count > 1 else ''} {o.phrase} {o.detail if o.detail.startswith(('of', 'with')) else ''}".strip()
        for o in meaning.objects
    ]
    places = [f"{r.subject} {r.kind}{'' if r.object is None else f' {r.object}'}" for r in meaning.relations]
    return "; ".join([*things, *places, *(f"no {n}" for n in meaning.absent), *(["?"] if meaning.remarks else [])])


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_readings(text: str, expected: str) -> None:
    assert said(read_prompt(text)) == expected


@pytest.mark.parametrize(
    ("text", "background"),
    [
        ("a cat sleeps while it rains", "a rainy scene"),
        ("a car parked outside while it is snowing", "a snowy scene"),
        ("it is foggy and a dog sits under a tree", "a foggy scene"),
        ("a fox, octane render", "a realistic photo of a scene, octane render"),
        ("a painting of the sea with two boats", "a painting of the sea"),
        ("An oil painting at the beach of a bicycle", "An oil painting of the beach"),
    ],
)
def test_weather_and_style_are_the_background(text: str, background: str) -> None:
    assert read_prompt(text).background == background


def test_what_a_thing_holds_is_planned_and_answered_with_it() -> None:
    meaning = read_prompt("a red bowl of cherries next to a cup")
    layout = plan_layout(meaning, "a red bowl of cherries next to a cup", Canvas(512, 512), 0)
    assert [(i.phrase, i.noun, i.attributes) for i in layout.instances] == [
        ("a red bowl of cherries", "bowl", ("red",)),
        ("a cup", "cup", ()),
    ]
    assert [w.drawn_phrase for w in wanted_objects(meaning, layout)] == ["a red bowl of cherries", "a cup"]
    again = layout_of_plan(plan_of_layout(layout), width=512, height=512)
    assert [(i.id, i.phrase, i.noun) for i in again.instances] == [(i.id, i.phrase, i.noun) for i in layout.instances]


def test_a_phrase_and_its_detail() -> None:
    assert with_detail("a red bowl of cherries") == ("a red bowl", "of cherries")
    assert with_detail("a house with lit windows", "house") == ("a house", "with lit windows")
    assert with_detail("a ball") == ("a ball", "")
    assert with_article("bowl of cherries") == "a bowl of cherries"
    assert read_phrase("a red bowl of cherries") == ("bowl", ("red",))
