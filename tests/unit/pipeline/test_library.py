import gc
import re
from pathlib import Path

import pytest
from PIL import Image

import llmgen
from llmgen.artifacts.io import record_line
from llmgen.errors import InputError, ModelError, UnknownNameError

README = Path(__file__).parents[3] / "README.md"
ALL = ("layout", "generate", "detect", "correct", "refine", "evaluate")


@pytest.fixture(autouse=True)
def _tiny(tiny_stages, workplace, monkeypatch):
    """The preset's methods are real ones; the tiny stages have one each."""
    from llmgen.presets import load_preset

    preset = load_preset("toybox").model_copy(update={"methods": dict.fromkeys(ALL, "tiny")})
    monkeypatch.setattr("llmgen.pipeline.options.load_preset", lambda name: preset)
    monkeypatch.setattr("llmgen.presets.load_preset", lambda name: preset)


def test_one_prompt():
    drawn = llmgen.draw("a red ball", seed=3)
    assert isinstance(drawn.image, Image.Image) and drawn.image.size == (16, 16) and drawn.prompt == "a red ball"
    assert drawn.path is not None and drawn.path.is_file() and len(drawn.images) == 1
    again = llmgen.draw("a red ball", seed=3)
    assert again.record == drawn.record and again.image.tobytes() == drawn.image.tobytes()
    assert llmgen.draw("a red ball", seed=4).image.tobytes() != drawn.image.tobytes()


def test_pictures_go_with_the_last_result(workplace):
    drawn = llmgen.draw("a red ball")
    path = drawn.path
    gc.collect()
    assert path is not None and path.is_file()
    del drawn
    gc.collect()
    assert not path.exists() and list(workplace.iterdir()) == []
    kept = llmgen.draw("a red ball", folder="here")
    path = kept.path
    del kept
    gc.collect()
    assert path is not None and path.is_file() and path.is_relative_to("here")


def test_several_prompts_and_samples():
    made = llmgen.draw(["a red ball", {"prompt": "two cats", "id": "cats", "seed": 5}], n=3)
    assert [drawn.record.id for drawn in made] == ["0001", "cats"] and made[1].record.seed == 5
    assert [len(drawn.images) for drawn in made] == [3, 3]


def test_a_chain_of_all_stages_streams_and_is_used_twice(workplace, monkeypatch):
    monkeypatch.setenv("TINY_WORK_LOG", str(workplace / "log"))
    chain = llmgen.Chain(*ALL, batch_size=1, settings={"generate": {"label": "x"}})
    stream = chain.stream(["a", "b"])
    first = next(stream)
    assert [score.value for score in first.record.scores or ()] == [0.0, 1.0] and len(first.images) == 3
    assert {line.split()[1] for line in (workplace / "log").read_text().splitlines()} == {"0001"}
    assert next(stream).record.id == "0002"
    assert chain("a")[0].record == first.record
    assert first.record.provenance[1].config_passed == {"label": "x"}


def test_results_go_into_another_chain():
    drawn = llmgen.draw("a red ball")
    (seen,) = llmgen.Chain("detect")(drawn)
    assert seen.record.detections and seen.image.tobytes() == drawn.image.tobytes()
    (seen,) = llmgen.Chain("detect")([drawn])
    assert seen.record.detections


def test_the_same_records_as_the_command_line(capsys):
    from llmgen.cli import main

    assert main(["generate", "a red ball", "--seed", "9", "-q", "--batch-size", "8"]) == 0
    assert capsys.readouterr().out == record_line(llmgen.draw("a red ball", seed=9, folder=".").record).replace(
        '"images/', '"outputs/images/'
    )


def test_what_fails():
    chain = llmgen.Chain("generate", settings={"generate": {"fail": ["0002"]}})
    made = chain(["a", "b", "c"])
    assert [drawn.record.error is None for drawn in made] == [True, False, True]
    with pytest.raises(ModelError, match="cannot do 0002"):
        _ = made[1].image
    assert "cannot do 0002" in made[1]._repr_html_()
    with pytest.raises(ModelError, match="cannot do 0001"):
        llmgen.draw("a", fail=["0001"])
    with pytest.raises(InputError, match="has no picture"):
        _ = llmgen.Chain("layout")("a")[0].image


def test_what_does_not_exist():
    for arguments, words in (
        ({"methods": {"generate": "tinny"}}, "Did you mean 'tiny'"),
        ({"settings": {"generate": {"labell": 1}}}, "Did you mean 'label'"),
        ({"settings": {"refine": {"label": 1}}}, "no stage 'refine'"),
        ({"settings": {"generate": {"n": 2, "samples": 3}}}, "are one setting"),
    ):
        with pytest.raises(InputError, match=words):
            llmgen.Chain("generate", **arguments)
    with pytest.raises(UnknownNameError, match="no stage 'draw'"):
        llmgen.Chain("draw")
    with pytest.raises(InputError, match="did you mean 'prompt'"):
        llmgen.draw({"promt": "a"})
    with pytest.raises(InputError, match="two records are called 'a'"):
        llmgen.draw([{"prompt": "x", "id": "a"}, {"prompt": "y", "id": "a"}])
    with pytest.raises(InputError, match="'../a'.*/id"):
        llmgen.draw([{"prompt": "x", "id": "../a"}, "y"])
    with pytest.raises(InputError, match="the prompt is empty"):
        llmgen.draw(" ")


def test_a_notebook_shows_pictures_and_takes_no_markup():
    shown = llmgen.draw("<script>alert(1)</script>", n=2)._repr_html_()
    assert shown.count("data:image/png;base64,") == 2 and "<script>" not in shown and "&lt;script&gt;" in shown


def test_the_readmes_example_runs(workplace, capsys, monkeypatch):
    found = re.search(r"<!-- python -->\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    code = found[1].replace('{"steps": 5}', '{"n": 2}')
    exec(compile(code, "README", "exec"), {})
    assert (workplace / "car.png").is_file() and "star (16, 16) ['a ball']" in capsys.readouterr().out
