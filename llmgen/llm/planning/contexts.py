"""Context without a language model: for every object a detail that the painter knows, and a sentence that says it all.

Nothing is looked up in the picture's truth: there are the detector's words, what was painted before, and the list of details that
whoever asks offers. Where nothing is offered, the context of an object is its name alone.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from llmgen.artifacts import Detection
from llmgen.inflection import plural_of
from llmgen.llm.english.words import bare, with_article
from llmgen.llm.planning.layouts import seeded_random
from llmgen.llm.replies.context_reply import Context, Contexts
from llmgen.vision.boxes import area, clip, iou

ANY: Final = "*"
"""Stands for every noun in a table of details."""
OWNED_SHARE: Final = 0.7
"""A part lies on the object that holds so much of its box."""
SAME_IOU: Final = 0.5
"""Overlap from which an object is one that was painted before; it keeps what it was painted with."""
_SEVERAL: Final = ("window", "wheel")
"""Parts that a thing has several of."""


class Known:
    """An object that an earlier depth painted.

    Attributes:
        phrase: What it shows since, with article.
        noun: Its head noun.
        box_xyxy: Where it is, in pixels.
    """

    def __init__(self, phrase: str, noun: str, box_xyxy: tuple[float, float, float, float]) -> None:
        self.phrase, self.noun, self.box_xyxy = phrase, noun, box_xyxy


def plan_contexts(
    prompt: str,
    detections: Sequence[Detection],
    details: Mapping[str, Sequence[str]],
    earlier: Sequence[Known],
    seed: int,
) -> Contexts:
    """A detail for each object.

    Args:
        prompt: What the picture shows.
        detections: The objects.
        details: Noun to what can be painted on it, such as `{"*": ["striped"], "window": ["lit"]}`; words that begin with `in`, `with` or
            `on` follow the object, others go before it. Of an object that is in no entry nothing is changed. Empty for no list at all.
        earlier: What was painted before: a part belongs to the object that it lies on.
        seed: Chooses among the details.
    """
    contexts = [_context(prompt, number, one, details, earlier, seed) for number, one in enumerate(detections)]
    said = [context.tags[0] for context in contexts if context.tags and not context.skip]
    told = " and ".join(dict.fromkeys(said))
    scene = " ".join(prompt.split()).rstrip(".")
    return Contexts(f"{scene}: {told}." if told else f"{scene}.", tuple(contexts))


def _context(
    prompt: str,
    number: int,
    found: Detection,
    details: Mapping[str, Sequence[str]],
    earlier: Sequence[Known],
    seed: int,
) -> Context:
    if not details:
        return Context((found.phrase,))
    offered = details.get(found.noun, details.get(ANY, ()))
    looks = next((known.phrase for known in reversed(earlier) if _is_same(known, found)), found.phrase)
    new = [word for word in offered if word not in looks]
    if not new:
        return Context(skip=True)
    owner = _owner(found, earlier)
    # All windows of a house are lit, or none is: what is chosen depends on the owner, not on the part.
    about = f"{found.noun} of {owner.box_xyxy}" if owner is not None else f"{number} {found.noun}"
    chosen = seeded_random(prompt, seed, f"context {about}").choice(new)
    if owner is None:
        return Context((with_detail(looks, chosen),))
    part = f"{chosen} {plural_of(found.noun)}" if found.noun in _SEVERAL else with_article(f"{chosen} {found.noun}")
    joint = "and" if " with " in owner.phrase else "with"
    return Context((f"{owner.phrase} {joint} {part}",))


def with_detail(phrase: str, detail: str) -> str:
    """An object with a detail, and its article: `a striped red ball`, `a boy in a striped shirt`."""
    if detail.split()[0] == "with" and " with " in phrase:
        return f"{with_article(bare(phrase))} and {detail.partition(' ')[2]}"
    if detail.split()[0] in ("in", "with", "on"):
        return f"{with_article(bare(phrase))} {detail}"
    return with_article(f"{detail} {bare(phrase)}")


def _is_same(known: Known, found: Detection) -> bool:
    return known.noun == found.noun and iou(known.box_xyxy, found.box_xyxy) >= SAME_IOU


def _owner(found: Detection, earlier: Sequence[Known]) -> Known | None:
    """The smallest earlier object of another noun on which a part lies."""
    x0, y0, x1, y1 = found.box_xyxy
    holding = []
    for known in earlier:
        left, top, right, bottom = known.box_xyxy
        inside = clip((x0 - left, y0 - top, x1 - left, y1 - top), right - left, bottom - top)
        if known.noun != found.noun and area(inside) >= OWNED_SHARE * area(found.box_xyxy):
            holding.append(known)
    return min(holding, key=lambda known: area(known.box_xyxy), default=None)
