"""The command line: words to calls, results to streams, errors to exit codes."""

from llmgen.cli.main import app, main

__all__ = ["app", "main"]
