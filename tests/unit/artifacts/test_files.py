"""What a killed process left half-written."""

import os
import time
from pathlib import Path

from llmgen.artifacts.files import sweep


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
