"""SDXL as a family: two text encoders, pooled vectors and sizes, in our own loop as in diffusers' pipeline."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from tiny_models import SIZE, tiny_tokenizer
from tiny_xl import tiny_xl_pipeline, tiny_xl_preset
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from llmgen.artifacts import Instance, Layout, Record
from llmgen.diffusion.latents import make_noise, sides_multiple
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.offloading import Offloader
from llmgen.diffusion.sampling import GuidedUNet, make_levels, sample
from llmgen.diffusion.text import TextCondition
from llmgen.diffusion.text_xl import XLTextEncoder
from llmgen.engine.context import StageContext
from llmgen.generate.boxdiff import BoxDiffGenerate, BoxDiffGenerateConfig
from llmgen.generate.sd import TextGenerate, TextGenerateConfig
from llmgen.vision.images import ImageStore

CONFIGS = json.loads((Path(__file__).parents[2] / "data" / "public_configs.json").read_text(encoding="utf-8"))
PROMPTS = ["a boy is feeding a bird", "a dog"]


@pytest.fixture
def models(tmp_path: Path) -> ModelPool:
    return ModelPool(tiny_xl_preset(tmp_path), device="cpu", dtype="float16")


@pytest.mark.parametrize("negatives", [["", ""], ["blurry", "ugly"]])
@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
def test_our_loop_draws_what_the_pipeline_of_diffusers_draws(
    models: ModelPool, negatives: list[str], size: tuple[int, int]
) -> None:
    pipe, text = models.stable_diffusion("text_to_image"), models.text("text_to_image")
    width, height = size
    noise = torch.cat([make_noise(seed, (1, 4, height // 4, width // 4)) for seed in (1, 2)])
    theirs = pipe(
        PROMPTS,
        negative_prompt=negatives if any(negatives) else None,
        latents=noise.clone(),
        width=width,
        height=height,
        num_inference_steps=4,
        guidance_scale=5.0,
        output_type="latent",
    ).images
    predict = GuidedUNet(pipe.unet, text.conditions(PROMPTS, size), text.negatives(negatives, size), 5.0)
    ours = sample(predict, noise, make_levels(pipe.scheduler, 4))[:, -1]
    # The largest difference seen is 1.4e-5, of latents up to 18.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
    assert (ours[0] - ours[1]).abs().max() > 0.1


def test_text_pooled_vector_and_size_all_reach_the_picture(models: ModelPool) -> None:
    pipe, text = models.stable_diffusion("text_to_image"), models.text("text_to_image")
    told, noise = text.conditions(PROMPTS[:1], (64, 64)), make_noise(1, (1, 4, 16, 16))
    plain = GuidedUNet(pipe.unet, told, told, 1.0)(noise, 500, 0)
    assert told.added["time_ids"].tolist() == [[64, 64, 0, 0, 64, 64]]
    assert text.conditions(PROMPTS, (48, 96)).added["time_ids"].tolist() == [[96, 48, 0, 0, 96, 48]] * 2
    for name in ("text_embeds", "time_ids"):
        changed = type(told)(told.hidden, {**told.added, name: told.added[name] + 1})
        assert (GuidedUNet(pipe.unet, changed, changed, 1.0)(noise, 500, 0) - plain).abs().max() > 1e-4


def test_an_empty_negative_prompt_is_zeros_and_a_row_does_not_know_its_neighbours(models: ModelPool) -> None:
    text = models.text("text_to_image")
    told = text.negatives(["", "blurry"], (64, 64))
    assert told.hidden[0].abs().max() == 0 and told.added["text_embeds"][0].abs().max() == 0
    alone = text.conditions(["blurry"], (64, 64))
    assert torch.equal(told.hidden[1], alone.hidden[0])
    assert torch.equal(told.added["text_embeds"][1], alone.added["text_embeds"][0])
    assert told.added["time_ids"][0].tolist() == [64, 64, 0, 0, 64, 64]


def record(number: int, *, layout: bool = False) -> Record:
    ball = Instance(id="ball", phrase="a red ball", box_xyxy=(4, 4, 40, 40))
    scene = Layout(width=SIZE, height=SIZE, background_prompt="a meadow", instances=(ball,)) if layout else None
    return Record(
        kind="layouts" if layout else "prompts", id=f"r{number}", prompt="a red ball", seed=number, layout=scene
    )


@pytest.mark.parametrize("method", ["sd", "boxdiff"])
def test_methods_draw_by_it_and_each_picture_as_if_alone(tmp_path: Path, method: str) -> None:
    def drawn(records: list[Record]) -> list[Image.Image]:
        context = StageContext(tiny_xl_preset(tmp_path), ImageStore(tmp_path), "cpu", "float32", batch_size=2)
        stage = (
            TextGenerate(context, TextGenerateConfig(num_inference_steps=3))
            if method == "sd"
            else BoxDiffGenerate(context, BoxDiffGenerateConfig(num_inference_steps=3))
        )
        return [context.images.load(made.image) for made in stage(records) if made.image]

    both = drawn([record(1, layout=method != "sd"), record(2, layout=method != "sd")])
    (alone,) = drawn([record(2, layout=method != "sd")])
    assert [picture.size for picture in both] == [(SIZE, SIZE)] * 2
    difference = torch.tensor(list(both[1].tobytes())).int() - torch.tensor(list(alone.tobytes())).int()
    assert difference.abs().max() <= 1 and both[0].tobytes() != both[1].tobytes()


def test_the_real_configuration_takes_what_our_encoder_gives() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(CONFIGS["sdxl_unet"])
        first = CLIPTextModel(CLIPTextConfig(**CONFIGS["sd_text_encoder"]))
        second = CLIPTextModelWithProjection(CLIPTextConfig(**CONFIGS["sdxl_text_encoder_2"]))
    text = XLTextEncoder(tiny_tokenizer(77), first, tiny_tokenizer(77), second)
    told = text.negatives([""], (1024, 1024)).followed_by(text.conditions(PROMPTS[:1], (1024, 1024)))
    assert told.hidden.shape == (2, 77, 2048) and told.added["text_embeds"].shape == (2, 1280)
    latents = torch.empty(2, 4, 128, 128, device="meta")
    with torch.no_grad():
        assert unet(latents, 981, **told.unet_kwargs(), return_dict=False)[0].shape == latents.shape
    assert sum(name.endswith("attn2") for name, _ in unet.named_modules()) == 70


def test_its_sides_are_halved_as_often_as_the_unet_does(models: ModelPool) -> None:
    assert sides_multiple(models.stable_diffusion("text_to_image")) == 8


def test_offloaded_encoders_say_the_same() -> None:
    pipe = tiny_xl_pipeline()

    def told() -> TextCondition:
        encoder = XLTextEncoder(pipe.tokenizer, pipe.text_encoder, pipe.tokenizer_2, pipe.text_encoder_2)
        return encoder.conditions(["a ball"], (64, 64))

    here = told()
    Offloader("sequential", "cpu").take(pipe.components.values())
    assert next(pipe.text_encoder_2.parameters()).device.type == "meta"
    away = told()
    assert torch.equal(here.hidden, away.hidden)
    assert torch.equal(here.added["text_embeds"], away.added["text_embeds"])
