"""The harness reads any set of goldens: a second one with other names, fewer cases and other indices, and families to come."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parity.second_set import GROUPS_REMOVED, RECORD, RECORD_TEST, REMOVED, write_second_set
from safetensors.torch import save_file

ROOT = Path(__file__).parents[2]
OF_TENSORS = ("test_instancediffusion_model", "test_instancediffusion_sampling", "test_lgd_model", "test_record")
"""Modules whose goldens are all tensors. The second set has cases only, so they would run on the shipped tensors again."""


def run(*arguments: object) -> str:
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_a_second_set_passes_and_what_it_lacks_is_skipped_with_a_line(tmp_path: Path) -> None:
    write_second_set(tmp_path)
    assert not list(tmp_path.glob("*_tiny*.safetensors")), (
        "the second set has tensors: then OF_TENSORS is to be run as well"
    )
    ignored = [f"--ignore=tests/parity/{name}.py" for name in (*OF_TENSORS, "test_second_set")]
    told = run(ROOT / "tests" / "parity", "--goldens", tmp_path, *ignored)
    passed = re.search(r"(\d+) passed", told)
    assert passed and int(passed[1]) > 100
    for group in REMOVED:
        if group in ("select", "spec_", "verdict"):
            assert re.search(rf"has no sld cases {group}", told), group
    assert "the golden file has no 'cogvlm'" in told
    for family, removed in GROUPS_REMOVED.items():
        for group in removed:
            assert re.search(rf"has no (group )?'{group}'", told), (family, group)


def test_a_family_to_come_needs_its_files_and_its_tests_only(tmp_path: Path) -> None:
    (tmp_path / "record_cases.json").write_text(json.dumps(RECORD))
    (tmp_path / "test_record_to_come.py").write_text(RECORD_TEST)
    x = torch.arange(6.0)
    save_file({"in.x": x, "out.x": 3 * x}, tmp_path / "record_tiny.safetensors")
    (tmp_path / "record_tiny.json").write_text(
        json.dumps({"factor": 3, "tolerances": {"suggested": {"latents": 1e-6}}})
    )
    arguments = (
        "-p",
        "parity.conftest",
        "-c",
        ROOT / "pyproject.toml",
        "--rootdir",
        ROOT,
        tmp_path / "test_record_to_come.py",
    )
    told = run(*arguments, "-k", "record", "--goldens", tmp_path)
    assert "4 passed, 1 skipped" in told and "has no group 'what_nobody_has' of record" in told
