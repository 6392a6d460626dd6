"""Somebody does something with something: the words of a prompt that say so."""

from typing import Any

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel, Box
from llmgen.artifacts.image import ImageRef


class WordSpan(ArtifactModel):
    """A stretch of a prompt."""

    text: str = Field(min_length=1)
    """Its words, as they stand there."""
    start: int = Field(ge=0)
    """Its first character."""
    end: int = Field(ge=1)
    """The character behind it."""

    def model_post_init(self, context: Any, /) -> None:
        """Refuse a text that is not as long as its place."""
        super().model_post_init(context)
        if self.end - self.start != len(self.text):
            raise ValueError(
                f"the span {self.start} to {self.end} is not as long as its text {self.text!r} ({len(self.text)} characters)"
            )


class Interaction(ArtifactModel):
    """Who does what with what, in the words of the prompt."""

    intransitive_prompt: str = Field(min_length=1)
    """The prompt without the object, for example `a boy is feeding`."""
    subject: WordSpan
    """Who acts, for example `a boy`."""
    verb: WordSpan
    """What is done, for example `feeding`."""
    verb_base: str = Field(min_length=1)
    """The verb's base form, for example `feed`."""
    object: WordSpan
    """What it is done with, for example `a red bird`."""
    object_noun: WordSpan
    """Its noun alone, which may be of several words, for example `hot dog`."""

    def check_prompt(self, prompt: str) -> None:
        """Refuse spans that are not the prompt's.

        Raises:
            ValueError: If one says other words than the prompt at its place.
        """
        for name in ("subject", "verb", "object", "object_noun"):
            span: WordSpan = getattr(self, name)
            if prompt[span.start : span.end] != span.text:
                raise ValueError(
                    f"interaction: {name} is {span.text!r}, but the prompt has {prompt[span.start : span.end]!r} at {span.start}; "
                    "make the layout anew after a change of the prompt"
                )


class WordAttention(ArtifactModel):
    """Where a picture attended to a word while it was drawn."""

    word: str
    """The word, for example `bird`."""
    image: ImageRef
    """The attention as a grey picture, white where it is highest."""
    box_xyxy: Box | None = None
    """The largest region above Otsu's threshold, in pixels; null where there is none."""
