"""An artifact without its pictures: the page says legibly which are missing, and so does a line."""

import html
import logging
import shutil
from pathlib import Path

import pytest
from report_run import write_run

from llmgen.report import write_report
from llmgen.report.pictures import without_folder


def test_a_folder_with_its_scores_alone_gives_a_legible_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = write_run(tmp_path / "run.v1")
    alone = tmp_path / "alone"
    alone.mkdir()
    artifact = max(run.glob("*.json"), key=lambda path: (path.stem == "scores", path.stem != "manifest"))
    shutil.copy(artifact, alone / artifact.name)
    monkeypatch.chdir(alone)
    for source in (Path(artifact.name), Path(), alone):
        caplog.clear()
        page = write_report(source, tmp_path / "page.html").read_text(encoding="utf-8")
        page = html.unescape(page)
        assert "image 'images/0001.2.png' is missing in the artifact's folder; restore it" in page
        assert "folderpng" not in page and "folder/" not in page and str(tmp_path) not in page
        (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert "missing: 'images/" in line and line.endswith("the report has their places only")


@pytest.mark.parametrize(
    ("root", "text", "seen"),
    [
        (
            ".",
            "image 'a.b.png' is missing in .; restore it",
            "image 'a.b.png' is missing in the artifact's folder; restore it",
        ),
        ("/r/x", "image 'r/x.png' is missing in /r/x; go", "image 'r/x.png' is missing in the artifact's folder; go"),
        ("/r/x", "image '/r/x/y' leads out of /r/x; go", "image '/r/x/y' leads out of the artifact's folder; go"),
        (
            ".",
            "image 'a.png' is missing in the working directory; go",
            "image 'a.png' is missing in the artifact's folder; go",
        ),
        ("run", "image 'run.png' is missing in run; go", "image 'run.png' is missing in the artifact's folder; go"),
    ],
)
def test_only_the_folder_itself_is_replaced(root: str, text: str, seen: str) -> None:
    assert without_folder(text, Path(root)) == seen
