"""`llmgen serve`: what is done by a server is done as without it, and nobody else's server is ever trusted."""

import contextlib
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from llmgen.cli import main
from llmgen.cli.serve import _flags_of_commands, _tell
from llmgen.serving import identity, place, wire
from llmgen.serving.arguments import Arguments
from llmgen.serving.client import answered

PROGRAM = [sys.executable, "-m", "llmgen"]
PACKAGES = str(Path(__file__).parents[2])
PROMPTS = "a red ball\ntwo blue cars and a house\na star\n"


class Served:
    """A server, and a person who uses it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home = home / "llmgen"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("LLMGEN_", "OPENAI_"))} | {
            "XDG_RUNTIME_DIR": str(home), "LLMGEN_CONFIG": "", "LLMGEN_CACHE_DIR": str(home), "PYTHONPATH": PACKAGES,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", "--idle", "600"], env=self.environment, stderr=subprocess.PIPE, text=True
        )
        assert "toybox on cpu: ready" in self.process.stderr.readline()
        ((self.path, self.note),) = place.notes(self.home)

    def state(self):
        return _tell(self.path, "status")

    def __call__(self, *arguments, cwd: Path, stdin: bytes = b"", **environment: str):
        """A command that the server does, as the count that it keeps says."""
        before = self.state()["done"]
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, cwd=cwd, env=self.environment | environment
        )  # fmt: skip
        assert self.state()["done"] == before + 1, done.stderr
        return done.returncode, done.stdout.decode(), said(done.stderr.decode())

    def starts(self, *arguments, cwd: Path, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)], cwd=cwd, env=self.environment | environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def until(self, state: str) -> None:
        """Wait until it does something, or nothing."""
        for _ in range(600):
            if self.state()["state"] == state:
                return
            time.sleep(0.05)
        raise AssertionError(f"it never was {state}")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("serve") / "run")
    yield served
    served.process.terminate()
    served.process.wait(60)
    served.process.stderr.close()


@pytest.fixture
def user(server, monkeypatch):
    """This process as one that could ask the server."""
    for name in (*os.environ, *server.environment):
        if os.environ.get(name) != server.environment.get(name) and name != "PYTEST_CURRENT_TEST":
            if name in server.environment:
                monkeypatch.setenv(name, server.environment[name])
            else:
                monkeypatch.delenv(name)
    return server


@pytest.fixture
def endless():
    """A language model's server that takes a question and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        yield (
            listener,
            {"OPENAI_BASE_URL": address, "OPENAI_API_KEY": "sk-very-secret", "LLMGEN_OPENAI_MODEL": "m"},
        )


def said(text: str) -> str:
    return re.sub(r"\d+\.\d s", "N s", text)


