"""Goldens from a directory: `pytest tests/parity --goldens DIR`, by default `tests/data`.

A test module says its `FAMILY`, and what its tests take says which goldens they get:

* `case`, with `GROUPS` (test to beginnings of names) or `CASES` (beginnings) in the module: cases of one list, such as SLD's.
* `golden_case`: the cases of the group that the test is called after; `test_box_reply` gets the group `box_reply` of `record_cases.json`.
* `golden_group`: the group that the test is called after, where it is an object and no list of cases; `golden_member`: each entry of it,
  with its name.
* `golden_set`: each `<family>_tiny*.safetensors` with its sidecar.
"""

from pathlib import Path

import pytest
from parity.goldens import DATA, case_files, golden_sets, grouped_cases, named_cases, parameters, told_groups


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--goldens",
        default=str(DATA),
        help="folder with <family>_cases*.json and <family>_tiny*.safetensors, such as sld_cases.json",
        metavar="DIR",
    )


def golden_folder(config: pytest.Config) -> Path:
    """The folder of `--goldens`."""
    return Path(config.getoption("--goldens", default=str(DATA)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder, module = golden_folder(metafunc.config), metafunc.module
    family = getattr(module, "FAMILY", "")
    test = metafunc.function.__name__
    if "case" in metafunc.fixturenames:
        groups = getattr(module, "GROUPS", {}).get(test) or tuple(module.CASES)
        cases = named_cases(folder, family, groups)
        names = [case.name for case in cases]
        metafunc.parametrize("case", parameters(cases, names, f"{family} cases {', '.join(groups)}"))
    if "golden_case" in metafunc.fixturenames:
        group = test.removeprefix("test_")
        cases = grouped_cases(folder, family).get(group, [])
        metafunc.parametrize("golden_case", parameters(cases, [c.name for c in cases], f"group {group!r} of {family}"))
    if "golden_group" in metafunc.fixturenames:
        group = test.removeprefix("test_")
        told = told_groups(folder, family, group)
        metafunc.parametrize("golden_group", parameters(told, [group] * len(told), f"group {group!r} of {family}"))
    if "golden_member" in metafunc.fixturenames:
        group = test.removeprefix("test_")
        members = [member for told in told_groups(folder, family, group) for member in told.items()]
        ids = [name for name, _ in members]
        metafunc.parametrize("golden_member", parameters(members, ids, f"group {group!r} of {family}"))
    if "golden_set" in metafunc.fixturenames:
        sets = golden_sets(folder, family)
        metafunc.parametrize("golden_set", parameters(sets, [s.name for s in sets], f"tensors of {family}"))
    if "instance_goldens" in metafunc.fixturenames:
        # Not above: it loads diffusers, which most modules do without.
        from parity.instance_goldens import instance_sets

        found = instance_sets(folder) or instance_sets(DATA)
        metafunc.parametrize("instance_goldens", parameters(found, [s.name for s in found], "set of InstanceDiffusion"))


__all__ = ["DATA", "case_files", "golden_folder"]
