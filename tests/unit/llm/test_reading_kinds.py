"""Readings by kind. A reading is one line: groups, relations, absences, and "?" where a remark says what was not read."""

import pytest

from llmgen.llm.english.grammar import PromptMeaning, read_prompt
from llmgen.llm.english.words import pluralize, singularize

ROWS = [
    # F: plurals and what is counted in pairs
    ('two taxis on a street', '2 taxi'),
    ('two flamingos near a lake', '2 flamingo'),
    ('five octopuses', '5 octopus'),
    ('four wharves and a lighthouse', '4 wharf; a lighthouse'),
    ('two pairs of sunglasses', '2 sunglasses'),
    ('a pair of tongs and a pair of shoes', '1 tongs; 2 shoe'),
    ('two buffalos and three buffaloes', '2 buffalo; 3 buffalo'),
    ('six sheeps and two persons', '6 sheep; 2 person'),
    ('a candy bar and two logs', 'a candy bar; 2 log'),
    ('two sports balls', '2 sports ball'),
    ('a skis and a toothbrush', 'a ski; a toothbrush'),
    ('an orange skis and a yellow oven', 'a orange ski; a yellow oven'),
    ('an orange falls from a tree', 'a orange; a tree'),
    # G: verbs are no things
    ('a lizard hidden by a kettle', 'a lizard; a kettle; 0 behind 1'),
    ('a mirror was hung above the desk', 'a mirror; a desk; 0 above 1'),
    ('a bee perched upon a sunflower', 'a bee; a sunflower; 0 on 1'),
    ('two foxes curled up beside a fire', '2 fox; a fire; 0 next_to 1'),
    ('A trumpet leaned against the fence', 'a trumpet; a fence; 0 next_to 1'),
    ('a duck and a goose swim in a lake', 'a duck; a goose'),
    ('Sheep graze on a hill', 'a sheep'),
    ('smoke rises from a chimney', 'a smoke; a chimney'),
    ('a cat who wears a hat', 'a cat; a hat; 0 wearing 1'),
    ('An apple fell from a tree', 'a apple; a tree'),
    ('a guard and a judge watch a fight', 'a guard; a judge; a fight'),
    ('a woman painting on a canvas', 'a woman; a canvas; 0 on 1'),
    ('a gardener waters plants', 'a gardener; some plant'),
    ('a man whose hat is red stands next to a dog', 'a man; a red hat; a dog; 0 next_to 2'),
    ('a knight whose shield is blue standing next to a dragon', 'a knight; a blue shield; a dragon; 0 next_to 2'),
    ('a ball that is red lying on a table', 'a red ball; a table; 0 on 1'),
    # H: function words are no things
    ("the dogs' bowl beside a radiator", 'a bowl; a radiator; 0 next_to 1'),
    ('a kitchen with everything except a fridge', 'no fridge; ?'),
    ('What does a walrus look like on a skateboard?', 'a walrus; a skateboard; 0 on 1'),
    ('where is the red ball?', 'a red ball; ?'),
    ('a crab on side of a kettle', 'a crab; a kettle; 0 next_to 1'),
    ('two boats sailed alongside one whale', '2 boat; 1 whale; 0 next_to 1'),
    ('a raccoon on side of a trash can', 'a raccoon; a trash can; 0 next_to 1'),
    ('a lamp right beside an armchair', 'a lamp; a armchair; 0 next_to 1'),
    ('a boy amidst sunflowers', 'a boy; some sunflower; 0 between 1'),
    ('two lamps on either side of a bed', '2 lamp; a bed; 0 next_to 1'),
    ('a car stopped nearby', 'a car'),
    ('a truck across from a bakery', 'a truck; a bakery; 0 next_to 1'),
    ('a fly on a watch', 'a fly; a watch; 0 on 1'),
    # I: picture words may be things
    ('two paintings and one spoon', '2 painting; 1 spoon'),
    ('a clock to the left of a wooden picture frame', 'a clock; a wooden picture frame; 0 left_of 1'),
    ('a cow on the top of a painting', 'a cow; a painting; 0 above 1'),
    ('a sculpture next to a drawing', 'a sculpture; a drawing; 0 next_to 1'),
    ('two sketches on an easel', '2 sketch; a easel; 0 on 1'),
    ('an illustration of a wizard with a staff', 'a wizard; a staff'),
    ('a painting of a horse hanging above a sofa', 'a painting; a sofa; 0 above 1'),
    ('a photo of a photograph on a shelf', 'a photograph; a shelf; 0 on 1'),
    ('a photo of a sculpture of a horse', 'a sculpture'),
    ('a poster of a whale above a bunk bed', 'a poster; a bunk bed; 0 above 1'),
    ('a painting of a kite above a house', 'a kite; a house; 0 above 1'),
    ('a photo of a cat above a sofa', 'a cat; a sofa; 0 above 1'),
    # K: adjectives belong to their own noun; a colour may be a fruit
    ('a red orange and a purple pear', 'a red orange; a purple pear'),
    ('a light and a switch', 'a light; a switch'),
    ('a brown chestnut and a pink rose', 'a brown chestnut; a pink rose'),
    ('an olive tree beside a lemon tree', 'a olive tree; a lemon tree; 0 next_to 1'),
    ('an orange and white fox', 'a orange white fox'),
    ('a dark and stormy sea with a boat', 'a boat'),
    ('a sky blue dress and a violet', 'a sky blue dress; a violet'),
    ('a lemon yellow car', 'a lemon yellow car'),
    ('a key and a ring', 'a key; a ring'),
    ('two glass candles and a wine glass', '2 glass candle; a wine glass'),
    ('a red and a blue ball', 'a red ball; a blue ball'),
    ('a rainbow coloured penguin', 'a rainbow penguin'),
    ('a heart shaped box', 'a heart shaped box'),
    ('a red and blue ball', 'a red blue ball'),
    # L: negation
    ('a clown not wearing a hat', 'a clown; no hat'),
    ('a hill with neither cows nor fences', 'no cow; no fence'),
    ('a table with no plates, cups or forks', 'a table; no plate; no cup; no fork'),
    ('nobody is riding the horse', 'a horse; no person'),
    ('neither of the dogs wears a collar', 'some dog; no collar'),
    ('a garden free of weeds', 'no weed'),
    ("a cat that isn't holding a fish", 'a cat; no fish'),
    ('a forest with no animals except a deer', 'a deer; no animal'),
    ('a robot lacking arms', 'a robot; no arm'),
    ('a chair that is not red', 'a chair; ?'),
    ('a dog not on a leash', 'a dog; ?'),
    ('a desk with nothing on it', 'a desk; ?'),
    ('a dog without a collar and a cat with a collar', 'a dog; a cat; a collar; ?'),
    ('not a single cloud in the sky', 'no cloud'),
    ("a boy and a girl, neither of them wearing shoes", "a boy; a girl; no shoe"),
    ("a fruit bowl without any bananas, only apples", "a fruit bowl; some apple; no banana"),
    ("a bridge not made of stone", "a bridge; ?"),
    # M: attributes shared out
    ('two stools, one red and the other green', '1 red stool; 1 green stool'),
    ('two cats, one black and one white, on a sofa', '1 black cat; 1 white cat; a sofa; 0 on 2; 1 on 2'),
    ('five birds, three of which are blue and the others yellow', '3 blue bird; 2 yellow bird'),
    ('a car and a truck, both red', 'a red car; a red truck'),
    ('two vases, the first yellow and the second purple', '1 yellow vase; 1 purple vase'),
    ('two shirts, white and black respectively', '1 white shirt; 1 black shirt'),
    ('two birds, one on the left and one on the right', '1 bird; 1 bird; 0 on_left; 1 on_right'),
    ('two cats, one on a chair and the other under a table', '1 cat; 1 cat; a chair; a table; 0 on 2; 1 below 3'),
    ('two boxes, one big and red, the other small and blue', '1 big red box; 1 small blue box'),
    ('two hats - one blue, one green', '1 blue hat; 1 green hat'),
    ('a photo of two dogs, one of them asleep', '1 asleep dog; 1 dog'),
    ('three apples, all green', '3 green apple'),
    ('a sofa and an armchair, both made of leather', 'a leather sofa; a leather armchair'),
    ('A stack of 3 books. A green book is on a red chair.', '3 book; a green book; a red chair; 1 on 2; ?'),
    ('three balls. a cat', '3 ball; a cat'),
    ("four dogs, each with a red collar", "4 dog; 4 red collar"),
    ("two clowns, each holding a balloon", "2 clown; 2 balloon; 0 holding 1"),
    ("two trucks, the larger one red and the smaller one blue", "1 red truck; 1 blue truck"),
    ("three ducks and two geese, all white", "3 white duck; 2 white goose"),
    ("two umbrellas (one open, one closed)", "1 open umbrella; 1 closed umbrella"),
    # P: comparisons and open numbers
    ('a tray with more plums than pears', 'a tray; some plum; some pear; ?'),
    ('a horse smaller than a dog', 'a horse; a dog; ?'),
    ('a tower as tall as a lighthouse', 'a tower; a lighthouse; ?'),
    ('the biggest of three pumpkins', '3 pumpkin; ?'),
    ('twice as many chairs as tables', 'some chair; some table; ?'),
    ('two or three apples', 'some apple; ?'),
    ('up to five balls', 'some ball; ?'),
    ('one of the two doors is open', '2 open door; ?'),
    ('equal numbers of cats and dogs', 'some cat; some dog; ?'),
    # Fractions
    ('half an orange on a plate', 'a orange; a plate; 0 on 1; ?'),
    ('two thirds of a pizza', 'a pizza; ?'),
    ('a pear cut into seven pieces', 'a pear; ?'),
    ('three quarters of a pie', 'a pie; ?'),
    ('25% of a cake', 'a cake; ?'),
    ('a half eaten apple', 'a eaten apple; ?'),
    ('a glass half full', 'a full glass; ?'),
    ('half a dozen birds', '6 bird'),
    ('a quarter on the table', 'a quarter; a table; 0 on 1'),
    # Words to be written
    ('a sign that says "no dogs allowed"', 'a sign; ?'),
    ("a billboard with the text 'SALE' above a shed", 'a billboard; a shed; 0 above 1; ?'),
    ('a neon sign reading "open"', 'a neon sign; ?'),
    ('a banner saying welcome home', 'a banner; ?'),
    ('a stop sign with the word STOP', 'a stop sign; ?'),
    ('a book called "The Cats"', 'a book; ?'),
    # Relations
    ('7 apples and a banana on a wooden table', '7 apple; a banana; a wooden table; 0 on 2; 1 on 2'),
    ('a fish in a bowl on a table', 'a fish; a bowl; a table; 0 in 1; 1 on 2'),
    ('a policeman between a horse and a fountain', 'a policeman; a horse; a fountain; 0 between 1; 0 between 2'),
    ('a man in a suit holding an umbrella', 'a man; a suit; a umbrella; 0 wearing 1; 0 holding 2'),
    ('a kite held by a boy', 'a kite; a boy; 1 holding 0'),
    ('a girl riding a horse', 'a girl; a horse; 0 on 1'),
    ('a bag hanging from a hook', 'a bag; a hook; 0 below 1'),
    ('a bird perched on a branch of a tree', 'a bird; a tree; 0 on 1'),
    ('a cat on the left, a dog in the middle and a bird on the right', 'a cat; a dog; a bird; 0 on_left; 1 in_middle; 2 on_right'),
    ('an apple to the left of a banana and to the right of a pear', 'a apple; a banana; a pear; 0 left_of 1; 0 right_of 2'),
    ('a sailor wearing a cap stands on a pier holding a telescope',
     'a sailor; a cap; a pier; a telescope; 0 wearing 1; 0 on 2; 0 holding 3'),
    ('beside the car stands a boy', 'a car; a boy; 1 next_to 0'),
    ('the left door is red and the right door is blue', 'a red door; a blue door; 0 on_left; 1 on_right'),
    # Other languages, unknown and left over words
    ('zwei rote Bälle', '?'),
    ('un gato negro debajo de una silla', '?'),
    ('deux chats noirs', '?'),
    ('kot siedzi na krześle', '?'),
    ('masanın üzerinde iki kedi', '?'),
    ('两只猫', '?'),
    ('a Mercedes parked near the Eiffel Tower', 'a mercedes; a eiffel tower; 0 next_to 1'),
    ('two quokkas and an axolotl', '2 quokka; a axolotl'),
    ('a kimono-clad geisha holding a wagasa', 'a kimono-clad geisha; a wagasa; 0 holding 1'),
    ('Totoro eating ramen', 'a totoro; a ramen'),
    ('Gandalf riding Shadowfax', 'a gandalf; a shadowfax; 0 on 1'),
    ('kleiner Hund', '?'),
    ('a yelow taxi', 'a yellow taxi; ?'),
    ('a bule car', 'a blue car; ?'),
    ('a drgaon sitting on a castel', 'a dragon; a castle; 0 on 1; ?'),
    ('two quokkas, an axolotl and a Totoro', '2 quokka; a axolotl; a totoro'),
    ('a toy quokka beside a chair blorf', 'a toy quokka; a chair; 0 next_to 1; ?'),
    ('a man dressed as a pirate', 'a man; ?'),
    ('a cat or a dog', 'a cat; a dog; ?'),
]  # fmt: skip


