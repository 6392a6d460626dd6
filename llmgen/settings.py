"""Every environment variable that llmgen reads, in one place; read when asked for, not at import.

`LLMGEN_DEBUG=1` shows tracebacks. `LLMGEN_CACHE_DIR` moves the cache of language model replies. `LLMGEN_OPENAI_MODEL` names the model
of the `openai` planner. `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID` are read by the `openai`
package itself, `HF_HOME` and its relatives by the hub packages.
"""

import os
from pathlib import Path


def debug() -> bool:
    """Whether unexpected errors are raised with their traceback instead of being turned into a line."""
    return os.environ.get("LLMGEN_DEBUG", "") not in ("", "0")


def cache_dir() -> Path:
    """Folder of the caches; made by whoever writes there."""
    given = os.environ.get("LLMGEN_CACHE_DIR")
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_cache_path("llmgen")


def openai_model() -> str:
    """Model of the `openai` planner."""
    return os.environ.get("LLMGEN_OPENAI_MODEL") or "gpt-4o-2024-08-06"


def openai_base_url() -> str | None:
    """Server of the `openai` planner, or None for the package's own default."""
    return os.environ.get("OPENAI_BASE_URL") or None


def load_dotenv(path: Path) -> None:
    """Set variables from a `.env` file; those that exist already win.

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
        os.environ.setdefault(name, value)
