"""Every tensor of the published checkpoint has one place, at full size, on the meta device."""

import json
from collections import Counter
from typing import Any

import pytest
import torch
from parity.conftest import DATA, golden_folder

from llmgen.diffusion.instances.checkpoint import PUBLISHED, build_components
from llmgen.diffusion.instances.conversion import convert, empty_components, target
from llmgen.presets import load_preset

NAME = "instancediffusion_keys.json"


@pytest.fixture(scope="module")
def content(request: pytest.FixtureRequest) -> dict[str, Any]:
    path = golden_folder(request.config) / NAME
    return json.loads((path if path.is_file() else DATA / NAME).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def keys(content: dict[str, Any]) -> dict[str, Any]:
    return content["keys"]


def test_every_name_goes_where_the_list_says(keys: dict[str, Any]) -> None:
    places = {key: target(key) for key in keys}
    assert len(places) == len(set(places.values())) == len(keys)
    for key, entry in keys.items():
        part, name = places[key]
        if entry["diffusers"] is not None:
            assert (part, name) == ("unet", entry["diffusers"])
        else:
            assert part == ("scaleu" if key.startswith("scaleu_") else "unifusion")


def test_every_shape_fits_and_nothing_is_left_over(content: dict[str, Any], keys: dict[str, Any]) -> None:
    meta = content.get("meta", {})
    state = {key: torch.empty(entry["shape"], device="meta") for key, entry in keys.items()}
    converted = convert(state, PUBLISHED)
    counts = Counter(target(key)[0] for key in keys)
    assert {part: len(tensors) for part, tensors in converted.items()} == counts and min(counts.values()) > 0
    made = build_components(converted, torch.float16, PUBLISHED)
    modules = dict(empty_components(PUBLISHED).items())
    for part, module in made.items():
        assert module.state_dict().keys() == modules[part].state_dict().keys() == getattr(converted, part).keys()
    parameters = sum(value.numel() for _, module in made.items() for value in module.parameters())
    assert parameters == sum(value.numel() for value in state.values()) == meta.get("total_parameters", parameters)


def test_the_preset_asks_for_what_the_parts_take(keys: dict[str, Any]) -> None:
    preset = load_preset("instancediffusion-sd15")
    drawing, base = preset.role("instances_to_image"), load_preset("sd15").role("text_to_image")
    size = {part: 0 for part in ("unet", "unifusion", "scaleu")}
    for key, entry in keys.items():
        size[target(key)[0]] += torch.Size(entry["shape"]).numel()
    # Two bytes a parameter, but four in UniFusion; autoencoder and text encoder are what sd15 has beside its U-Net.
    weights = 2 * (size["unet"] + size["scaleu"]) + 4 * size["unifusion"]
    assert drawing.memory_gb == pytest.approx(weights / 1e9 + base.memory_gb - base.largest_gb, abs=2e-3)
    assert drawing.largest_gb == pytest.approx(2 * size["unet"] / 1e9, abs=2e-3)
    assert (drawing.base, drawing.base_revision) == (base.source, base.revision)
