"""What is left to the length of a run is decided once, and stays as its journal says."""

from pathlib import Path

import pytest

from llmgen.artifacts import Record
from llmgen.engine.fingerprint import run_settings
from llmgen.engine.journal import Journal, journal_path
from llmgen.engine.long_runs import LONG_RUN
from llmgen.pipeline.options import Choice, RunOptions, choose
from llmgen.pipeline.settling import settled
from llmgen.vision.images import ImageStore

LONG = LONG_RUN // 20
"""Pictures of twenty steps."""


@pytest.fixture
def choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choice:
    """To draw in twenty steps, on a machine that compiles."""
    monkeypatch.setattr("llmgen.diffusion.compiling.trouble", lambda device: None)
    return choose(RunOptions().context(ImageStore(tmp_path)), "generate", "sd", {"num_inference_steps": 20})


def records(count: int) -> list[Record]:
    return [Record(id=f"r{i}", prompt="a ball") for i in range(count)]


def begin(choice: Choice, path: Path, compile_: str) -> None:
    config = choice.config.model_copy(update={"compile": compile_})
    Journal(journal_path(path), run_settings(choice.context, choice.method_class, config), anew=True)


def test_a_run_is_long_from_so_many_steps_on(choice: Choice) -> None:
    for count, expected in ((LONG - 1, "never"), (LONG, "always"), (LONG + 9, "always")):
        found, handed_on = settled(choice, iter(records(count)))
        assert found.config.compile == expected and len(list(handed_on)) == count
    fewer = choose(choice.context, "generate", "sd", {"samples": 4, "num_inference_steps": 50})
    assert settled(fewer, iter(records(LONG_RUN // 200)))[0].config.compile == "always"


def test_a_pipe_is_not_waited_for(choice: Choice) -> None:
    def come() -> object:
        raise AssertionError("read")
        yield

    found, _ = settled(choice, come(), may_wait=False)  # type: ignore[arg-type]
    assert found.config.compile == "never"


def test_what_somebody_gives_stands(choice: Choice) -> None:
    for given in ("always", "never"):
        fixed = choose(choice.context, "generate", "sd", {"compile": given})
        assert settled(fixed, iter(records(LONG)))[0] is fixed
    other = choose(choice.context, "generate", "gligen", {})
    assert settled(other, iter(()))[0] is other


def test_a_run_goes_on_as_it_was_begun(choice: Choice, tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    for begun, count in (("never", LONG), ("always", 3)):
        begin(choice, path, begun)
        assert settled(choice, iter(records(count)), path=path)[0].config.compile == begun
        assert settled(choice, iter(records(count)), path=path, anew=True)[0].config.compile != begun


def test_a_journal_of_other_settings_decides_nothing(choice: Choice, tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    begin(choose(choice.context, "generate", "sd", {"num_inference_steps": 10}), path, "always")
    assert settled(choice, iter(records(3)), path=path)[0].config.compile == "never"
