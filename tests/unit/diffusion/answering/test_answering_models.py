"""BLIP-2's states, the bridge, the editor and their folder, on tiny models."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline
from safetensors.torch import load_file, save_file
from tiny_answering import CONTEXT, WIDTH, answering_context, save_answerer, save_lgd, tiny_blip2, tiny_editor_unet
from tiny_models import noise_image, tiny_scheduler, tiny_unet, tiny_vae

from llmgen.diffusion.answering.bridge import Bridge, fill_slots
from llmgen.diffusion.answering.editor import EditSettings, PictureEditor
from llmgen.diffusion.answering.latents import LatentReader, encode_question, with_queries
from llmgen.diffusion.answering.loading import reader_for
from llmgen.diffusion.answering.sampling import ancestral_levels
from llmgen.diffusion.answering.saved import (
    ADAPTER,
    LgdSettings,
    load_adapter,
    load_bridge,
    load_null,
    read_settings,
    save_adapter,
    save_bridge,
    save_null,
    unet_folder,
    write_settings,
)
from llmgen.diffusion.answering.unet import widen_input
from llmgen.errors import MissingRequirementError
from llmgen.toybox.models.unet import PositionedUNet2DConditionModel


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LatentReader:
    return save_answerer(tmp_path_factory.mktemp("blip2"))


def test_the_whole_call_and_the_short_way_give_one_latent(reader: LatentReader) -> None:
    pixel_values, ids, mask = reader._inputs([noise_image()], ["why is the cat sad"])
    with torch.no_grad():
        short = encode_question(reader.blip2, pixel_values, ids, mask)
        all_ids, all_mask = with_queries(reader.blip2, ids, mask)
        whole = reader.blip2(
            pixel_values,
            input_ids=all_ids,
            attention_mask=all_mask,
            labels=torch.ones(1, 3, dtype=torch.long),
            interpolate_pos_encoding=True,
        )
    assert short.shape == (1, 77, WIDTH)
    assert torch.allclose(short, whole.language_model_outputs.encoder_last_hidden_state, atol=1e-6)


def test_picture_and_question_change_the_latent_padding_does_not(reader: LatentReader) -> None:
    base = reader.latents([noise_image(0)], ["why is the cat sad"])
    assert (reader.latents([noise_image(1)], ["why is the cat sad"]) - base).abs().max() > 1e-5
    assert (reader.latents([noise_image(0)], ["why is the dog sad"]) - base).abs().max() > 1e-3
    short = LatentReader(reader.blip2, reader.tokenizer)
    short.question_tokens = 8
    assert torch.allclose(short.latents([noise_image(0)], ["why is the cat sad"])[:, :38], base[:, :38], atol=1e-5)


def test_the_null_is_stable_and_sentences_differ(reader: LatentReader) -> None:
    null = reader.sentences([""])
    assert torch.equal(null, reader.sentences([""]))
    assert (reader.sentences(["it gets dark"]) - null).abs().max() > 1e-3


def test_larger_pictures_than_the_model_was_made_for(reader: LatentReader) -> None:
    wide = LatentReader(reader.blip2, reader.tokenizer, side=56)
    assert wide.latents([noise_image()], ["why"]).shape == (1, 77, WIDTH)


def test_slots_and_the_context() -> None:
    torch.manual_seed(0)
    latent, sentence, null = torch.randn(2, 77, WIDTH), torch.randn(2, 77, WIDTH), torch.randn(1, 77, WIDTH)
    bridge = Bridge(WIDTH, CONTEXT)
    assert bridge(*fill_slots("both", latent, sentence, null)).shape == (2, 154, CONTEXT)
    for slots, first, second in (
        ("feat", latent, null.expand(2, -1, -1)),
        ("sent", null.expand(2, -1, -1), sentence),
        ("both", latent, sentence),
    ):
        got = fill_slots(slots, latent, sentence, null)
        assert torch.equal(got[0], first) and torch.equal(got[1], second)
    with pytest.raises(ValueError, match="need an answer sentence"):
        fill_slots("sent", latent, None, null)


def test_guidance_at_its_corners() -> None:
    from llmgen.diffusion.answering.sampling import AncestralLevels, EditCondition, GuidedEditor

    torch.manual_seed(0)
    unet, sigma = tiny_editor_unet(), 2.0
    condition = EditCondition(torch.randn(1, 4, CONTEXT), torch.randn(1, 4, CONTEXT), torch.randn(1, 4, 8, 8))
    levels, z = AncestralLevels((500.0,), (sigma, 0.0)), torch.randn(1, 4, 8, 8)

    def guided(text: float, image: float) -> torch.Tensor:
        return GuidedEditor(unet, condition, levels, text_guidance=text, image_guidance=image, batch_size=1)(z, 0)

    def alone(context: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        scaled = torch.cat([z / (sigma**2 + 1) ** 0.5, picture], dim=1)
        return z - sigma * unet(scaled, 500.0, context).sample

    with torch.no_grad():
        assert torch.allclose(guided(1, 1), alone(condition.text, condition.picture), atol=1e-5)
        assert torch.allclose(guided(0, 1), alone(condition.null_text, condition.picture), atol=1e-5)
        nothing = torch.zeros_like(condition.picture)
        assert torch.allclose(guided(0, 0), alone(condition.null_text, nothing), atol=1e-5)


# diffusers makes its sigmas by `np.array` of a tensor, about which numpy warns.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_sampler_is_that_of_the_published_pipeline() -> None:
    """The oracle: diffusers' InstructPix2Pix pipeline with its Euler ancestral scheduler, seed by seed."""
    vae, unet, seeds = tiny_vae("kl"), tiny_editor_unet(), [1391, 1491, 7]
    torch.manual_seed(1)
    text, null = torch.randn(1, 6, CONTEXT), torch.randn(1, 6, CONTEXT)
    picture = noise_image(3)
    editor = PictureEditor(unet, vae, tiny_scheduler("epsilon"))
    settings = EditSettings(steps=5, text_guidance=7.5, image_guidance=1.8, batch_size=3)
    ours = editor.edit([picture] * 3, text.expand(3, -1, -1), null, seeds, settings)
    pipe = StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        text_encoder=None,
        tokenizer=None,
        unet=unet,
        scheduler=EulerAncestralDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="linspace",
            steps_offset=0,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    for seed, image in zip(seeds, ours, strict=True):
        theirs = pipe(
            image=picture,
            prompt_embeds=text,
            negative_prompt_embeds=null,
            num_inference_steps=5,
            guidance_scale=7.5,
            image_guidance_scale=1.8,
            generator=torch.Generator("cpu").manual_seed(seed),
        ).images[0]
        difference = np.abs(np.asarray(image, dtype=int) - np.asarray(theirs, dtype=int))
        assert difference.max() <= 1
        assert image.tobytes() != picture.tobytes()


