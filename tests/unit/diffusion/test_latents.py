import numpy as np
import pytest
import torch
from tiny_models import noise_image, tiny_pipeline, tiny_unet, tiny_vae

from llmgen.diffusion.attention import capture_attention, guidance_layers
from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.latents import (
    blend_noise,
    box_mask,
    compose_layers,
    decode_latents,
    encode_images,
    latent_factor,
    make_noise,
    pixels,
    sides_multiple,
    to_images,
)
from llmgen.diffusion.text import TextEncoder
from llmgen.errors import ModelError


@pytest.mark.parametrize("kind", ["tiny", "kl"])
def test_encoding_is_deterministic_and_of_the_right_size(kind: str) -> None:
    vae = tiny_vae(kind)
    images = [noise_image(i, 48, 32) for i in range(3)]
    latents = encode_images(vae, images, batch_size=2)
    assert latents.shape == (3, 4, 8, 12)
    assert latent_factor(vae) == 4
    assert torch.equal(latents, encode_images(vae, images, batch_size=2))
    torch.testing.assert_close(latents[2:], encode_images(vae, images[2:]), rtol=1e-4, atol=1e-4)
    assert decode_latents(vae, latents)[0].size == (48, 32)


def test_pixels_round_trip() -> None:
    image = noise_image()
    assert np.array_equal(np.asarray(to_images(pixels([image]))[0]), np.asarray(image))


def test_noise_blending_keeps_variance_and_stays_inside() -> None:
    base, fresh = make_noise(1, (4, 64, 64)), make_noise(2, (4, 64, 64))
    mask = box_mask((0.25, 0.25, 0.75, 0.75), 64, 64)
    blended = blend_noise(base, fresh, mask, 0.1)
    assert torch.equal(blended[:, mask == 0], base[:, mask == 0])
    assert abs(blended[:, mask == 1].var().item() - 1) < 0.1
    assert mask.sum() == 32 * 32


def test_a_box_smaller_than_a_cell_still_has_one() -> None:
    assert box_mask((0.9, 0.9, 0.95, 0.95), 8, 8).sum() == 1


def test_small_layers_lie_on_large_ones_and_the_removed_is_free() -> None:
    large, small = torch.zeros(8, 8, dtype=torch.bool), torch.zeros(8, 8, dtype=torch.bool)
    large[:6], small[2:4, 2:4] = True, True
    removal = torch.zeros(8, 8, dtype=torch.bool)
    removal[7, 7] = True
    ones = torch.ones(3, 4, 8, 8)
    composed, frozen = compose_layers([(2 * ones, small), (ones, large)], 9 * ones, removal, 5 * ones)
    assert composed[0, 0, 3, 3] == 2
    assert composed[2, 1, 0, 0] == 1
    assert composed[1, 0, 7, 0] == 5
    assert composed[1, 0, 7, 7] == 9
    assert int(frozen.sum()) == 63


def test_captured_attention_is_a_distribution_and_changes_nothing() -> None:
    unet = tiny_unet()
    z, text = make_noise(1, (1, 4, 8, 8)), make_noise(2, (1, 5, 32))
    with torch.no_grad():
        before = unet(z, 10, encoder_hidden_states=text).sample
        with capture_attention(unet, guidance_layers(unet)) as watched:
            during = unet(z, 10, encoder_hidden_states=text).sample
            maps = [p.probabilities for p in watched.values()]
        after = unet(z, 10, encoder_hidden_states=text).sample
    torch.testing.assert_close(before, during)
    assert torch.equal(before, after)
    assert maps
    assert maps[0] is not None
    torch.testing.assert_close(maps[0].sum(-1), torch.ones(maps[0].shape[:-1]))


def test_sides_and_numbers_are_checked() -> None:
    assert sides_multiple(tiny_pipeline()) == 8
    with pytest.raises(ModelError, match="not finite"):
        check_finite(torch.tensor([float("nan")]), "test")


def test_text_is_encoded_once_and_alone() -> None:
    pipe = tiny_pipeline()
    encoder = TextEncoder(pipe.tokenizer, pipe.text_encoder, remember=2)
    both = encoder.hidden(["a red ball", "a car"])
    assert torch.equal(both[1], encoder.hidden(["a car"])[0])
    theirs = pipe.encode_prompt(["a red ball"], "cpu", 1, False)[0]
    torch.testing.assert_close(both[:1], theirs)
    encoder.hidden(["one", "two", "three"])
    assert len(encoder._hidden) == 2
    assert encoder.pooled(["a car"]).shape == (1, 32)
