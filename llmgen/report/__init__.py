"""The report: one self-contained HTML page about a run, for people to look at and to pass on."""

from pathlib import Path

__all__ = ["write_report"]


def write_report(source: Path, output: Path | None = None) -> Path:
    """Write a report.

    The same artifacts give the same bytes: the page holds no time and nothing about the machine that wrote it.

    Args:
        source: A run's folder, of which the most complete artifact is taken, or one artifact file.
        output: Where to write; by default `report.html` in the folder, or beside the file under its name with `.html`.

    Returns:
        The path of the report.

    Raises:
        InputError: If the source cannot be read. Pictures that cannot be read do not stop the report; it names them.
        OutputError: If the report cannot be written.
    """
    from llmgen.artifacts.files import write_named
    from llmgen.report.html import render
    from llmgen.report.source import read_source
    from llmgen.report.view import make_page

    read = read_source(source)
    path = output or read.output
    write_named(path, render(make_page(read)).encode("utf-8"))
    return path