def alone(*arguments, capsys, monkeypatch, stdin: bytes = b""):
    """The same command in this process."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    done = capsys.readouterr()
    return code, done.out, said(done.err)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["layout", "a red ball"], 0),
        (["layout", "--format", "txt"], 0),
        (["layout", "p.txt", "-q", "--seed", "7"], 0),
        (["layout", "p.txt", "-o", "new.json"], 0),
        (["layout", "none.json"], 3),
        (["layout", "a red ball", "--set", "nothing=1"], 3),
        (["layout", "a red ball", "--seed", "x"], 2),
        (["layout", "a red ball", "-o", "there.json"], 1),
        (["detect", "layouts.json"], 3),
        (["evaluate", "lmd", "layouts.json", "--method", "x"], 2),
        (["run", "--prompt", "a red ball", "--dry-run"], 0),
    ],
)
def test_the_same_bytes_and_the_same_end(user, workplace, capsys, monkeypatch, arguments, code):
    folders = []
    for name in ("with", "without"):
        folder = workplace / name
        folder.mkdir()
        (folder / "p.txt").write_text(PROMPTS)
        (folder / "there.json").write_text("{}")
        (folder / "layouts.json").write_text('{"kind": "layouts", "schema_version": 1, "records": []}')
        folders.append(folder)
    stdin = PROMPTS.encode() if "txt" in arguments else b""
    if "--method" in arguments and arguments[0] == "evaluate":  # wrong usage is said without asking anybody
        monkeypatch.chdir(folders[0])
        assert answered(arguments) is None
        return
    served = user(*arguments, cwd=folders[0], stdin=stdin)
    monkeypatch.chdir(folders[1])
    assert served == alone(*arguments, capsys=capsys, monkeypatch=monkeypatch, stdin=stdin)
    assert served[0] == code
    files = [{path.relative_to(f): path for path in f.rglob("*") if path.is_file()} for f in folders]
    assert files[0].keys() == files[1].keys()
    assert all(
        files[0][name].read_bytes() == files[1][name].read_bytes() for name in files[0] if name.suffix == ".json"
    )


def test_models_stay_and_draw_the_same(user, workplace, capsys, monkeypatch):
    command = ["generate", "a red ball", "--steps", "2", "-q", "--images", "images"]
    first, second = (user(*command, cwd=workplace) for _ in range(2))
    assert first == second == alone(*command, capsys=capsys, monkeypatch=monkeypatch)
    assert json.loads(first[1])["image"]["sha256"]


def test_the_stages_of_a_pipe_do_not_wait_for_each_other(server, workplace):
    (workplace / "p.txt").write_text("a red ball\n" * 80)  # more than a pipe holds
    program, before = shlex.join(PROGRAM), server.state()["done"]
    # The shell reads a line and asks while the first stage still has much to say.
    line = (
        f"{program} layout p.txt -q | {program} layout -q - | "
        f'{{ read -r first; echo "$first" | {program} layout -q - | wc -l; wc -l; }}'
    )
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, cwd=workplace, env=server.environment, timeout=120
    )
    assert (done.stdout.split(), done.stderr) == (["1", "79"], "")
    assert server.state()["done"] == before + 3


def test_who_stops_reading_ends_the_command(server, workplace):
    (workplace / "p.txt").write_text("a red ball\n" * 160)
    program = shlex.join(PROGRAM)
    line = f"{{ {program} layout p.txt -q; echo $? >&2; }} | head -n 1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, cwd=workplace, env=server.environment)
    assert json.loads(done.stdout)["id"] == "0001" and done.stderr.split() == ["1"]
    assert server.state()["state"] == "idle"


def test_little_is_imported(server, workplace):
    script = (
        "import sys; from llmgen.__main__ import main; sys.argv = ['llmgen', 'layout', 'a red ball', '-q']; code = main(); "
        "assert not {'torch', 'pydantic', 'typer', 'numpy', 'PIL', 'llmgen.cli'} & sys.modules.keys(); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=workplace, env=server.environment)
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout


def test_an_interruption_is_the_commands(server, workplace, endless):
    client = server.starts("layout", "a red ball", "--planner", "openai", cwd=workplace, **endless[1])
    asked, _ = endless[0].accept()
    with asked:
        assert server.state()["state"] == "layout"
        waiting = server.starts("layout", "a star", "-q", cwd=workplace)
        while server.state()["waiting"] != 1:
            time.sleep(0.02)
        gone = server.starts("layout", "a house", "-q", cwd=workplace)
        while server.state()["waiting"] != 2:
            time.sleep(0.02)
        gone.send_signal(signal.SIGINT)  # before its turn
        assert gone.communicate(timeout=60)[1] == "" and gone.returncode == 130
        client.send_signal(signal.SIGINT)
        _, err = client.communicate(timeout=60)
    assert client.returncode == 130 and err.endswith("nothing but pictures is kept without -o\n")
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and json.loads(out)["prompt"] == "a star" and err == ""


def test_who_is_killed_cancels_the_command(server, workplace, endless):
    client = server.starts("layout", "a red ball", "--planner", "openai", cwd=workplace, **endless[1])
    asked, _ = endless[0].accept()
    with asked:
        client.kill()
        client.communicate(timeout=60)
        server.until("idle")
    assert b"sk-very" not in b"".join(path.read_bytes() for path in server.home.iterdir() if path.is_file())


def test_when_no_server_is_asked(user, workplace, monkeypatch, endless):
    command = ["layout", "a red ball", "-q"]
    done = user.state()["done"]
    assert answered([*command, "--no-serve"]) is None
    assert answered([*command, "--preset", "sd15"]) is None
    assert answered([*command, "--device", "cuda"]) is None
    assert answered(["layout", "/dev/fd/63"]) is None
    assert answered([*command, "--engine", "process"]) is None
    assert answered(["methods"]) is None
    for name, value in (
        ("LLMGEN_NO_SERVE", "1"),
        ("LLMGEN_DEBUG", "1"),
        ("HF_HOME", "elsewhere"),
        ("OMP_NUM_THREADS", "3"),
    ):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            assert answered(command) is None
    os.mkfifo("p.jsonl")
    assert answered(["layout", "p.jsonl"]) is None
    (workplace / "config.toml").write_text("no_serve = true\n")
    with monkeypatch.context() as patched:
        patched.setenv("LLMGEN_CONFIG", "config.toml")
        assert answered(command) is None
    client = user.starts("layout", "a red ball", "--planner", "openai", cwd=workplace, **endless[1])
    asked, _ = endless[0].accept()
    with asked:
        # It does not read its stdin, so whoever writes there may be what it would wait for.
        busy = subprocess.run([*PROGRAM, *command], input=b"", capture_output=True, env=user.environment)
        assert busy.returncode == 0 and user.state()["state"] == "layout"
        client.terminate()
        assert client.wait(60) == 143
        client.communicate()
    user.until("idle")
    assert user.state()["done"] == done + 1


def test_a_server_of_other_code_is_never_used(user, workplace):
    done = user.state()["done"]
    note = place.note_path(user.path)
    text = note.read_text()
    try:
        note.write_text(text.replace(user.note.code, "0" * 64))
        assert answered(["layout", "a red ball", "-q"]) is None
    finally:
        note.write_text(text)
    # Nor does it take what other code asks for.
    with socket.socket(socket.AF_UNIX) as connection, open(os.devnull, "r+") as nowhere:
        connection.connect(str(user.path))
        request = {"do": "run", "code": "0" * 64, "may_wait": True, "argv": ["layout"], "environment": {}, "umask": 18}
        wire.send_first(connection, request, (nowhere.fileno(),) * 4)
        assert wire.receive(connection) == {"begun": False}
    for junk in (b"", b"F\x00", b"N\xff\xff\xff\xff", b"N\x00\x00\x00\x01["):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(user.path))
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            assert wire.receive(connection) is None
    assert user.state()["done"] == done and user.state()["state"] == "idle"


def test_code_is_known_by_its_files(workplace, monkeypatch):
    package = workplace / "llmgen"
    (package / "serving" / "__pycache__").mkdir(parents=True)
    (package / "a.py").write_text("x = 1")
    monkeypatch.setattr(identity, "__file__", str(package / "serving" / "identity.py"))
    before = identity.code_digest()
    (package / "serving" / "__pycache__" / "a.pyc").write_text("")
    assert identity.code_digest() == before
    (package / "a.py").write_text("x = 2")
    changed = identity.code_digest()
    (package / "b.txt").write_text("")
    assert len({before, changed, identity.code_digest()}) == 3


def test_no_secret_tells_environments_apart():
    def digest(**environment: str) -> str:
        return identity.environment_digest({"PATH": "/bin", **environment})

    assert digest(OPENAI_API_KEY="a", HF_TOKEN="b", LLMGEN_OPENAI_MODEL="c", COLUMNS="7") == digest()
    assert len({digest(), digest(HF_HOME="x"), digest(OMP_NUM_THREADS="1"), digest(TOKENIZERS_PARALLELISM="0")}) == 4


def test_its_own_variables_are_not_the_commands(server, workplace):
    (workplace / ".env").write_text("LLMGEN_OPENAI_TIMEOUT=x\n")
    asked = {"OPENAI_API_KEY": "k", "LLMGEN_OPENAI_MODEL": "m", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    code, _, err = server("layout", "a red ball", "--planner", "openai", cwd=workplace, **asked)
    assert code == 3 and "LLMGEN_OPENAI_TIMEOUT='x'" in err
    (workplace / ".env").unlink()
    code, _, err = server("layout", "a red ball", "--planner", "openai", cwd=workplace, LLMGEN_OPENAI_MODEL="m")
    assert code == 4 and "OPENAI_API_KEY" in err


def test_a_folder_that_others_can_open_is_refused(user, workplace, capsys, monkeypatch):
    (workplace / "llmgen").mkdir()
    (workplace / "llmgen").chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(workplace))
    assert answered(["layout", "a red ball"]) is None
    for command in (["serve"], ["serve", "--status"], ["serve", "--stop"]):
        assert main(command) == 1
        assert "not a folder that you alone can open" in capsys.readouterr().err
    (workplace / "llmgen").rmdir()
    (workplace / "llmgen").symlink_to(user.home)
    assert main(["serve", "--status"]) == 1


def test_arguments_are_read_as_the_command_reads_them():
    flags = _flags_of_commands()["generate"]
    read = Arguments.read(["generate", "-qn3", "--preset=mine", "a b", "--", "-o"], flags)
    assert read.inputs == ("a b", "-o") and read.values == {"quiet": (), "samples": ("3",), "preset": ("mine",)}
    assert read.preset({}, Path()) == "mine" and not read.reads_stdin
    assert (
        Arguments.read(["generate", "--preset"], flags) is None and Arguments.read(["generate", "--x"], flags) is None
    )
    stdin = {
        (): True, ("-",): True, ("a b",): False, ("--prompt", "a"): False, ("x.json", "-o", "-"): False, ("-o", "x.json"): True,
        ("x.json", "--reuse", "-"): True,
    }  # fmt: skip
    assert {words: Arguments.read(["generate", *words], flags).reads_stdin for words in stdin} == stdin
    run = _flags_of_commands()["run"]
    assert Arguments.read(["run", "x.json"], run).reads_stdin is False
    assert Arguments.read(["run", "--prompts", "-"], run).reads_stdin
    shipped = Path(PACKAGES) / "manifests"
    assert Arguments.read(["run", "quickstart"], run).preset({}, shipped) == "toybox"


def test_status_stop_and_one_at_a_time(user, workplace, capsys):
    assert main(["serve"]) == 1
    assert "a server of toybox on cpu runs already" in capsys.readouterr().err
    assert main(["serve", "--status", "--json"]) == 0
    (state,) = json.loads(capsys.readouterr().out)
    assert (state["preset"], state["device"], state["pid"], state["state"], state["same_code"]) == (
        "toybox", "cpu", user.process.pid, "idle", True
    )  # fmt: skip
    assert main(["serve", "--status"]) == 0 and "toybox" in capsys.readouterr().out
    assert main(["serve", "--stop", "--preset", "sd15"]) == 0 and "no server of sd15" in capsys.readouterr().err
    assert main(["serve", "--stop"]) == 0
    assert "ended" in capsys.readouterr().err and user.process.wait(60) == 0
    assert not [path for path in user.home.iterdir() if path.suffix != ".lock"]
    assert answered(["layout", "a red ball"]) is None


def small_server(home: Path, idle: float) -> subprocess.Popen:
    """A server whose commands only write, sleep and end."""
    script = f"""
