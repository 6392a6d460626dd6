"""The same artifacts whatever Python's hash seed: nothing depends on the order of a set.

All twenty seeds for everything that needs no model, in processes of their own; three for the whole chain with pictures
(`python tests/seeded_run.py pictures FOLDER` under other seeds makes more).
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "seeded_run.py"


def printed(part: str, seed: int, folder: Path) -> str:
    """What a fresh process with a hash seed prints."""
    env = {**os.environ, "PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, PROGRAM, part, folder]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_plans_under_twenty_seeds(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda seed: printed("plans", seed, tmp_path), range(20)))
    assert len(texts[0].splitlines()) > 25
    assert set(texts) == {texts[0]}


@pytest.mark.slow
def test_pictures_under_three_seeds(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda seed: printed("pictures", seed, tmp_path / str(seed)), (0, 1, 2)))
    assert len(texts[0].splitlines()) == 2
    assert set(texts) == {texts[0]}
    digests = [[p.read_bytes() for p in sorted((tmp_path / str(seed)).rglob("*.png"))] for seed in (0, 1, 2)]
    assert digests[0] and digests[0] == digests[1] == digests[2]
