"""How models of the standard classes are written to ship: fp16 weights, and configuration without what nobody needs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from llmgen.training.saving import save_atomically, to_half


def tidy(config: Path, *without: str) -> None:
    """Take entries out of a saved configuration.

    Args:
        config: The file.
        *without: Names of entries; where the model came from is always taken out.
    """
    values = json.loads(config.read_text(encoding="utf-8"))
    kept = {key: value for key, value in values.items() if key not in ("_name_or_path", *without)}
    config.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def save_transformer(
    folder: Path, config: Any, weights: Mapping[str, Tensor], processor: Any, architecture: str
) -> None:
    """Write a model of transformers so that ``from_pretrained`` loads it, in float32 unless told otherwise.

    Args:
        folder: Gets config, processor and weights; made if need be.
        config: The model's.
        weights: Its state, stored in fp16.
        processor: What prepares its inputs.
        architecture: Name of its class.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config.architectures = [architecture]
    config.save_pretrained(folder)
    path = folder / "config.json"
    # Half precision is for the file only: an fp16 forward pass on a CPU is slow, so the config asks for float32.
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
    processor.save_pretrained(folder)
    save_atomically(to_half(weights), folder / "model.safetensors", {"format": "pt"})
