"""Offloading as the methods use it: parts called directly, in any order, with gradients, and pipelines called whole.

There is no accelerator here. Layer by layer can be run for real with the CPU as the device: the weights wait on the meta device
and come when their layer is called. Module by module is followed on the meta device, which refuses to mix with the CPU.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import SIZE, BoxSegmenter, noise_image, tiny_context, tiny_pipeline, tiny_preset
from torch import nn

from llmgen.artifacts import AddEdit, EditPlan, Instance, Layout, Record
from llmgen.correct.jobs import Job
from llmgen.correct.painting import LatentPainter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.latents import decode_latents, encode_images
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.offloading import Offloader, device_of
from llmgen.diffusion.text import TextEncoder
from llmgen.generate.lmd import LayoutGenerate
from llmgen.generate.lmd_settings import LayoutGenerateConfig
from llmgen.generate.sd import TextGenerate, TextGenerateConfig


@pytest.fixture
def pipe() -> Any:
    return tiny_pipeline(vae="kl")


def parts(pipe: Any) -> list[nn.Module]:
    return [pipe.text_encoder, pipe.unet, pipe.vae]


def where(pipe: Any) -> list[str]:
    return [next(part.parameters()).device.type for part in parts(pipe)]


def test_one_module_at_a_time_is_on_the_device(pipe: Any) -> None:
    Offloader("model", "meta").take(pipe.components.values())
    assert where(pipe) == ["cpu", "cpu", "cpu"]
    assert {device_of(part).type for part in parts(pipe)} == {"meta"}
    text = TextEncoder(pipe.tokenizer, pipe.text_encoder).hidden(["a ball"])
    assert text.device.type == "meta"
    assert where(pipe) == ["meta", "cpu", "cpu"]


def test_every_part_brings_itself_however_it_is_called(pipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Weights that came home from the meta device are lost: only the order of visits is followed here.
    monkeypatch.setattr(nn.Module, "to", to_empty(nn.Module.to))
    Offloader("model", "meta").take(pipe.components.values())
    latents = encode_images(pipe.vae, [noise_image()])
    assert latents.device.type == "meta"
    assert where(pipe) == ["cpu", "cpu", "meta"]
    text = TextEncoder(pipe.tokenizer, pipe.text_encoder).hidden(["a ball"])
    assert where(pipe) == ["meta", "cpu", "cpu"]
    pipe.unet(latents, 1, encoder_hidden_states=text)
    assert where(pipe) == ["cpu", "meta", "cpu"]
    with torch.no_grad():
        assert pipe.vae.decode(latents, return_dict=False)[0].shape == (1, 3, SIZE, SIZE)
    assert where(pipe) == ["cpu", "cpu", "meta"]


def to_empty(to: Any) -> Any:
    def moved(self: nn.Module, device: Any, *args: Any, **kwargs: Any) -> nn.Module:
        if torch.device(device).type == "cpu":
            return self.to_empty(device="cpu")
        return to(self, device, *args, **kwargs)

    return moved


def test_layer_by_layer_gives_the_same_pictures(pipe: Any) -> None:
    plain = tiny_pipeline(vae="kl")
    Offloader("sequential", "cpu").take(pipe.components.values())
    assert where(pipe) == ["meta", "meta", "meta"]
    made = []
    for one in (plain, pipe):
        text = TextEncoder(one.tokenizer, one.text_encoder).hidden(["a ball"])
        latents = encode_images(one.vae, [noise_image()])
        with torch.no_grad():
            output = one.unet(latents, 1, encoder_hidden_states=text).sample
        made.append(np.asarray(decode_latents(one.vae, output)[0]))
    np.testing.assert_array_equal(*made)
    assert where(pipe) == ["meta", "meta", "meta"]


@pytest.fixture
def records() -> list[Record]:
    ball = Instance(id="a", phrase="a ball", box_xyxy=(8, 8, 40, 40))
    layout = Layout(width=SIZE, height=SIZE, background_prompt="a meadow", instances=(ball,))
    return [Record(id="r0", prompt="a ball on a meadow", seed=1, layout=layout)]


def drawn(folder: Path, records: list[Record], pool: ModelPool) -> Iterator[np.ndarray]:
    context = tiny_context(folder)
    context._models = pool
    sd = TextGenerate(context, TextGenerateConfig(num_inference_steps=2))
    lmd = LayoutGenerate(context, LayoutGenerateConfig(num_inference_steps=4))
    for method in (sd, lmd):
        (record,) = method(records)
        assert record.image is not None
        yield np.asarray(context.images.load(record.image))


def test_methods_draw_the_same_when_their_models_wait(
    tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelPool, "segmenter", lambda self, role="segmenter": BoxSegmenter())
    preset = tiny_preset(tmp_path)
    pictures = [
        list(drawn(tmp_path, records, ModelPool(preset, device="cpu", dtype="float32", offload=how)))
        for how in ("none", "sequential", "model")
    ]
    for other in pictures[1:]:
        for a, b in zip(pictures[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_shares_a_module_offloads_it_once(tmp_path: Path) -> None:
    pool = ModelPool(tiny_preset(tmp_path), device="meta", dtype="float32", offload="model")
    pipe = pool.stable_diffusion("text_to_image")
    image_to_image = pool.image_to_image("refiner")
    assert image_to_image.unet is pipe.unet
    assert len(pool._offloader.ring) == 3
    assert image_to_image._execution_device.type == "meta"


@pytest.mark.parametrize("how", ["sequential", "model"])
def test_edits_are_painted_the_same_when_models_wait(pipe: Any, how: Any) -> None:
    """Inversion, an object drawn alone, the energy's slope through the U-Net, composition."""
    plain = tiny_pipeline(vae="kl")
    Offloader(how, "cpu").take(pipe.components.values())
    add = AddEdit(target="star #1", phrase="a star", noun="star", attributes=(), box_xyxy=(8, 8, 40, 40))
    job = Job(noise_image(), EditPlan(edits=(add,), target=()), [], "a meadow", "", 1)
    config = SelfCorrectionConfig(num_inference_steps=3)
    pictures = [
        LatentPainter(one, TextEncoder(one.tokenizer, one.text_encoder), BoxSegmenter(), config).paint([job])[0].image
        for one in (plain, pipe)
    ]
    np.testing.assert_array_equal(*(np.asarray(picture) for picture in pictures))
