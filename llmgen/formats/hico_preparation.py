"""How ReCorD prepares HICO-DET: sentences with their "is", boxes and joints on a frame of 512 pixels, moved from where they belong.

The published few-shot examples were made so: what was moved is given, what was true is the answer.

Source:
    ReCorD (Lin et al. 2024), https://github.com/j1anglin/ReCorD: HICO-DET, prompt preprocessing, interaction-aware reasoning.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from llmgen.errors import InputError
from llmgen.inflection import participle_of

SIDE: Final = 512
"""The frame of the original's boxes, whatever the size of its pictures."""
NO_INTERACTION: Final = "no_interaction"
Choose = Callable[[int, int], int]
"""Takes the least and the largest shift that keeps everything inside, and gives one of them, for example at random."""


class Sentence(NamedTuple):
    """A sentence of HICO-DET with its "is", and the original's token places in it, which take every word for one token."""

    intransitive: str
    full: str
    noun: str
    subject: int
    verb: int
    object: int


def sentence_with_is(prompt: str, places: Sequence[int]) -> Sentence:
    """Put the "is" into a sentence such as `a person riding a bicycle`.

    Args:
        prompt: Without "is"; full stops are removed.
        places: Token places of subject and object in it, the start token being 0.

    Raises:
        InputError: If a place is not in the sentence.
    """
    words = prompt.replace(".", "").split()
    if len(places) != 2 or not (1 <= places[0] < places[1] <= len(words)):
        raise InputError(f"token indices {list(places)} are not subject and object of {prompt[:80]!r}")
    subject, thing = places
    full = [*words[:subject], "is", *words[subject:]]
    return Sentence(" ".join(full[: subject + 2]), " ".join(full), words[thing - 1], subject, subject + 2, thing + 1)


def spoken_sentence(subject: str, verb: str, thing: str) -> str:
    """A verb and an object of HICO-DET as a sentence, for example `A man is sitting on a bench`.

    The original draws the subject at random, whatever the picture shows, and chooses articles by letters: "a hour glass".

    Args:
        subject: Without article.
        verb: Base form, with a preposition behind an underscore: `sit_on`.
        thing: Without article.
    """
    base, _, preposition = verb.partition("_")
    doing = " ".join((participle_of(base), *preposition.split("_"))).strip()
    first = _with_article(subject)
    return f"{first[0].upper()}{first[1:]} is {doing} {_with_article(thing)}"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"


def on_square(entries: Sequence[Mapping[str, Any]], choose: Choose) -> list[dict[str, Any]]:
    """HICO-DET's training boxes on the 512 frame, and the objects' boxes moved away from where they belong.

    Args:
        entries: `global_id`, `image_size` (height, width, channels) and `hois` with `human_bboxes` and `object_bboxes`, from 0. Test
            pictures are left out.
        choose: Chooses each shift, to the right and down.
    """
    made = []
    for entry in entries:
        if "test" in str(entry["global_id"]):
            continue
        height, width, channels = entry["image_size"]
        hois = []
        for hoi in entry["hois"]:
            people, things = (
                [[int(v * SIDE / (width, height)[i % 2]) for i, v in enumerate(box)] for box in hoi[name]]
                for name in ("human_bboxes", "object_bboxes")
            )
            moved = [box_moved(box, choose) for box in things]
            hois.append({**hoi, "human_bboxes": people, "object_bboxes": things, "object_bboxes_shifted": moved})
        made.append({**entry, "image_size": [SIDE, SIDE, channels], "hois": hois})
    return made


def box_moved(box: Sequence[int], choose: Choose, side: int = SIDE) -> list[int]:
    """A box `x0, y0, x1, y1` elsewhere in the frame, as large as before."""
    x0, y0, x1, y1 = box
    return [number for point in points_moved(((x0, y0), (x1, y1)), choose, side) for number in point]


def points_moved(points: Sequence[Sequence[int]], choose: Choose, side: int = SIDE) -> list[list[int]]:
    """Joints elsewhere in the frame, all by the same shift; the original moves the box of a figure by another one.

    Args:
        points: At least one `x, y` in pixels.
        choose: Chooses the shift to the right, then the one down.
        side: Of the frame in pixels.
    """
    across, down = zip(*points, strict=True)
    by = (choose(-min(across), side - max(across)), choose(-min(down), side - max(down)))
    return [[x + by[0], y + by[1]] for x, y in points]
