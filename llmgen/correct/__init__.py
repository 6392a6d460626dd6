"""Detections to edits, and edits to a better picture."""

METHODS = {"self_correction": "llmgen.correct.self_correction:SelfCorrection"}
