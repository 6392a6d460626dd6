"""The real presets load from repositories that hold the files they list and nothing else, laid out as the hub's, at tiny sizes."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline
from PIL import Image
from tiny_hub import cache
from tiny_models import TOKENS, noise_image, tiny_pipeline, tiny_tokenizer
from tiny_refiner import tiny_refiner_preset
from tiny_xl import tiny_xl_pipeline
from transformers import SamConfig, SamImageProcessor, SamModel, SamProcessor

from llmgen.diffusion.loading import ModelPool
from llmgen.presets import Preset, RoleSpec, load_preset

from .tiny import tiny_owlv2


def write_tokenizer(folder: Path) -> None:
    """The four files of Stable Diffusion's tokenizers, which are older than `tokenizer.json`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    vocabulary = tiny_tokenizer().get_vocab()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    names = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps({**names, "pad_token": "<|endoftext|>"}))
    config = {"model_max_length": TOKENS, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def kept(folder: Path, spec: RoleSpec) -> Path:
    """The folder without what the role does not list."""
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        if path.relative_to(folder).as_posix() not in spec.files:
            path.unlink()
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == sorted(spec.files)
    return folder


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Preset:
    found = load_preset(request.param)
    repositories = {spec.source: spec for role, spec in found.roles.items() if role != "clip"}
    for spec in repositories.values():
        folder = tmp_path / spec.source.replace("/", "-")
        if spec.family == "stable-diffusion":
            pipe = tiny_pipeline(vae="kl")
            # Public repositories come with PNDM's configuration.
            parts = {**pipe.components, "scheduler": PNDMScheduler.from_config(pipe.scheduler.config)}
            parts.pop("image_encoder")
            StableDiffusionPipeline(**parts, requires_safety_checker=False).save_pretrained(
                folder, variant=spec.variant
            )
            write_tokenizer(folder / "tokenizer")
        elif spec.family == "stable-diffusion-xl":
            tiny_xl_pipeline().save_pretrained(folder, variant=spec.variant)
            write_tokenizer(folder / "tokenizer")
            write_tokenizer(folder / "tokenizer_2")
        elif spec.family == "stable-diffusion-xl-refiner":
            tiny_refiner_preset(tmp_path)
            (tmp_path / "refiner").rename(folder)
            write_tokenizer(folder / "tokenizer_2")
        elif spec.family == "owlv2":
            model, processor = tiny_owlv2()
            model.save_pretrained(folder)
            processor.image_processor.save_pretrained(folder)
            write_tokenizer(tmp_path / "words")
            for file in (tmp_path / "words").iterdir():
                shutil.move(file, folder / file.name)
            (folder / "added_tokens.json").write_text("{}")
        else:
            config = SamConfig(
                vision_config={
                    "hidden_size": 16,
                    "num_hidden_layers": 1,
                    "num_attention_heads": 2,
                    "mlp_dim": 16,
                    "image_size": 64,
                    "patch_size": 16,
                    "global_attn_indexes": [0],
                    "output_channels": 16,
                    "num_pos_feats": 8,
                },
                prompt_encoder_config={
                    "hidden_size": 16,
                    "image_size": 64,
                    "patch_size": 16,
                    "image_embedding_size": 4,
                },
                mask_decoder_config={
                    "hidden_size": 16,
                    "mlp_dim": 16,
                    "num_attention_heads": 2,
                    "iou_head_hidden_dim": 16,
                },
            )
            torch.manual_seed(0)
            SamModel(config).save_pretrained(folder)
            sizes = {"size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}}
            SamProcessor(SamImageProcessor(**sizes)).image_processor.save_pretrained(folder)
        cache(monkeypatch, tmp_path, spec.source, kept(folder, spec), revision=spec.revision or "main")
    return found


_SAVED = {"stable-diffusion": "PNDMScheduler", "stable-diffusion-xl": "DDIMScheduler"}
"""Schedulers that the repositories above were saved with."""


@pytest.mark.parametrize("preset", ["sd14-gligen", "sd15", "sd21", "sdxl"], indirect=True)
def test_every_role_loads_from_what_the_preset_lists(preset: Preset) -> None:
    pool = ModelPool(preset, device="cpu", dtype="float32")
    for role in ("text_to_image", "layout_to_image"):
        pipe = pool.stable_diffusion(role)
        # The scheduler of the repository itself: methods with a loop of their own bring theirs.
        assert type(pipe.scheduler).__name__ == _SAVED[preset.roles[role].family]
        width = pipe.unet.config.cross_attention_dim
        assert pool.text(role).hidden(["a ball"]).shape == (1, TOKENS, width)
    assert pool.stable_diffusion("layout_to_image").unet.position_net is not None
    pipe = pool.image_to_image("refiner")
    picture = pipe(prompt="a ball", image=noise_image(), strength=0.5, num_inference_steps=2).images[0]
    assert isinstance(picture, Image.Image)
    masks, scores = pool.segmenter().segment(noise_image(), [(8, 8, 40, 40)])
    assert masks.shape == (1, 3, 64, 64) and scores.shape == (1, 3)
    (hits,) = pool.phrase_detector("detector").detect_phrases([noise_image()], [["a ball"]], threshold=0.0)
    assert hits
    assert pool.phrase_detector("judge") is pool.phrase_detector("detector")
