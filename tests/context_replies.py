"""A corpus of replies to the context call, as models write them and as they should not: what must come of each.

The question is about o0 `red ball`, o1 `blue car`, o2 `red ball`. An entry says which tags each object gets, `skip` for one that is left,
`None` for one that is painted by its name; `refused` for a reply in which nothing is usable.
"""

import json
from typing import Any

NAMES = ("red ball", "blue car", "red ball")
refused = "refused"
skip = "skip"


def reply(*objects: Any, story: str = "A story.") -> str:
    return json.dumps({"story": story, "objects": list(objects)})


def one(name: Any, *tags: Any, **more: Any) -> dict[str, Any]:
    return {"object_id": name, "tags": list(tags), "negative_tags": [], "skip": False, **more}


ALL = (one("o0", "shiny"), one("o1", "rusty"), one("o2", "dull"))
GOOD = (("shiny",), ("rusty",), ("dull",))
BARE = json.dumps(list(ALL))
TWELVE = tuple(f"tag {n}" for n in range(12))

CORPUS: dict[str, tuple[str, Any]] = {
    "as wanted": (reply(*ALL), GOOD),
    "prose before": (f"Sure! Here is the context you asked for:\n{reply(*ALL)}", GOOD),
    "prose after": (f"{reply(*ALL)}\nLet me know if you need more detail.", GOOD),
    "fenced": (f"```json\n{reply(*ALL)}\n```", GOOD),
    "fence without language": (f"```\n{reply(*ALL)}\n```", GOOD),
    "fence without end": (f"```json\n{reply(*ALL)}", GOOD),
    "fence in prose": (f"I thought about it.\n\n```json\n{reply(*ALL)}\n```\n\nEnjoy!", GOOD),
    "thoughts before": (f"<think>o0 is a ball: {{'tags': 1}}</think>{reply(*ALL)}", GOOD),
    "end of thoughts alone": (f"a ball, so shiny</think>\n{reply(*ALL)}", GOOD),
    "byte order mark": (f"\ufeff{reply(*ALL)}", GOOD),
    "wrapped": (json.dumps({"result": json.loads(reply(*ALL))}), GOOD),
    "wrapped in a text": (json.dumps(reply(*ALL)), GOOD),
    "bare list": (BARE, GOOD),
    "list of one answer": (f"[{reply(*ALL)}]", GOOD),
    "single quotes": (str(json.loads(reply(*ALL))), GOOD),
    "trailing commas": (reply(*ALL).replace("}]", "},]"), GOOD),
    "comments": (reply(*ALL).replace('"objects"', '/* all of them */ "objects"'), GOOD),
    "other order": (reply(*reversed(ALL)), GOOD),
    "two answers": (f"{reply(*ALL)}\n{reply(one('o0', 'other'))}", GOOD),
    "no story": (json.dumps({"objects": list(ALL)}), GOOD),
    "story that is null": (json.dumps({"story": None, "objects": list(ALL)}), GOOD),
    "more fields": (json.dumps({"story": "s", "mood": "calm", "objects": list(ALL)}), GOOD),
    "capital keys": (json.dumps({"Story": "s", "Objects": [{"Object ID": "o0", "Tags": ["shiny"]}]}), (("shiny",), None, None)),
    "key id": (json.dumps({"objects": [{"id": "o1", "tags": ["rusty"]}]}), (None, ("rusty",), None)),
    "id in brackets": (reply(one("[o1]", "rusty")), (None, ("rusty",), None)),
    "id in capitals": (reply(one("O1", "rusty")), (None, ("rusty",), None)),
    "id as a number": (reply(one(1, "rusty")), (None, ("rusty",), None)),
    "id as a numeral": (reply(one("1", "rusty")), (None, ("rusty",), None)),
    "id in words": (reply(one("object 1", "rusty")), (None, ("rusty",), None)),
    "id with its name": (reply(one("o1 (blue car)", "rusty")), (None, ("rusty",), None)),
    "name for an id": (reply(one("blue car", "rusty")), (None, ("rusty",), None)),
    "noun for an id": (reply(one("the car", "rusty")), (None, ("rusty",), None)),
    "name of several": (reply(one("red ball", "shiny"), one("red ball", "dull")), (("shiny",), None, ("shiny",))),
    "wrong id": (reply(one("o7", "big"), one("o1", "rusty")), (None, ("rusty",), None)),
    "negative id": (reply(one(-1, "big"), one("o1", "rusty")), (None, ("rusty",), None)),
    "id that is no text": (reply(one(["o1"], "big"), one("o0", "shiny")), (("shiny",), None, None)),
    "only wrong ids": (reply(one("o7", "big"), one("tree", "tall")), refused),
    "missing ids": (reply(one("o2", "dull")), (None, None, ("dull",))),
    "no id": (reply({"tags": ["big"]}, one("o1", "rusty")), (None, ("rusty",), None)),
    "duplicate ids": (reply(one("o0", "shiny"), one("o0", "dull"), one("o1", "rusty")), (("shiny",), ("rusty",), None)),
    "twelve tags": (reply(one("o0", *TWELVE)), (TWELVE[:10], None, None)),
    "tags twice": (reply(one("o0", "shiny", "Shiny", "new")), (("shiny", "new"), None, None)),
    "tags as one text": (reply(one("o0") | {"tags": "shiny, new,  round"}), (("shiny", "new", "round"), None, None)),
    "tags as a text in quotes": (reply(one("o0") | {"tags": "'shiny, new'"}), (("shiny", "new"), None, None)),
    "tags with numbers": (reply(one("o0", "shiny", 7, None, "new")), (("shiny", "new"), None, None)),
    "tags that are objects": (reply(one("o0", {"tag": "x"}, "new")), (("new",), None, None)),
    "no tags": (reply(one("o0"), one("o1", "rusty")), (None, ("rusty",), None)),
    "tags that are null": (reply(one("o0") | {"tags": None}, one("o1", "rusty")), (None, ("rusty",), None)),
    "brackets": (reply(one("o0", "[shiny]", "((new))", "{round}")), (("shiny", "new", "round"), None, None)),
    "weights": (reply(one("o0", "(shiny:1.3)", "new:0.8", "<lora:gloss:1>")), (("shiny", "new"), None, None)),
    "marks of lists": (reply(one("o0", "- shiny", "* new", "**round**")), (("- shiny", "new", "round"), None, None)),
    "control characters": (reply(one("o0", "shi\x1bny", "new\u202e")), (("shi ny", "new"), None, None)),
    "a sentence for a tag": (reply(one("o0", "x" * 120, "shiny")), (("shiny",), None, None)),
    "only punctuation": (reply(one("o0", "...", "--"), one("o1", "rusty")), (None, ("rusty",), None)),
    "left as it is": (reply(one("o0", skip=True), one("o1", "rusty")), (skip, ("rusty",), None)),
    "skip as a text": (reply(one("o0", skip="true"), one("o1", "rusty", skip="no")), (skip, ("rusty",), None)),
    "map of ids": (json.dumps({"story": "s", "objects": {"o0": ["shiny"], "o1": "rusty, old"}}), (("shiny",), ("rusty", "old"), None)),
    "map of names": (json.dumps({"blue car": "rusty, old"}), (None, ("rusty", "old"), None)),
    "map with a story": (json.dumps({"story": "s", "o1": {"tags": ["rusty"]}}), (None, ("rusty",), None)),
    "cut in the last object": (reply(*ALL)[:-70], (("shiny",), ("rusty",), None)),
    "cut in the first object": ('{"story": "s", "objects": [{"object_id": "o0", "tags": ["shi', refused),
    "cut in the story": ('{"story": "Once upon a ti', refused),
    "published lines": ("Story: One day.\n\nred ball: shiny, new\nblue car: rusty", (("shiny", "new"), ("rusty",), ("shiny", "new"))),
    "lines in brackets": ("[blue car]: rusty", (None, ("rusty",), None)),
    "lines in a list": ("- blue car: rusty\n- red ball: shiny", (("shiny",), ("rusty",), ("shiny",))),
    "numbered lines": ("1. blue car: rusty", (None, ("rusty",), None)),
    "lines in capitals": ("BLUE CAR: rusty", (None, ("rusty",), None)),
    "lines without a blank": ("blue car:rusty", (None, ("rusty",), None)),
    "bold lines": ("**blue car:** rusty\n**red ball**: shiny", (("shiny",), ("rusty",), ("shiny",))),
    "lines with two colons": ("blue car: rusty: old", (None, ("rusty: old",), None)),
    "lines by id": ("o1: rusty", (None, ("rusty",), None)),
    "a refusal": ("I'm sorry, but I can't help with that.", refused),
    "another refusal": ("As an AI language model I do not paint.", refused),
    "nothing": ("", refused),
    "blanks": (" \n\t ", refused),
    "prose": ("The balls should be shiny and the car a little rusty, I think.", refused),
    "a number": ("42", refused),
    "an empty object": ("{}", refused),
    "an empty list": (reply(), refused),
    "objects that are a number": (json.dumps({"story": "s", "objects": 3}), refused),
    "objects that are null": (json.dumps({"story": "s", "objects": None}), refused),
    "a wall of brackets": ("[" * 200, refused),
    "a lone surrogate": (r'{"objects": [{"object_id": "o0", "tags": ["\ud83d"]}]}', refused),
}  # fmt: skip
