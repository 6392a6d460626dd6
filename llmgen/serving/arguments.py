"""A command line, read as far as it must be to find the server for it, by the flags that the server's note lists."""

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llmgen.registry import DEFAULT_PRESET
from llmgen.serving.place import Flags

_INPUT_LESS: Final = "run"
"""The command that reads stdin only where it is named."""
_MOST_MANIFEST_BYTES: Final = 2**22
_PLACES: Final = ("/dev/", "/proc/")
"""Below these, a name means another thing in another process."""


@dataclass(frozen=True)
class Arguments:
    """The words of one command."""

    command: str
    inputs: tuple[str, ...]
    """Those that belong to no flag."""
    values: Mapping[str, tuple[str, ...]]
    """By parameter; of a flag without a value, none."""

    @classmethod
    def read(cls, argv: Sequence[str], flags: Flags) -> "Arguments | None":
        """Read a command line as the command itself will; None where it is wrong, which the command itself says best.

        Args:
            argv: The command and what follows.
            flags: Of the command.
        """
        words, inputs = list(argv[1:]), list[str]()
        values: dict[str, tuple[str, ...]] = {}
        while words:
            word = words.pop(0)
            if word == "--":
                inputs += words
                break
            if not word.startswith("-") or word == "-":
                inputs.append(word)
                continue
            for flag, attached in _flags_of(word, flags):
                if flag not in flags:
                    return None
                name, takes_value = flags[flag]
                if takes_value and attached is None and not words:
                    return None
                value = () if not takes_value else (words.pop(0) if attached is None else attached,)
                values[name] = (*values.get(name, ()), *value)
        return cls(argv[0], tuple(inputs), values)

    def value(self, name: str, defaults: Mapping[str, Any]) -> str | None:
        """The last value of a parameter, else that of the person's own defaults."""
        given = self.values.get(name)
        default = defaults.get(name)
        return given[-1] if given else default if isinstance(default, str) else None

    @property
    def reads_stdin(self) -> bool:
        """Whether the command will read stdin."""
        named = [*self.inputs, *(value for name, given in self.values.items() if name != "output" for value in given)]
        if "-" in named:
            return True
        method = 1 if self.command == "evaluate" else 0  # its first word may be one
        return self.command != _INPUT_LESS and len(self.inputs) <= method and not self.values.get("prompt")

    @property
    def is_for_models(self) -> bool:
        """Whether models may be asked for: files are compared without any."""
        return "annotations" not in self.values and "no_serve" not in self.values

    @property
    def names_only_files(self) -> bool:
        """Whether all that the words name means the same in another process, and keeps nobody waiting: no pipes, no devices."""
        named = [*self.inputs, *(value for given in self.values.values() for value in given)]
        return all(_is_plain(part) for word in named for part in (word, word.partition("=")[2]) if part)

    def preset(self, defaults: Mapping[str, Any], shipped_manifests: Path) -> str:
        """The preset that the command will use, as far as can be told; a slip costs time and nothing else.

        Args:
            defaults: The person's own, of this command.
            shipped_manifests: Folder of the manifests that come along.
        """
        given = self.value("preset", defaults)
        if given is None and self.command == _INPUT_LESS and self.inputs:
            given = _preset_of(Path(self.inputs[0]), shipped_manifests)
        return given or DEFAULT_PRESET


def _flags_of(word: str, flags: Flags) -> list[tuple[str, str | None]]:
    """The flags that a word holds, each with the value that is written in the same word."""
    if word.startswith("--"):
        flag, equals, value = word.partition("=")
        return [(flag, value if equals else None)]
    found: list[tuple[str, str | None]] = []
    for place in range(1, len(word)):
        flag, rest = f"-{word[place]}", word[place + 1 :]
        if flags.get(flag, ("", False))[1]:
            found.append((flag, rest or None))
            break
        found.append((flag, None))
    return found


def _is_plain(word: str) -> bool:
    if word == os.devnull:
        return True
    try:
        mode = os.stat(word).st_mode
    except (OSError, ValueError):  # a new file, or no name at all
        return not word.startswith(_PLACES)
    real = os.path.realpath(word)
    return (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and not word.startswith(_PLACES) and not real.startswith(_PLACES)


def _preset_of(manifest: Path, shipped: Path) -> str | None:
    """What a manifest says of its preset, on disk or among those that come along."""
    beside = shipped / f"{manifest.name.removesuffix('.json')}.json"
    try:
        path = manifest if manifest.is_file() else beside
        if path.stat().st_size > _MOST_MANIFEST_BYTES:
            return None
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    preset = value.get("preset") if isinstance(value, dict) else None
    return preset if isinstance(preset, str) else None
