import pytest
import torch
from diffusers import UNet2DConditionModel
from tiny_models import tiny_unet
from torch import Tensor

from llmgen.diffusion.instances.fusers import attach_grounding, enable_masked_attention, fuser_scale, gated_fusers
from llmgen.diffusion.instances.masked_attention import allowed_pairs, instance_masks
from llmgen.diffusion.instances.unifusion import InstanceGrounding


def grounding(boxes: list[list[float]], slots: int = 3) -> InstanceGrounding:
    padded = torch.tensor([*boxes, *[[0.0] * 4] * (slots - len(boxes))])[None]
    masks = torch.tensor([[1.0] * len(boxes) + [0.0] * (slots - len(boxes))])
    blank = torch.zeros(1, slots, 1)
    return InstanceGrounding(padded, masks, blank, blank, blank, blank, blank[..., None])


@pytest.fixture
def unet() -> UNet2DConditionModel:
    model = tiny_unet()
    attach_grounding(model)
    return model


def run(unet: UNet2DConditionModel, **gligen: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    z, text = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 24, 32, generator=generator)
    with torch.no_grad():
        return unet(z, 5, text, cross_attention_kwargs={"gligen": gligen} if gligen else None, return_dict=False)[0]


def test_strength_between_none_and_all(unet: UNet2DConditionModel) -> None:
    objs = torch.randn(1, 14, 32)
    whole, none = run(unet, objs=objs), run(unet)
    with fuser_scale(unet, 1):
        assert run(unet, objs=objs).equal(whole)
    with fuser_scale(unet, 0):
        assert run(unet, objs=objs).equal(none)
    with fuser_scale(unet, 1e-6):
        torch.testing.assert_close(run(unet, objs=objs), none, atol=1e-5, rtol=0)
    with fuser_scale(unet, 0.5):
        half = run(unet, objs=objs)
    assert not torch.allclose(half, whole) and not torch.allclose(half, none)
    assert run(unet, objs=objs).equal(whole)


def test_strength_is_restored_after_an_error(unet: UNet2DConditionModel) -> None:
    gated_fusers(unet)[0].enabled = False
    with pytest.raises(RuntimeError), fuser_scale(unet, 0.5):
        raise RuntimeError
    assert [fuser.enabled for fuser in gated_fusers(unet)] == [False] + [True] * (len(gated_fusers(unet)) - 1)
    assert not any(fuser.attn._forward_hooks or fuser.ff._forward_hooks for fuser in gated_fusers(unet))
    for scale in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 1"), fuser_scale(unet, scale):
            pass


def test_a_unet_without_fusers_takes_no_tokens() -> None:
    plain = torch.nn.Module()
    with pytest.raises(ValueError, match="no fusers"):
        attach_grounding(plain)


def test_masks_lie_where_the_boxes_are() -> None:
    given = grounding([[0.25, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0]])
    masks = instance_masks(given, ["box"], 4, 8)
    expected = torch.zeros(1, 3, 4, 8, dtype=torch.bool)
    expected[0, 0, :, 2:4] = True
    expected[0, 1, 2:] = True
    assert masks.equal(expected)
    turned = instance_masks(given, ["box"], 4, 8, orientation="reference")
    assert turned[0, 0].nonzero().amax(0).tolist() == [1, 7] and turned[0, 1].nonzero().amin(0).tolist() == [0, 4]
    assert instance_masks(given, ["mask", "point"], 4, 8).any() and instance_masks(given, [], 4, 8).any()
    assert not instance_masks(given, ["point", "scribble"], 4, 8).any()
    assert not instance_masks(given.null(), ["box"], 4, 8).any()


def test_who_may_look_at_whom() -> None:
    masks = instance_masks(grounding([[0, 0, 0.5, 1], [0.25, 0, 0.75, 1]]), ["box"], 1, 4)
    slots, places, tokens = 3, 4, 4 * 3 + 2
    allowed = allowed_pairs(masks, tokens)[0, 0].int()
    assert allowed[:places, :places].tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    inside = masks[0].flatten(1).T.int()
    for first in (places, places + 3 * slots):
        assert allowed[:places, first : first + slots].equal(inside)
    assert allowed[:places, places + slots : places + 3 * slots].all() and allowed[:places, -2:].all()
    assert allowed[places:, places:].all() and allowed.equal(allowed.T)
    assert allowed_pairs(torch.zeros_like(masks), tokens).all()


def test_masks_change_the_level_they_are_for_and_need_to_be_enabled(unet: UNet2DConditionModel) -> None:
    objs = torch.randn(1, 14, 32)
    masks = instance_masks(grounding([[0, 0, 0.5, 0.5]]), ["box"], 8, 8)
    free = run(unet, objs=objs)
    with pytest.raises(ValueError, match="without masked attention"):
        run(unet, objs=objs, att_masks=masks)
    enable_masked_attention(unet)
    torch.testing.assert_close(run(unet, objs=objs), free)
    assert not torch.allclose(run(unet, objs=objs, att_masks=masks), free)
    torch.testing.assert_close(run(unet, objs=objs, att_masks=torch.zeros_like(masks)), free)
    other_size = instance_masks(grounding([[0, 0, 0.5, 0.5]]), ["box"], 5, 5)
    torch.testing.assert_close(run(unet, objs=objs, att_masks=other_size), free)
