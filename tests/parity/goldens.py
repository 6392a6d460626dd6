"""The one loader of goldens: whatever a folder holds, by family, group and case.

A *family* is how its files are called: `sld`, `instancediffusion`, `record`, `lgd`, `context`. Its cases lie in `<family>_cases*.json`, in
one of two forms: a list of `{case, function, input, expected, compare}`, whose group is the longest known beginning of `case`; or an object
whose lists are the groups. Its tensors lie in `<family>_tiny*.safetensors` with a sidecar `.json` beside them. Groups, sizes, steps,
indices and tolerances come from these files and from nowhere else.

A folder that holds no file of a family leaves it to the shipped ones; one that lacks a group skips its test with a line. A tensor or a
size that is asked for by name and is not there is a failure, so that a wrong name cannot pass for a missing golden.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NoReturn

import pytest
from safetensors import safe_open
from torch import Tensor

DATA = Path(__file__).parents[1] / "data"
_TOLERANCES = ("tolerances", "suggested_tolerances", "suggested_tolerance")


@dataclass(frozen=True)
class Case:
    """One golden case."""

    family: str
    group: str
    name: str
    raw: Mapping[str, Any]
    """All that the file says of it."""
    file: Mapping[str, Any]
    """What the file says beside its groups: notes, tolerance, settings."""

    @property
    def input(self) -> Any:
        """What goes in."""
        return self.raw.get("input")

    @property
    def expected(self) -> Any:
        """What came out of the original."""
        return self.raw.get("expected")

    @property
    def is_error(self) -> bool:
        """Whether the original raised."""
        return isinstance(self.expected, dict) and "error" in self.expected

    @property
    def tolerance(self) -> float:
        """Of its numbers, 0 where it is exact; from `compare` or `tolerance` of the case, else of the file."""
        for said in (self.raw.get("compare"), self.raw.get("tolerance"), self.file.get("tolerance")):
            if isinstance(said, int | float) and not isinstance(said, bool):
                return float(said)
            if isinstance(said, str) and said.startswith("approx"):
                return float(said.split()[1])
        return 0.0

    def told(self, pattern: str, default: str | None = None) -> tuple[str, ...]:
        """Numbers that the file tells in words only, such as `at step (\\d+)`.

        Args:
            pattern: What to look for in `function`; its groups are returned.
            default: What it says when it does not say so.
        """
        found = re.search(pattern, str(self.raw.get("function", ""))) or (default and re.search(pattern, default))
        if not found:
            pytest.fail(f"{self.name}: its `function` does not say {pattern!r}")
        return found.groups()


def case_files(folder: Path, family: str) -> list[Path]:
    """The files of a family's cases in a folder, else the shipped ones; none where nobody has any."""
    pattern = f"{family}_cases*.json"
    return sorted(folder.glob(pattern)) or sorted(DATA.glob(pattern))


@cache
def _content(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def grouped_cases(folder: Path, family: str) -> dict[str, list[Case]]:
    """Cases of the files that hold groups as lists: group to cases, in the order of the files."""
    groups: dict[str, list[Case]] = {}
    for path in case_files(folder, family):
        content = _content(path)
        if not isinstance(content, dict) or "cases" in content:
            continue
        about = {key: value for key, value in content.items() if not _is_group(value)}
        for group, value in content.items():
            # A group with settings of its own lists its cases under `cases`; the settings stay in `file`.
            entries = value.get("cases") if isinstance(value, dict) else value
            if _is_group(entries):
                found = [Case(family, group, _name(entry, n), entry, about) for n, entry in enumerate(entries)]
                groups.setdefault(group, []).extend(found)
    return groups


def told_groups(folder: Path, family: str, group: str) -> list[Any]:
    """What the files of groups say of one group that is no list of cases, such as settings, a file each."""
    contents = [content for path in case_files(folder, family) if isinstance(content := _content(path), dict)]
    return [content[group] for content in contents if isinstance(content.get(group), dict)]


def named_cases(folder: Path, family: str, beginnings: Iterable[str]) -> list[Case]:
    """Cases of the files that are one list, by the beginning of their names; of equal names the last.

    Args:
        folder: Of the goldens.
        family: For example `sld`.
        beginnings: Groups, such as `merge_`; a case belongs to the longest that its name begins with.
    """
    known = sorted(beginnings, key=len, reverse=True)
    found: dict[str, Case] = {}
    for path in case_files(folder, family):
        content = _content(path)
        entries = content.get("cases", []) if isinstance(content, dict) else content
        about = {k: v for k, v in content.items() if k != "cases"} if isinstance(content, dict) else {}
        for entry in entries:
            group = next((one for one in known if entry["case"].startswith(one)), None)
            if group is not None:
                found[entry["case"]] = Case(family, group, entry["case"], entry, about)
    return list(found.values())


def parameters(cases: Sequence[Any], names: Sequence[str], what: str) -> list[Any]:
    """Cases as parameters of a test; where there are none, one that is skipped with a line."""
    if not cases:
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason=f"the folder of goldens has no {what}"))]
    return [pytest.param(case, id=name) for case, name in zip(cases, names, strict=True)]


def _is_group(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _name(entry: Mapping[str, Any], number: int) -> str:
    name = next((entry[key] for key in ("name", "case", "label") if isinstance(entry.get(key), str)), "")
    return f"{number}-{name}"[:60] if name else str(number)


class GoldenSet:
    """Tensors of one `<name>.safetensors` with their sidecar `<name>.json`."""

    def __init__(self, path: Path) -> None:
        self.name, self.path = path.stem, path
        self._file = safe_open(path, "pt")
        self.names = frozenset(self._file.keys())

    @cached_property
    def sidecar(self) -> dict[str, Any]:
        """Configurations, sizes, steps, tolerances."""
        content: dict[str, Any] = _content(self.path.with_suffix(".json"))
        return content

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.names:
            self._miss(name)
        return self._file.get_tensor(name)

    def _miss(self, name: str) -> NoReturn:
        pytest.fail(f"{self.name} has no {name}")

    def names_from(self, prefix: str) -> list[str]:
        """Names of the tensors that begin so."""
        found = sorted(name for name in self.names if name.startswith(prefix))
        if not found:
            self._miss(prefix)
        return found

    def tolerance(self, key: str) -> float:
        """What the sidecar suggests for a kind of numbers."""
        for section in _TOLERANCES:
            found = self.sidecar.get(section, {})
            for values in (found, found.get("suggested", {})):
                if isinstance(values.get(key), int | float):
                    return float(values[key])
        pytest.fail(f"{self.name} suggests no tolerance for {key!r}")

    def close(self, got: Tensor, name: str, tolerance: float) -> None:
        """Equal to a golden within a share of its largest magnitude."""
        expected = self[name]
        assert got.shape == expected.shape, name
        difference = (got.double() - expected.double()).abs().max().item()
        largest = expected.double().abs().max().item()
        assert difference <= tolerance * largest, f"{self.name} {name}: {difference:.3g} of {largest:.3g}"


@cache
def golden_sets(folder: Path, family: str) -> list[GoldenSet]:
    """The sets of tensors of a family in a folder, else the shipped ones; those without a sidecar are none."""
    for place in (folder, DATA):
        found = [p for p in sorted(place.glob(f"{family}_tiny*.safetensors")) if p.with_suffix(".json").is_file()]
        if found:
            return [GoldenSet(path) for path in found]
    return []
