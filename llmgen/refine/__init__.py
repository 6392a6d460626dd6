"""Pictures to finer pictures."""

METHODS = {"sdxl": "llmgen.refine.sdxl:ImageToImageRefine"}
