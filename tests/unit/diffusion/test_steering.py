from collections.abc import Callable

import pytest
import torch
from tiny_models import tiny_scheduler, tiny_unet
from torch import Tensor

from llmgen.diffusion.attention import guidance_layers, lowest_layers
from llmgen.diffusion.box_energies import boxdiff_energy, boxdiff_loss, ratio_energy
from llmgen.diffusion.guidance import EnergySettings, GuidedPhrase, phrase_energy
from llmgen.diffusion.sampling import make_levels
from llmgen.diffusion.steering import Energy, Steering, SteeringRule, noise_rate

SHAPE = (16, 16)
PHRASES = (GuidedPhrase(((0.1, 0.1, 0.5, 0.5),), (2, 3), 3),)
LEVELS = make_levels(tiny_scheduler(), 4)


def steering(energies: list[Energy | None], layers: Callable[..., list[str]], rule: SteeringRule) -> Steering:
    text = torch.randn(len(energies), 8, 32, generator=torch.Generator().manual_seed(3))
    unet = tiny_unet().requires_grad_(False)
    return Steering(unet, text, energies, LEVELS, rule, layers=layers(unet))


def latents(count: int) -> Tensor:
    return torch.randn(count, 4, *SHAPE, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("energy", "layers", "rate"),
    [
        (phrase_energy(PHRASES, SHAPE, EnergySettings()), guidance_layers, 5.0),
        (ratio_energy(PHRASES, SHAPE), guidance_layers, 30.0),
        (boxdiff_energy(PHRASES, SHAPE), lowest_layers, 1.0),
    ],
)
def test_steering_lowers_the_energy(energy: Energy, layers: Callable[..., list[str]], rate: float) -> None:
    once = steering([energy], layers, SteeringRule(lambda i: 1, noise_rate(LEVELS, rate)))
    once(latents(1), 0)
    often = steering([energy], layers, SteeringRule(lambda i: 8, noise_rate(LEVELS, rate)))
    moved = often(latents(1), 0)
    assert often.last[0] < once.last[0]
    assert often.calls == 8
    assert not moved.requires_grad


def test_each_picture_has_its_own_end() -> None:
    energy = phrase_energy(PHRASES, SHAPE, EnergySettings())
    rule = SteeringRule(lambda i: 2, noise_rate(LEVELS, 5.0), threshold=100.0)
    guide = steering([energy, None, energy], guidance_layers, rule)
    first = guide(latents(3), 0)
    assert torch.equal(first[1], latents(3)[1])
    assert not torch.equal(first[0], latents(3)[0])
    # One update shows that the energy is below the threshold; after it nothing is moved any more.
    assert guide.calls == 1
    assert torch.equal(guide(first, 1), first)


def test_a_box_smaller_than_a_cell_gives_numbers() -> None:
    attention = torch.rand(64, 6, generator=torch.Generator().manual_seed(1)) / 10
    for box in ((0.5, 0.5, 0.51, 0.51), (0.0, 0.0, 1.0, 1.0)):
        assert torch.isfinite(boxdiff_loss(attention, [GuidedPhrase((box,), (2,), 2)], (8, 8)))
