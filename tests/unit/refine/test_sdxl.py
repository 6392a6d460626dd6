import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline
from PIL import Image
from tiny_models import noise_image, tiny_context
from tiny_refiner import tiny_refiner_preset

from llmgen.artifacts import HistoryEntry, Layout, Record
from llmgen.cli import main
from llmgen.diffusion.offloading import Offloader
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.presets import load_preset
from llmgen.refine.sdxl import ImageToImageRefine, ImageToImageRefineConfig
from llmgen.vision.images import ImageStore


def edited(context: StageContext, name: str = "r0", *, kept: bool = True) -> Record:
    image = context.images.save(name, "correct-1", noise_image())
    region = np.zeros((64, 64), dtype=np.uint8)
    region[8:24, 8:24] = 255
    entries = (
        HistoryEntry(stage="generate", round=0, image=image),
        HistoryEntry(
            stage="correct",
            round=1,
            image=image,
            region=context.images.save(name, "region-1", Image.fromarray(region)),
            kept=kept,
        ),
    )
    return Record(id=name, prompt="a ball", seed=3, image=image, history=entries, detections=())


def refine(context: StageContext, **settings: object) -> ImageToImageRefine:
    config = ImageToImageRefineConfig(**{"num_inference_steps": 4, "strength": 0.5, **settings})  # type: ignore[arg-type]
    return ImageToImageRefine(context, config)


def difference(context: StageContext, record: Record) -> np.ndarray:
    assert record.image is not None
    return (np.asarray(context.images.load(record.image)) != np.asarray(noise_image())).any(axis=-1)


@pytest.mark.parametrize("vae", ["tiny", "kl"])
def test_only_the_corrected_region_is_refined(tmp_path: Path, vae: str) -> None:
    context = tiny_context(tmp_path, vae=vae)
    (after,) = refine(context, feather_px=3)([edited(context)])
    changed = difference(context, after)
    assert changed[12:20, 12:20].any()
    changed[8:24, 8:24] = False
    assert not changed.any()
    assert (after.history[-1].stage, after.history[-1].round) == ("refine", 1)
    assert after.detections is None