def said(meaning: PromptMeaning) -> str:
    groups = [f"{o.count if o.exact else 'some' if o.count > 1 else 'a'} {o.phrase}" for o in meaning.objects]
    places = [f"{r.subject} {r.kind}{'' if r.object is None else f' {r.object}'}" for r in meaning.relations]
    return "; ".join([*groups, *places, *(f"no {n}" for n in meaning.absent), *(["?"] if meaning.remarks else [])])


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_readings(text: str, expected: str) -> None:
    assert said(read_prompt(text)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zwei rote Bälle", "only English is read; nothing was read of 'zwei rote Bälle'"),
        ("a yelow taxi", "'yelow' is read as 'yellow'"),
        ("a chair blorf", "did not understand 'blorf'"),
        ("a chair that is not red", "this negation is not read: 'not red'"),
        ("half an orange", "parts of things are not read: 'half an orange'"),
        ('a sign that says "stop"', 'text to be written cannot be placed or checked: "stop"'),
        ("a tray with more plums than pears", "comparisons and open numbers are not read: 'tray with more plums than'"),
        ("a man dressed as a pirate", "likeness is not read: 'as a pirate'"),
        ("a cat or a dog", "a choice is not read, both are planned: 'cat or a dog'"),
        ("a ball " * 3000, "only the first 2000 words were read"),
    ],
)
def test_lines_hold_the_words(text: str, words: str) -> None:
    assert words in read_prompt(text).remarks


