"""Chaining stages: one stage from file to file, or a whole manifest."""

from llmgen.pipeline.manifest import ManifestRun, RunOutcome, StageOutcome, plan_manifest, run_manifest
from llmgen.pipeline.options import RunOptions
from llmgen.pipeline.single import SingleResult, SingleStage, plan_single, run_single

__all__ = [
    "ManifestRun",
    "RunOptions",
    "RunOutcome",
    "SingleResult",
    "SingleStage",
    "StageOutcome",
    "plan_manifest",
    "plan_single",
    "run_manifest",
    "run_single",
]
