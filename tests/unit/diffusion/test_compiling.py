"""Compiled models: one shape but for the rows, the same pictures, and a word where nothing compiles."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from tiny_instances import tiny_instance_context
from tiny_models import SIZE, BoxSegmenter, tiny_context, tiny_pipeline
from torch import Tensor

from llmgen.artifacts import DeleteEdit, Detection, EditPlan, Instance, Layout, Record
from llmgen.correct.image_editing import ImageEditing
from llmgen.correct.self_correction import SelfCorrection
from llmgen.diffusion import compiling
from llmgen.diffusion.attention import Remembering, guidance_layers
from llmgen.diffusion.compiling import CompiledDecoder, CompiledUNet, compiled, trouble
from llmgen.diffusion.grounding import GroundedPhrase, make_grounding
from llmgen.diffusion.instances.fusers import attach_grounding
from llmgen.diffusion.instances.scaleu import ScaleU
from llmgen.diffusion.latents import make_noise
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.sampling import GuidedUNet
from llmgen.diffusion.text import TextEncoder
from llmgen.engine.context import StageContext
from llmgen.engine.long_runs import LONG_RUN
from llmgen.errors import InputError, MissingRequirementError
from llmgen.generate.instancediffusion import InstanceGenerate
from llmgen.generate.lmd import LayoutGenerate
from llmgen.generate.sd import TextGenerate, TextGenerateConfig


class Doubling:
    """Stands for a U-Net and an autoencoder: doubles what it is given, and counts rows."""

    config = "its own"

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.times: list[object] = []

    def __call__(self, sample: Tensor, timestep: Any, encoder_hidden_states: Tensor, **more: Any) -> tuple[Tensor]:
        self.rows.append(len(sample))
        self.times.append(timestep)
        return (sample * 2,)

    def decode(self, latents: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        self.rows.append(len(latents))
        return (latents * 2,)


@torch.no_grad()
def test_what_is_compiled_is_called_for_its_canvas_with_rows_and_without_gradients() -> None:
    plain, made = Doubling(), Doubling()
    unet = CompiledUNet(plain, made, grid=(2, 2))
    hidden = torch.randn(8, 3, 5)
    for rows in (4, 8, 3):
        unet(torch.randn(rows, 1, 2, 2), 7, encoder_hidden_states=hidden[:rows], return_dict=False)
    assert made.rows == [4, 8, 3] and plain.rows == [] and unet.config == "its own"
    assert all(isinstance(time, Tensor) and int(time) == 7 for time in made.times)  # a number would be compiled in
    unet(torch.randn(4, 1, 2, 3), 7, hidden[:4])
    unet(torch.randn(1, 1, 2, 2), 7, hidden[:1])
    with torch.enable_grad():
        unet(torch.randn(4, 1, 2, 2), 7, hidden[:4])
    assert made.rows == [4, 8, 3] and plain.rows == [4, 1, 4]


@torch.no_grad()
def test_so_is_a_decoder() -> None:
    plain, rows = Doubling(), list[int]()

    def made(latents: Tensor) -> Tensor:
        rows.append(len(latents))
        return latents * 2

    vae = CompiledDecoder(plain, made, grid=(2, 2))
    latents = torch.randn(3, 1, 2, 2)
    assert torch.equal(vae.decode(latents, return_dict=False)[0], latents * 2) and rows == [3]
    vae.decode(latents[:1], return_dict=False)
    assert vae.decode(torch.zeros(2, 1, 2, 4), return_dict=False)[0].shape == (2, 1, 2, 4) and plain.rows == [1, 2]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[list[int]]:
    """A compiler that takes graphs as torch cuts them, whole ones only, and runs them as they are; their sizes."""
    caplog.set_level(logging.CRITICAL, "torch.__trace")  # every step of it would be kept
    taken: list[int] = []
    compile_ = torch.compile

    def take(graph: Any, examples: object) -> Callable[..., Any]:
        taken.append(len(graph.graph.nodes))
        return graph.forward  # type: ignore[no-any-return]

    monkeypatch.setattr(torch, "compile", lambda model: compile_(model, backend=take, fullgraph=True))
    yield taken
    torch._dynamo.reset()


def one_level() -> UNet2DConditionModel:
    """As small as a GLIGEN U-Net can be: torch takes seconds to look through each block."""
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        mid_block_type=None,
        up_block_types=("CrossAttnUpBlock2D",),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=4,
        attention_type="gated",
    )
    return unet.eval()


@pytest.mark.slow
@torch.no_grad()
def test_batches_of_any_size_and_all_steps_share_what_is_compiled(graphs: list[int]) -> None:
    pipe = tiny_pipeline()
    pipe.unet = one_level()
    text = TextEncoder(pipe.tokenizer, pipe.text_encoder)
    fast = compiled(pipe, size=(SIZE, SIZE), told=lambda line: None)
    layers = guidance_layers(pipe.unet)
    found = []
    for unet in (pipe.unet, fast.unet):
        for count in (3, 2, 5):
            phrases = [f"{number} balls" for number in range(count)]
            boxes = make_grounding([[GroundedPhrase(phrase, (0, 0, 0.5, 0.5))] for phrase in phrases], text, slots=4)
            hidden = text.hidden(phrases)
            guided = GuidedUNet(unet, hidden, hidden.flip(0), 3.0, grounding=boxes, grounding_steps=9)
            # Of three steps the first is watched, with other words in other places each time.
            remembering = Remembering(guided, unet, layers, list(range(1, count + 1)), steps=1)
            for index, time in enumerate((901, 601, 301)):
                noise = make_noise(count, (count, 4, 16, 16))
                found.append(remembering(noise, time, index))
                found += remembering.attention[count - 1][0].values()
    half = len(found) // 2
    for plain, quick in zip(found[:half], found[half:], strict=True):
        assert torch.allclose(plain, quick, atol=1e-5)
    assert len(graphs) == 2  # watched, and not


@pytest.mark.slow
@torch.no_grad()
def test_so_do_runs_of_instances_and_decoders(graphs: list[int]) -> None:
    pipe = tiny_pipeline()
    pipe.unet = one_level()
    attach_grounding(pipe.unet)
    ScaleU((8, 8)).attach(pipe.unet)
    fast = compiled(pipe, size=(SIZE, SIZE), told=lambda line: None)
    for count in (2, 5, 3):
        noise, hidden, tokens = torch.randn(count, 4, 16, 16), torch.randn(count, 24, 32), torch.randn(count, 24, 32)
        for time in (901, 601):
            given = {"cross_attention_kwargs": {"gligen": {"objs": tokens}}, "return_dict": False}
            quick, plain = (unet(noise, time, hidden, **given)[0] for unet in (fast.unet, pipe.unet))
            assert torch.allclose(plain, quick, atol=1e-5)
        pictures = [vae.decode(noise, return_dict=False)[0] for vae in (fast.vae, pipe.vae)]
        assert torch.allclose(*pictures, atol=1e-5)
    assert len(graphs) == 2  # the U-Net, and the decoder


@pytest.fixture
def compiles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A compiler that leaves everything as it is; what it was given."""
    given: list[str] = []

    def leave(model: Callable[..., Any], *, dynamic: bool | None = None) -> Callable[..., Any]:
        given.append(type(model).__name__)
        return model

    monkeypatch.setattr(torch, "compile", leave)
    trouble.cache_clear()
    return given


