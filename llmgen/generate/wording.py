"""A layout's texts, and where the phrases stand in them."""

from dataclasses import dataclass

from llmgen.artifacts import Layout
from llmgen.diffusion.guidance import GuidedPhrase, phrase_places
from llmgen.diffusion.text import TextEncoder
from llmgen.llm.planning.conditioning import LayoutText, word_layout
from llmgen.vision.boxes import to_unit


@dataclass(frozen=True)
class WordedLayout:
    """What conditions a sampler.

    Attributes:
        text: The texts; boxes are unit boxes.
        prompt: The overall prompt.
        phrases: Groups of equal objects in the order of `text.groups`; without tokens where the prompt was cut before them.
    """

    text: LayoutText
    prompt: str
    phrases: tuple[GuidedPhrase, ...]


def word(layout: Layout, encoder: TextEncoder) -> WordedLayout:
    """Word a layout for a model."""
    named = [(i.phrase, to_unit(i.box_xyxy, layout.width, layout.height)) for i in layout.instances]
    text = word_layout(named, layout.background_prompt)
    prompt, places = phrase_places(text.overall_prompt, [group.phrase for group in text.groups], encoder)
    phrases = tuple(
        GuidedPhrase(group.boxes_xyxy, tuple(found), found[-1] if found else 0)
        for group, found in zip(text.groups, places, strict=True)
    )
    return WordedLayout(text, prompt, phrases)
