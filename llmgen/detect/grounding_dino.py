"""Grounding DINO in two passes, as OWLv2: with attributes, then without. The family also runs MM-Grounding-DINO and LLMDet."""

from typing import ClassVar

from pydantic import Field

from llmgen.detect.two_passes import TwoPassConfig, TwoPassDetect


class GroundingDinoDetectConfig(TwoPassConfig):
    """Settings of `detect grounding-dino`."""

    # Its authors' box threshold; a phrase with attributes has more words to agree with, so its mean is lower, not higher.
    attribute_threshold: float = Field(default=0.35, ge=0, le=1)
    """Least score of a hit for a noun with attributes."""
    primitive_threshold: float = Field(default=0.35, ge=0, le=1)
    """Least score of a hit for a plain noun."""


class GroundingDinoDetect(TwoPassDetect):
    """Finds what a record's layout, or else its prompt, asks for.

    Source:
        Liu et al. 2023, "Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set Object Detection"; the two passes are
        SLD's (Wu et al. 2024).
    """

    name: ClassVar[str] = "grounding-dino"
    Config: ClassVar[type[TwoPassConfig]] = GroundingDinoDetectConfig

    def query(self, phrase: str) -> str:
        """The bare phrase: the caption is phrases with full stops between."""
        return phrase
