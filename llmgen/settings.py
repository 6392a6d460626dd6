"""Every environment variable that llmgen reads, in one place; read when asked for, not at import.

`LLMGEN_DEBUG=1` shows tracebacks. `LLMGEN_NO_SERVE=1` leaves a running `llmgen serve` alone. `LLMGEN_CONFIG` names the file of a
person's own defaults, none if it is empty. `LLMGEN_CACHE_DIR` moves the cache of language model replies. `LLMGEN_OPENAI_MODEL` names
the model of the provider `openai`, `LLMGEN_OPENAI_TIMEOUT` the seconds and `LLMGEN_OPENAI_MAX_TOKENS` the tokens that one answer may
take. `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID` are read by the `openai` package itself, `HF_HOME` and
its relatives by the hub packages, `XDG_RUNTIME_DIR` by `llmgen.serving`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from llmgen.errors import InputError

OPENAI_TIMEOUT_S: Final = 300.0
OPENAI_MAX_TOKENS: Final = 2048
_WHERE_REQUESTS_GO: Final = (
    "OPENAI_BASE_URL",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_from_dotenv: dict[str, str] = {}


def debug() -> bool:
    """Whether unexpected errors are raised with their traceback instead of being turned into a line."""
    return os.environ.get("LLMGEN_DEBUG", "") not in ("", "0")


def no_serve() -> bool:
    """Whether commands do their work themselves, even if a server holds their models."""
    return os.environ.get("LLMGEN_NO_SERVE", "") not in ("", "0")


def config_path() -> tuple[Path | None, bool]:
    """The file of a person's own defaults, and whether the environment names it; no path where it says that there is none."""
    given = os.environ.get("LLMGEN_CONFIG")
    if given is not None:
        return (Path(given) if given else None), bool(given)
    import platformdirs

    return platformdirs.user_config_path("llmgen") / "config.toml", False


def cache_dir() -> Path:
    """Folder of the caches; made by whoever writes there."""
    given = os.environ.get("LLMGEN_CACHE_DIR")
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_cache_path("llmgen")


def openai_model() -> str | None:
    """Model of the provider `openai`, if one is named."""
    return (os.environ.get("LLMGEN_OPENAI_MODEL") or "").strip() or None


def openai_base_url() -> str | None:
    """Server of the provider `openai`, or None for the package's own default."""
    return (os.environ.get("OPENAI_BASE_URL") or "").strip() or None


def openai_key() -> str:
    """Key of the provider `openai`; empty where there is none."""
    return (os.environ.get("OPENAI_API_KEY") or "").strip()


def openai_timeout_s() -> float:
    """Longest time for one answer in seconds, from the request to its last byte.

    Raises:
        InputError: If the variable does not hold a number of seconds up to a day.
    """
    return _number("LLMGEN_OPENAI_TIMEOUT", OPENAI_TIMEOUT_S, 0.1, 86_400, "seconds")


def openai_max_tokens() -> int:
    """Most tokens of one answer.

    Raises:
        InputError: If the variable does not hold a number of tokens.
    """
    return int(_number("LLMGEN_OPENAI_MAX_TOKENS", OPENAI_MAX_TOKENS, 16, 1_000_000, "tokens"))


def stray_destination() -> str | None:
    """The variable by which a `.env` would send a key that it did not bring along to a place of its own choice, if any."""
    still = [name for name, value in sorted(_from_dotenv.items()) if os.environ.get(name) == value]
    if not openai_key() or "OPENAI_API_KEY" in still:
        return None
    return next((name for name in still if name.upper() in _WHERE_REQUESTS_GO), None)


def from_dotenv() -> dict[str, str]:
    """The variables that a `.env` set."""
    return dict(_from_dotenv)


def know_from_dotenv(variables: Mapping[str, str]) -> None:
    """Keep in mind, in a worker's process, which of its variables a `.env` set in the driver's."""
    _from_dotenv.update(variables)


def _number(name: str, default: float, least: float, most: float, unit: str) -> float:
    text = (os.environ.get(name) or "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InputError(f"{name}={text[:40]!r} is no number of {unit} from {least:g} to {most:g}")
    return value


def forget_dotenv() -> None:
    """Another command begins, in another environment: no variable came from a `.env` yet."""
    _from_dotenv.clear()


def load_dotenv(path: Path) -> None:
    """Set variables from a `.env` file; those that exist already win. Which ones came from it is kept in mind.

    Understands `NAME=value`, an `export` in front, quotes around the value, comments and blank lines. A missing file is fine.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name.isidentifier():
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = value.split(" #", 1)[0].rstrip()
        if name not in os.environ:
            os.environ[name] = value
            _from_dotenv[name] = value