def test_another_language_leaves_the_text_alone() -> None:
    meaning = read_prompt("un chien blanc sur un canapé")
    assert (meaning.objects, meaning.absent, meaning.background) == ((), (), "un chien blanc sur un canapé")


#: Singular and plural of what benchmarks of text-to-image count.
NOUNS = """
airplane airplanes|apple apples|backpack backpacks|banana bananas|baseball bat baseball bats
baseball glove baseball gloves|bear bears|bed beds|bench benches|bicycle bicycles|bird birds|boat boats|book books
bottle bottles|bowl bowls|broccoli broccoli|bus buses|cake cakes|car cars|carrot carrots|cat cats
cell phone cell phones|chair chairs|clock clocks|computer keyboard computer keyboards|computer mouse computer mice
couch couches|cow cows|cup cups|dining table dining tables|dog dogs|donut donuts|elephant elephants
fire hydrant fire hydrants|fork forks|frisbee frisbees|giraffe giraffes|hair drier hair driers|handbag handbags
horse horses|hot dog hot dogs|kite kites|knife knives|laptop laptops|microwave microwaves|motorcycle motorcycles
orange oranges|oven ovens|parking meter parking meters|person people|pizza pizzas|potted plant potted plants
refrigerator refrigerators|sandwich sandwiches|scissors scissors|sheep sheep|sink sinks|skateboard skateboards
snowboard snowboards|spoon spoons|sports ball sports balls|stop sign stop signs|suitcase suitcases
surfboard surfboards|teddy bear teddy bears|tennis racket tennis rackets|tie ties|toaster toasters|toilet toilets
toothbrush toothbrushes|traffic light traffic lights|train trains|truck trucks|tv remote tv remotes|umbrella umbrellas
vase vases|wine glass wine glasses|zebra zebras|alligator alligators|axe axes|antelope antelopes
armadillo armadillos|ashtray ashtrays|avocado avocados|baby babies|bagel bagels|banjo banjos|bass bass
battery batteries|birdhouse birdhouses|blackberry blackberries|bookcase bookcases|bow tie bow ties|brownie brownies
brush brushes|buffalo buffaloes|bunny bunnies|bush bushes|butterfly butterflies|cactus cacti|calf calves|cello cellos
cherry cherries|child children|chimney chimneys|compass compasses|cookie cookies|cowboy cowboys|crutch crutches
deer deer|die dice|dish dishes|dolphin dolphins|domino dominoes|donkey donkeys|dress dresses|duckling ducklings
elf elves|emoji emojis|ferry ferries|fish fish|flamingo flamingos|fly flies|fox foxes|frog frogs
giant panda giant pandas|glass glasses|goldfish goldfish|goose geese|grape grapes|handkerchief handkerchiefs
hippopotamus hippopotamuses|hoof hooves|igloo igloos|jellyfish jellyfish|kangaroo kangaroos|kiwi kiwis|koala koalas
ladybug ladybugs|leaf leaves|lens lenses|lion lions|loaf loaves|louse lice|mailbox mailboxes|mango mangoes|man men
match matches|mosquito mosquitoes|moose moose|mouse mice|mummy mummies|octopus octopuses|ostrich ostriches|ox oxen
oyster oysters|papaya papayas|peach peaches|penny pennies|piano pianos|pliers pliers|policeman policemen|pony ponies
potato potatoes|puppy puppies|quiche quiches|radish radishes|raspberry raspberries|rhino rhinos|rose roses
scarf scarves|shelf shelves|shoe shoes|shrimp shrimp|ski skis|snowman snowmen|squid squid|starfish starfish
strawberry strawberries|sunglasses sunglasses|taco tacos|taxi taxis|thief thieves|tomato tomatoes|tooth teeth
torch torches|toy toys|trolley trolleys|trophy trophies|tuba tubas|turkey turkeys|volcano volcanoes|walrus walruses
wolf wolves|woman women|yacht yachts|zucchini zucchini|candle candles|raccoon raccoons|mushroom mushrooms
helmet helmets|bee bees
"""


