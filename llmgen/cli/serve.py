"""`llmgen serve`: models that stay loaded between commands."""

import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from llmgen.cli.completion import presets
from llmgen.cli.options import MODEL, DeviceOpt, JsonOpt, QuietOpt
from llmgen.cli.output import out
from llmgen.errors import MissingRequirementError
from llmgen.registry import DEFAULT_PRESET

IDLE_S = 1800.0
_ANSWER_S = 10.0
"""For a server to say what it does."""


def serve(
    preset: Annotated[
        str | None,
        typer.Option(
            help="Whose models it holds: a name of `llmgen models`, or your own JSON file; toybox by default.",
            autocompletion=presets,
            rich_help_panel=MODEL,
        ),
    ] = None,
    device: DeviceOpt = "auto",
    idle: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Without work, it ends after these.")] = IDLE_S,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it is ready, and leave it behind in the background.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Show the servers that run, and what they do.")] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="End them, or that of --preset, once the command in hand is done.")
    ] = False,
    as_json: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Hold a preset's models in one process: the stage commands and `run` find it and need not load them; see --no-serve there."""
    from llmgen.serving import wire

    out.configure(quiet=quiet, verbose=False)
    if not wire.is_possible():
        raise MissingRequirementError(
            "`llmgen serve` needs Unix sockets that pass open files on, which this system does not have; every command loads its own models"
        )
    if status and stop:
        raise typer.BadParameter("give --status or --stop, not both", param_hint="--status")
    if status:
        _show(_running(preset), as_json)
    elif stop:
        _stop(preset)
    else:
        _serve(preset or DEFAULT_PRESET, device, idle, detach)


def _serve(preset: str, device: str, idle: float, detach: bool) -> None:
    from llmgen.engine import warm
    from llmgen.engine.devices import resolve_device
    from llmgen.presets import load_preset
    from llmgen.serving import place
    from llmgen.serving.identity import code_digest, environment_digest
    from llmgen.serving.server import Server

    code, chosen = code_digest(), load_preset(preset)
    home = place.folder()
    place.make_private(home)
    tell = _left_behind() if detach else None
    resolved = resolve_device(device)
    note = place.ServerNote(
        preset=place.preset_identity(preset),
        device=resolved,
        is_auto=resolve_device("auto") == resolved,
        pid=os.getpid(),
        code=code,
        environment=environment_digest(os.environ),
        commands=_flags_of_commands(),
    )
    models = warm.WarmModels(chosen.name, resolved)

    def run(argv: Sequence[str]) -> int:
        return _run(argv, models)

    def ready() -> None:
        out.note(f"{note.preset} on {resolved}: ready (process {note.pid}); ends after {idle:g} s without work")
        if tell is not None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(nowhere, number)
            os.write(tell, b"1")
            os.close(tell)

    server = Server(note, place.socket_path(home, preset, resolved), run, idle)
    with server.only_one():
        _import_all(chosen.methods)
        warm.keep(models)
        try:
            server.serve(ready)
        finally:
            warm.keep(None)


def _left_behind() -> int:
    """Go on in a process of its own, while this one waits for it to be ready and ends.

    Returns:
        In the other process: where to write a byte when it is ready.

    Raises:
        typer.Exit: In this one.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        try:
            if os.read(reader, 1):
                raise typer.Exit
        except KeyboardInterrupt:
            os.kill(child, signal.SIGTERM)
            raise
        _, how = os.waitpid(child, 0)
        raise typer.Exit(os.waitstatus_to_exitcode(how))
    os.close(reader)
    os.setsid()
    return writer


def _run(argv: Sequence[str], models: Any) -> int:
    """One command line, as in a process that has just begun."""
    from llmgen import settings
    from llmgen.cli.main import main
    from llmgen.errors import ModelError

    logger = logging.getLogger("llmgen")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    out.quiet = out.verbose = False
    settings.forget_dotenv()
    models.look_again()
    code = main(list(argv))
    if code == ModelError.exit_code:
        models.forget()  # what is kept may be what left too little memory
    return code


def _import_all(methods: dict[str, str]) -> None:
    """Import what commands will need; the models themselves are loaded by the first that asks for them, and stay."""
    import llmgen.diffusion.loading
    import llmgen.pipeline.manifest
    import llmgen.pipeline.single  # noqa: F401
    from llmgen.registry import STAGES, resolve

    for stage in STAGES:
        resolve(stage, methods.get(stage))


def _flags_of_commands() -> dict[str, dict[str, tuple[str, bool]]]:
    """The flags of the commands that servers run, each with its parameter, and whether a value follows."""
    from llmgen.cli.main import whole_app
    from llmgen.serving import SERVED

    group: Any = typer.main.get_command(whole_app())
    return {
        name: {
            flag: (parameter.name, not parameter.is_flag)
            for parameter in group.commands[name].params
            if parameter.param_type_name == "option"
            for flag in (*parameter.opts, *parameter.secondary_opts)
        }
        for name in SERVED
    }


def _running(preset: str | None) -> list[dict[str, Any]]:
    """What the servers say that answer, those of one preset or all."""
    from llmgen.serving import place
    from llmgen.serving.identity import code_digest

    wanted = None if preset is None else place.preset_identity(preset)
    code = code_digest()
    found = []
    for path, note in place.notes(place.folder()):
        if wanted in (None, note.preset) and (state := _tell(path, "status")) is not None:
            found.append({**state, "same_code": note.code == code, "socket": str(path)})
    return found


def _tell(path: Path, word: str, *, to_its_end: bool = False) -> dict[str, Any] | None:
    """Say a word to a server; what it answers, or None if there is none any more."""
    from llmgen.serving import wire

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(_ANSWER_S)
            connection.connect(str(path))
            if not wire.is_own(connection):
                return None
            wire.send_first(connection, {"do": word})
            answer = wire.receive(connection)
            if to_its_end and answer is not None:
                if answer["state"] != "idle":
                    out.note(f"{answer['preset']} on {answer['device']}: waiting for {answer['state']} to end")
                connection.settimeout(None)
                wire.receive(connection)
        except OSError:
            return None
    return answer if isinstance(answer, dict) else None


def _show(servers: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        out.json(servers)
        return
    if not servers:
        out.note("no server runs; `llmgen serve` starts one")
        return
    rows = []
    for one in servers:
        doing = one["state"] + (f", {one['waiting']} waiting" if one["waiting"] else "")
        code = "" if one["same_code"] else "other code: no command uses it"
        rest = f"{max(0.0, one['ends_after_s'] - one['idle_s']):.0f} s" if one["state"] == "idle" else ""
        rows.append([one["preset"], one["device"], str(one["pid"]), doing, str(one["done"]), rest, code])
    columns = ["preset", "device", "#process", "does", "#done", "#ends in", ""]
    out.table("servers", columns, rows, to_stdout=True)


def _stop(preset: str | None) -> None:
    servers = _running(preset)
    if not servers:
        out.note("no server runs" if preset is None else f"no server of {preset} runs")
    for one in servers:
        if _tell(Path(one["socket"]), "stop", to_its_end=True) is not None:
            out.note(f"{one['preset']} on {one['device']}: ended (process {one['pid']})")
