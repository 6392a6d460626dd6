"""The report of many records: its pictures beside it, its stories packed."""

import base64
import json
import re
import shutil
import zlib
from pathlib import Path

import pytest
from report_run import write_many, write_run

from llmgen.errors import OutputError
from llmgen.report import write_report
from llmgen.report.beside import PicturesBeside
from llmgen.report.comparison import write_comparison


def packed(page: str) -> list[str]:
    packs = re.findall(r'<script type="text/plain" id="pack-\d+">([^<]*)</script>', page)
    return [story for pack in packs for story in json.loads(zlib.decompress(base64.b64decode(pack)))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("run"))


def test_many_pictures_lie_beside_the_page_and_stories_are_packed(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    stories = packed(page)
    assert len(stories) == 70 and "turn blue ball #1 into a red ball" in stories[69]
    assert "data:image" not in page and not any("data:image" in story for story in stories)
    named = set(re.findall(r'(?:src|href)="(report_files/[^"]*)"', page + "".join(stories)))
    # Three pictures of each, and the two regions that all share.
    assert len(named) == 3 * 70 + 2
    assert named == {f"report_files/{path.name}" for path in (run / "report_files").iterdir()}
    assert "img-src data: &#39;self&#39; file:;" in page and "pass both on together" in page
    # The picture in front is borrowed by the story, so that one file would hold it once.
    assert all(story.count("data-lent") == 1 for story in stories)


def test_written_again_or_elsewhere_it_is_the_same(run: Path, tmp_path: Path) -> None:
    first = write_report(run).read_bytes()
    copy = tmp_path / run.name
    shutil.copytree(run, copy)
    assert write_report(copy).read_bytes() == first


def test_one_file_holds_everything(run: Path, tmp_path: Path) -> None:
    page = write_report(run, tmp_path / "one.html", one_file=True).read_text(encoding="utf-8")
    assert page.count('src="data:image/png') == 70 and "_files" not in page
    assert sum(story.count('src="data:image/png') for story in packed(page)) == 2 * 70
    assert [path.name for path in tmp_path.iterdir()] == ["one.html"]


def test_what_a_page_no_longer_shows_is_swept_and_nothing_else(run: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    shutil.copytree(run, root)
    files = root / "report_files"
    files.mkdir(exist_ok=True)
    (files / "mine.png").write_bytes(b"mine")
    (files / f"{'0' * 16}.png").write_bytes(b"of an earlier page")
    write_report(root)
    assert (files / "mine.png").is_file() and not (files / f"{'0' * 16}.png").exists()
    (files / "mine.png").unlink()
    write_run(root)  # few records now
    write_report(root)
    assert not files.exists()


def test_a_folder_that_leads_elsewhere_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "page_files").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="--one-file"):
        write_report(run, tmp_path / "page.html")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_odd_names_of_pages_are_addressed_right(tmp_path: Path) -> None:
    folder = PicturesBeside(tmp_path / "50 % done?#1.html")
    url = folder.add("png", b"picture")
    assert url.startswith("50%20%25%20done%3F%231_files/") and url.endswith(".png")
    assert [path.read_bytes() for path in folder.path.iterdir()] == [b"picture"]


def test_a_comparison_of_many_has_its_folder_too(run: Path, tmp_path: Path) -> None:
    page = write_comparison(run, run, tmp_path / "comparison.html").read_text(encoding="utf-8")
    # Of 140 pictures none needs a folder.
    assert "data:image" in page and not (tmp_path / "comparison_files").exists()
    write_many(tmp_path / "more", 80)
    page = write_comparison(tmp_path / "more", tmp_path / "more", tmp_path / "comparison.html").read_text()
    assert "data:image" not in page
    assert len(list((tmp_path / "comparison_files").iterdir())) == 80
