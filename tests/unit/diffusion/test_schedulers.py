"""Schedulers by name, with diffusers' own classes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline
from pydantic import ValidationError
from tiny_models import noise_image, tiny_context, tiny_pipeline, tiny_scheduler

from llmgen.artifacts import Record
from llmgen.artifacts.schedulers import SCHEDULER_LABELS, scheduler_name
from llmgen.diffusion.sampling import make_levels
from llmgen.diffusion.schedulers import (
    SCHEDULERS,
    first_timestep,
    make_scheduler,
    quiet_steps,
    scheduler_of,
    with_scheduler,
)
from llmgen.engine.context import StageContext
from llmgen.errors import MissingRequirementError
from llmgen.generate.sd import TextGenerate, TextGenerateConfig
from llmgen.presets import RoleSpec

PAGE = Path(__file__).parents[3] / "llmgen/presets/README.md"


def test_every_name_has_a_class_and_a_label() -> None:
    assert set(SCHEDULERS) == set(SCHEDULER_LABELS)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_draws_and_is_known_again(name: str) -> None:
    pipe = with_scheduler(tiny_pipeline("v_prediction"), name)
    assert scheduler_of(pipe) == name
    assert pipe.scheduler.config.prediction_type == "v_prediction" or name == "lcm"
    with quiet_steps():
        pictures = [
            pipe("a ball", width=32, height=32, num_inference_steps=4, output_type="np",
                 generator=torch.Generator().manual_seed(seed)).images
            for seed in (1, 1, 2)
        ]  # fmt: skip
    assert np.isfinite(pictures[0]).all()
    assert (pictures[0] == pictures[1]).all() and (pictures[0] != pictures[2]).any()


def test_another_scheduler_shares_the_models_and_leaves_the_pipeline_alone() -> None:
    pipe = tiny_pipeline()
    other = with_scheduler(pipe, "euler-a")
    assert other.unet is pipe.unet and scheduler_of(other) == "euler-a"
    assert scheduler_of(pipe) == "ddim" and "DDIMScheduler" in pipe.config["scheduler"]
    assert with_scheduler(pipe, "own") is pipe is with_scheduler(pipe, "ddim")


@pytest.mark.parametrize(
    "said", ["DPM++ 2M Karras", "dpmpp_2m_karras", "dpmpp-2m-karras", " dpm++-2m-karras "]
)  # fmt: skip
def test_usual_spellings(said: str) -> None:
    assert scheduler_name(said) == "dpm++-2m-karras"
    assert scheduler_name("Euler Ancestral") == "euler-a" and scheduler_name("PLMS") == "pndm"


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(ValidationError, match="no scheduler 'eulr'. Did you mean 'euler'"):
        TextGenerateConfig(scheduler="eulr")
    with pytest.raises(ValidationError):
        TextGenerateConfig(scheduler=3)  # type: ignore[arg-type]


def saved_with(folder: Path, scheduler: object) -> StageContext:
    """The tiny preset, whose model has another scheduler of its own."""
    context = tiny_context(folder)
    pipe = tiny_pipeline("v_prediction")
    pipe.scheduler = scheduler
    pipe.save_pretrained(folder / "sd")
    return context


def drawn(context: StageContext, **settings: object) -> tuple[np.ndarray, str | None]:
    method = TextGenerate(context, TextGenerateConfig(num_inference_steps=4, **settings))  # type: ignore[arg-type]
    (record,) = method([Record(id="r", prompt="a ball", seed=5)])
    assert record.image is not None
    return np.asarray(context.images.load(record.image)), method.models[0].scheduler


@pytest.mark.parametrize("kind", [PNDMScheduler, EulerDiscreteScheduler])
def test_the_scheduler_of_the_repository_is_the_one_that_draws(tmp_path: Path, kind: type) -> None:
    own = {"skip_prk_steps": True} if kind is PNDMScheduler else {}
    context = saved_with(tmp_path, kind.from_config(tiny_scheduler("v_prediction").config, **own))
    ours, name = drawn(context)
    assert name == {"PNDMScheduler": "pndm", "EulerDiscreteScheduler": "euler"}[kind.__name__]
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "sd", safety_checker=None)
    assert type(pipe.scheduler) is kind
    pipe.set_progress_bar_config(disable=True)
    with quiet_steps():
        theirs = pipe(
            "a ball", width=64, height=64, num_inference_steps=4, output_type="np", guidance_scale=7.5,
            generator=torch.Generator().manual_seed(5),
        ).images[0]  # fmt: skip
    assert np.abs(ours.astype(float) - theirs * 255).max() <= 2


def test_the_page_says_where_few_steps_begin() -> None:
    config = {**tiny_scheduler().config, "timestep_spacing": "leading", "steps_offset": 1}
    _, *rows = [line for line in PAGE.read_text().partition("| steps | `ddim")[2].splitlines() if line.startswith("|")]
    names = [
        cell.split() for cell in re.findall(r"`([^`]+)`", PAGE.read_text().partition("| steps |")[2].splitlines()[0])
    ]
    table = [[int(cell) for cell in row.strip("|").split("|")] for row in rows]
    assert len(table) == 5 and sum(map(len, names)) == 15
    pipe = tiny_pipeline()
    for steps, *firsts in table:
        for first, group in zip(firsts, names, strict=True):
            for name in group:
                pipe.scheduler = make_scheduler(name, config)
                assert first_timestep(pipe, steps) == (first, 1000), (steps, name)
                pipe.scheduler = make_scheduler(name, {**config, "timestep_spacing": "trailing"})
                assert first_timestep(pipe, steps) == (999, 1000), (steps, name)


def test_steps_that_begin_late_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = saved_with(tmp_path, tiny_scheduler("v_prediction"))
    for steps, scheduler in ((1, "ddim"), (2, "euler"), (3, "ddim"), (1, "dpm++-2m-karras")):
        method = TextGenerate(context, TextGenerateConfig(num_inference_steps=steps, scheduler=scheduler))
        method([Record(id=f"{steps}", prompt="a ball", seed=5)])
    said = [record.getMessage() for record in caplog.records if "too late" in record.getMessage()]
    assert said == [
        "record '1': 1 step by ddim: the first is timestep 1 of 1000, too late to make a picture of noise; "
        "take more, or dpm++-2m-karras, which begins at the top",
        "record '2': 2 steps by euler: the first is timestep 501 of 1000, too late to make a picture of noise; "
        "take more, or dpm++-2m-karras, which begins at the top",
    ]


def test_the_loop_of_ones_own_has_the_same_levels_whichever_class_has_read_them() -> None:
    config = json.loads(tiny_scheduler("v_prediction", "trailing").to_json_string())
    for name in ("euler", "pndm", "dpm++-2m-karras"):
        assert make_levels(make_scheduler(name, config), 10) == make_levels(DDIMScheduler.from_config(config), 10)


def test_a_role_names_its_scheduler_and_the_settings_win(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    role = context.preset.roles["text_to_image"].model_copy(update={"scheduler": "euler"})
    named = StageContext(
        context.preset.model_copy(update={"roles": {"text_to_image": role}}), context.images, "cpu", "float32"
    )
    assert (named.models.stepped_by("text_to_image"), context.models.stepped_by("text_to_image")) == ("euler", None)
    by_role, by_setting, own = drawn(named), drawn(context, scheduler="euler"), drawn(context)
    assert by_role[1] == by_setting[1] == "euler" and own[1] == "ddim"
    assert (by_role[0] == by_setting[0]).all() and (own[0] != by_role[0]).any()
    assert drawn(named, scheduler="ddim")[1] == "ddim" and (drawn(named, scheduler="ddim")[0] == own[0]).all()


def test_a_class_that_is_no_scheduler_of_u_nets_is_said(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    path = tmp_path / "sd/scheduler/scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "_class_name": "AutoencoderKL"}))
    with pytest.raises(MissingRequirementError, match="its scheduler 'AutoencoderKL' is none of"):
        drawn(context)


def test_only_families_that_step_by_a_scheduler_take_one() -> None:
    with pytest.raises(ValidationError, match="'owlv2' does not draw; leave the scheduler away"):
        RoleSpec(source="a/b", family="owlv2", scheduler="euler")
    with pytest.raises(ValidationError, match="draws by a loop that needs its own"):
        RoleSpec(source="a/b", family="instancediffusion", scheduler="euler")
    assert RoleSpec(source="a/b", family="stable-diffusion", scheduler="DPM++ 2M Karras").scheduler == "dpm++-2m-karras"


def test_the_refiner_keeps_what_it_is_beside_its_scheduler(tmp_path: Path) -> None:
    """A pipeline that is made anew from its components loses its own settings."""
    from tiny_refiner import tiny_refiner_preset

    context = StageContext(tiny_refiner_preset(tmp_path), tiny_context(tmp_path).images, "cpu", "float32")
    other = with_scheduler(context.models.image_to_image("refiner"), "euler")
    assert other.config.requires_aesthetics_score and scheduler_of(other) == "euler"
    given = {"prompt": "a ball", "image": noise_image(), "strength": 0.5, "num_inference_steps": 4}
    with quiet_steps():
        picture = other(**given, aesthetic_score=7.0).images[0]
    assert picture.size == (64, 64)
