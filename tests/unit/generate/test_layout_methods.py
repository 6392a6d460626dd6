"""LMD+ and its training-free baselines at tiny sizes, with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import SIZE, BoxSegmenter, tiny_context

from llmgen.artifacts import Instance, Layout, Record
from llmgen.diffusion.loading import ModelPool
from llmgen.engine.context import StageContext
from llmgen.errors import ModelError
from llmgen.generate.backward_guidance import BackwardGuidanceGenerate
from llmgen.generate.boxdiff import BoxDiffGenerate
from llmgen.generate.lmd import LayoutGenerate, LayoutGenerateConfig

STEPS = {"num_inference_steps": 4}
METHODS: list[tuple[type[Any], dict[str, Any]]] = [
    (LayoutGenerate, {"energy_threshold": 0}),
    (BoxDiffGenerate, {}),
    (BackwardGuidanceGenerate, {"guided_fraction": 0.5, "iterations": 2}),
]


@pytest.fixture(autouse=True)
def box_segmenter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelPool, "segmenter", lambda self, role="segmenter": BoxSegmenter())


def record(seed: int, *phrases: str, width: int = SIZE, height: int = SIZE) -> Record:
    boxes = [(4.0, 4.0, 28.0, 28.0), (34.0, 8.0, 60.0, 30.0), (10.0, 34.0, 50.0, 62.0)]
    instances = tuple(
        Instance(id=f"i{n}", phrase=phrase, box_xyxy=box)
        for n, (phrase, box) in enumerate(zip(phrases, boxes, strict=False))
    )
    layout = Layout(width=width, height=height, background_prompt="sea", instances=instances)
    return Record(id=f"r{seed}", prompt="x", seed=seed, layout=layout)


def make(method: type[Any], context: StageContext, **given: Any) -> Any:
    return method(context, method.Config(**STEPS, **given))


def pixels(context: StageContext, drawn: Record) -> np.ndarray:
    assert drawn.image is not None
    return np.asarray(context.images.load(drawn.image)).astype(int)


@pytest.mark.parametrize(("method", "given"), METHODS)
@pytest.mark.parametrize("options", [{"prediction_type": "epsilon", "vae": "kl"}, {}])
def test_a_picture_depends_on_its_record_only(
    tmp_path: Path, method: type[Any], given: dict[str, Any], options: dict[str, str]
) -> None:
    context = tiny_context(tmp_path, **options)
    drawer = make(method, context, **given)
    records = [record(1, "a cat", "a dog", "a cat"), record(2), record(3, "a dog")]
    together = drawer(records)
    for alone, drawn in zip([drawer([r])[0] for r in reversed(records)][::-1], together, strict=True):
        assert np.abs(pixels(context, alone) - pixels(context, drawn)).max() <= 1
    assert together[0].image == drawer(records)[0].image
    assert np.abs(pixels(context, together[0]) - pixels(context, together[2])).max() > 5


@pytest.mark.parametrize(("method", "given"), METHODS)
def test_guidance_changes_the_picture_and_the_size_may_be_any(
    tmp_path: Path, method: type[Any], given: dict[str, Any]
) -> None:
    context = tiny_context(tmp_path)
    wide = record(1, "a cat", "a dog", width=96)
    guided = make(method, context, **given)([wide])[0]
    free = make(method, context, **{**given, "energy_scale": 0})([wide])[0]
    assert guided.image is not None and (guided.image.width, guided.image.height) == (96, SIZE)
    assert np.abs(pixels(context, guided) - pixels(context, free)).max() > 0


@pytest.mark.parametrize(
    "change",
    [
        {"frozen_fraction": 0.0},
        {"fresh_noise_ratio": 1.0},
        {"placement": "centred"},
        {"reference_weight": 0.0},
        {"guidance_grounding": "boxes"},
        {"grounding_fraction": 0.0},
        {"object_guidance_scale": 1.0},
        {"cell_share": 0.9},
        {"guided_fraction": 0.3},
    ],
)
def test_every_setting_of_lmd_matters(tmp_path: Path, change: dict[str, Any]) -> None:
    context = tiny_context(tmp_path)
    wanted = record(1, "a cat", "a dog")
    base: dict[str, Any] = {"energy_threshold": 0.0, "energy_scale": 200.0}
    plain = make(LayoutGenerate, context, **base)([wanted])[0]
    changed = make(LayoutGenerate, context, **{**base, **change})([wanted])[0]
    assert np.abs(pixels(context, plain) - pixels(context, changed)).max() > 0


def test_the_fast_schedule_keeps_what_the_picture_reads(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    wanted = record(1, "a cat", "a dog")
    calls: list[int] = []
    hook = context.models.stable_diffusion("layout_to_image").unet.register_forward_hook(lambda *_: calls.append(1))
    given = {"energy_scale": 0.0, "guided_fraction": 0.0, "frozen_fraction": 0.5}
    slow = make(LayoutGenerate, context, **given)([wanted])[0]
    slow_calls = len(calls)
    fast = make(LayoutGenerate, context, **given, object_step_rate=2)([wanted])[0]
    hook.remove()
    # The segmenter of this test answers with the box, so the pictures are equal.
    assert slow.image == fast.image
    assert (slow_calls, len(calls) - slow_calls) == (8, 7)


def test_a_model_without_attention_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = tiny_context(tmp_path)
    drawer = LayoutGenerate(context, LayoutGenerateConfig(**STEPS))
    monkeypatch.setattr(drawer, "_layers", [])
    with pytest.raises(ModelError, match="no cross-attention"):
        drawer([record(1, "a cat")])


def test_a_phrase_behind_the_end_of_the_text_is_not_guided(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    drawn = make(LayoutGenerate, context)([record(1, "a cat", "an extraordinarily long name of a dog")])
    assert drawn[0].image is not None
    assert torch.is_grad_enabled()
