"""The published checkpoint in miniature: its 1199 names, tensors of a few numbers, and what else a `.pth` of training holds."""

import json
import sys
import types
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from llmgen.diffusion.instances.conversion import Architecture, empty_components, target

KEYS = Path(__file__).parent / "data" / "instancediffusion_keys.json"
TINY = Architecture(
    unet={
        "sample_size": 8,
        "block_out_channels": (4, 8, 16, 16),
        "norm_num_groups": 4,
        "cross_attention_dim": 32,
        "attention_head_dim": 2,
        "attention_type": "gated",
    },
    unifusion={
        "in_dim": 32,
        "out_dim": 32,
        "mid_dim": 16,
        "max_objs": 5,
        "n_polygon_points": 64,
        "fourier_freqs": 4,
        "seg_resize": 64,
        "seg_tokens": 4,
        "convnext_dims": (4, 4, 4, 8),
    },
)


def tiny_state(seed: int = 0) -> dict[str, Tensor]:
    """Tensors with the original's names that fit `TINY`."""
    return dict(_made(seed))


@cache
def _made(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {part: module.state_dict() for part, module in empty_components(TINY).items()}
    state = {}
    for key in json.loads(KEYS.read_text(encoding="utf-8"))["keys"]:
        part, name = target(key)
        shape = shapes[part][name].shape
        state[key] = 0.1 * torch.randn(shape[:1] if key.endswith(".gamma") else shape, generator=generator)
    return state


def save_training(path: Path, monkeypatch: pytest.MonkeyPatch, **entries: Any) -> Path:
    """A `.pth` as training writes it, with a configuration whose classes belong to a package that is not installed."""
    module = types.ModuleType("settings_package")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "settings_package", module)
        for name in ("Config", "Node"):
            kind = type(name, (), {"__module__": "settings_package"})
            setattr(module, name, kind)
        config, node = module.Config(), module.Node()
        cache: defaultdict[str, Any] = defaultdict(dict)
        cache["a"] = {"b": 1}
        config.__dict__.update(content={"rate": node}, cache=cache, kind=dict)
        node.__dict__.update(value=0.1, parent=config)
        torch.save({**entries, "config_dict": config, "iters": 7}, path)
    return path
