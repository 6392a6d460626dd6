"""The words the prompt reader knows: counts, adjectives, places, and the little words between them.

Nouns are open: whatever stands where a noun must stand is one. These lists only say where a noun phrase ends, which
of its words are attributes, and which nouns name a place rather than a thing.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
NUMBERS: Final[dict[str, int]] = (
    {word: value for value, word in enumerate(_ONES, start=1)}
    | _TENS
    | {f"{tens}-{one}": value + k for tens, value in _TENS.items() for k, one in enumerate(_ONES[:9], start=1)}
)
#: Words that multiply the number before them, or stand for one of it.
MULTIPLES: Final[dict[str, int]] = {"dozen": 12, "hundred": 100, "thousand": 1000}
VAGUE_NUMBERS: Final[dict[str, int]] = {"several": 3, "few": 3, "multiple": 3, "various": 3, "many": 5, "numerous": 5}
COLLECTIVES: Final[dict[str, int | None]] = {
    "pair": 2, "couple": 2, "duo": 2, "trio": 3, "quartet": 4, **MULTIPLES, "group": None, "set": None, "bunch": None,
    "row": None, "herd": None, "flock": None, "collection": None, "number": None, "lot": None, "lots": None,
    "total": None,
}  # fmt: skip
"""Nouns that count what follows their "of"; None where they do not say how many."""

ARTICLES: Final = _words(
    "a an the some another this that these those my your his her its their our each every other any"
)
HEDGES: Final = _words("exactly just only precisely about around roughly also single visible at-least very really")
COLORS: Final = _words(
    "red orange yellow green blue purple pink brown black white gray grey violet indigo cyan magenta turquoise teal "
    "beige maroon navy olive golden gold silver crimson scarlet tan lavender"
)
FRUIT_COLORS: Final = _words("orange olive gold silver lavender tan rose")
"""Colour words that are nouns where no noun follows."""

ADJECTIVES: Final = COLORS | _words(
    "small large big little tiny huge giant tall short long thin thick fat wide narrow round square flat tiny mini "
    "old young new ancient modern antique vintage broken clean dirty shiny dark light bright pale deep colorful "
    "colourful colored coloured multicolored plain striped spotted dotted checkered happy sad angry cute beautiful "
    "pretty ugly cool hot cold warm wet dry empty full open closed wooden metal metallic plastic golden "
    "woolen leather "
    "ceramic stone brick paper cotton silk "
    "realistic photorealistic digital quiet calm busy lonely wild fresh ripe "
    "quick slow lazy famous sleeping running flying robotic mechanical electric soft hard heavy fluffy furry "
    "hairy smooth rough sharp blunt "
    "transparent opaque royal rustic snowy sandy grassy sunny rainy cloudy foggy stormy rocky misty green "
    "tropical urban rural medieval futuristic magical mysterious abstract aerial simple detailed minimal minimalist "
    "triangular rectangular circular oval american chinese japanese french english african asian european "
    "sculptural stylish fancy elegant lovely gentle fierce brave strong weak sweet sour same different male female"
)
MUTE_ADJECTIVES: Final = _words("colored coloured color colour same different visible")
"""Adjectives that ask nothing of the picture by themselves."""

COMPOUNDS: Final = frozenset(
    tuple(pair.split())
    for pair in (
        "teddy bear|polar bear|hot dog|dining table|parking meter|swimming pool|living room|potted plant|toy car|"
        "stuffed animal|fishing rod|shopping cart|washing machine|frying pan|rocking chair|hot air balloon|"
        "orange juice|golden retriever|bald eagle|black bear|brown bear|light bulb|paper plane|baby carriage|"
        "wedding cake|wedding dress|birthday cake|christmas tree|candy cane|stone bridge|leather jacket|"
        "city bus|monkey bars|rubber duck|sunny side|flying saucer|sleeping bag|running shoe|light house"
    ).split("|")
)  # fmt: skip
"""Nouns of several words whose first word looks like an adjective."""

NOT_ADJECTIVES: Final = _words(
    "toy city baby teddy candy cherry key monkey country birthday military hockey trolley jelly party body family "
    "library luxury lady berry strawberry raspberry blueberry boy day bay donkey turkey honey money story "
    "puppy kitty "
    "bunny pony fly daisy lily ivy cowboy valley chimney alley jersey jockey ferry cemetery bakery bed seed "
    "sled reed "
    "shed weed red building ring king painting wing ceiling string earring swing thing spring morning evening "
    "clothing "
    "pudding dumpling duckling lightning drawing railing stocking bowling wedding fish dish radish goldfish "
    "jellyfish starfish "
    "butterfly dragonfly firefly cosmos octopus walrus nobody everybody somebody anybody"
)
"""Nouns that end as adjectives or participles do."""

PREPOSITIONS: Final = _words(
    "with on in at of to under over above below near beside behind by next between from against along inside during "
    "around across through into onto within among beneath underneath atop towards toward off down up like as about "
    "before after beyond upon outside for front top"
)
CONJUNCTIONS: Final = _words("and or but plus then while where which that who whose so nor both either neither yet")
VERBS: Final = _words(
    "is are was were be been being am has have had having contain contains containing include includes including "
    "feature features featuring show shows showing shown depict depicts depicting there here it they he she i we you "
    "me us them sit sits sat stand stands stood lie lies lay lays located placed positioned arranged seen appear "
    "appears made hold holds ride rides wear wears eat eats play plays jump jumps run runs walk walks fly flies swim "
    "swims sleep sleeps drive drives read reads float floats hang hangs rest rests look looks kick kicks draw "
    "generate create make paint imagine render want please can could should would will must do does did not let give "
    "add put place chase chases watch watches follow follows carry carries face faces surround surrounds fill fills "
    "nothing everything something anything else together apart"
)

IMAGE_HEADS: Final = _words(
    "photo photograph picture image drawing painting illustration sketch rendering render depiction portrait shot "
    "close-up closeup cartoon artwork poster photography watercolor watercolour snapshot clipart"
)
"""Nouns that name the picture itself."""

PLACE_NOUNS: Final = _words(
    "meadow beach night snow field forest sky sea ocean street park garden room kitchen bedroom bathroom "
    "office desert "
    "mountain hill city road grass river lake wall floor ground space background sunset sunrise day daytime morning "
    "evening afternoon noon midnight dawn dusk rain storm fog mist scene scenery landscape seascape cityscape view "
    "water lawn sand winter summer autumn spring countryside town village farm jungle wood woods valley shore coast "
    "seaside island harbour harbor port yard backyard playground stadium classroom library museum restaurant cafe "
    "market store shop station airport highway sidewalk pavement parking-lot studio hall garage studio underwater "
    "weather season air horizon surface environment setting area world nature sunlight moonlight darkness shade "
    "pond swamp canyon cliff cave prairie savanna savannah plain plains tundra glacier"
)
"""Nouns that name where a picture plays; in a place phrase they are background, not objects."""

SCENE_FORMS: Final[dict[str, str]] = {
    "night": "a night scene",
    "midnight": "a night scene",
    "snow": "a snowy scene",
    "rain": "a rainy scene",
    "fog": "a foggy scene",
    "mist": "a misty scene",
    "day": "a daytime scene",
    "daytime": "a daytime scene",
    "sunset": "a sunset scene",
    "sunrise": "a sunrise scene",
    "dawn": "a scene at dawn",
    "dusk": "a scene at dusk",
    "winter": "a winter scene",
    "summer": "a summer scene",
    "autumn": "an autumn scene",
    "spring": "a spring scene",
}
"""Times and weathers as a scene that can stand alone."""

SIDES: Final[dict[str, str]] = {
    "left": "left", "left-hand": "left", "leftmost": "left", "right": "right", "right-hand": "right",
    "rightmost": "right", "top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom",
}  # fmt: skip
SIDE_TAILS: Final = _words("side half part edge corner area portion section hand third")
FRAME_NOUNS: Final = IMAGE_HEADS | _words("scene canvas frame screen page view")