def test_levels_of_a_velocity_model_agree_with_those_of_its_noise() -> None:
    """The same prediction said as velocity gives the same clean latents."""
    from llmgen.diffusion.answering.sampling import AncestralLevels, EditCondition, GuidedEditor

    class Fixed(torch.nn.Module):
        def __init__(self, value: torch.Tensor) -> None:
            super().__init__()
            self.value = value

        def forward(self, sample: torch.Tensor, *_: object, **__: object) -> tuple[torch.Tensor]:
            return (self.value.expand(len(sample), -1, -1, -1),)

    torch.manual_seed(0)
    clean, noise, sigma = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), 3.0
    a = (sigma**2 + 1) ** -0.5
    condition = EditCondition(torch.zeros(1, 1, CONTEXT), torch.zeros(1, 1, CONTEXT), torch.zeros(1, 4, 8, 8))
    for kind, value in (("epsilon", noise), ("v_prediction", a * noise - sigma * a * clean)):
        levels = AncestralLevels((1.0,), (sigma, 0.0), kind)  # type: ignore[arg-type]
        editor = GuidedEditor(Fixed(value), condition, levels, text_guidance=1, image_guidance=1, batch_size=1)
        assert torch.allclose(editor(clean + sigma * noise, 0), clean, atol=1e-4)


def test_times_are_fractions() -> None:
    levels = ancestral_levels(tiny_scheduler("epsilon"), 6)
    assert levels.timesteps[1] == pytest.approx(799.2, abs=1e-3)
    assert levels.sigmas[-1] == 0 and list(levels.sigmas) == sorted(levels.sigmas, reverse=True)


