"""The published code's order and habits: dearer, and a picture all the same."""

from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import BoxSegmenter, noise_image, tiny_pipeline
from torch import Tensor

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, Detection, EditPlan, MoveEdit
from llmgen.correct.jobs import Job
from llmgen.correct.painting import LatentPainter
from llmgen.correct.reference import ReferencePainter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.attention import CapturingProcessor, all_layers
from llmgen.diffusion.text import TextEncoder

BALL, CAR = (2.0, 2.0, 18.0, 18.0), (24.0, 2.0, 40.0, 18.0)
SEEN = [
    Detection(id=name, phrase=name, noun=name, box_xyxy=box, score=0.9) for name, box in (("ball", BALL), ("car", CAR))
]
ADDED = [(44.0, 2.0, 60.0, 18.0), (24.0, 24.0, 40.0, 40.0), (44.0, 24.0, 60.0, 40.0)]
PLAN = EditPlan(
    edits=(
        *(AddEdit(target=f"star #{i}", phrase="a star", noun="star", box_xyxy=box) for i, box in enumerate(ADDED)),
        MoveEdit(op="move", target="ball", from_box_xyxy=BALL, box_xyxy=(2, 40, 18, 56)),
        ChangeAttributeEdit(target="car", phrase="a red car", noun="car", attributes=("red",), box_xyxy=CAR),
    ),
    # The tiny tokenizer spells; it has room for few words.
    target=(),
)
STEPS = 5


def job(seed: int = 5) -> Job:
    return Job(noise_image(seed), PLAN, SEEN, "sea", "", seed)


def painter(kind: type[LatentPainter], **options: Any) -> LatentPainter:
    pipe = tiny_pipeline("v_prediction")
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.requires_grad_(False)
    config = SelfCorrectionConfig(num_inference_steps=STEPS, energy_threshold=0)
    return kind(pipe, TextEncoder(pipe.tokenizer, pipe.text_encoder), BoxSegmenter(), config, **options)


def test_the_reference_takes_at_least_twice_the_calls_one_after_another() -> None:
    ours, theirs = painter(LatentPainter), painter(ReferencePainter)
    ours.paint([job()])
    theirs.paint([job()])
    guidance = 7
    assert ours.unet_calls == STEPS + STEPS + 1 + STEPS + guidance
    # Background and move, three additions; a change is inverted for 4 steps, edited for 4, inverted again for all; one final.
    assert theirs.unet_calls == 2 * STEPS + 3 * STEPS + (4 + 4 + STEPS) + STEPS + guidance
    assert theirs.unet_calls >= 2 * ours.unet_calls


def test_two_records_take_twice_the_calls_of_the_reference_and_no_more_of_ours() -> None:
    for kind, factor in ((LatentPainter, 1), (ReferencePainter, 2)):
        one, two = painter(kind), painter(kind)
        one.paint([job()])
        two.paint([job(), job(6)])
        assert two.unet_calls == factor * one.unet_calls


def test_the_reference_keeps_every_map_of_the_final_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    call = CapturingProcessor.__call__

    def counted(self: CapturingProcessor, *args: Any, **kwargs: Any) -> Tensor:
        output = call(self, *args, **kwargs)
        if self.probabilities is not None and not torch.is_grad_enabled():
            seen.append(self.probabilities)
        return output

    monkeypatch.setattr(CapturingProcessor, "__call__", counted)
    theirs = painter(ReferencePainter)
    theirs.paint([job()])
    whole = [maps for maps in seen if maps.ndim == 4]
    assert len(whole) == STEPS * len(all_layers(theirs.pipe.unet))
    assert all(maps.shape[0] == 2 and maps.shape[-1] == 24 for maps in whole)
    # Of objects drawn alone one token is kept, and of ours nothing else: guidance passes look and forget.
    assert {maps.ndim for maps in seen} == {3, 4}
    seen.clear()
    painter(LatentPainter).paint([job()])
    assert {maps.ndim for maps in seen} == {3}


def test_what_a_profile_may_touch_is_the_same() -> None:
    (ours,), (theirs,) = painter(LatentPainter).paint([job()]), painter(ReferencePainter).paint([job()])
    assert np.array_equal(np.asarray(ours.region), np.asarray(theirs.region))
    assert not np.array_equal(np.asarray(ours.image), np.asarray(theirs.image))
