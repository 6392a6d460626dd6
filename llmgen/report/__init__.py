"""The report: an HTML page about a run, for people to look at and to pass on; one file, or many pictures in a folder beside it."""

from pathlib import Path

__all__ = ["write_report"]


def write_report(source: Path, output: Path | None = None, *, one_file: bool = False) -> Path:
    """Write a report.

    Up to 150 pictures are inside the page; more lie beside it, those of `report.html` in `report_files`.

    The same artifacts give the same bytes: the page holds no time and nothing about the machine that wrote it.

    Args:
        source: A run's folder, of which the most complete artifact is taken, or one artifact file.
        output: Where to write; by default `report.html` in the folder, or beside the file under its name with `.html`.
        one_file: Put all pictures inside, however many they are.

    Returns:
        The path of the report.

    Raises:
        InputError: If the source cannot be read. Pictures that cannot be read do not stop the report; it names them.
        OutputError: If the report cannot be written.
    """
    from llmgen.artifacts.files import is_stream, write_named
    from llmgen.report.beside import PicturesBeside
    from llmgen.report.html import render
    from llmgen.report.source import read_source
    from llmgen.report.view import make_page

    read = read_source(source)
    path = output or read.output
    # Beside a pipe there is no folder.
    beside = None if is_stream(path) else PicturesBeside(path)
    page = make_page(read, None if one_file else beside)
    write_named(path, render(page).encode("utf-8"))
    if beside is not None:
        beside.sweep()
    return path
