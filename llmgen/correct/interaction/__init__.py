"""Correction of an interaction: the critic chooses a pose and a place for the object, then the picture is drawn again from its seed."""

from llmgen.correct.interaction.method import InteractionCorrection, InteractionCorrectionConfig

__all__ = ["InteractionCorrection", "InteractionCorrectionConfig"]
