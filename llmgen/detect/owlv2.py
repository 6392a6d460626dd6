"""OWLv2 in two passes: with attributes, then without."""

from typing import ClassVar

from llmgen.detect.two_passes import TwoPassConfig, TwoPassDetect
from llmgen.vision.queries import phrase_query


class Owlv2DetectConfig(TwoPassConfig):
    """Settings of `detect owlv2`."""


class Owlv2Detect(TwoPassDetect):
    """Finds what a record's layout, or else its prompt, asks for.

    Source:
        SLD (Wu et al. 2024), "Self-correcting LLM-controlled Diffusion Models", open-vocabulary detection in two passes.
    """

    name: ClassVar[str] = "owlv2"
    Config: ClassVar[type[TwoPassConfig]] = Owlv2DetectConfig

    def query(self, phrase: str) -> str:
        """SLD's wording: `image of a red ball`."""
        return phrase_query(phrase)
