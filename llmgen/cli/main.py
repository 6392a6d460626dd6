"""The app, and the only place where an error becomes an exit code."""

import contextlib
import copy
import importlib.util
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer

from llmgen import __version__, settings
from llmgen.cli.configured import default_map
from llmgen.cli.correct import correct
from llmgen.cli.detect import detect
from llmgen.cli.doctor import doctor
from llmgen.cli.evaluate import evaluate
from llmgen.cli.export import export
from llmgen.cli.generate import generate
from llmgen.cli.import_ import import_
from llmgen.cli.layout import layout
from llmgen.cli.merge import merge
from llmgen.cli.methods import methods
from llmgen.cli.models import app as models
from llmgen.cli.output import out
from llmgen.cli.refine import refine
from llmgen.cli.report import report
from llmgen.cli.run import run
from llmgen.cli.schema import schema
from llmgen.cli.serve import serve
from llmgen.cli.sheet import sheet
from llmgen.cli.show import show
from llmgen.cli.validate import validate
from llmgen.errors import LlmgenError
from llmgen.printable import printable

INTERRUPTED = 130
TERMINATED = 143
_NAME = 200
"""Characters of a file name in a message."""

app = typer.Typer(
    name="llmgen",
    help="Text-to-image generation with a language model in the loop: plan, draw, look, correct, refine, score.",
    epilog="Exit codes: 0 success, 1 failure, 2 usage, 3 input, 4 something missing, 5 model, 6 some records failed, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
EXAMPLES: Final = {
    "layout": "llmgen layout prompts.txt -o layouts.json",
    "generate": 'llmgen generate "a red ball and a blue car" -n 4 --seed 7',
    "detect": "llmgen detect images.json -o detections.json",
    "correct": "llmgen correct detections.json --mode self_correction -o corrections.json",
    "refine": "llmgen refine corrections.json -o refinements.json",
    "evaluate": "llmgen evaluate lmd refinements.json --judge -o scores.json",
    "run": "llmgen run mine.txt -n 4",
    "serve": "llmgen serve &",
    "merge": "llmgen merge images.json",
    "report": "llmgen report outputs/mine outputs/other --open",
    "sheet": "llmgen sheet outputs/mine -o sheet.png",
    "import": "llmgen import png FOLDER -o images.json",
    "export": "llmgen export instancediffusion layouts.json -o FOLDER",
    "show": "llmgen show picture.png",
    "methods": "llmgen methods generate",
    "doctor": "llmgen doctor --preset sd15",
    "schema": "llmgen schema preset > preset.schema.json",
    "validate": "llmgen validate mine.json",
}
"""The last line of each command's help."""
_PANELS: Final[dict[str, tuple[Callable[..., None], ...]]] = {
    "Stages": (layout, generate, detect, correct, refine, evaluate),
    "Runs": (run, serve, merge, report, sheet, import_, export),
    "Looking around": (show, methods, doctor, schema, validate),
}
for panel, commands in _PANELS.items():
    for command in commands:
        name = command.__name__.rstrip("_")
        app.command(name, rich_help_panel=panel, epilog=f"Example: {EXAMPLES[name]}")(command)
app.add_typer(models, name="models", rich_help_panel="Looking around")


def _version(wanted: bool) -> None:
    if wanted:
        out.data(f"llmgen {__version__}\n")
        raise typer.Exit


@app.callback()
def _llmgen(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


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
        _app_for(arguments)(args=arguments, prog_name="llmgen", default_map=default_map(app))
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
    """The app with nothing but the command that is called: the flags of all the others are a tenth of a short command's time."""
    called = arguments[0] if arguments else ""
    meant = [
        info for info in app.registered_commands if called == (info.name or getattr(info.callback, "__name__", ""))
    ]
    if not meant:
        _add_train()
        return app
    only = copy.copy(app)
    only.registered_commands, only.registered_groups = meant, []
    return only


def _add_train() -> None:
    """`llmgen train` is registered only when it is meant: it brings a family of commands."""
    known = any(group.name == "train" for group in app.registered_groups)
    if not known and importlib.util.find_spec("llmgen.cli.train") is not None:
        from llmgen.cli.train import app as train

        app.add_typer(train, name="train", rich_help_panel="Runs")
