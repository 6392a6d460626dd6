"""Detections to edits, and edits to a better picture."""

METHODS = {
    "context": "llmgen.correct.context.method:ContextCorrection",
    "image_editing": "llmgen.correct.image_editing:ImageEditing",
    "interaction": "llmgen.correct.interaction:InteractionCorrection",
    "self_correction": "llmgen.correct.self_correction:SelfCorrection",
}
