"""Scoring: does the picture show what the prompt asked for."""

METHODS = {"coco": "llmgen.evaluate.coco:CocoEvaluate", "lmd": "llmgen.evaluate.lmd:LmdEvaluate"}
