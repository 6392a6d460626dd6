import io
import logging
import sys
from typing import NamedTuple

import pytest

from llmgen.cli import main


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def llmgen(workplace, tiny_stages, capsys, monkeypatch):
    """The command line in this process, in an empty working directory, on stages that need no model."""

    def run(*arguments, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    yield run
    # Its handler writes to the stderr of this test, and -q would silence the library for the tests that follow.
    logger = logging.getLogger("llmgen")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
