"""Put trained text-to-image parts where the package ships them: fp16 safetensors in the layout of diffusers."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from transformers import CLIPTextModel

from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.tokenizer import build_tokenizer
from llmgen.toybox.recipes.diffusion import load_average
from llmgen.toybox.recipes.instances import load_average as load_instances
from llmgen.toybox.recipes.sampling import build_scheduler, write_model_index


def _replace(source: Path, target: Path) -> None:
    # File by file, so that a reader beside us never meets a missing folder, and a model card stays.
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        staged = target / f".{file.name}.new"
        shutil.copyfile(file, staged)
        os.replace(staged, target / file.name)


def _tidy(config: Path, *without: str) -> None:
    values = json.loads(config.read_text(encoding="utf-8"))
    kept = {key: value for key, value in values.items() if key not in ("_name_or_path", *without)}
    config.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def export_vae(trained: Path, folder: Path | None = None) -> None:
    """Ship an autoencoder.

    Args:
        trained: Folder that `train_vae.run` works in.
        folder: The text-to-image folder; None takes the package's.
    """
    with tempfile.TemporaryDirectory() as staging:
        AutoencoderTiny.from_pretrained(trained / "vae").half().save_pretrained(staging)
        # diffusers derives this entry and then warns about it on loading.
        _tidy(Path(staging) / "config.json", "block_out_channels")
        _replace(Path(staging), (folder or WEIGHTS / "text_to_image") / "vae")


def export_text_encoder(trained: Path, folder: Path | None = None) -> None:
    """Ship a text encoder with its tokenizer.

    Args:
        trained: Folder that `train_text.run` works in.
        folder: The text-to-image folder; None takes the package's.
    """
    folder = folder or WEIGHTS / "text_to_image"
    with tempfile.TemporaryDirectory() as staging:
        CLIPTextModel.from_pretrained(trained / "text_encoder").half().save_pretrained(staging)
        _tidy(Path(staging) / "config.json")
        _replace(Path(staging), folder / "text_encoder")
    with tempfile.TemporaryDirectory() as staging:
        build_tokenizer().save_pretrained(staging)
        _replace(Path(staging), folder / "tokenizer")


def export_denoiser(trained: Path, folder: Path | None = None) -> None:
    """Ship the averaged denoiser of a training, finished or not, with its scheduler and the index.

    Args:
        trained: Folder that `train_diffusion.run` works in.
        folder: The text-to-image folder; None takes the package's.
    """
    folder = folder or WEIGHTS / "text_to_image"
    with tempfile.TemporaryDirectory() as staging:
        load_average(trained).half().save_pretrained(staging)
        _tidy(Path(staging) / "config.json")
        _replace(Path(staging), folder / "unet")
    with tempfile.TemporaryDirectory() as staging:
        build_scheduler().save_pretrained(staging)
        _replace(Path(staging), folder / "scheduler")
    write_model_index(folder)


def export_instances(trained: Path, folder: Path | None = None) -> None:
    """Ship the averaged InstanceDiffusion parts of a training, finished or not: `fusers`, `unifusion` and `scaleu`.

    Args:
        trained: Folder that `train_instances.run` works in.
        folder: Gets them; None takes the package's.
    """
    folder = folder or WEIGHTS / "instancediffusion"
    parts = load_instances(trained)[1]
    fusers = {
        f"{name.replace('/', '.')}.{key}": value.half().contiguous()
        for name, module in parts.fusers.items()
        for key, value in module.state_dict().items()
    }
    for name in ("unifusion", "scaleu", "fusers"):
        with tempfile.TemporaryDirectory() as staging:
            if name == "fusers":
                save_file(fusers, Path(staging) / "diffusion_pytorch_model.safetensors")
            else:
                getattr(parts, name).half().save_pretrained(staging)
                _tidy(Path(staging) / "config.json")
            _replace(Path(staging), folder / name)
