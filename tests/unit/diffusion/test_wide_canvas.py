"""A canvas of 768x512 at full size: latents, grids of attention, masks and boxes keep rows and columns apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from tiny_models import BoxSegmenter, noise_image, tiny_pipeline, tiny_preset
from tiny_refiner import tiny_refiner_preset

from llmgen.artifacts import AddEdit, DeleteEdit, Detection, EditPlan, HistoryEntry, Instance, Layout, Record
from llmgen.correct.jobs import Job
from llmgen.correct.painting import LatentPainter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.attention import capture_attention, guidance_layers
from llmgen.diffusion.guidance import boxes_on_grid, layer_grid
from llmgen.diffusion.latents import decode_latents, encode_images, latent_factor
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.text import TextEncoder
from llmgen.engine.context import StageContext
from llmgen.generate.lmd import LayoutGenerate, LayoutGenerateConfig
from llmgen.generate.sd import TextGenerate, TextGenerateConfig
from llmgen.refine.sdxl import ImageToImageRefine, ImageToImageRefineConfig
from llmgen.vision.images import ImageStore

WIDTH, HEIGHT = 768, 512
BOX = (600.0, 40.0, 740.0, 200.0)


def eightfold_vae() -> AutoencoderTiny:
    """Eight pixels to the cell, as Stable Diffusion has them."""
    torch.manual_seed(0)
    return AutoencoderTiny(
        encoder_block_out_channels=(4, 4, 4, 4),
        decoder_block_out_channels=(4, 4, 4, 4),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
        latent_channels=4,
    ).eval()


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageContext:
    monkeypatch.setattr(ModelPool, "segmenter", lambda self, role="segmenter": BoxSegmenter())
    preset = tiny_preset(tmp_path)
    eightfold_vae().save_pretrained(tmp_path / "sd/vae")
    return StageContext(
        preset.model_copy(update={"width": WIDTH, "height": HEIGHT}), ImageStore(tmp_path), "cpu", "float32"
    )


def test_latents_have_the_rows_of_the_height() -> None:
    vae = eightfold_vae()
    image = noise_image(0, WIDTH, HEIGHT)
    latents = encode_images(vae, [image])
    assert latent_factor(vae) == 8
    assert latents.shape == (1, 4, 64, 96)
    assert decode_latents(vae, latents)[0].size == (WIDTH, HEIGHT)


def test_attention_of_a_wide_canvas_is_read_row_by_row() -> None:
    """What changes in the top right corner of the latents changes the attention there, in every watched layer."""
    pipe = tiny_pipeline()
    torch.manual_seed(1)
    latents = torch.randn(8, 4, 16, 24)
    text = TextEncoder(pipe.tokenizer, pipe.text_encoder).hidden(["a ball"] * 8)
    changed = latents.clone()
    changed[..., :6, 18:] += 3
    layers = guidance_layers(pipe.unet)
    seen = []
    for values in (latents, changed):
        with torch.no_grad(), capture_attention(pipe.unet, layers) as watched:
            pipe.unet(values, 500, encoder_hidden_states=text)
            seen.append({name: p.probabilities for name, p in watched.items() if p.probabilities is not None})
    assert seen[0].keys() == set(layers)
    corners = {
        "top left": (0.0, 0.0, 0.25, 0.375),
        "top right": (0.75, 0.0, 1.0, 0.375),
        "bottom left": (0.0, 0.625, 0.25, 1.0),
        "bottom right": (0.75, 0.625, 1.0, 1.0),
    }
    for name in layers:
        rows, columns = layer_grid(seen[0][name].shape[2], (16, 24))
        assert rows * 24 == columns * 16
        difference = (seen[0][name] - seen[1][name]).abs().sum(dim=(0, 1, 3)).view(rows, columns)
        means = {where: float(difference[boxes_on_grid([box], rows, columns)].mean()) for where, box in corners.items()}
        assert max(means, key=lambda where: means[where]) == "top right", means


def record(seed: int = 3) -> Record:
    ball = Instance(id="ball", phrase="a ball", noun="ball", box_xyxy=BOX)
    layout = Layout(width=WIDTH, height=HEIGHT, background_prompt="a meadow", instances=(ball,))
    return Record(id="wide", prompt="a ball in a meadow", seed=seed, layout=layout)


def test_it_is_drawn_from_text_and_from_boxes(context: StageContext) -> None:
    steps = {"num_inference_steps": 1}
    for method in (
        TextGenerate(context, TextGenerateConfig(**steps)),
        LayoutGenerate(context, LayoutGenerateConfig(**steps, energy_scale=0)),
    ):
        (drawn,) = method([record()])
        assert drawn.image is not None
        assert context.images.load(drawn.image).size == (WIDTH, HEIGHT)


def test_edits_stay_in_their_boxes(context: StageContext) -> None:
    pipe = context.models.stable_diffusion("layout_to_image")
    config = SelfCorrectionConfig(num_inference_steps=2, feather_px=2)
    painter = LatentPainter(pipe, context.models.text("layout_to_image"), BoxSegmenter(), config)
    image = noise_image(0, WIDTH // 2, HEIGHT // 2)
    ball, added = (300.0, 24.0, 372.0, 100.0), (20.0, 150.0, 100.0, 240.0)
    there = [Detection(id="ball #1", phrase="ball", noun="ball", box_xyxy=ball, score=0.9)]
    add = AddEdit(target="star #1", phrase="a star", noun="star", attributes=(), box_xyxy=added)
    for edit, box in ((DeleteEdit(target="ball #1", box_xyxy=ball), ball), (add, added)):
        (painted,) = painter.paint([Job(image, EditPlan(edits=(edit,), target=()), there, "a meadow", "", 1)])
        changed = (np.asarray(painted.image) != np.asarray(image)).any(axis=-1)
        x0, y0, x1, y1 = (int(v) for v in box)
        assert changed.shape == (HEIGHT // 2, WIDTH // 2)
        assert changed[(y0 + y1) // 2, (x0 + x1) // 2]
        # The region grows by a cell of eight pixels, two where it is dilated, and not across the picture.
        changed[max(y0 - 32, 0) : y1 + 32, max(x0 - 32, 0) : x1 + 32] = False
        assert not changed.any()


def test_sdxls_refiner_keeps_the_sides_apart(tmp_path: Path) -> None:
    context = StageContext(tiny_refiner_preset(tmp_path), ImageStore(tmp_path), "cpu", "float32")
    image = context.images.save("wide", "correct-1", noise_image(0, 96, 64))
    entry = HistoryEntry(stage="generate", round=0, image=image)
    before = Record(id="wide", prompt="a ball", seed=3, image=image, history=(entry,), detections=())
    config = {"num_inference_steps": 2, "strength": 0.5, "whole_image": True}
    for long_side, size in ((None, (96, 64)), (192, (192, 128))):
        refine = ImageToImageRefine(context, ImageToImageRefineConfig(**config, long_side_px=long_side))
        (after,) = refine([before])
        assert after.image is not None
        assert context.images.load(after.image).size == size
