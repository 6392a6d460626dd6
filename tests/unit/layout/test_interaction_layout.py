"""`layout interaction`: words, two guessed boxes, and the published way."""

from pathlib import Path
from typing import Any

import pytest

from llmgen.artifacts import Record
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.layout.interaction import InteractionLayout
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore


def layouts(folder: Path, *prompts: str, **given: Any) -> list[Record]:
    context = StageContext(load_preset("toybox"), ImageStore(folder), "cpu", "float32")
    records = [Record(id=f"r{i}", prompt=prompt) for i, prompt in enumerate(prompts)]
    config = context.settings_of(InteractionLayout, given)
    return run_stage(records, method_class=InteractionLayout, config=config, given=given, context=context).records


def test_words_and_guessed_boxes(tmp_path: Path) -> None:
    record, same, failed = layouts(
        tmp_path, "a boy in red is kicking a blue ball in the snow", "a dog is feeding a dog", "a ball"
    )
    assert record.layout is not None and record.layout.interaction is not None
    assert record.layout.background_prompt == "a snowy scene"
    assert [(i.noun, i.phrase) for i in record.layout.instances] == [("boy", "a boy in red"), ("ball", "a blue ball")]
    human, thing = (i.box_xyxy for i in record.layout.instances)
    assert thing[0] > (human[0] + human[2]) / 2
    assert [reply.call for reply in record.replies] == ["interaction"]
    assert same.layout is not None and [i.id for i in same.layout.instances] == ["dog-1", "dog-2"]
    assert failed.error is not None and "has no verb" in failed.error.message


def test_the_published_way(tmp_path: Path) -> None:
    record, failed = layouts(tmp_path, "a man is sitting on the old chair", "a man rides a horse", profile="reference")
    assert record.layout is not None and record.layout.interaction is not None
    found = record.layout.interaction
    assert (found.intransitive_prompt, found.object.text, found.object_noun.text) == (
        "a man is sitting", "old chair", "chair"
    )  # fmt: skip
    assert failed.error is not None and "has no word 'is'" in failed.error.message


@pytest.mark.parametrize(("width", "height"), [(256, 128), (64, 64)])
def test_other_canvases(tmp_path: Path, width: int, height: int) -> None:
    (record,) = layouts(tmp_path, "a boy is riding a car", width=width, height=height)
    assert record.layout is not None and (record.layout.width, record.layout.height) == (width, height)
