"""Single-file checkpoints: the same pictures as the folders that they were made of, and every fault before anything is loaded."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import SIZE, noise_image, tiny_pipeline, tiny_unet
from tiny_refiner import tiny_refiner_preset
from tiny_single_file import save_configs, save_single_file
from tiny_xl import tiny_xl_pipeline

from llmgen.artifacts import Record
from llmgen.diffusion.loading import ModelPool
from llmgen.engine.context import StageContext
from llmgen.engine.fingerprint import weights_digest
from llmgen.errors import MissingRequirementError, PresetError
from llmgen.generate.sd import TextGenerate, TextGenerateConfig
from llmgen.presets import Preset, RoleSpec, load_preset
from llmgen.vision.images import ImageStore


def plain_pipeline() -> object:
    """Stable Diffusion as it is published: no grounding, the variational autoencoder."""
    pipe = tiny_pipeline(vae="kl")
    config = {**pipe.unet.config, "attention_type": "default"}
    torch.manual_seed(1)
    pipe.unet = type(pipe.unet).from_config(config).eval()
    return pipe


PIPELINES = {"stable-diffusion": plain_pipeline, "stable-diffusion-xl": tiny_xl_pipeline}


def preset_of(folder: Path, family: str, *roles: str, **changes: object) -> Preset:
    """A preset whose roles are a single file, and the folder that it was made of as a base."""
    pipe = PIPELINES[family]()
    save_single_file(pipe, folder / "model.safetensors")
    save_configs(pipe, folder / "base")
    pipe.save_pretrained(folder / "whole")  # type: ignore[attr-defined]
    spec = RoleSpec(source=str(folder / "model.safetensors"), family=family, base=str(folder / "base"), **changes)
    return Preset(name="own", width=SIZE, height=SIZE, roles=dict.fromkeys(roles, spec))


def drawn(preset: Preset, folder: Path) -> np.ndarray:
    context = StageContext(preset, ImageStore(folder), "cpu", "float32")
    method = TextGenerate(context, TextGenerateConfig(num_inference_steps=3))
    (record,) = method([Record(id="r", prompt="a ball", seed=5)])
    assert record.image is not None
    return np.asarray(context.images.load(record.image))


@pytest.mark.parametrize("family", PIPELINES)
def test_a_single_file_draws_what_its_folder_draws(tmp_path: Path, family: str) -> None:
    preset = preset_of(tmp_path, family, "text_to_image")
    folder = RoleSpec(source=str(tmp_path / "whole"), family=family)
    whole = preset.model_copy(update={"roles": {"text_to_image": folder}})
    # The same weights; where they lie in memory moves single values by a grey level on some processors.
    assert np.abs(drawn(preset, tmp_path).astype(int) - drawn(whole, tmp_path)).max() <= 1


def test_the_refiner_and_the_inpainter_are_single_files_too(tmp_path: Path) -> None:
    refiner = ModelPool(tiny_refiner_preset(tmp_path), device="cpu", dtype="float32").image_to_image("refiner")
    save_single_file(refiner, tmp_path / "refiner.safetensors")
    save_configs(refiner, tmp_path / "configs")
    family, base = "stable-diffusion-xl-refiner", str(tmp_path / "configs")
    spec = RoleSpec(source=str(tmp_path / "refiner.safetensors"), family=family, base=base)
    inpaint = preset_of(tmp_path, "stable-diffusion", "inpaint").roles["inpaint"]
    inpaint = inpaint.model_copy(update={"family": "inpainting"})
    preset = Preset(name="own", width=SIZE, height=SIZE, roles={"refiner": spec, "inpaint": inpaint})
    pool = ModelPool(preset, device="cpu", dtype="float32")
    given = {"prompt": "a ball", "image": noise_image(), "strength": 0.5, "num_inference_steps": 4, "output_type": "np"}
    seed = torch.Generator().manual_seed
    ours = pool.image_to_image("refiner")(**given, aesthetic_score=7.0, generator=seed(1)).images
    theirs = refiner(**given, aesthetic_score=7.0, generator=seed(1)).images
    assert np.allclose(ours, theirs, atol=1e-4)
    picture = pool.inpainting("inpaint")(**given, mask_image=noise_image(2), generator=seed(1)).images
    assert np.isfinite(picture).all()


def test_an_inpainting_checkpoint_sees_mask_and_picture(tmp_path: Path) -> None:
    pipe = plain_pipeline()
    config = {**pipe.unet.config, "in_channels": 9}  # type: ignore[attr-defined]
    pipe.unet = type(tiny_unet()).from_config(config).eval()  # type: ignore[attr-defined]
    save_single_file(pipe, tmp_path / "inpaint.safetensors")
    base = str(save_configs(pipe, tmp_path / "base"))
    spec = RoleSpec(source=str(tmp_path / "inpaint.safetensors"), family="inpainting", base=base)
    pool = ModelPool(Preset(name="own", width=64, height=64, roles={"inpaint": spec}), device="cpu", dtype="float32")
    assert pool.inpainting("inpaint").unet.config.in_channels == 9
    wrong = {**spec.model_dump(mode="json"), "family": "stable-diffusion"}
    with pytest.raises(PresetError, match="is an inpainting checkpoint; give it the role inpaint"):
        load_preset(written(tmp_path, {"text_to_image": wrong}))


def test_a_file_that_lacks_weights_or_a_text_encoder_is_refused(tmp_path: Path) -> None:
    preset = preset_of(tmp_path, "stable-diffusion", "text_to_image")
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    for lost in (
        "model.diffusion_model.middle_block.0.in_layers.0.weight",
        "first_stage_model.decoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.final_layer_norm.weight",
    ):
        save_file({name: value for name, value in whole.items() if name != lost}, path)
        with pytest.raises(MissingRequirementError, match="lacks (the )?weights"):
            ModelPool(preset, device="cpu", dtype="float32").stable_diffusion("text_to_image")
    save_file({name: value for name, value in whole.items() if "cond_stage" not in name}, path)
    with pytest.raises(PresetError, match="no whole checkpoint with its text encoder"):
        ModelPool(preset, device="cpu", dtype="float32").stable_diffusion("text_to_image")


def written(folder: Path, roles: dict[str, object], **changes: object) -> str:
    path = folder / "own.json"
    path.write_text(json.dumps({"name": "own", "width": 64, "height": 64, "roles": roles, **changes}))
    return str(path)


def test_every_fault_of_files_and_fields_in_one_go(tmp_path: Path) -> None:
    preset_of(tmp_path, "stable-diffusion-xl", "text_to_image")
    (tmp_path / "broken.safetensors").write_bytes(b"no header")
    (tmp_path / "old.ckpt").write_bytes(b"pickle")
    file = {"source": "model.safetensors", "base": "base"}
    roles = {
        "text_to_image": {**file, "family": "stable-diffusion", "files": ["a"]},
        "layout_to_image": {"source": "broken.safetensors", "family": "stable-diffusion"},
        "refiner": {"source": "none.safetensors", "family": "stable-diffusion-xl-refiner", "base": "base"},
        "inpaint": {"source": "old.ckpt", "family": "inpainting", "base": "base"},
        "detector": {"source": "model.safetensors", "family": "owlv2"},
        "judge": {"source": "a/b", "family": "owl"},
    }
    with pytest.raises(PresetError) as caught:
        load_preset(written(tmp_path, roles, widht=3))
    said = str(caught.value)
    for words in (
        "is a checkpoint of SDXL, so its family is 'stable-diffusion-xl', not 'stable-diffusion'",
        "/roles/text_to_image/files: a single file has none",
        "/roles/layout_to_image/source: single-file checkpoints hold no grounding by boxes",
        "/roles/layout_to_image/base: a single file holds weights alone; name a folder or repository of the same architecture",
        "cannot be read as safetensors",
        "/roles/refiner/source: there is no file none.safetensors",
        "old.ckpt is a pickle, which may run code when it is read, so it is not; convert it once: `python -c",
        "/roles/detector/family: models of the family 'owlv2' are no single files",
        "no family of models 'owl'",
        "/widht: unknown field",
    ):
        assert words in said, (words, said)


def test_what_a_base_lacks_is_said_and_nothing_is_fetched(tmp_path: Path) -> None:
    preset = preset_of(tmp_path, "stable-diffusion", "text_to_image")
    (tmp_path / "base/vae/config.json").unlink()
    with pytest.raises(
        MissingRequirementError, match="lacks vae/config.json; it needs scheduler/scheduler_config.json"
    ):
        ModelPool(preset, device="cpu", dtype="float32").stable_diffusion("text_to_image")
    spec = preset.roles["text_to_image"].model_copy(update={"base": "nobody/nothing", "base_revision": "1" * 40})
    preset = preset.model_copy(update={"roles": {"text_to_image": spec}})
    with pytest.raises(MissingRequirementError, match=f"hf download nobody/nothing --revision {'1' * 40} scheduler/"):
        ModelPool(preset, device="cpu", dtype="float32").stable_diffusion("text_to_image")


def test_a_changed_file_is_another_model(tmp_path: Path) -> None:
    preset = preset_of(tmp_path, "stable-diffusion", "text_to_image")
    path = tmp_path / "model.safetensors"
    before = weights_digest(preset)
    assert set(before) == {str(path), str(tmp_path / "base")}
    save_file({"a": torch.zeros(3)}, path)
    from llmgen.engine import fingerprint

    fingerprint._folder_digest.cache_clear()
    assert weights_digest(preset)[str(path)] != before[str(path)]
