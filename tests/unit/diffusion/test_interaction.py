"""The loop on tiny models: the same picture with the savings, alone and in a batch, and a U-Net that is as it was afterwards."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import tiny_scheduler, tiny_unet
from torch import Tensor

from llmgen.diffusion.interaction.alignment import align, token_spans, tokens_in, word_schedule
from llmgen.diffusion.interaction.control import Borrowing
from llmgen.diffusion.interaction.drawing import Drawn, Pair, PairSampler, PairText, pair_noise
from llmgen.diffusion.interaction.energy import PlacedWord, box_terms, suppression_mask
from llmgen.diffusion.interaction.layers import read_layers
from llmgen.diffusion.interaction.passes import ROWS, PairSettings, Quirks, guided_passes
from llmgen.diffusion.latents import make_noise
from llmgen.diffusion.sampling import make_levels
from llmgen.errors import InputError

TOKENS = 12
SETTINGS = PairSettings(steps=6, altered_steps=3, attention_grid=8, suppression_grid=8, self_replace=0.5)
REPAIRED = Quirks(False, False, False, False, False)
BOX = (0.5, 0.5, 1.0, 1.0)


def pair(seed: int = 0, *, box: Any = BOX, tokens: tuple[int, ...] = (6,), shape: tuple[int, int] = (8, 8)) -> Pair:
    alignment = align([0, 1, 2, 3, 9], [0, 1, 2, 3, 4, 5, 6, 9], TOKENS)
    schedule = torch.ones(SETTINGS.steps + 1, TOKENS) * alignment.shared
    words = (PlacedWord(tokens, box),) if box is not None else ()
    states = torch.randn(4, TOKENS, 32, generator=torch.Generator().manual_seed(100 + seed))
    noise = pair_noise(seed, (4, *shape), second_draw=False)
    return Pair(PairText(states), noise, Borrowing(alignment.places, schedule, 8, words, tokens))


def draw(*pairs: Pair, settings: PairSettings = SETTINGS, **given: Any) -> tuple[Drawn, PairSampler]:
    unet = tiny_unet().requires_grad_(False)
    sampler = PairSampler(unet, make_levels(tiny_scheduler(), settings.steps), settings)
    return sampler.draw(list(pairs), **given), sampler


def apart(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item()


@pytest.mark.parametrize("quirks", [Quirks(), REPAIRED])
@pytest.mark.parametrize("suppression", ["object", "others", "none"])
@pytest.mark.parametrize("box", [BOX, None])
def test_savings_do_not_change_the_picture(quirks: Quirks, suppression: Any, box: Any) -> None:
    settings = replace(SETTINGS, quirks=quirks, suppression=suppression)
    saved, cheap = draw(pair(box=box), settings=settings)
    whole, dear = draw(pair(box=box), settings=replace(settings, savings=False))
    assert apart(saved.latents, whole.latents) < 1e-3
    assert cheap.calls < dear.calls
    if box is not None:
        assert saved.energies[0] == pytest.approx(whole.energies[0], abs=1e-4)
        assert len(saved.energies[0]) == SETTINGS.altered_steps


def test_a_picture_is_the_same_alone_and_in_a_batch() -> None:
    together, _ = draw(pair(0), pair(1, tokens=(4, 5, 6)), box_rows=("c1",))
    for place, one in enumerate((pair(0), pair(1, tokens=(4, 5, 6)))):
        alone, _ = draw(one, box_rows=("c1",))
        assert apart(alone.latents[0], together.latents[place]) < 1e-3
        assert alone.attention is not None and together.attention is not None
        assert apart(alone.attention[0], together.attention[place]) < 1e-5


@pytest.mark.parametrize(
    "changed",
    [
        {"quirks": replace(Quirks(), crossed_phase=False)},
        {"quirks": replace(Quirks(), half_maps=False)},
        {"quirks": replace(Quirks(), row_softmax=False)},
        {"suppression": "none"},
        {"scale": 0.0},
        {"self_replace": 0.0},
        {"altered_steps": 0},
    ],
)
def test_each_switch_changes_the_picture(changed: dict[str, Any]) -> None:
    usual, _ = draw(pair())
    other, _ = draw(pair(), settings=replace(SETTINGS, **changed))
    assert apart(usual.latents, other.latents) > 1e-4


def test_candidates_borrow_in_every_step_when_q4_is_repaired() -> None:
    usual, _ = draw(pair(box=None))
    other, _ = draw(pair(box=None), settings=replace(SETTINGS, quirks=replace(Quirks(), odd_steps=False)))
    assert apart(usual.latents, other.latents) > 1e-4


@pytest.mark.parametrize("shape", [(8, 12), (16, 8)])
def test_pictures_need_not_be_square(shape: tuple[int, int]) -> None:
    drawn, _ = draw(pair(shape=shape), box_rows=ROWS)
    assert drawn.latents.shape[-2:] == shape
    assert drawn.attention is not None and drawn.attention.shape[1:] == shape


def test_the_unet_gets_its_processors_back() -> None:
    unet = tiny_unet().requires_grad_(False)
    before = dict(unet.attn_processors)
    sampler = PairSampler(unet, make_levels(tiny_scheduler(), SETTINGS.steps), SETTINGS)
    first = sampler.draw([pair()])
    assert unet.attn_processors == before
    with pytest.raises(InputError, match="covers no cell"):
        sampler.draw([pair(box=(0.5, 0.5, 0.51, 0.51))])
    assert unet.attn_processors == before
    assert torch.is_grad_enabled()

    def stop(index: int, *_: Tensor) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sampler.draw([pair()], watch=stop)
    assert unet.attn_processors == before
    assert torch.equal(sampler.draw([pair()]).latents, first.latents)


def test_the_first_prompt_is_finished_on_demand_only() -> None:
    kept, _ = draw(pair(), keep_first=True)
    left, _ = draw(pair())
    assert apart(kept.latents, left.latents) < 1e-3
    assert apart(kept.first_latents, left.first_latents) > 0.1


def test_fewer_steps_than_are_altered() -> None:
    drawn, _ = draw(pair(), settings=replace(SETTINGS, steps=2, altered_steps=5))
    assert len(drawn.energies[0]) == 2


def test_rows_of_the_published_schedule() -> None:
    """SDXL: 12 steps with both prompts, of which the last needs no row without text of the one that lends; 38 with one."""
    xl = PairSettings(altered_steps=25, suppression="others")
    rows = [len(each.rows) for each in guided_passes(xl, correcting=True)]
    assert (rows.count(4), rows.count(3), rows.count(2)) == (11, 1, 38)
    assert sum(len(each.rows) for each in guided_passes(replace(xl, savings=False), correcting=True)) == 200
    sd = [len(each.rows) for each in guided_passes(PairSettings(), correcting=True)]
    assert (sd.count(4), sd.count(3), sd.count(2)) == (6, 1, 43)
    candidate = [len(each.rows) for each in guided_passes(xl, correcting=False)]
    assert sum(candidate) == 23 * 4 + 3 + 26 * 2
    suppressed = [bool(each.suppressed) for each in guided_passes(PairSettings(), correcting=True)]
    assert suppressed == [False] + [True] * 14 + [False] * 35
    assert not any(each.suppressed for each in guided_passes(xl, correcting=False))


def test_layers_that_are_read() -> None:
    layers = {layer.name: layer for layer in read_layers(tiny_unet(), SETTINGS)}
    assert all(layer.cross == name.endswith("attn2") for name, layer in layers.items())
    read = [name for name, layer in layers.items() if layer.energy_heads is not None]
    every = read_layers(tiny_unet(), replace(SETTINGS, quirks=REPAIRED))
    assert 0 < len(read) < len([layer for layer in every if layer.energy_heads is not None])


def test_noise_is_that_of_a_single_picture_or_the_second_draw() -> None:
    assert torch.equal(pair_noise(5, (4, 8, 8), second_draw=False), make_noise(5, (1, 4, 8, 8))[0])
    assert torch.equal(pair_noise(5, (4, 8, 8), second_draw=True), make_noise(5, (2, 4, 8, 8))[1])


@pytest.mark.parametrize("box", [(0.5, 0.5, 0.2, 0.8), (0.9, 0.9, 1.4, 1.4), (0.0, 0.0, 0.01, 0.01)])
def test_boxes_that_cover_nothing(box: Any) -> None:
    with pytest.raises(InputError, match="covers no cell"):
        box_terms(torch.rand(8, 8), box)


def test_one_cell_counts_where_the_share_is_less() -> None:
    image = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    corner = (0.0, 0.0, 0.125, 0.125)
    counted, published = box_terms(image, corner), box_terms(image, corner, least_cells=0)
    assert published.fg is None and counted.fg is not None and counted.fg.item() == pytest.approx(image[0, 0].item())
    whole = box_terms(image, (0.0, 0.0, 1.0, 1.0))
    assert whole.bg is None


def test_suppression_over_lines_or_the_picture() -> None:
    attention = torch.zeros(4, 4)
    attention[1, 2] = 1.0
    lines, whole = suppression_mask(attention, row_softmax=True), suppression_mask(attention, row_softmax=False)
    assert lines.sum(dim=1) == pytest.approx([3.0] * 4)
    assert whole.sum().item() == pytest.approx(15.0)
    assert lines.argmin() == whole.argmin() == 6


def test_shares_of_the_steps() -> None:
    spans = [(0, 0), (0, 1), (2, 5), (0, 0)]
    made = word_schedule("a cup", spans, 10, {"default_": (0.5, 1.0), "cup": 0.0, "a cup": 1.0}, 4)
    assert made[:, 1].tolist() == [0] * 5 + [1] * 6
    assert made[:, 2].tolist() == [0] * 11
    with pytest.raises(InputError, match="no share"):
        word_schedule("a cup", spans, 10, 1, 4)


def test_nouns_of_several_tokens() -> None:
    from tiny_models import tiny_tokenizer

    spans = token_spans("a cup", tiny_tokenizer())
    assert tokens_in((2, 5), spans) == (2, 3, 4)
    assert tokens_in((0, 1), spans) == (1,)
    assert tokens_in((40, 50), spans) == ()
