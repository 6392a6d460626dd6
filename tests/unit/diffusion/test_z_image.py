"""Z-Image by diffusers' own pipelines: draws, refines, inpaints; what steers a U-Net is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ZImageInpaintPipeline, ZImageTransformer2DModel
from tiny_lora import save_lora
from tiny_models import noise_image
from tiny_z_image import tiny_z_image, tiny_z_image_preset
from transformers import Qwen3Config, Qwen3Model

from llmgen.artifacts import Layout, Record
from llmgen.correct.context.settings import ContextConfig
from llmgen.correct.painters import load_inpainter
from llmgen.diffusion.latents import sides_multiple
from llmgen.diffusion.loading import ModelPool
from llmgen.engine.context import StageContext
from llmgen.errors import InputError, PresetError
from llmgen.generate.boxdiff import BoxDiffGenerate
from llmgen.generate.sd import TextGenerate, TextGenerateConfig
from llmgen.paint.inpainter import Patch
from llmgen.presets import LoraSpec
from llmgen.refine.sdxl import ImageToImageRefine, ImageToImageRefineConfig
from llmgen.vision.images import ImageStore


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return StageContext(tiny_z_image_preset(tmp_path), ImageStore(tmp_path), "cpu", "float32")


def records(*prompts: str) -> list[Record]:
    return [Record(id=f"r{i}", prompt=prompt, seed=5 + i) for i, prompt in enumerate(prompts)]


def picture(context: StageContext, record: Record) -> np.ndarray:
    assert record.image is not None
    return np.asarray(context.images.load(record.image))


def test_it_draws_what_its_own_pipeline_draws_whoever_shares_the_batch(context: StageContext) -> None:
    method = TextGenerate(
        context, TextGenerateConfig(num_inference_steps=3, guidance_scale=2.0, negative_prompt="blurry")
    )
    drawn = method(records("a ball", "a very long prompt about a meadow with two red cars on it"))
    assert method.models[0].scheduler == "FlowMatchEulerDiscreteScheduler"
    theirs = tiny_z_image()(
        "a ball", negative_prompt="blurry", width=64, height=64, num_inference_steps=3, guidance_scale=2.0, output_type="np",
        generator=torch.Generator().manual_seed(5),
    ).images[0]  # fmt: skip
    assert (picture(context, drawn[0]) == (theirs * 255).round().astype(np.uint8)).all()
    (alone,) = method(records("a ball"))
    assert (picture(context, alone) == picture(context, drawn[0])).all()
    assert (picture(context, drawn[1]) != picture(context, drawn[0])).any()


def test_a_prompt_that_is_cut_is_remarked_on(context: StageContext) -> None:
    said: list[str] = []
    context.remark_on = lambda record_id, text: said.append(f"{record_id}: {text}")
    TextGenerate(context, TextGenerateConfig(num_inference_steps=1, guidance_scale=0.0))(records("a" * 600, "a ball"))
    assert len(said) == 1 and said[0].startswith("r0: its prompt has 6") and said[0].endswith("reads the first 512")


def test_it_refines(context: StageContext) -> None:
    ref = context.images.save("r0", "generate", noise_image())
    config = ImageToImageRefineConfig(whole_image=True, num_inference_steps=4, strength=0.5, guidance_scale=0.0)
    method = ImageToImageRefine(context, config)
    (after,) = method([Record(id="r0", prompt="a ball", seed=3, image=ref)])
    changed = picture(context, after) != np.asarray(noise_image())
    assert changed.mean() > 0.5 and method.models[0].scheduler == "FlowMatchEulerDiscreteScheduler"


def test_it_inpaints(context: StageContext) -> None:
    painter = load_inpainter(context, "inpaint", ContextConfig(num_inference_steps=3, guidance_scale=0.0))
    assert isinstance(context.models.inpainting("inpaint"), ZImageInpaintPipeline) and painter.multiple == 8
    mask = np.zeros((64, 64), dtype=bool)
    mask[8:40, 8:40] = True
    patches = [Patch(noise_image(), mask, "a ball", "a meadow", "", 0.7, seed) for seed in (1, 1, 2)]
    pictures = [np.asarray(image) for image in painter.paint(patches)]
    assert (pictures[0] == pictures[1]).all() and (pictures[0] != pictures[2]).any()
    assert (pictures[0] != np.asarray(noise_image()))[8:40, 8:40].any()


def test_what_it_cannot_do_is_a_line(context: StageContext) -> None:
    layout = Layout(width=64, height=64, background_prompt="a meadow", instances=())
    with pytest.raises(PresetError, match="ZImagePipeline, has no U-Net, which this method steers"):
        BoxDiffGenerate(context, BoxDiffGenerate.Config())([Record(id="r", prompt="a", seed=1, layout=layout)])
    with pytest.raises(
        InputError, match="steps along a flow by its FlowMatchEulerDiscreteScheduler, which 'euler' cannot"
    ):
        TextGenerate(context, TextGenerateConfig(scheduler="euler"))
    painting = ContextConfig(profile="reference", scheduler="dpm++-2m-karras")
    with pytest.raises(InputError, match="leave the scheduler away"):
        load_inpainter(context, "inpaint", painting)
    with pytest.raises(InputError, match="multiples of 8"):
        TextGenerate(context, TextGenerateConfig(width=36))(records("a ball"))


def test_a_lora_of_its_transformer(context: StageContext, tmp_path: Path) -> None:
    plain = tiny_z_image().transformer
    path = save_lora(plain, tmp_path / "style.safetensors", part="transformer")
    lora = (LoraSpec(source=str(path), weight=0.5),)
    spec = context.preset.roles["text_to_image"].model_copy(update={"lora": lora})
    preset = context.preset.model_copy(update={"roles": {"text_to_image": spec}})
    changed = ModelPool(preset, device="cpu", dtype="float32").text_to_image().transformer
    name = "layers.0.attention.to_q.weight"
    assert [*changed.state_dict()] == [*plain.state_dict()]
    assert (changed.state_dict()[name] != plain.state_dict()[name]).any()


def test_models_that_wait_in_main_memory_draw_the_same(context: StageContext) -> None:
    from llmgen.diffusion.offloading import Offloader

    given = {"width": 64, "height": 64, "num_inference_steps": 2, "output_type": "np"}
    pipe = context.models.text_to_image()
    before = pipe("a ball", generator=torch.Generator().manual_seed(1), **given).images
    Offloader("model", "cpu").take(pipe.components.values())
    assert (before == pipe("a ball", generator=torch.Generator().manual_seed(1), **given).images).all()


def test_the_published_size() -> None:
    """The transformer's published size is the class's own default; the text encoder is Qwen3 of four billion parameters."""
    config = Qwen3Config(
        vocab_size=151936, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128,
    )  # fmt: skip
    with torch.device("meta"):
        transformer, text = ZImageTransformer2DModel(), Qwen3Model(config)
    assert transformer.config.cap_feat_dim == config.hidden_size
    assert sum(p.numel() for p in transformer.parameters()) == pytest.approx(6.15e9, rel=0.01)
    assert sum(p.numel() for p in text.parameters()) == pytest.approx(4.02e9, rel=0.01)
    assert sides_multiple(tiny_z_image()) == 8