def test_what_was_not_corrected_passes_unchanged(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    before = [edited(context, kept=False)]
    assert refine(context)(before) == before


def test_the_whole_picture_when_asked_for(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    (after,) = refine(context, whole_image=True)([edited(context, kept=False)])
    assert difference(context, after).mean() > 0.9
    (large,) = refine(context, whole_image=True, long_side_px=96)([edited(context)])
    assert large.image is not None
    assert (large.image.width, large.image.height) == (96, 96)


def test_neighbours_do_not_matter(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    together = refine(context)([edited(context, "r1"), edited(context)])[1]
    (alone,) = refine(context)([edited(context)])
    assert together.image is not None
    assert alone.image is not None
    a, b = (np.asarray(context.images.load(x)).astype(int) for x in (together.image, alone.image))
    assert np.abs(a - b).max() <= 1


@pytest.mark.parametrize(
    "given", [{"num_inference_steps": 2, "strength": 0.3}, {"profile": "instancediffusion", "strength": 0.03}]
)
def test_no_step_is_refused_before_any_model_is_loaded(given: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"^refine sdxl: \d+ steps at strength 0.\d+ is no step; raise one$"):
        settings(**given)


def settings(preset: str = "toybox", **given: object) -> ImageToImageRefineConfig:
    context = StageContext(load_preset(preset), ImageStore(Path()), "cpu", "float32")
    config = context.config_for("refine", "sdxl", given)
    assert isinstance(config, ImageToImageRefineConfig)
    return config


@pytest.mark.parametrize("preset", ["toybox", "sd15"])
def test_a_profile_is_the_publication_whatever_the_preset(preset: str) -> None:
    sld = settings(preset, profile="sld")
    assert settings(preset, profile="reference").model_copy(update={"profile": "sld"}) == sld
    assert (sld.num_inference_steps, sld.strength, sld.long_side_px, sld.aesthetic_score) == (50, 0.3, 1024, 7)
    assert (sld.whole_image, sld.negative_prompt, sld.layout_negative) == (True, "", False)
    lmd = settings(preset, profile="lmd")
    assert (lmd.strength, lmd.layout_negative) == (0.3, True) and lmd.negative_prompt.endswith("deformed, ugly")
    cascade = settings(preset, profile="instancediffusion")
    assert (cascade.num_inference_steps, cascade.strength, cascade.long_side_px) == (20, 0.4, None)
    assert int(cascade.num_inference_steps * cascade.strength) == 8
    assert settings(preset).whole_image is False


def test_what_contradicts_a_profile_is_refused() -> None:
    with pytest.raises(InputError, match="profile 'sld' means strength=0.3; leave strength away, or the profile"):
        settings(profile="sld", strength="0.5")
    with pytest.raises(InputError, match="means num_inference_steps=20"):
        settings(profile="instancediffusion", num_inference_steps=50)
    with pytest.raises(InputError, match="means whole_image=True"):
        settings(profile="lmd", whole_image="false")
    assert settings(profile="sld", strength="0.3").strength == 0.3
    assert settings(profile="instancediffusion", strength="0.35").strength == 0.35


def test_reference_on_the_command_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def planned(*flags: str) -> tuple[int, dict[str, object]]:
        code = main(["refine", "x.json", "--dry-run", *flags])
        out = capsys.readouterr().out
        return code, json.loads(out)["config"] if code == 0 else {}

    assert planned("--reference") == planned("--profile", "reference") == planned("--reference", "--steps", "50")
    assert planned("--reference")[1] | {"profile": "sld"} == planned("--profile", "sld")[1]
    assert planned("--reference")[1]["whole_image"] is True
    assert planned("--reference", "--steps", "20")[0] == 3
    assert planned("--reference", "--profile", "lmd")[0] == 2
    assert planned("--profile", "sdl")[0] == 3


def test_the_layouts_negative_prompt_is_left_out_where_the_original_had_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = tiny_context(tmp_path)
    layout = Layout(width=64, height=64, background_prompt="a meadow", negative_prompt="cats")
    record = edited(context).model_copy(update={"layout": layout})
    seen: list[str] = []
    encoder = context.models.text("refiner")
    encode = encoder.conditions

    def watched(texts: list[str], size: tuple[int, int]) -> object:
        seen.extend(texts)
        return encode(texts, size)

    monkeypatch.setattr(encoder, "conditions", watched)
    refine(context)([record])
    refine(context, layout_negative=False)([record])
    refine(context, negative_prompt="dogs")([record])
    assert [text for text in seen if text != record.prompt] == ["cats", "", "cats, dogs"]


def test_sdxls_own_pipeline_knows_the_aesthetic_score_and_stays_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real pipeline class at a tiny size, saved and loaded as the refiner's family, in the variant of its file names."""
    preset = tiny_refiner_preset(tmp_path)
    context = StageContext(preset, ImageStore(tmp_path), "cpu", "float32")
    pictures = []
    for score in (2.0, 9.0):
        (after,) = refine(context, aesthetic_score=score)([edited(context)])
        pictures.append(difference(context, after))
        assert after.image is not None
        pictures.append(np.asarray(context.images.load(after.image)))
    assert pictures[0][12:20, 12:20].any() and (pictures[1] != pictures[3]).any()
    assert context.models.image_to_image("refiner") is context.models.image_to_image("refiner")
    assert len(context.models._loaded) == 2


@pytest.mark.filterwarnings("ignore:.*upcast_vae.*:FutureWarning")
def test_half_precision_that_is_upcast_may_wait_in_main_memory(tmp_path: Path) -> None:
    """SDXL's autoencoder overflows in float16, so the pipeline casts it while it runs: hooks have to bear that."""
    tiny_refiner_preset(tmp_path)
    pictures = []
    for how in ("none", "model", "sequential"):
        pipe = StableDiffusionXLImg2ImgPipeline.from_pretrained(
            tmp_path / "refiner", variant="fp16", use_safetensors=True, dtype=torch.float16
        )
        pipe.vae.register_to_config(force_upcast=True)
        pipe.set_progress_bar_config(disable=True)
        Offloader(how, "cpu").take(pipe.components.values())
        generator = torch.Generator("cpu").manual_seed(1)
        given = {"strength": 0.5, "num_inference_steps": 2, "output_type": "np", "generator": generator}
        pictures.append(pipe(prompt="a ball", image=noise_image(), **given).images)
    np.testing.assert_array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[2])
