"""UniFusion, fusers, ScaleU, masked attention and the whole U-Net give what the original gave, on CPU in float32."""

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from diffusers.models.attention import Attention, BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from parity.instance_goldens import WEIGHTS, Goldens, predict
from torch import Tensor, nn

from llmgen.diffusion.instances.conversion import target
from llmgen.diffusion.instances.fusers import enable_masked_attention, fuser_scale, gated_fusers
from llmgen.diffusion.instances.masked_attention import MaskedProcessor, allowed_pairs, instance_masks
from llmgen.diffusion.instances.scaleu import ScaleU
from llmgen.diffusion.instances.unifusion import FORMATS, InstanceGrounding, box_centers, fourier_features

EXACT = 1e-6
TOKENS = 1e-5
WHOLE = 5e-5


def test_fourier_features(instance_goldens: Goldens) -> None:
    frequencies = instance_goldens.sidecar["unifusion_config"]["fourier_freqs"]
    for name in ("boxes", "scribbles"):
        got = fourier_features(instance_goldens[f"in.{name}"], frequencies)
        instance_goldens.close(got, f"out.fourier.{name}", EXACT)


def test_mask_encoder(instance_goldens: Goldens) -> None:
    encoder = instance_goldens.unifusion.segment_encoder
    segments = instance_goldens.grounding().segments
    size = (encoder.resize, encoder.resize)
    with torch.no_grad():
        small = encoder.in_conv(F.interpolate(segments, size=size, mode="nearest"))
        instance_goldens.close(small[..., ::8, ::8], "out.seg.in_conv_8x", TOKENS)
        instance_goldens.close(encoder.trunk(small), "out.seg.convnext", TOKENS)
        instance_goldens.close(encoder(segments), "out.seg.tokens", TOKENS)


def test_tokens_of_every_choice_of_formats(instance_goldens: Goldens) -> None:
    grounding = instance_goldens.grounding()
    names, known = instance_goldens.names, instance_goldens.sidecar["drop_configurations"]["values"]
    configs = [config for config in known if f"out.tokens.{config}" in names]
    assert len(configs) >= 4
    for config in configs:
        with torch.no_grad():
            tokens = instance_goldens.unifusion(grounding, instance_goldens.use(config))
        instance_goldens.close(tokens, f"out.tokens.{config}", TOKENS)


def test_tokens_of_what_was_not_given(instance_goldens: Goldens) -> None:
    full, tokenizer = instance_goldens.grounding(), instance_goldens.unifusion

    def changed(**values: Tensor) -> InstanceGrounding:
        return InstanceGrounding(**(vars(full) | values))

    def blank(*names: str) -> dict[str, Tensor]:
        return {name: torch.zeros_like(getattr(full, name)) for name in names}

    scribbles, polygons = full.scribbles.clone(), full.polygons.clone()
    scribbles[:, -1], polygons[:, -1] = 0.25, 0.5
    masks = full.masks.clone()
    masks[:, -1] = 0
    cases = {
        "test_box_points_none": (changed(points=box_centers(full.boxes)), "test_box"),
        "null_input_all_kept": (full.null(), "test_scribble"),
        "null_input_test_box": (full.null(), "test_box"),
        "test_mask_without_any_mask": (changed(**blank("scribbles", "polygons", "segments")), "test_mask"),
        "scribble_in_padding_slot": (changed(scribbles=scribbles, polygons=polygons, masks=masks), "test_scribble"),
    }
    for name, (grounding, config) in cases.items():
        with torch.no_grad():
            tokens = tokenizer(grounding, instance_goldens.use(config))
        instance_goldens.close(tokens, f"out.tokens.{name}", TOKENS)


def test_scaleu_on_maps_of_every_size(instance_goldens: Goldens) -> None:
    for case, shape in enumerate(instance_goldens.sidecar["scaleu_shapes"]):
        given = {name: instance_goldens[f"in.scaleu.{case}.{name}"] for name in ("h", "skip", "b", "s")}
        scales = ScaleU([shape[1]])
        scales.load_state_dict({"backbone.0": given["b"], "skip.0": given["s"]})
        with torch.no_grad():
            h, skip = scales(0, torch.cat([given["h"], given["skip"]], dim=1)).split(shape[1], dim=1)
        instance_goldens.close(h, f"out.scaleu.{case}.h", TOKENS)
        instance_goldens.close(skip, f"out.scaleu.{case}.skip", TOKENS)


