"""What comes from outside is shown, never obeyed: escapes, long names, paths that cannot be, words nobody knows."""

import json


def test_escapes_in_names_and_fields_reach_no_terminal(
    llmgen,
) -> None:
    entry = {"kind": "layouts", "schema_version": 1, "id": "a", "prompt": "a cat", "\x1b[2Jfield" + "x" * 100_000: 1}
    done = llmgen("layout", "-", "--method", "tiny", stdin=json.dumps(entry))
    assert done.code == 3
    assert "\x1b" not in done.err
    assert "\\x1b[2Jfield" in done.err
    assert len(done.err) < 1000


def test_a_name_that_no_file_system_takes_is_one_line(
    llmgen,
) -> None:
    for arguments in (
        ["layout", "-", "--method", "tiny", "-o", "x" * 300 + ".json"],
        ["layout", "--method", "tiny", "x" * 300 + ".json"],
        ["report", "x" * 300],
        ["run", "x" * 300 + ".json"],
    ):
        done = llmgen(*arguments, stdin='["a red ball"]')
        assert done.code in (1, 3), arguments
        assert "unexpected" not in done.err
        assert len(done.err.splitlines()) == 1
        assert "too long" in done.err


def test_words_the_models_do_not_know_are_said_before_the_work(llmgen) -> None:
    done = llmgen("layout", "-", "--method", "tiny", stdin='["two giraffes", "a red ball"]')
    assert done.code == 0
    assert done.err.count("does not know 'giraffe'") == 1
