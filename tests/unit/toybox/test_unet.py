from pathlib import Path

import pytest
import torch
from diffusers.models.attention import GatedSelfAttentionDense

from llmgen.toybox.models.unet import PositionedUNet2DConditionModel, box_coverage, build_unet


def _tiny() -> PositionedUNet2DConditionModel:
    torch.manual_seed(0)
    unet = PositionedUNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=8,
        cross_attention_dim=24,
        attention_type="gated",
    )
    unet.open_gates()
    return unet.eval()


def _grounding(count: int = 2, slots: int = 3, used: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(count, slots, 2, generator=generator) * 0.5
    masks = torch.zeros(count, slots)
    masks[:, :used] = 1
    embeddings = torch.randn(count, slots, 24, generator=generator)
    return {"boxes": torch.cat([corner, corner + 0.4], -1), "positive_embeddings": embeddings, "masks": masks}


def _call(
    unet: PositionedUNet2DConditionModel,
    gligen: dict[str, torch.Tensor] | None = None,
    size: tuple[int, int] = (16, 16),
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    sample = torch.randn(2, 4, *size, generator=generator)
    states = torch.randn(2, 7, 24, generator=generator)
    kwargs = None if gligen is None else {"gligen": gligen}
    with torch.no_grad():
        return unet(sample, torch.tensor([10, 900]), states, cross_attention_kwargs=kwargs).sample


def test_grounding_matters_and_null_grounding_is_text_alone() -> None:
    unet = _tiny()
    alone = _call(unet)
    assert not torch.allclose(alone, _call(unet, _grounding()), atol=1e-3)
    assert torch.equal(alone, _call(unet, _grounding(used=0)))
    moved = _grounding()
    moved["boxes"] = (moved["boxes"] + 0.1).clamp(0, 1)
    assert not torch.allclose(_call(unet, _grounding()), _call(unet, moved), atol=1e-4)


def test_disabled_fusers_switch_the_painted_boxes_off_too() -> None:
    unet = _tiny()
    alone, grounded = _call(unet), _call(unet, _grounding())
    gates = [m for m in unet.modules() if isinstance(m, GatedSelfAttentionDense)]
    for gate in gates:
        gate.enabled = False
    assert torch.equal(alone, _call(unet, _grounding()))
    for gate in gates:
        gate.enabled = True
    assert torch.equal(grounded, _call(unet, _grounding()))


def test_a_row_without_boxes_gets_no_paint_from_its_neighbour() -> None:
    unet = _tiny()
    mixed = _grounding()
    mixed["masks"][0] = 0
    painted = unet.layout_painter(**mixed, height=16, width=16)
    assert painted[0].abs().max() == 0
    assert painted[1].abs().max() > 0


def test_what_lies_in_empty_slots_does_not_matter() -> None:
    unet = _tiny()
    one, two = _grounding(used=1), _grounding(used=1)
    two["boxes"][:, 1:] = 0.3
    two["positive_embeddings"][:, 1:] = 5.0
    assert torch.allclose(_call(unet, one), _call(unet, two), atol=1e-6)


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    unet = _tiny()
    unet.save_pretrained(tmp_path)
    loaded, info = PositionedUNet2DConditionModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert loaded.config.in_channels == 4
    assert torch.equal(_call(unet, _grounding()), _call(loaded.eval(), _grounding()))


@pytest.mark.parametrize("size", [(8, 8), (24, 16), (32, 32)])
def test_other_sizes(size: tuple[int, int]) -> None:
    assert _call(_tiny(), _grounding(), size).shape == (2, 4, *size)


def test_meta_device() -> None:
    with torch.device("meta"):
        unet = build_unet()
        gligen = {k: torch.empty_like(v, device="meta") for k, v in _grounding().items()}
        gligen["positive_embeddings"] = torch.empty(2, 3, 128)
        output = unet(
            torch.empty(2, 8, 16, 16),
            torch.tensor(5),
            torch.empty(2, 7, 128),
            cross_attention_kwargs={"gligen": gligen},
        ).sample
    assert output.shape == (2, 8, 16, 16)


def test_gradients_reach_every_part() -> None:
    unet = _tiny().train()
    gligen = _grounding()
    output = unet(
        torch.randn(2, 4, 16, 16),
        torch.tensor([10, 900]),
        torch.randn(2, 7, 24),
        cross_attention_kwargs={"gligen": gligen},
    ).sample
    output.square().mean().backward()
    # The null embeddings only serve slots, so all slots must be seen: one of three is empty here.
    silent = [name for name, p in unet.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert silent == []


def test_coverage_is_the_exact_share_of_each_cell() -> None:
    coverage, u, v = box_coverage(torch.tensor([[[0.125, 0.0, 0.5, 0.25]]]), 4, 4)
    assert torch.allclose(coverage[0, 0], torch.tensor([[0.5, 1, 0, 0]] + [[0.0] * 4] * 3))
    assert u.shape == (1, 1, 4) and v.shape == (1, 1, 4)
    # The middle of the box is 0, its edges are -1 and 1.
    assert u[0, 0, 1] == pytest.approx((0.375 - 0.3125) / 0.375 * 2)
