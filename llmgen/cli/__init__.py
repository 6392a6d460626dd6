"""The command line: words to calls, results to streams, errors to exit codes."""

from llmgen.cli.main import main, whole_app

__all__ = ["main", "whole_app"]
