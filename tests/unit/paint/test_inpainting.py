"""Diffusers' inpainting with real classes at tiny sizes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import DPMSolverMultistepScheduler, StableDiffusionInpaintPipeline
from tiny_models import noise_image, tiny_context

from llmgen.diffusion.schedulers import with_scheduler
from llmgen.diffusion.text import TextEncoder
from llmgen.paint.inpainter import Patch, Placed
from llmgen.paint.inpainting import DiffusersInpainter


def patch(size: int = 64, seed: int = 3, strength: float = 0.6) -> Patch:
    mask = np.zeros((size, size), dtype=bool)
    mask[8:24, 8:24] = True
    return Patch(noise_image(1, size, size), mask, "a ball", "a meadow", "blurry", strength, seed)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusionInpaintPipeline:
    return tiny_context(tmp_path_factory.mktemp("tiny")).models.inpainting("text_to_image")


def test_a_text_model_paints_inside_the_mask_and_counts_its_steps(pipe: StableDiffusionInpaintPipeline) -> None:
    lines, calls = list[str](), []
    painter = DiffusersInpainter(pipe, num_inference_steps=10, guidance_scale=1.0, progress=lines.append)
    hook = pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    (drawn,) = painter.paint([patch()])
    hook.remove()
    assert drawn.size == (64, 64)
    assert lines[0] == "inpainting a ball" and [line.split(",")[0] for line in lines[1:]] == [
        f"inpainting a ball: step {step} of 6" for step in range(1, 7)
    ]
    assert len(calls) == painter.steps_at(0.6) == painter.cost.steps == 6  # 60 % of ten steps, as the pipeline counts
    assert painter.cost.pixel_steps == 6 * 64 * 64
    old = np.asarray(patch().image)
    assert (np.asarray(drawn) != old)[8:24, 8:24].any()


def test_a_picture_depends_on_its_own_seed_and_not_on_its_neighbours(pipe: StableDiffusionInpaintPipeline) -> None:
    painter = DiffusersInpainter(pipe, num_inference_steps=4, guidance_scale=3.0)
    together = painter.paint([patch(seed=1), patch(seed=2), patch(size=48, seed=1)])
    (alone,) = painter.paint([patch(seed=2)])
    assert together[1].tobytes() == alone.tobytes() != together[0].tobytes()
    assert together[2].size == (48, 48)


def test_a_strength_of_nearly_nothing_is_a_step(pipe: StableDiffusionInpaintPipeline) -> None:
    painter = DiffusersInpainter(pipe, num_inference_steps=4, guidance_scale=1.0)
    assert (painter.steps_at(0.01), painter.steps_at(1.0)) == (1, 4)
    assert painter.paint([patch(strength=0.01)])[0].size == (64, 64)


def test_the_published_scheduler_has_its_settings_and_leaves_the_other_pipeline_alone(
    pipe: StableDiffusionInpaintPipeline,
) -> None:
    made = with_scheduler(pipe, "dpm++-2m-karras")
    assert isinstance(made.scheduler, DPMSolverMultistepScheduler) and made.unet is pipe.unet
    config = made.scheduler.config
    assert (config.algorithm_type, config.solver_order, config.use_karras_sigmas) == ("dpmsolver++", 2, True)
    assert not isinstance(pipe.scheduler, DPMSolverMultistepScheduler)
    painter = DiffusersInpainter(pipe, num_inference_steps=4, guidance_scale=1.0, scheduler="dpm++-2m-karras")
    assert painter.paint([patch()])[0].size == (64, 64)


def test_one_pipeline_serves_all_who_ask(tmp_path: Path) -> None:
    models = tiny_context(tmp_path).models
    assert models.inpainting("text_to_image") is models.inpainting("layout_to_image")
    assert models.inpainting("text_to_image").unet is models.stable_diffusion("text_to_image").unet


def test_boxes_steer_the_first_steps_in_the_conditional_half_alone(pipe: StableDiffusionInpaintPipeline) -> None:
    told: list[Any] = []
    hook = pipe.unet.register_forward_pre_hook(
        lambda _, __, given: told.append(dict(given["cross_attention_kwargs"] or {})), with_kwargs=True
    )
    painter = DiffusersInpainter(
        pipe, num_inference_steps=4, guidance_scale=3.0, text=TextEncoder(pipe.tokenizer, pipe.text_encoder), grounding_fraction=0.5
    )  # fmt: skip
    objects = (Placed("a ball", (8, 8, 24, 24)), Placed("a cup", (32, 32, 64, 64)))
    (grounded,) = painter.paint([replace(patch(strength=1.0), objects=objects)])
    hook.remove()
    boxes = [one.get("gligen") for one in told]
    assert [one is not None for one in boxes] == [True, True, False, False]
    assert boxes[0]["masks"].sum(dim=1).tolist() == [0, 2]  # the unconditional half has empty slots
    assert boxes[0]["boxes"][1, 0].tolist() == [0.125, 0.125, 0.375, 0.375]
    assert grounded.tobytes() != painter.paint([patch(strength=1.0)])[0].tobytes()
    # What was there before takes the place of the empty slots.
    hook = pipe.unet.register_forward_pre_hook(
        lambda _, __, given: told.append(dict(given["cross_attention_kwargs"] or {})), with_kwargs=True
    )
    (contrasted,) = painter.paint([replace(patch(strength=1.0), objects=objects, before=objects[:1])])
    hook.remove()
    assert told[-4]["gligen"]["masks"].sum(dim=1).tolist() == [1, 2] and contrasted.tobytes() != grounded.tobytes()


def test_a_part_smaller_than_a_cell_is_painted_where_whole_cells_are(pipe: StableDiffusionInpaintPipeline) -> None:
    mask = np.zeros((64, 64), dtype=bool)
    mask[9:11, 9:11] = True  # no first pixel of a cell of four pixels lies in it
    asked = []
    for whole in (False, True):
        painter = DiffusersInpainter(pipe, num_inference_steps=2, guidance_scale=1.0, whole_cells=whole)
        drawn = [painter.paint([replace(patch(strength=1.0), mask=mask, seed=seed)])[0].tobytes() for seed in (1, 2)]
        asked.append(drawn[0] != drawn[1])  # what is held outside the mask does not depend on the seed
    assert asked == [False, True]