def drawn(context: StageContext, count: int, **settings: Any) -> tuple[TextGenerate, list[np.ndarray]]:
    method = TextGenerate(context, TextGenerateConfig(num_inference_steps=2, **settings))
    made = method([Record(id=f"r{i}", prompt=f"{i} balls", seed=i) for i in range(count)])
    return method, [np.asarray(context.images.load(r.image)).astype(int) for r in made if r.image]


def test_pictures_are_the_same_and_what_is_drawn_otherwise_says_so(tmp_path: Path, compiles: list[str]) -> None:
    context, said, remarks = tiny_context(tmp_path), list[str](), list[str]()
    context.batch_size = 2
    context.progress = said.append
    context.remark_on = lambda _, text: remarks.append(text) if "compiled" in text else None
    _, plain = drawn(context, 2)
    assert compiles == []
    method, fast = drawn(context, 2, compile="always")
    assert compiles == ["function", "UNet2DConditionModel", "partial"]  # the trial, and both models
    assert max(np.abs(a - b).max() for a, b in zip(plain, fast, strict=True)) <= 1
    assert [line for line in said if "compiling" in line] == [
        f"compiling the {name}, once for the whole run" for name in ("U-Net", "decoder")
    ]
    assert remarks == []
    wide = Layout(width=2 * SIZE, height=SIZE, background_prompt="", instances=())
    method([Record(id=name, prompt="a ball", seed=1, layout=layout) for name, layout in (("a", None), ("b", wide))])
    assert remarks == [f"drawn uncompiled, on {2 * SIZE}x{SIZE}; {SIZE}x{SIZE} is compiled"]


