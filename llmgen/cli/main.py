"""The app, and the only place where an error becomes an exit code."""

import contextlib
import io
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from llmgen import __version__, settings
from llmgen.cli.commands import COMMANDS, add, list_only
from llmgen.cli.configured import default_map
from llmgen.cli.output import out
from llmgen.errors import INTERRUPTED, TERMINATED, LlmgenError
from llmgen.printable import printable

_NAME = 200
"""Characters of a file name in a message."""
_COMPLETING = "_LLMGEN_COMPLETE"
"""Set where a shell asks what could come next; Typer's own name for it."""


def _version(wanted: bool) -> None:
    if wanted:
        out.data(f"llmgen {__version__}\n")
        raise typer.Exit


def _llmgen(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _bare_app() -> typer.Typer:
    """The app without its commands."""
    app = typer.Typer(
        name="llmgen",
        help="Text-to-image generation with a language model in the loop: plan, draw, look, correct, refine, score.",
        epilog="Exit codes: 0 success, 1 failure, 2 usage, 3 input, 4 something missing, 5 model, 6 some records failed, 130 interrupted.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_llmgen)
    return app


def whole_app() -> typer.Typer:
    """The app with all of its commands, for who looks at them; a command line needs one of them."""
    app = _bare_app()
    add(app, COMMANDS)
    return app


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code, as `llmgen.errors` lists them.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if argv is None:
        # Through a script that was installed for an older llmgen; `llmgen.__main__` asks before it imports all this.
        from llmgen.serving.client import answered

        code = answered(arguments)
        if code is not None:
            return code
    settings.load_dotenv(Path(".env"))
    _unicode_streams()
    previous = _on_termination()
    try:
        _app_for(arguments)(args=arguments, prog_name="llmgen", default_map=default_map(whole_app))
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except LlmgenError as error:
        out.error(str(error))
        if settings.debug():
            raise
        return error.exit_code
    except KeyboardInterrupt:
        out.error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it flushes stdout at the end.
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # A path that cannot be: too long, a circle of links, no permission. Who asked for it knows what to do about it.
        if settings.debug():
            raise
        name = f"{printable(str(error.filename), _NAME)}: " if error.filename is not None else ""
        out.error(f"{name}{error.strerror or error}; give another path, or mend this one")
        return LlmgenError.exit_code
    except Exception as error:
        if settings.debug():
            raise
        out.error(f"unexpected {type(error).__name__}: {error}; LLMGEN_DEBUG=1 shows where")
        return 1
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
    return 0


def _unicode_streams() -> None:
    """UTF-8 whatever the locale, and newlines as they are: records are for the next program."""
    for stream, newline in ((sys.stdout, "\n"), (sys.stderr, None)):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline=newline)


def _on_termination() -> Any:
    """Let SIGTERM unwind the stack like Ctrl-C does, so that temporary files go and the journal is closed."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    try:
        return signal.signal(signal.SIGTERM, stop)
    except ValueError:  # Not the main thread: somebody else decides about signals.
        return None


def _app_for(arguments: list[str]) -> typer.Typer:
    """The app with the command that is called, or with the names of all: the modules of the others are half of a short command's time."""
    if _COMPLETING in os.environ:
        return whole_app()
    app = _bare_app()
    if arguments and arguments[0] in COMMANDS:
        add(app, arguments[:1])
    else:
        list_only(app)
    return app