def _spatial(goldens: Goldens) -> tuple[Transformer2DModel, BasicTransformerBlock]:
    """The spatial transformer that the goldens show alone; its weights are in every set."""
    prefix = f"{WEIGHTS}input_blocks.4.1."
    state = {name.removeprefix(prefix): goldens[name] for name in goldens.names_from(prefix)}
    config = goldens.sidecar["diffusers_config"]
    width = goldens["in.spatial.x"].shape[1]
    heads = config["attention_head_dim"]
    spatial = Transformer2DModel(
        heads,
        width // heads,
        width,
        norm_num_groups=config.get("norm_num_groups", 32),
        cross_attention_dim=config["cross_attention_dim"],
        attention_type="gated",
    )
    spatial.load_state_dict(state)
    return spatial.eval(), spatial.transformer_blocks[0]


def test_fuser_block_and_spatial_transformer(instance_goldens: Goldens) -> None:
    spatial, block = _spatial(instance_goldens)
    x, context, objs = (instance_goldens[f"in.block.{name}"] for name in ("x", "context", "objs"))
    options = {"encoder_hidden_states": context, "cross_attention_kwargs": {"gligen": {"objs": objs}}}
    with torch.no_grad():
        for scale in (1, 0.5, 0):
            with fuser_scale(block, scale):
                instance_goldens.close(block.fuser(x, objs), f"out.fuser.scale_{scale}", TOKENS)
        instance_goldens.close(block(x, **options), "out.block", TOKENS)
        (whole,) = spatial(instance_goldens["in.spatial.x"], **options, return_dict=False)
        instance_goldens.close(whole, "out.spatial", TOKENS)


def test_masks_of_the_reference_count_rows_by_x(instance_goldens: Goldens) -> None:
    expected = instance_goldens["in.masked.att_masks_u8"].bool()
    grounding = instance_goldens.grounding().rows(list(range(len(expected))))
    got = instance_masks(grounding, instance_goldens.use("test_mask"), *expected.shape[-2:], orientation="reference")
    assert got.equal(expected)
    upright = instance_masks(grounding, instance_goldens.use("test_mask"), *expected.shape[-2:])
    assert upright.equal(expected.transpose(-1, -2)) and not upright.equal(expected)
    for config, dropped in instance_goldens.sidecar["drop_box_mask"].items():
        masks = instance_masks(grounding, instance_goldens.use(config), *expected.shape[-2:])
        assert masks.any() != dropped, config


def test_masked_attention_alone(instance_goldens: Goldens) -> None:
    masks, x = instance_goldens["in.masked.att_masks_u8"].bool(), instance_goldens["in.masked.x"]
    allowed = allowed_pairs(masks, x.shape[1] - masks[0, 0].numel())
    assert allowed[0, 0].sum(1).equal(instance_goldens["out.masked.row_count"].long())
    assert allowed[0, 0].sum(0).equal(instance_goldens["out.masked.col_count"].long())
    prefix = "in.masked.sa."
    state = {name.removeprefix(prefix): instance_goldens[name] for name in instance_goldens.names_from(prefix)}
    width = x.shape[-1]
    # The only size that the sidecar gives in words.
    described = re.search(r"(\d+) heads of \d+", instance_goldens.sidecar["naming"]["in.masked.*, out.masked.*"])
    heads = int(described[1]) if described else 2
    attention = Attention(width, heads=heads, dim_head=width // heads)
    attention.load_state_dict(state)
    source = nn.Module()
    source.allowed = allowed
    attention.set_processor(MaskedProcessor(source))
    with torch.no_grad():
        instance_goldens.close(attention(x), "out.masked.attn", TOKENS)
        source.allowed = None
        instance_goldens.close(attention(x), "out.masked.attn_drop_box_mask", TOKENS)


def _compare_inside(goldens: Goldens, recorded: dict[str, Tensor]) -> None:
    """Compare activations in the order in which they arise, so that the first fault is named."""
    prefix = "out.unet.test_mask.inter."
    assert {prefix + name for name in recorded} >= set(goldens.names_from(prefix))
    for name, value in recorded.items():
        if prefix + name in goldens.names:
            goldens.close(value, prefix + name, WHOLE)


def _record(goldens: Goldens) -> tuple[dict[str, Tensor], list[torch.utils.hooks.RemovableHandle]]:
    """Record the outputs of the original's modules where a stock U-Net has them as an output too."""
    unet, recorded = goldens.unet, {}
    places = {"time_embed": unet.time_embedding, "input_blocks.0": unet.conv_in, "middle_block": unet.mid_block}
    for side, name, offset in (("down", "input", 1), ("up", "output", 0)):
        for level, block in enumerate(getattr(unet, f"{side}_blocks")):
            attentions = getattr(block, "attentions", None) or block.resnets
            for number, last in enumerate(attentions):
                ends = number == 2 and getattr(block, "upsamplers", None)
                places[f"{name}_blocks.{3 * level + number + offset}"] = block.upsamplers[0] if ends else last
            if getattr(block, "downsamplers", None):
                places[f"{name}_blocks.{3 * level + 3}"] = block.downsamplers[0]

    def keep(name: str) -> Callable[[nn.Module, object, Tensor | tuple[Tensor]], None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor]) -> None:
            recorded[name] = output[0] if isinstance(output, tuple) else getattr(output, "sample", output)

        return hook

    return recorded, [module.register_forward_hook(keep(name)) for name, module in places.items()]


