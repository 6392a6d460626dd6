"""llmgen: text-to-image generation with a language model in the loop.

The public names below are imported on first use, so that `import llmgen` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmgen.artifacts import Layout as Layout
    from llmgen.artifacts import Manifest as Manifest
    from llmgen.artifacts import Record as Record
    from llmgen.artifacts.io import read_manifest as read_manifest
    from llmgen.artifacts.io import read_records as read_records
    from llmgen.artifacts.io import write_artifact as write_artifact
    from llmgen.errors import LlmgenError as LlmgenError
    from llmgen.pipeline.manifest import ManifestRun as ManifestRun
    from llmgen.pipeline.manifest import run_manifest as run_manifest
    from llmgen.pipeline.options import RunOptions as RunOptions
    from llmgen.pipeline.single import SingleStage as SingleStage
    from llmgen.pipeline.single import run_single as run_single
    from llmgen.report import write_report as write_report

__version__ = "0.1.0"

_PUBLIC = {
    "Layout": "llmgen.artifacts",
    "LlmgenError": "llmgen.errors",
    "Manifest": "llmgen.artifacts",
    "ManifestRun": "llmgen.pipeline.manifest",
    "Record": "llmgen.artifacts",
    "RunOptions": "llmgen.pipeline.options",
    "SingleStage": "llmgen.pipeline.single",
    "read_manifest": "llmgen.artifacts.io",
    "read_records": "llmgen.artifacts.io",
    "run_manifest": "llmgen.pipeline.manifest",
    "run_single": "llmgen.pipeline.single",
    "write_artifact": "llmgen.artifacts.io",
    "write_report": "llmgen.report",
}
__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'llmgen' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
