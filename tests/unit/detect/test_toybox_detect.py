"""The shipped detector and segmenter, through the stage that users run, on pictures whose content is known."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmgen.artifacts import Record
from llmgen.detect.owlv2 import Owlv2Detect
from llmgen.engine.context import StageContext
from llmgen.presets import load_preset
from llmgen.toybox.world.captions import PROMPT_TYPES, sample_prompt
from llmgen.toybox.world.scenes import render
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import decode_mask, mask_iou

COUNT = 24


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return StageContext(preset=load_preset("toybox"), images=ImageStore(tmp_path), device="cpu", dtype="float32")


def test_finds_what_was_drawn(context: StageContext) -> None:
    rng = random.Random(4711)
    prompts = [sample_prompt(rng, PROMPT_TYPES[i % len(PROMPT_TYPES)]) for i in range(COUNT)]
    drawn = [render(prompt.scene) for prompt in prompts]
    records = [
        Record(
            id=f"r{i}",
            prompt=prompt.text,
            image=context.images.save(f"r{i}", "test", Image.fromarray(rendered.image)),
        )
        for i, (prompt, rendered) in enumerate(zip(prompts, drawn, strict=True))
    ]
    detect = Owlv2Detect(context, context.config_for("detect", "owlv2"))
    assert [use.role for use in detect.models] == ["detector", "segmenter"]

    exact, overlaps = 0, []
    for prompt, rendered, record in zip(prompts, drawn, detect(records), strict=True):
        coloured = {demand.noun for demand in prompt.truth.demands if demand.color}
        wanted = Counter(
            f"{thing.color} {thing.noun}" if thing.noun in coloured else thing.noun for thing in prompt.scene.objects
        )
        assert record.detections is not None
        exact += wanted == Counter(found.phrase for found in record.detections)
        for found in record.detections:
            assert found.mask is not None
            mask = decode_mask(found.mask)
            overlaps.append(max(mask_iou(mask, np.asarray(truth) > 0.5) for truth in rendered.masks))
    assert exact >= 0.85 * COUNT
    assert np.mean(overlaps) >= 0.8
