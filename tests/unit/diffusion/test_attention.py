import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from tiny_models import tiny_unet
from torch import Tensor

from llmgen.diffusion.attention import Remembering, all_layers, capture_attention, guidance_layers, lowest_layers
from llmgen.diffusion.sampling import GuidedUNet

TEXT = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(1))
LATENTS = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))


def predict_of(unet: torch.nn.Module, guidance: float) -> GuidedUNet:
    return GuidedUNet(unet, TEXT, torch.zeros_like(TEXT), guidance)


@torch.no_grad()
def test_each_picture_remembers_its_own_token_of_the_conditional_half() -> None:
    unet = tiny_unet()
    for guidance in (1.0, 3.0):
        predict = predict_of(unet, guidance)
        layers = guidance_layers(unet)
        with capture_attention(unet, layers) as watched:
            plain = predict(LATENTS, 481, 0)
            whole: dict[str, Tensor] = {n: p.probabilities for n, p in watched.items() if p.probabilities is not None}
        memory = Remembering(predict, unet, layers, [3, 5], steps=1)
        assert torch.allclose(memory(LATENTS, 481, 0), plain, atol=1e-6)
        memory(LATENTS, 461, 1)
        assert [len(steps) for steps in memory.attention] == [1, 1]
        for row, token in enumerate((3, 5)):
            for layer in layers:
                kept = memory.attention[row][0][layer]
                assert torch.equal(kept, whole[layer][-2:][row, :, :, token])
                # The other tokens are not kept alive behind it.
                assert kept.untyped_storage().nbytes() == whole[layer][-2:, :, :, 0].numel() * 4


@torch.no_grad()
def test_nothing_is_remembered_of_a_picture_without_a_token() -> None:
    unet = tiny_unet()
    memory = Remembering(predict_of(unet, 3.0), unet, guidance_layers(unet), [None, 5], steps=1)
    memory(LATENTS, 481, 0)
    assert memory.attention[0] == [{}]
    assert set(memory.attention[1][0]) == set(guidance_layers(unet))


def test_all_layers_are_more_than_the_watched_ones() -> None:
    unet = tiny_unet()
    assert set(guidance_layers(unet)) < set(all_layers(unet))


@pytest.mark.parametrize(
    ("grid", "down", "up"), [(64, 0, 3), (63, 1, 2), (32, 1, 2), (31, 2, 1), (16, 2, 1), (8, 2, 1), (1, 2, 1)]
)
def test_the_grid_that_is_read_is_the_finest_up_to_the_one_asked_for(grid, down, up):
    path = Path(__file__).parents[2] / "data" / "public_configs.json"
    config = json.loads(path.read_text(encoding="utf-8"))["gligen_unet"]
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    assert unet.config.sample_size == 64
    read = [name.split(".attentions")[0] for name in lowest_layers(unet, grid)]
    assert list(dict.fromkeys(read)) == [f"down_blocks.{down}", f"up_blocks.{up}"]
    steered = [name.split(".attentions")[0] for name in guidance_layers(unet, grid)]
    assert list(dict.fromkeys(steered)) == ["mid_block", f"up_blocks.{up}"]
    unet.register_to_config(sample_size=None)
    assert lowest_layers(unet, grid) == lowest_layers(unet, 16) and lowest_layers(unet)[0].startswith("down_blocks.2")
