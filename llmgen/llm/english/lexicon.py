"""The closed classes of English, and the few classes of meaning that a picture needs.

Nouns, verbs, adjectives and adverbs are open; `dictionary` knows them. Here stand determiners, numbers, pronouns, conjunctions and
auxiliaries, which are few, and words whose meaning matters: colours, materials, places, pictures, beings.
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
MULTIPLES: Final[dict[str, int]] = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1_000_000}
VAGUE_NUMBERS: Final[dict[str, int]] = {
    "several": 3, "few": 3, "multiple": 3, "various": 3, "many": 5, "numerous": 5, "countless": 5,
}  # fmt: skip
COLLECTIVES: Final[dict[str, int | None]] = {
    "pair": 2, "couple": 2, "duo": 2, "trio": 3, "quartet": 4, "group": None, "set": None, "bunch": None, "row": None,
    "herd": None, "flock": None, "collection": None, "number": None, "lot": None, "pile": None, "stack": None,
    "swarm": None, "crowd": None, "pack": None, "school": None, "line": None, "cluster": None, "heap": None,
    "bouquet": None, "plenty": None, "handful": None, "variety": None, "assortment": None, "series": None,
    "total": None, "piece": 1, "kind": None, "type": None, "sort": None,
}  # fmt: skip
"""Nouns that count what follows their "of"; None where they do not say how many."""
FRACTIONS: Final = _words(
    "half halves third thirds quarter quarters fifth fifths sixth sixths eighth eighths tenth tenths"
)

DIVISIONS: Final = _words("pieces slices parts halves quarters wedges chunks segments cubes")
"""What a thing is cut into."""
QUESTIONS: Final = _words("what which how why when who where whose")
OPEN_THINGS: Final = _words("everything something anything stuff")
"""What may be anything."""
SHAPED: Final = _words("coloured colored shaped patterned themed flavoured flavored scented")
"""What turns the noun before it into an attribute: "a rainbow coloured penguin"."""
PLURAL_NAMES: Final = _words("skis")
"""Plurals that benchmarks give an article, and that look like verbs: "an orange skis"."""
FURNITURE: Final = _words(
    "bed bunk sofa couch fireplace mantel mantelpiece desk sideboard dresser headboard piano counter bench crib cot radiator "
    "armchair bookcase bookshelf cabinet"
)
"""What pictures hang above."""

ARTICLES: Final = _words(
    "a an the some another this that these those my your his her its their our each every other any"
)
OWNERS: Final = _words("its his her their")
POINTING: Final = _words("the this that these those his her its their my your our")
HEDGES: Final = _words("exactly just only precisely about around roughly also single approximately nearly almost even")
DEGREES: Final = _words("very really quite so too rather extremely fairly slightly")
PRONOUNS: Final = _words("it they he she i we you me us them him himself herself itself themselves everyone everybody")
RELATIVES: Final = _words("that which who whom whose where")
BE: Final = _words("is are was were be been being am 're 'm")
AUXILIARIES: Final = _words(
    "has have had having do does did can could should would will must may might shall let get gets got 's"
)
BREAKS: Final = _words("while when because since although though then if until")
"""Conjunctions that begin a clause of their own."""
ADVERBS: Final = _words(
    "there here together apart away now still always ever never again already yet else too out indoors outdoors "
    "upright sideways respectively tightly upside please maybe perhaps overhead aloft ahead far"
)

COLORS: Final = _words(
    "red orange yellow green blue purple pink brown black white gray grey violet indigo cyan magenta turquoise teal "
    "beige maroon navy olive golden gold silver crimson scarlet tan lavender cream ivory peach plum salmon rose lime "
    "lemon apricot chestnut coral mustard charcoal burgundy khaki mauve amber emerald ruby sapphire cherry mint rust "
    "chocolate lilac aqua azure fuchsia ochre raspberry tangerine mahogany"
)
SHADES: Final = _words(
    "dark light pale bright deep vivid neon navy royal sky baby lime forest mint hot blood brick burnt dusty steel midnight"
)
"""What says which red or blue: "dark green", "sky blue"."""
FRUIT_COLORS: Final = _words(
    "orange olive gold silver lavender tan rose cream ivory peach plum salmon lime lemon apricot chestnut coral "
    "mustard charcoal amber emerald ruby sapphire cherry mint rust chocolate lilac violet fuchsia raspberry tangerine "
    "mahogany"
)
"""Colour words that are things where no noun follows."""
GROWN: Final = _words(
    "tree juice pie cake jam tart orchard garden blossom bush oil seed sauce tea candy peel slice petal bouquet grove "
    "leaf pudding bar ice-cream sorbet ice ring medal mine bear fish fillet branch flower field syrup cheese soda "
    "lemonade tomato milk chip cookie muffin reef"
)
"""What fruit, flowers and metals make compounds with: an orange tree is no tree that is orange."""
SIZES: Final = _words("small large big little tiny huge tall short long thin thick wide narrow old young new")
MATERIALS: Final = _words(
    "wood metal glass stone plastic rubber marble bamboo velvet fabric brick leather bronze brass iron wicker steel "
    "cotton wool silk paper cardboard clay ceramic concrete copper tin gold silver straw lace denim cork crystal "
    "diamond jade ivory oak pine linen felt foam porcelain granite aluminium aluminum wax satin suede nylon chrome "
    "pewter terracotta"
)
MUTE_ADJECTIVES: Final = _words("colored coloured color colour same different visible own certain single other")
"""Adjectives that ask nothing of the picture by themselves."""
TRUE_ADJECTIVES: Final = _words(
    "plastic square oval oblong antique vintage human female male giant plain solid liquid twin double triple wild "
    "blond blonde brunette patchwork plaid neon pastel magic teenage infant western eastern northern southern adult "
    "open whole front upper lower round half left right light dark woollen woolen golden silent ceramic classic metallic "
    "elastic electric"
)
"""Adjectives that are nouns as well, but before another noun adjectives all the same."""
ADJECTIVE_NOUNS: Final = _words(
    "animal general pedestrian civilian music comic medal record crystal elephant plant restaurant baby family party "
    "body city toy country factory battery luxury army piggy cavalry pottery jewellery dairy bakery library fairy "
    "berry cherry library seed weed bed sled root motor shot home dress tank pickup"
)
"""Nouns that are listed as adjectives, or end like one."""
ADJECTIVE_SUFFIXES: Final = (
    "an",
    "ese",
    "ish",
    "ic",
    "al",
    "ive",
    "ous",
    "ful",
    "ent",
    "ant",
    "ary",
    "ed",
    "less",
    "y",
    "ing",
)
NOUN_SUFFIXES: Final = (
    "or", "er", "ist", "phone", "scope", "ette", "ware", "board", "ment", "ness", "ism", "let", "cycle", "ella", "tron", "copter",
    "ka", "gue",
)  # fmt: skip
"""Ends of unknown words that are nouns."""
TREES: Final = _words("oak pine bamboo cork cotton")
MODIFIERS: Final = _words(
    "toy baby pet robot model cartoon miniature mini giant plush origami wizard pirate santa lego"
)
"""Nouns that go before any other noun, a word that is not known included."""
PLURAL_MODIFIERS: Final = _words("sports glasses arms sales goods savings news clothes games monkeys monkey's")
"""Plurals that are the first part of a compound."""

COMPOUNDS: Final = frozenset(
    tuple(pair.split())
    for pair in (
        "teddy bear|polar bear|grizzly bear|giant panda|red panda|hot dog|hot tub|hot air|potted plant|"
        "stuffed animal|bald eagle|golden retriever|"
        "light bulb|light switch|light pole|light fixture|light saber|paper plane|paper clip|paper towel|paper bag|"
        "candy cane|rubber duck|rubber band|flying saucer|glass eye|electric guitar|electric eel|stained glass|double bass|"
        "french fry|french horn|ice cream|side table|tin can|straw hat|guinea pig|mobile phone|cell phone|mobile home|"
        "cotton candy|cotton ball|metal detector|high chair|high heel|soft drink|soft toy|sweet potato|spring roll|"
        "bell pepper|cherry tomato|flat screen|remote control|musical instrument|solar panel|human being|wild boar|"
        "sea lion|top hat|orange juice|orange peel|orange slice|golden gate|gold medal|silver medal|gold bar|gold mine|silver mine|"
        "chocolate bar|chocolate chip|chocolate cake|chocolate cookie|lime juice|coral reef|dry dock|brass band|steel drum|"
        "iron man|wax museum|crystal ball"
    ).split("|")
)
"""Names of several words whose first word looks like an adjective, a colour or a material."""
GERUND_HEADS: Final = _words(
    "machine meter pool table pan rod cart bag board pin cup needle room wheel can glove desk lamp suit cap gear kit "
    "tool station knife stick net hook paper shoe track rink alley aid gum ring cake dress fork saucer mat post line "
    "boot cream brush iron cane material utensil powder oil tray rack spoon agent helmet jacket ball bat pole block "
    "chair lot ticket vest trunk trolley hall area ship boat bottle shed"
)
"""What is named by its use: a sewing machine does not sew just now."""
ING_NOUNS: Final = _words(
    "painting drawing building ceiling railing wedding earring clothing ring king wing string thing swing spring "
    "sling pudding dumpling duckling gosling lightning stocking evening morning herring topping filling frosting "
    "icing siding awning crossing landing engraving carving housing wrapping bedding rigging plating lettering "
    "covering seedling sapling yearling darling sibling ceilings offering parking bowling"
)
NOT_SUPERLATIVE: Final = _words(
    "forest nest chest west guest vest harvest crest pest priest test request breast arrest contest rest best"
)

PLACES: Final = _words(
    "meadow beach night snow field forest sky sea ocean street park garden room kitchen bedroom bathroom office "
    "desert mountain hill city road grass river lake wall floor ground space background sunset sunrise day daytime "
    "morning evening afternoon noon midnight dawn dusk rain storm fog mist scene scenery landscape seascape cityscape "
    "water lawn sand winter summer autumn countryside town village farm jungle woods valley shore coast seaside "
    "island harbour harbor yard backyard playground stadium classroom library museum restaurant cafe market airport "
    "highway sidewalk pavement hall garage underwater weather season air horizon surface environment setting area "
    "world nature sunlight moonlight darkness shade pond swamp canyon cliff cave prairie savanna savannah plains "
    "tundra glacier ceiling alley square shop store station studio mud outdoors outside distance waterhole lighting "
    "daylight twilight skyline"
)
"""Nouns that name where a picture plays; in a place phrase they are background, not objects."""
HALLS: Final = _words(
    "greenhouse barn stable shed attic basement cellar corridor hallway lobby courtyard plaza orchard vineyard zoo aquarium gym hospital "
    "factory warehouse laboratory theater theatre cinema gallery supermarket mall bakery diner cafeteria workshop bookstore subway tunnel "
    "church cathedral temple palace"
)
"""Places where they are said with "in" or "at", and things where they are not: "a kite over a barn"."""
SCENE_FORMS: Final[dict[str, str]] = {
    "night": "a night scene", "midnight": "a night scene", "snow": "a snowy scene", "rain": "a rainy scene",
    "fog": "a foggy scene", "mist": "a misty scene", "day": "a daytime scene", "daytime": "a daytime scene",
    "sunset": "a sunset scene", "sunrise": "a sunrise scene", "dawn": "a scene at dawn", "dusk": "a scene at dusk",
    "storm": "a stormy scene",
    "winter": "a winter scene", "summer": "a summer scene", "autumn": "an autumn scene", "spring": "a spring scene",
}  # fmt: skip
"""Times and weathers as a scene that can stand alone."""
WEATHER_VERBS: Final[dict[str, str]] = {
    "rain": "rain", "drizzle": "rain", "pour": "rain", "snow": "snow", "storm": "storm", "thunder": "storm", "hail": "storm",
}  # fmt: skip
"""What "it" does when it rains, and the weather that is meant."""
WEATHER_ADJECTIVES: Final = _words("sunny rainy snowy foggy misty stormy cloudy windy dark hazy overcast")
SHOWING: Final = _words("fridge refrigerator easel billboard blackboard whiteboard chalkboard noticeboard board napkin")
"""What a drawing hangs on; "the wall" is another."""
IMAGE_HEADS: Final = _words(
    "photo photograph picture image drawing painting illustration sketch rendering render depiction portrait shot "
    "close-up closeup cartoon artwork poster photography watercolor watercolour snapshot clipart view art"
)
"""Nouns that name the picture itself, at its beginning."""
STYLE_HEADS: Final = IMAGE_HEADS | _words(
    "style lighting focus detail quality resolution bokeh masterpiece artstation 4k 8k hd uhd hour poly angle perspective exposure "
    "aesthetic engine film grain composition wallpaper palette vibe photorealism realism render hdr dof macro isometric"
)
FRAME_NOUNS: Final = IMAGE_HEADS | _words("scene canvas frame screen page view")
STYLE_SURE: Final = _words(
    "artstation deviantart octane unreal cgi bokeh masterpiece 4k 8k uhd hdr hd photorealistic hyperrealistic photorealism volumetric "
    "cinematic isometric raytracing"
)
"""Words that nobody says of a thing in the picture."""
MEDIA: Final = _words(
    "oil oils acrylic acrylics ink pen pencil pencils charcoal pastel pastels gouache tempera chalk crayon crayons watercolor watercolour "
    "watercolors watercolours graphite"
)
"""What pictures are made with"""
GROUNDS: Final = _words("canvas paper wood panel linen parchment vellum cardboard board silk")
"""and on: "oil on canvas" after a comma."""
LIGHTS: Final = _words(
    "light lighting shadow shadows tone tones mood atmosphere ambience ambiance glow contrast color colors colour "
    "colours saturation palette"
)
"""What the picture as a whole has, where nothing counts it or points at it: ", warm light"."""
STYLE_ADJECTIVES: Final = _words(
    "detailed photorealistic hyperrealistic realistic cinematic minimalist masterpiece 8k 4k hd"
)

SIDES: Final[dict[str, str]] = {
    "left": "left", "left-hand": "left", "leftmost": "left", "right": "right", "right-hand": "right",
    "rightmost": "right", "top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom",
    "middle": "middle", "center": "middle", "centre": "middle",
}  # fmt: skip
SIDE_TAILS: Final = _words("side half part edge corner area portion section hand third")

PAIRED_PARTS: Final = _words("shoe glove hand foot boot sock mitten arm leg eye ear wing sleeve knee")
"""Things whose left and right are kinds, not places."""
PARTS: Final = _words(
    "shoulder head back arm hand lap nose leg foot tail knee neck face surface edge corner middle center centre tip "
    "end rim lid roof top bottom branch trunk mouth beak paw"
)
"""Parts whose "of" names what the prompt speaks of."""
ATTACHED: Final = _words(
    "window door wheel handle trunk tail roof chimney wing ear eye leg arm petal leaf branch stripe spot freckle beard moustache mustache "
    "hair mane horn antler beak paw claw fin spout lid sleeve strap tusk whisker wrinkle dimple feather fang tooth"
)
"""Parts that go with what has them: they are drawn with it and have no place of their own."""
ORDINALS: Final = _words(
    "first second third fourth fifth sixth seventh eighth ninth tenth 1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th last"
)
NOT_COUNTED: Final = _words("aid eye person class hand floor story storey supper")
"""What an ordinal makes a name with: first aid, the last supper."""
DEPICTING: Final = _words(
    "tattoo sculpture sticker logo figure statue figurine painting picture photo photograph drawing sketch portrait poster "
    "image bust mural"
)
PEOPLE: Final = _words(
    "person man woman boy girl child kid baby toddler teenager adult guy lady gentleman king queen prince princess "
    "knight pirate clown waiter waitress chef cook baker sailor soldier surgeon doctor nurse teacher student farmer "
    "fisherman policeman officer firefighter judge guard tourist customer painter juggler dancer singer musician "
    "violinist player rider skier surfer diver astronaut cowboy wizard witch angel elf dwarf giant mother father "
    "brother sister grandmother grandfather bride groom monk nun beekeeper hunter carpenter worker robot snowman "
    "alien ninja samurai friend couple human people friend uncle aunt son daughter neighbour neighbor mermaid ghost "
    "vampire zombie skeleton"
)
ANIMALS: Final = _words(
    "animal dog cat puppy kitten bird horse pony cow bull calf goat sheep lamb pig rabbit hare fox wolf bear panda "
    "lion tiger leopard elephant giraffe zebra monkey ape gorilla camel llama donkey deer moose squirrel mouse rat "
    "hamster beaver otter badger hedgehog penguin owl eagle parrot pigeon crow duck goose swan chicken hen rooster "
    "turkey flamingo peacock frog toad turtle tortoise snake lizard crocodile alligator dinosaur dragon unicorn fish "
    "shark whale dolphin octopus squid crab spider bee butterfly ant beetle snail kangaroo koala raccoon walrus seal "
    "heron gull seagull sparrow teddy mascot"
)
SORTS: Final[dict[str, frozenset[str]]] = {
    "person": PEOPLE,
    "animal": ANIMALS,
    "kid": _words("boy girl child toddler baby teenager son daughter"),
    "child": _words("boy girl kid toddler baby teenager son daughter"),
    "toy": _words("ball doll car teddy kite block train balloon robot puzzle drum"),
    "pet": _words("dog cat puppy kitten rabbit hamster parrot fish"),
    "bird": _words(
        "seagull gull parrot pigeon crow duck goose swan chicken hen rooster turkey flamingo peacock owl eagle heron sparrow penguin"
    ),
    "plant": _words("tree flower cactus bush fern palm rose tulip sunflower"),
    "flower": _words("rose tulip sunflower daisy lily orchid poppy"),
    "building": _words("house barn church castle tower skyscraper cabin hut temple cathedral palace hotel lighthouse"),
    "furniture": FURNITURE | _words("chair table stool wardrobe shelf lamp"),
    "male": _words(
        "man boy guy gentleman king prince knight waiter policeman fisherman cowboy wizard father brother grandfather groom monk uncle son "
        "dad grandpa"
    ),
    "female": _words(
        "woman girl lady queen princess waitress witch mother sister grandmother bride nun aunt daughter mermaid mom mum grandma"
    ),
    "fruit": _words(
        "apple banana orange pear lemon lime plum peach cherry grape kiwi mango melon watermelon pineapple strawberry raspberry "
        "blueberry blackberry apricot fig coconut papaya grapefruit tangerine pomegranate"
    ),
    "vehicle": _words(
        "car bus truck van lorry bicycle bike motorcycle scooter train tram taxi boat ship airplane plane helicopter tractor suv jeep"
    ),
}
"""What an instruction may call many things at once: "remove all the fruit"."""
CLOTHES: Final = _words(
    "suit dress coat jacket shirt t-shirt sweater uniform hat cap skirt jeans trousers pants robe costume gown kimono "
    "apron hoodie vest tuxedo pullover jumper blouse cardigan swimsuit bikini raincoat pyjamas tie scarf armor armour helmet"
)
SPELLED: Final = _words("word words text slogan inscription caption phrase lettering letters")
"""Nouns whose words are to be written."""
PRINTED: Final = _words(
    "headline words word text letters letter caption title sentence inscription message phrase slogan label writing lettering"
)