@pytest.mark.parametrize("pair", [p for line in NOUNS.split("\n") for p in line.split("|") if p])
def test_nouns_go_both_ways(pair: str) -> None:
    words = pair.split()
    singular, plural = " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])
    assert singularize(plural) == singular and singularize(singular) == singular
    assert pluralize(singular) in (
        plural,
        singular if singular in ("broccoli", "zucchini", "bass") else plural,
        f"{singular}s",
        f"{singular}es",
    )
    (wanted,) = read_prompt(f"three {plural}").objects
    assert (wanted.noun, wanted.count, wanted.exact, wanted.attributes) == (singular, 3, True, ())
    (wanted,) = read_prompt(f"a photo of a {singular}").objects
    assert (wanted.noun, wanted.count, wanted.attributes) == (singular, 1, ())


@pytest.mark.parametrize(
    ("plural", "singular"),
    [("mangos", "mango"), ("buffalos", "buffalo"), ("volcanos", "volcano"), ("scarfs", "scarf"), ("hoofs", "hoof"),
     ("sheeps", "sheep"), ("benchs", "bench"), ("knifes", "knife"), ("persons", "person"), ("bikinis", "bikini"),
     ("flamingoes", "flamingo"),
     ("quokkas", "quokka"), ("axolotls", "axolotl"), ("teddies", "teddy"), ("logs", "log"), ("buses", "bus"), ("octopi", "octopus")],
)  # fmt: skip
def test_plurals_of_another_form(plural: str, singular: str) -> None:
    assert singularize(plural) == singular
