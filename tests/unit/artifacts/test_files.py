"""What a killed process left half-written, and where nothing can be written."""

import errno
import os
import time
from pathlib import Path

import pytest

from llmgen.artifacts.files import cannot_write, make_folder, sweep
from llmgen.errors import OutputError


def test_what_somebody_may_still_be_writing_is_left(tmp_path: Path) -> None:
    names = (".llmgen-7-aa.tmp", ".llmgen-8-bb.tmp", "r1.generate-00.png")
    for name in names:
        (tmp_path / name).touch()
    hour_ago = time.time() - 3601
    os.utime(tmp_path / names[0], (hour_ago, hour_ago))
    os.utime(tmp_path / names[2], (hour_ago, hour_ago))
    sweep(tmp_path / "none", older_than_s=3600)
    sweep(tmp_path, older_than_s=3600)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    sweep(tmp_path, process=9)
    sweep(tmp_path, process=8)
    assert [path.name for path in tmp_path.iterdir()] == [names[2]]


def test_a_file_in_the_place_of_a_folder_is_told_from_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for folder in (tmp_path / "notes.txt", tmp_path / "notes.txt" / "deeper"):
        with pytest.raises(
            OutputError, match=r"notes\.txt is a file, and a folder is needed there; choose another folder"
        ):
            make_folder(folder)
    assert "free some space" in str(cannot_write(tmp_path, OSError(errno.ENOSPC, "No space left on device")))
    assert "free some space" not in str(cannot_write(tmp_path, OSError(errno.EROFS, "Read-only file system")))
