"""A person's own defaults of the flags, from a TOML file.

`preset = "mine.json"` at the top holds for every stage and for `run` without a manifest; a table such as `[generate]` holds for one
command. A flag on the command line wins, and so does what a manifest says.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import typer

from llmgen import settings
from llmgen.errors import InputError
from llmgen.registry import STAGES, unknown

T = TypeVar("T")

MAX_BYTES: Final = 2**16
_NEVER: Final = frozenset({"output", "prompt", "prompts", "force", "resume", "dry_run", "reuse", "shard", "help"})
"""Flags about one piece of work, which no default can know."""
_OF_MANIFESTS: Final = frozenset({"preset", "planner", "critic", "seed"})
"""What a manifest says for itself."""


def read_config() -> tuple[Path | None, dict[str, Any]]:
    """The person's file and what it says; no path where there is none.

    Raises:
        InputError: If it is named and is not there, or is no TOML.
    """
    path, named = settings.config_path()
    if path is None or (not named and not path.is_file()):
        return None, {}
    import tomllib  # Here, because most people have no such file.

    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES // 1024} KiB; that is no file of settings")
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}, which LLMGEN_CONFIG names, cannot be read: {error.strerror or error}" if named else
            f"{path} cannot be read: {error.strerror or error}"
        ) from error  # fmt: skip
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, nested without end
        raise InputError(f"{path} is no TOML: {error}; mend it, or remove it") from error


def default_map(whole_app: Callable[[], typer.Typer]) -> dict[str, dict[str, Any]]:
    """The person's defaults by command and parameter, as the command line takes them.

    Args:
        whole_app: Makes the app with all commands; asked only where there is a file.

    Raises:
        InputError: If the file cannot be read or names a command or a flag that is not there.
    """
    path, config = read_config()
    if path is None:
        return {}
    group: Any = typer.main.get_command(whole_app())
    flags = {name: dict(_flags(command)) for name, command in group.commands.items()}
    everywhere = {flag for name in (*STAGES, "run") for flag in flags[name]}
    found: dict[str, dict[str, Any]] = {}
    # Tables first: they say it more closely, wherever they stand in the file.
    for key, value in sorted(config.items(), key=lambda item: not isinstance(item[1], dict)):
        if isinstance(value, dict):
            if key not in flags:
                raise InputError(f"{path}: [{key}]: {unknown('command', key, flags)}")
            for name, own in value.items():
                known = _parameter(path, name, flags[key])
                _check(path, f"[{key}] {name}", own, group.commands[key], known)
                found.setdefault(key, {})[known] = own
            continue
        _parameter(path, key, dict.fromkeys(everywhere, ""))
        for command in (*STAGES, "run"):
            parameter = flags[command].get(_plain(key))
            if parameter is not None and not (command == "run" and parameter in _OF_MANIFESTS):
                _check(path, key, value, group.commands[command], parameter)
                found.setdefault(command, {}).setdefault(parameter, value)
    return found


def without_a_manifest(name: str, kind: type[T]) -> T | None:
    """What the file says at its top about a thing that a manifest would say for itself; None where it says nothing.

    Args:
        name: Of the flag.
        kind: What its value is.

    Raises:
        InputError: If the file cannot be read, or says something else.
    """
    path, config = read_config()
    value = config.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise InputError(f"{path}: {name} = {value!r} is not of the kind {kind.__name__}")
    return value


def _flags(command: Any) -> Iterator[tuple[str, str]]:
    """Names of a command's flags and of their parameters."""
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name not in _NEVER:
            for flag in parameter.opts:
                yield _plain(flag), parameter.name


def _parameter(path: Path, name: str, flags: dict[str, str]) -> str:
    if _plain(name) not in flags:
        raise InputError(f"{path}: {unknown('flag to set there', name, flags)}")
    return flags[_plain(name)]


def _check(path: Path, name: str, value: Any, command: Any, parameter: str) -> None:
    """Say of a value that is none for its flag where it stands: nobody has typed it."""
    option = next(one for one in command.params if one.name == parameter)
    try:
        option.process_value(typer.Context(command), value)
    except typer.BadParameter as error:
        raise InputError(f"{path}: {name} = {value!r} does not fit its flag: {error.message}") from error


def _plain(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")
