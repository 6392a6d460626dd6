"""What a GPU computes in half precision, computed so on the CPU: no tensor is left in another precision than its module."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import SIZE, BoxSegmenter, noise_image, tiny_context, tiny_pipeline

from llmgen.artifacts import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Detection,
    EditPlan,
    Instance,
    Layout,
    MoveEdit,
    Record,
)
from llmgen.correct.jobs import Job
from llmgen.correct.painting import LatentPainter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.text import TextEncoder
from llmgen.refine.sdxl import ImageToImageRefine, ImageToImageRefineConfig
from llmgen.registry import resolve

HALVES = [torch.bfloat16, torch.float16]


def record() -> Record:
    boxes = ((4.0, 4.0, 28.0, 28.0), (34.0, 8.0, 60.0, 30.0))
    objects = tuple(Instance(id=f"i{n}", phrase="a ball", noun="ball", box_xyxy=box) for n, box in enumerate(boxes))
    layout = Layout(width=SIZE, height=SIZE, background_prompt="a meadow", instances=objects)
    return Record(id="r", prompt="two balls in a meadow", seed=1, layout=layout)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("method", ["sd", "gligen", "lmd", "boxdiff", "backward-guidance"])
def test_pictures_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, half: torch.dtype) -> None:
    monkeypatch.setattr(ModelPool, "segmenter", lambda self, role="segmenter": BoxSegmenter())
    context = tiny_context(tmp_path, prediction_type="epsilon", vae="kl")
    context.models.stable_diffusion("text_to_image").to(half)
    drawer = resolve("generate", method)(context, context.config_for("generate", method, {"num_inference_steps": 3}))
    (drawn,) = drawer([record()])
    assert drawn.image is not None
    assert np.asarray(context.images.load(drawn.image)).std() > 1


@pytest.mark.parametrize("half", HALVES)
def test_pictures_are_edited_and_refined(tmp_path: Path, half: torch.dtype) -> None:
    pipe: Any = tiny_pipeline(vae="kl").to(half)
    there = [
        Detection(id=f"ball #{n}", phrase="ball", noun="ball", box_xyxy=box, score=0.9)
        for n, box in enumerate([(2.0, 2.0, 18.0, 18.0), (24.0, 2.0, 40.0, 18.0), (2.0, 30.0, 18.0, 46.0)])
    ]
    edits = (
        DeleteEdit(target="ball #0", box_xyxy=there[0].box_xyxy),
        MoveEdit(op="move", target="ball #1", from_box_xyxy=there[1].box_xyxy, box_xyxy=(30, 40, 46, 56)),
        ChangeAttributeEdit(
            target="ball #2", phrase="a blue ball", noun="ball", attributes=("blue",), box_xyxy=there[2].box_xyxy
        ),
        AddEdit(target="star #1", phrase="a star", noun="star", attributes=(), box_xyxy=(44, 4, 62, 24)),
    )
    painter = LatentPainter(
        pipe,
        TextEncoder(pipe.tokenizer, pipe.text_encoder),
        BoxSegmenter(),
        SelfCorrectionConfig(num_inference_steps=4),
    )
    (painted,) = painter.paint([Job(noise_image(), EditPlan(edits=edits, target=()), there, "a meadow", "", 1)])
    assert (np.asarray(painted.image) != np.asarray(noise_image())).any()

    context = tiny_context(tmp_path, vae="kl")
    context.models.stable_diffusion("text_to_image").to(half)
    image = context.images.save("r", "correct-1", painted.image)
    refine = ImageToImageRefine(
        context, ImageToImageRefineConfig(num_inference_steps=2, strength=0.5, whole_image=True)
    )
    (after,) = refine([Record(id="r", prompt="a ball", seed=1, image=image)])
    assert after.image is not None and after.image != image