def test_every_method_with_a_loop_of_its_own_draws_the_same(
    tmp_path: Path, compiles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelPool, "segmenter", lambda self, role="segmenter": BoxSegmenter())
    context, remarks = tiny_instance_context(tmp_path), list[str]()
    context.remark_on = lambda _, text: remarks.append(text) if "compiled" in text else None
    ball = Instance(id="ball #1", phrase="a ball", noun="ball", box_xyxy=(8, 8, 40, 40))
    layouts = [Layout(width=w, height=SIZE, background_prompt="sea", instances=(ball,)) for w in (SIZE, SIZE, 96)]
    records = [Record(id=f"r{n}", prompt="a ball", seed=n, layout=layout) for n, layout in enumerate(layouts)]
    deletion = EditPlan(edits=(DeleteEdit(target="ball #1", box_xyxy=(8, 8, 40, 40)),))
    seen = (Detection(id="ball #1", phrase="ball", noun="ball", box_xyxy=(8, 8, 40, 40), score=0.9),)
    context._methods["detect"] = lambda records: [r.grown(detections=seen) for r in records]  # type: ignore[assignment]
    for method in (LayoutGenerate, InstanceGenerate, SelfCorrection):
        pictures = []
        for how in ("never", "always"):
            compiles.clear()
            drawn = method(context, method.Config(compile=how, num_inference_steps=3))(records)
            pictures.append([np.asarray(context.images.load(e.image)).astype(int) for r in drawn for e in r.history])
            assert ("UNet2DConditionModel" in compiles) == (how == "always")
        assert max(np.abs(a - b).max() for a, b in zip(*pictures, strict=True)) <= 1
        records = [record.grown(detections=seen, edits=deletion) for record in drawn]
    assert remarks == [f"drawn uncompiled, on 96x{SIZE}; {SIZE}x{SIZE} is compiled"] * 3


def test_how_many_kinds_of_calls_are_compiled_makes_a_run_long(tmp_path: Path) -> None:
    kinds = [
        (LayoutGenerate, {}, 4),
        (LayoutGenerate, {"grounding_fraction": 1.0, "reference_weight": 0.0}, 1),
        (InstanceGenerate, {}, 2),
        (InstanceGenerate, {"alpha": 1.0}, 1),
        (SelfCorrection, {}, 4),
        (SelfCorrection, {"grounding_fraction": 1.0}, 3),
    ]
    for method, given, count in kinds:
        config = method.Config(num_inference_steps=50, **given)
        # What decides by thresholds on the way draws other pictures: never unless somebody says so.
        long_from = LONG_RUN * count / 50 if method is InstanceGenerate else None
        assert method.call_kinds(config) == count and method.long_from(config) == long_from
    for method, given in (
        (InstanceGenerate, {"masked_attention": True}),
        (SelfCorrection, {"painter": "inpaint"}),
        (SelfCorrection, {"profile": "reference"}),
        (ImageEditing, {"plan_only": True}),
    ):
        assert method.long_from(method.Config(**given)) is None
        with pytest.raises(InputError, match="compiles nothing with these settings"):
            method.check_settings(tiny_context(tmp_path), method.Config(compile="always", **given))


def test_where_nothing_compiles_a_run_that_must_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: object, *, dynamic: bool | None = None) -> None:
        raise RuntimeError("no compiler\nand more")

    monkeypatch.setattr(torch, "compile", refuse)
    trouble.cache_clear()
    assert trouble("cpu") == "no compiler"
    with pytest.raises(MissingRequirementError, match=r"nothing compiles here \(no compiler\).*--set compile=never"):
        drawn(tiny_context(tmp_path), 1, compile="always")
    said: list[str] = []
    config = TextGenerate.settled(tiny_context(tmp_path), TextGenerateConfig(), True, said.append)
    assert config.compile == "never" and len(said) == 1 and "no compiler" in said[0]
    trouble.cache_clear()


def test_models_in_main_memory_are_not_compiled(tmp_path: Path, compiles: list[str]) -> None:
    context = tiny_context(tmp_path)
    context.offload = "model"
    assert TextGenerate.settled(context, TextGenerateConfig(), True, print).compile == "never"
    with pytest.raises(InputError, match="does not go with"):
        drawn(context, 1, compile="always")


@pytest.mark.slow
def test_a_compiler_is_tried() -> None:
    trouble.cache_clear()
    found = trouble("cpu")
    assert found is None or (0 < len(found) <= 180 and "other numbers" not in found), found  # what compiles is right
    assert trouble("cpu") == found
    assert compiling.trouble.cache_info().misses == 1
