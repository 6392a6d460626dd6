"""Goldens from a directory: `pytest tests/parity --goldens DIR`, by default `tests/data`."""

import json
from pathlib import Path
from typing import Any

import pytest
from parity.instance_goldens import golden_sets

DATA = Path(__file__).parents[1] / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--goldens",
        default=str(DATA),
        help="folder with sld_cases*.json, instancediffusion*.safetensors",
        metavar="DIR",
    )


def golden_folder(config: pytest.Config) -> Path:
    """The folder of `--goldens`."""
    return Path(config.getoption("--goldens", default=str(DATA)))


def sld_cases(folder: Path, prefixes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Cases of SLD whose name begins with one of the prefixes.

    They are in the folder's `sld_cases*.json`; a folder of other goldens has none of these files, and then the shipped ones count.
    """
    paths = sorted(folder.glob("sld_cases*.json")) or sorted(DATA.glob("sld_cases*.json"))
    assert paths, f"no sld_cases*.json in {folder} or {DATA}"
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        for case in content["cases"] if isinstance(content, dict) else content:
            if case["case"].startswith(prefixes):
                found[case["case"]] = case
    return list(found.values())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = golden_folder(metafunc.config)
    if "diffusion_case" in metafunc.fixturenames:
        cases = sld_cases(folder, tuple(metafunc.module.CASES))
        metafunc.parametrize("diffusion_case", cases, ids=[case["case"] for case in cases])
    if "instance_goldens" in metafunc.fixturenames:
        sets = golden_sets(folder) or golden_sets(DATA)
        metafunc.parametrize("instance_goldens", sets, ids=[found.name for found in sets])
