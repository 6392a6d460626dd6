"""Everyday words for COCO's 80 classes, so that "a man" in a reply meets a planned person."""

from llmgen.llm.english.words import singularize

#: Class to single words that name it, all in the singular. Words that name several classes are left out.
_WORDS = {
    "person": "man woman boy girl child kid baby toddler guy lady pedestrian player worker rider skier surfer skateboarder chef driver",
    "bicycle": "bike cyclist",
    "car": "automobile sedan taxi cab suv",
    "motorcycle": "motorbike moped scooter",
    "airplane": "plane aeroplane jet aircraft",
    "bus": "coach minibus",
    "train": "locomotive tram",
    "truck": "lorry pickup",
    "boat": "ship sailboat canoe kayak ferry yacht",
    "traffic light": "stoplight",
    "fire hydrant": "hydrant",
    "parking meter": "meter",
    "bench": "pew",
    "bird": "pigeon gull seagull duck goose parrot sparrow robin eagle swan owl",
    "cat": "kitten kitty",
    "dog": "puppy pup corgi poodle",
    "horse": "pony foal",
    "sheep": "lamb ewe ram",
    "cow": "cattle calf bull ox",
    "bear": "cub",
    "backpack": "knapsack rucksack",
    "umbrella": "parasol",
    "handbag": "purse",
    "tie": "necktie",
    "suitcase": "luggage briefcase",
    "frisbee": "disc",
    "skis": "ski",
    "sports ball": "ball football soccerball basketball baseball",
    "baseball glove": "mitt",
    "wine glass": "wineglass goblet",
    "cup": "mug teacup",
    "couch": "sofa loveseat",
    "potted plant": "houseplant plant",
    "dining table": "table desk",
    "tv": "television monitor screen",
    "laptop": "notebook",
    "remote": "controller",
    "cell phone": "phone cellphone smartphone",
    "microwave": "",
    "oven": "stove",
    "refrigerator": "fridge freezer",
    "clock": "watch",
    "vase": "",
    "teddy bear": "teddy",
    "hair drier": "hairdryer",
    "donut": "doughnut",
    "cake": "cupcake",
    "hot dog": "hotdog",
}
_CLASS_OF = {word: name for name, words in _WORDS.items() for word in words.split()}


def coco_name(word: str) -> str:
    """The class that a word names, else the word itself; lower case, singular.

    Args:
        word: A noun, such as `Benches` or `puppy`.

    Returns:
        For example `bench` or `dog`.
    """
    lower = word.lower()
    for candidate in (lower, singularize(lower)):
        if candidate in _WORDS:
            return candidate
        if candidate in _CLASS_OF:
            return _CLASS_OF[candidate]
    return singularize(lower)


def names_class(words: str) -> bool:
    """Whether words are the name of a class, or an everyday word for one, as they stand or in the singular."""
    lower = words.lower()
    return any(candidate in _WORDS or candidate in _CLASS_OF for candidate in (lower, singularize(lower)))
