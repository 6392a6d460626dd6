"""Scoring: does the picture show what the prompt asked for."""

METHODS = {
    "attributes": "llmgen.evaluate.attributes:AttributesEvaluate",
    "coco": "llmgen.evaluate.coco:CocoEvaluate",
    "grounding": "llmgen.evaluate.grounding:GroundingEvaluate",
    "hoi": "llmgen.evaluate.hoi.method:HoiEvaluate",
    "lmd": "llmgen.evaluate.lmd:LmdEvaluate",
    "pim": "llmgen.evaluate.pim:PimEvaluate",
}
