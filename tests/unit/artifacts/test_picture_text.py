import json

from hypothesis import given
from hypothesis import strategies as st

from llmgen.artifacts import ModelUse
from llmgen.artifacts.picture_text import MAX_BYTES, PictureText, read_chunks

TEXT = PictureText(
    llmgen="0.1.0",
    prompt="a red ball, a blue car",
    negative_prompt="blurry",
    seed=2**64 - 1,
    width=128,
    height=64,
    settings={"num_inference_steps": 20, "guidance_scale": 3.5},
    models=(ModelUse(role="text_to_image", source='hub/mo,"del'),),
)


def test_both_forms_say_the_same():
    chunks = TEXT.chunks()
    assert read_chunks(chunks) == TEXT
    other = read_chunks({"parameters": chunks["parameters"]})
    assert other is not None and (other.prompt, other.negative_prompt, other.seed) == (
        "a red ball, a blue car",
        "blurry",
        2**64 - 1,
    )
    assert (other.width, other.height, other.settings) == (128, 64, TEXT.settings)


def test_the_line_reads_as_other_tools_write_it():
    assert TEXT.line().splitlines() == [
        "a red ball, a blue car",
        "Negative prompt: blurry",
        'Steps: 20, CFG scale: 3.5, Seed: 18446744073709551615, Size: 128x64, Model: "mo,\\"del", Version: llmgen 0.1.0',
    ]


def test_a_newer_form_falls_back_to_the_line():
    chunks = TEXT.chunks()
    newer = {**json.loads(chunks["llmgen"]), "mood": "new"}
    found = read_chunks({**chunks, "llmgen": json.dumps(newer)})
    assert found is not None and found.prompt == TEXT.prompt and found.llmgen is None
    assert read_chunks({"llmgen": json.dumps(newer)}) is None


def test_what_is_too_much_is_not_read():
    assert read_chunks({"parameters": "a" * (MAX_BYTES + 1)}) is None
    assert read_chunks({"llmgen": '{"prompt": "' + "a" * MAX_BYTES + '"}'}) is None
    assert read_chunks({"parameters": "a" * 20_000}) is None
    assert read_chunks({"llmgen": "[" * 100_000}) is None
    found = read_chunks({"parameters": "a cat\nSteps: 1, " + "x: y, " * 10_000})
    assert found is None or found.settings == {}


def test_a_prompt_without_settings():
    found = read_chunks({"parameters": "a cat\nSeed of doubt"})
    assert found is not None and found.prompt == "a cat\nSeed of doubt" and found.seed is None


@given(st.text(max_size=300))
def test_no_line_breaks_the_reader(line):
    found = read_chunks({"parameters": line})
    assert found is None or isinstance(found.prompt, str)
