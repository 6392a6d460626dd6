import logging
from pathlib import Path

import numpy as np
import pytest
from tiny_models import SIZE, tiny_context

from llmgen.artifacts import Instance, Layout, Record
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.generate.gligen import GligenGenerate, GligenGenerateConfig
from llmgen.generate.sd import TextGenerate, TextGenerateConfig


def pixels(context: StageContext, record: Record) -> np.ndarray:
    assert record.image is not None
    return np.asarray(context.images.load(record.image)).astype(int)


def records(count: int, **fields: object) -> list[Record]:
    return [Record(id=f"r{i}", prompt=f"{i} balls", seed=i, **fields) for i in range(count)]


def layout(width: int = SIZE, height: int = SIZE, count: int = 1) -> Layout:
    boxes = [(4.0, 4.0, 30.0, 30.0), (34.0, 8.0, 60.0, 30.0)][:count]
    instances = tuple(Instance(id=f"b{i}", phrase="a ball", box_xyxy=box) for i, box in enumerate(boxes))
    return Layout(width=width, height=height, background_prompt="a meadow", instances=instances)


def test_text_to_image_depends_on_prompt_and_seed_only(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    method = TextGenerate(context, TextGenerateConfig(num_inference_steps=3))
    together = method(records(3))
    alone = [method([record])[0] for record in reversed(records(3))][::-1]
    for a, b in zip(together, alone, strict=True):
        assert np.abs(pixels(context, a) - pixels(context, b)).max() <= 1
    assert np.abs(pixels(context, together[0]) - pixels(context, together[1])).max() > 10
    assert together[0].image == method(records(1))[0].image
    assert [(e.stage, e.round) for e in together[0].history] == [("generate", 0)]
    assert method.models[0].role == "text_to_image"


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_layout_to_image_obeys_its_layout_only(tmp_path: Path, prediction_type: str) -> None:
    context = tiny_context(tmp_path, prediction_type=prediction_type)
    method = GligenGenerate(context, GligenGenerateConfig(num_inference_steps=3, grounding_fraction=1.0))
    one, two = records(2, layout=layout())[1], records(2, layout=layout(count=2))[1]
    drawn = pixels(context, method([one])[0])
    assert np.abs(drawn - pixels(context, method([two])[0])).max() > 5
    neighbours = method([records(1, layout=layout(count=2))[0], one])
    assert np.abs(drawn - pixels(context, neighbours[1])).max() <= 1


def test_the_layout_says_the_size(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    method = GligenGenerate(context, GligenGenerateConfig(num_inference_steps=2))
    wide, square = records(2, layout=layout(96, 64))[0], records(2, layout=layout())[1]
    sizes = [(r.image.width, r.image.height) for r in method([wide, square]) if r.image]
    assert sizes == [(96, 64), (64, 64)]
    with pytest.raises(InputError, match="multiples of 8"):
        method(records(1, layout=layout(67, 64)))
    with pytest.raises(InputError, match="no layout"):
        method(records(1))


def test_what_the_model_cannot_take_in_is_said_of_its_record(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="llmgen")
    context = tiny_context(tmp_path)
    many = tuple(Instance(id=f"b{i}", phrase="a ball", box_xyxy=(i, 0, i + 9, 9)) for i in range(40))
    fine, full = Layout(width=SIZE, height=SIZE, background_prompt=""), layout().model_copy(update={"instances": many})
    method = GligenGenerate(context, GligenGenerateConfig(num_inference_steps=1, negative_prompt=""))
    method([Record(id="fine", prompt="x", layout=fine), Record(id="full", prompt="x", layout=full)])
    unwanted = TextGenerateConfig(num_inference_steps=3, negative_prompt="a car " * 20)
    TextGenerate(context, unwanted)([Record(id="long", prompt="a ball " * 20)])
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("llmgen")]
    # The tiny tokenizer spells, and its model reads 24 letters.
    assert ours == [
        "record 'full': it has 40 objects, the model takes the boxes of the first 30",
        "record 'long': its prompt has 102 tokens, the model reads the first 24",
        "record 'long': its negative prompt has 82 tokens, the model reads the first 24",
    ]
