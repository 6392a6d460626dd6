"""The painter of details: a LoRA that learns, resumes, ships and is read by the presets' own loader."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llmgen.diffusion.loading import ModelPool
from llmgen.presets import LoraSpec, load_preset
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import build_unet
from llmgen.toybox.recipes.inpaint import InpaintRecipe, add_low_ranks, read_changes, with_details
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.recipes.sampling import TextToImage
from llmgen.toybox.world.held_out import is_held_out
from llmgen.toybox.world.scenes import sample_detailed_scene
from llmgen.toybox.world.vocabulary import PATTERNS

TINY = InpaintRecipe(batch=2, pool=8, looks=1, look_steps=2, rank=2)


def denoiser() -> torch.nn.Module:
    unet = TextToImage.from_pretrained().unet
    assert unet is not None
    return unet


def test_low_ranks_begin_as_nothing_and_leave_the_weights_alone() -> None:
    torch.manual_seed(0)
    unet, plain = build_unet().eval(), build_unet().eval()
    plain.load_state_dict(unet.state_dict())
    changes = add_low_ranks(unet, 2)
    given = (torch.randn(1, 8, 16, 16), 500, torch.randn(1, 40, 128))
    with torch.no_grad():
        assert torch.equal(unet(*given).sample, plain(*given).sample)
        for change in changes.values():
            change.up.add_(0.01)
        assert not torch.allclose(unet(*given).sample, plain(*given).sample, atol=1e-3)
    assert {name for name, value in unet.named_parameters() if value.requires_grad} == {
        f"{layer.replace('/', '.')}.parametrizations.weight.0.{side}" for layer in changes for side in ("down", "up")
    }


def test_scenes_have_details_and_nothing_that_is_held_out() -> None:
    rng = random.Random(3)
    scenes = [sample_detailed_scene(rng) for _ in range(300)]
    things = [item for scene in scenes for item in scene.objects]
    assert not any(map(is_held_out, scenes))
    assert sum(item.pattern != PATTERNS[0] or bool(item.states) for item in things) > 0.6 * len(things)


@pytest.mark.slow
def test_the_recipe_trains_a_lora_resumes_and_ships_it(tmp_path: Path) -> None:
    TrainingRun(tmp_path / "run", steps=2, processes=1).train(TINY)
    trained = TrainingRun(tmp_path / "run", steps=4, processes=1, resume=True).train(TINY)
    TINY.ship(tmp_path / "run", tmp_path)
    merged = with_details(denoiser(), tmp_path / "inpaint")  # type: ignore[arg-type]
    for name, value in trained.state_dict().items():
        assert torch.allclose(value, merged.state_dict()[name], atol=1e-4), name
    # The loader of every preset reads the same from the file, and a further training starts from it.
    preset = load_preset("toybox")
    lora = (LoraSpec(source=str(tmp_path / "inpaint" / "pytorch_lora_weights.safetensors")),)
    roles = {**preset.roles, "inpaint": preset.roles["inpaint"].model_copy(update={"lora": lora})}
    pipe = ModelPool(preset.model_copy(update={"roles": roles}), device="cpu", dtype="float32").inpainting("inpaint")
    for name, value in merged.state_dict().items():
        assert torch.allclose(value, pipe.unet.state_dict()[name], atol=1e-5), name
    run = TrainingRun(tmp_path / "further", steps=1, start=tmp_path / "inpaint")
    lesson = TINY.lesson(replace(run, seed=0))
    for name, value in read_changes(tmp_path / "inpaint").items():
        assert torch.equal(lesson.module.state_dict()[name], value)


def test_the_shipped_lora_fits_the_shipped_denoiser() -> None:
    before = {name: value.clone() for name, value in denoiser().state_dict().items()}
    after = with_details(denoiser(), WEIGHTS / "inpaint").state_dict()  # type: ignore[arg-type]
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], value) for name, value in after.items())
    assert (WEIGHTS / "inpaint" / "pytorch_lora_weights.safetensors").stat().st_size < 3e6
