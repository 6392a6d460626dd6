"""Models that stay warm between commands: who asks a server (standard library only, so that asking costs nothing), and the server."""

from typing import Final

SERVED: Final = ("layout", "generate", "detect", "correct", "refine", "evaluate", "run")
"""Commands that servers run."""
