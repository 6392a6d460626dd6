"""Scoring: does the picture show what the prompt asked for."""

METHODS = {
    "attributes": "llmgen.evaluate.attributes:AttributesEvaluate",
    "coco": "llmgen.evaluate.coco:CocoEvaluate",
    "context": "llmgen.evaluate.context:ContextEvaluate",
    "grounding": "llmgen.evaluate.grounding:GroundingEvaluate",
    "hoi": "llmgen.evaluate.hoi.method:HoiEvaluate",
    "lmd": "llmgen.evaluate.lmd:LmdEvaluate",
    "pim": "llmgen.evaluate.pim:PimEvaluate",
    "vqai": "llmgen.evaluate.vqai.method:VqaiEvaluate",
}