import os, sys, time
from pathlib import Path
from llmgen.serving import identity, place
from llmgen.serving.server import Server
def run(argv):
    sys.stdout.write(f"{{os.getcwd()}} {{os.environ['WORD']}} {{sys.stdin.read()}}")
    sys.stdout.flush()
    time.sleep(float(argv[2]))
    return 7
note = place.ServerNote("toybox", "cpu", True, os.getpid(), identity.code_digest(), identity.environment_digest(os.environ),
                        {{"layout": {{"--prompt": ("prompt", True)}}}})
place.make_private(place.folder())
server = Server(note, place.socket_path(place.folder(), "toybox", "cpu"), run, {idle})
server.serve(lambda: os.write(1, b"ready\\n"))
"""
    environment = os.environ | {"XDG_RUNTIME_DIR": str(home), "PYTHONPATH": PACKAGES}
    started = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.fixture
def home():
    """A folder for sockets, whose paths must be short; that of a test is not, where tests run side by side."""
    with tempfile.TemporaryDirectory(prefix="llmgen") as folder:
        yield Path(folder)


def test_it_ends_when_nothing_is_asked(home, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    with small_server(home, 0.2) as started:
        assert started.wait(60) == 0
    assert place.notes(place.folder()) == []


def test_a_server_that_is_killed(home, workplace, monkeypatch):
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(home),
        "WORD": "and",
        "PYTHONPATH": PACKAGES,
        "LLMGEN_NO_SERVE": "",
    }
    with small_server(home, 600) as started:
        command = [*PROGRAM, "layout", "-", "0"]
        done = subprocess.run(command, input=b"so on", capture_output=True, env=environment, cwd=workplace)
        assert (done.returncode, done.stdout.decode(), done.stderr) == (7, f"{workplace} and so on", b"")
        client = subprocess.Popen(
            [*PROGRAM, "layout", "-", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, cwd=workplace, text=True,
        )  # fmt: skip
        assert client.stdout.read(len(str(workplace))) == str(workplace)
        started.kill()
        _, err = client.communicate(timeout=60)
    assert client.returncode == 1 and "ended before the command did" in err and err.count("\n") == 1
    # What it left behind is no server.
    with contextlib.chdir(workplace):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
        assert main(["serve", "--status", "--json"]) == 0