def test_the_whole_unet_with_every_choice_of_formats(instance_goldens: Goldens) -> None:
    goldens = instance_goldens
    x, t, context = (goldens[f"in.unet.{name}"] for name in ("x", "t", "context"))
    unet = goldens.unet
    for config in ("test_mask", "test_box", "test_point", "test_scribble"):
        with torch.no_grad():
            objs = goldens.unifusion(goldens.grounding(), goldens.use(config))
        recorded, hooks = _record(goldens) if config == "test_mask" else ({}, [])
        got = predict(unet, x, t, context, objs=objs)
        for hook in hooks:
            hook.remove()
        if config == "test_mask":
            _compare_inside(goldens, recorded)
        goldens.close(got, f"out.unet.{config}", WHOLE)


def test_the_whole_unet_with_fusers_of_every_strength(instance_goldens: Goldens) -> None:
    goldens = instance_goldens
    x, t, context, unconditional = (goldens[f"in.unet.{name}"] for name in ("x", "t", "context", "uc"))
    with torch.no_grad():
        objs = goldens.unifusion(goldens.grounding(), goldens.use("test_mask"))
        null = goldens.unifusion(goldens.grounding().null(), FORMATS)
    for scale in (0.5, 0):
        with fuser_scale(goldens.unet, scale):
            goldens.close(predict(goldens.unet, x, t, context, objs=objs), f"out.unet.test_mask.scale_{scale}", WHOLE)
    assert all(fuser.enabled for fuser in gated_fusers(goldens.unet))
    goldens.close(predict(goldens.unet, x, t, unconditional, objs=null), "out.unet.uncond", WHOLE)


def test_the_whole_unet_with_masked_attention(instance_goldens: Goldens) -> None:
    goldens = instance_goldens
    x, t, context = goldens["in.masked.unet_x"], goldens["in.unet.t"][:1], goldens["in.unet.context"][:1]
    grounding, use = goldens.grounding().rows([0]), goldens.use("test_mask")
    with torch.no_grad():
        objs = goldens.unifusion(grounding, use)
    masks = instance_masks(grounding, use, *x.shape[-2:], orientation="reference")
    unet = goldens.unet
    goldens.close(predict(unet, x, t, context, objs=objs), "out.masked.unet_no_mask", WHOLE)
    enable_masked_attention(unet)
    goldens.close(predict(unet, x, t, context, objs=objs, att_masks=masks), "out.masked.unet", WHOLE)
    # A picture without instances in the same batch, the unconditional one, is not masked.
    both = predict(
        unet,
        x.repeat(2, 1, 1, 1),
        t.repeat(2),
        context.repeat(2, 1, 1),
        objs=objs.repeat(2, 1, 1),
        att_masks=torch.cat([masks, torch.zeros_like(masks)]),
    )
    goldens.close(both[:1], "out.masked.unet", WHOLE)
    goldens.close(both[1:], "out.masked.unet_no_mask", WHOLE)


def test_every_tensor_of_the_set_has_a_place(instance_goldens: Goldens) -> None:
    for name in instance_goldens.names_from(WEIGHTS):
        assert target(name.removeprefix(WEIGHTS)) is not None, name
