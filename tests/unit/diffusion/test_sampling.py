import pytest
import torch
from diffusers import DDIMScheduler
from tiny_models import tiny_scheduler, tiny_unet
from torch import Tensor

from llmgen.diffusion.grounding import GroundedPhrase, make_grounding
from llmgen.diffusion.inversion import invert
from llmgen.diffusion.sampling import GuidedUNet, convert_prediction, ddim_step, make_levels, sample
from llmgen.errors import PresetError


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_says_the_same_about_clean_latents_and_noise(kind: str) -> None:
    clean, eps, alpha = noise(1, 2, 4, 4, 4), noise(2, 2, 4, 4, 4), 0.3
    latents = alpha**0.5 * clean + (1 - alpha) ** 0.5 * eps
    output = {"epsilon": eps, "v_prediction": alpha**0.5 * eps - (1 - alpha) ** 0.5 * clean, "sample": clean}[kind]
    got_clean, got_eps = convert_prediction(output, latents, alpha, kind)  # type: ignore[arg-type]
    torch.testing.assert_close(got_clean, clean)
    torch.testing.assert_close(got_eps, eps)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_steps_equal_those_of_diffusers(kind: str, spacing: str) -> None:
    scheduler = tiny_scheduler(kind, spacing)
    levels = make_levels(scheduler, 10)
    scheduler.set_timesteps(10)
    assert levels.timesteps == tuple(scheduler.timesteps.tolist())
    ours = theirs = noise(0, 1, 4, 8, 8)
    for i, t in enumerate(scheduler.timesteps):
        output = 0.3 * noise(i + 1, 1, 4, 8, 8)
        ours = ddim_step(levels, output, ours, i)
        theirs = scheduler.step(output, t, theirs).prev_sample
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_sampling_from_an_inversion_comes_back(kind: str) -> None:
    levels, clean = make_levels(tiny_scheduler(kind), 20), 0.5 * noise(2, 1, 4, 8, 8)

    def predict(z: Tensor, timestep: int, index: int) -> Tensor:
        return 0.3 * torch.tanh(z) + timestep / 5000

    coarse, fine = invert(predict, clean, levels), invert(predict, clean, levels, refinements=6)
    assert fine.shape == (1, 21, 4, 8, 8)
    assert torch.equal(fine[:, -1], clean)
    back = [(sample(predict, run[:, 0], levels)[:, -1] - clean).abs().max().item() for run in (coarse, fine)]
    assert back[1] < 1e-3
    assert back[1] < back[0] / 2


def test_rows_do_not_depend_on_the_batch() -> None:
    unet = tiny_unet()
    text, negative, z = noise(1, 3, 5, 32), noise(2, 3, 5, 32), noise(3, 3, 4, 8, 8)
    together = GuidedUNet(unet, text, negative, [1.0, 2.5, 7.5])(z, 500, 0)
    for i, scale in enumerate((1.0, 2.5, 7.5)):
        alone = GuidedUNet(unet, text[i : i + 1], negative[i : i + 1], scale)(z[i : i + 1], 500, 0)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-3, atol=1e-3)


class _Text:
    def pooled(self, phrases: list[str]) -> Tensor:
        return torch.stack([noise(len(p), 32) for p in phrases])


def test_grounding_steers_until_it_is_switched_off() -> None:
    grounding = make_grounding([[GroundedPhrase("a ball", (0.0, 0.0, 0.5, 0.5))], []], _Text(), slots=4)  # type: ignore[arg-type]
    assert grounding.masks.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    text, z = noise(1, 2, 5, 32), noise(3, 2, 4, 8, 8)
    predict = GuidedUNet(tiny_unet(), text, text * 0, 3.0, grounding=grounding, grounding_steps=1)
    plain = GuidedUNet(tiny_unet(), text, text * 0, 3.0)
    with torch.no_grad():
        assert (predict(z, 500, 0)[0] - plain(z, 500, 0)[0]).abs().max() > 1e-3
        assert torch.equal(predict(z, 500, 1), plain(z, 500, 1))
        torch.testing.assert_close(predict(z, 500, 0)[1], plain(z, 500, 0)[1])  # nothing to ground


def _stable_diffusion() -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=False,
    )


@pytest.mark.parametrize(
    ("steps", "first", "said"),
    [(50, 981, ""), (8, 876, ""), (501, 501, "take 500 steps"), (334, 667, "take 333 steps")],
)
def test_a_number_of_steps_that_begins_in_the_middle_of_the_noise_is_told(
    steps: int, first: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert make_levels(_stable_diffusion(), steps).timesteps[0] == first
    assert caplog.text.strip().endswith(said) and bool(caplog.text) == bool(said)


def test_steps_that_reach_behind_the_schedule_are_refused() -> None:
    with pytest.raises(PresetError, match="1000 steps begin at time 1000, and the scheduler's last is 999"):
        make_levels(_stable_diffusion(), 1000)