@pytest.mark.parametrize("positioned", [False, True])
def test_new_channels_change_nothing_at_first(positioned: bool) -> None:
    torch.manual_seed(0)
    unet = tiny_unet()
    if positioned:
        unet = PositionedUNet2DConditionModel.from_config(dict(unet.config)).eval()
    z, picture, text = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), torch.randn(1, 3, 32)
    with torch.no_grad():
        before = unet(z, 10, text).sample
        widen_input(unet)
        after = unet(torch.cat([z, picture], dim=1), 10, text).sample
    assert unet.config.in_channels == 8
    assert torch.allclose(before, after, atol=1e-6)
    assert widen_input(unet) is unet


def test_a_folder_written_and_read(tmp_path: Path, reader: LatentReader) -> None:
    said = LgdSettings(width=WIDTH, context_width=CONTEXT, wired=True, training={"steps": 3})
    write_settings(tmp_path, said)
    bridge, head = Bridge(WIDTH, CONTEXT), torch.nn.Linear(WIDTH, WIDTH)
    save_bridge(tmp_path, bridge)
    save_null(tmp_path, reader.sentences([""]))
    changed = {"query_tokens": reader.blip2.query_tokens.detach() + 1}
    save_adapter(tmp_path, changed, head)
    assert read_settings(tmp_path) == said
    assert torch.equal(load_bridge(tmp_path, said).mlp.weight, bridge.mlp.weight)
    assert load_null(tmp_path, said).shape == (1, 77, WIDTH)
    trained, found = load_adapter(tmp_path, reader.blip2, said)
    assert found is not None and torch.equal(found.weight, head.weight)
    assert torch.equal(trained.query_tokens, changed["query_tokens"])
    assert not torch.equal(reader.blip2.query_tokens, changed["query_tokens"])
    shared = trained.language_model.get_input_embeddings().weight.data_ptr()
    assert shared == reader.blip2.language_model.get_input_embeddings().weight.data_ptr()
    keys = load_file(tmp_path / ADAPTER).keys()
    assert not any(key.startswith(("language_model", "vision_model.encoder")) for key in keys)


def test_folders_that_do_not_fit_are_refused(tmp_path: Path, reader: LatentReader) -> None:
    with pytest.raises(MissingRequirementError, match="no lgd.json"):
        read_settings(tmp_path)
    (tmp_path / "lgd.json").write_text('{"width": 0}')
    with pytest.raises(MissingRequirementError, match="not valid"):
        read_settings(tmp_path)
    said = save_lgd(tmp_path, reader)
    with pytest.raises(MissingRequirementError, match="do not fit"):
        load_bridge(tmp_path, said.model_copy(update={"context_width": CONTEXT + 1}))
    save_file({"no_such_weight": torch.zeros(1)}, tmp_path / ADAPTER)
    with pytest.raises(MissingRequirementError, match="does not fit this BLIP-2: no_such_weight"):
        load_adapter(tmp_path, reader.blip2, said)
    (tmp_path / ADAPTER).write_bytes(b"no safetensors")
    with pytest.raises(MissingRequirementError, match="cannot be read"):
        load_adapter(tmp_path, reader.blip2, said)
    with pytest.raises(MissingRequirementError, match="neither unet_ema/ nor unet/"):
        unet_folder(tmp_path / "nothing")


def test_an_answerer_of_another_width_is_refused(tmp_path: Path) -> None:
    context = answering_context(tmp_path)
    editor, _ = context.models.latent_editor()
    small = LatentReader(tiny_blip2(), context.models.answerer().tokenizer)
    small.question_tokens = 12
    with pytest.raises(MissingRequirementError, match="gives 44 of width 48"):
        reader_for(editor, small)


def test_the_untied_output_and_the_exact_gelu_survive_a_round_trip(tmp_path: Path) -> None:
    from transformers import Blip2ForConditionalGeneration

    model = tiny_blip2()
    model.language_model.lm_head.weight = torch.nn.Parameter(model.language_model.lm_head.weight.detach() + 1)
    model.save_pretrained(tmp_path)
    again = Blip2ForConditionalGeneration.from_pretrained(tmp_path)
    assert again.language_model.config.dense_act_fn == "gelu"
    difference = again.language_model.lm_head.weight - again.language_model.shared.weight
    assert torch.allclose(difference, torch.ones_like(difference), atol=1e-6)
