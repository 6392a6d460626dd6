"""From a layout to the texts that condition a sampler, as LMD words them.

Source:
    LMD (Lian et al. 2023), utils/parse.py and generation/sdxl_refinement.py: `convert_spec`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llmgen.llm.english.words import bare, number_word, pluralize

BoxXyxy = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ObjectText:
    """The texts of one object drawn alone.

    Attributes:
        prompt: For example "a meadow with a red ball".
        phrase: For example "a red ball".
        word: Last word of the phrase.
        box_xyxy: Its box, in the unit of the boxes given.
    """

    prompt: str
    phrase: str
    word: str
    box_xyxy: BoxXyxy


@dataclass(frozen=True, slots=True)
class GroupText:
    """Objects of one name in the overall prompt.

    Attributes:
        phrase: For example "three red balls", or "a red ball".
        word: Last word of the phrase.
        boxes_xyxy: The boxes of the group.
    """

    phrase: str
    word: str
    boxes_xyxy: tuple[BoxXyxy, ...]


@dataclass(frozen=True, slots=True)
class LayoutText:
    """All texts of a layout.

    Attributes:
        objects: One entry for each object, sorted by phrase (stable).
        overall_prompt: For example "a meadow with a blue car, two red balls".
        groups: Objects of equal phrase together, in the same order.
    """

    objects: tuple[ObjectText, ...]
    overall_prompt: str
    groups: tuple[GroupText, ...]


def word_layout(named: Sequence[tuple[str, BoxXyxy]], background: str, *, reference: bool = False) -> LayoutText:
    """Word a layout.

    Args:
        named: Phrases with their article and boxes, for example `("a red ball", (0.1, 0.1, 0.4, 0.4))`.
        background: The scene without its objects; may be empty.
        reference: Drop "a " and "an " inside words too when a group is put in the plural ("two pandbears"), as the
            original does; otherwise only the article goes.

    Returns:
        The texts.
    """
    ordered = sorted(named, key=lambda item: item[0])
    objects = tuple(
        ObjectText(f"{background} with {name}" if background else name, name, _last_word(name), box)
        for name, box in ordered
    )
    by_name: dict[str, list[BoxXyxy]] = {}
    for name, box in ordered:
        by_name.setdefault(name, []).append(box)
    groups = []
    for name, boxes in by_name.items():
        phrase = name
        if len(boxes) > 1:
            body = name.replace("an ", "").replace("a ", "") if reference else bare(name)
            phrase = f"{number_word(len(boxes))} {pluralize(body)}"
        groups.append(GroupText(phrase, _last_word(phrase), tuple(boxes)))
    phrases = ", ".join(group.phrase for group in groups)
    overall = f"{background} with {phrases}" if background and phrases else background or phrases
    return LayoutText(objects, overall, tuple(groups))


def _last_word(phrase: str) -> str:
    return phrase.split()[-1] if phrase.split() else phrase
