"""From a layout to what UniFusion takes; F1 to F5 are faults of the published script."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_instances import SLOTS, tiny_instances

from llmgen.artifacts import Instance, Layout, Mask
from llmgen.diffusion.instances.unifusion import FORMATS, InstanceGrounding, UniFusion
from llmgen.diffusion.loading import ModelPool
from llmgen.diffusion.text import TextEncoder
from llmgen.errors import InputError
from llmgen.generate.instancediffusion.conditioning import Use, formats_in_use, ground_layout, resample_stroke
from llmgen.vision.masks import encode_mask

WIDTH, HEIGHT = 96, 64
STROKE = ((60.0, 50.0), (60.0, 10.0), (20.0, 10.0))

Models = tuple[UniFusion, TextEncoder]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    pool = ModelPool(tiny_instances(tmp_path_factory.mktemp("models")), device="cpu", dtype="float32")
    return pool.instance_diffusion().unifusion, pool.text("instances_to_image")


def blob() -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[16:48, 24:72] = True
    return encode_mask(mask)


def thing(name: str = "a", **more: Any) -> Instance:
    return Instance(id=name, phrase=f"a {name}", box_xyxy=(24.0, 16.0, 72.0, 48.0), **more)


def layout(*instances: Instance) -> Layout:
    return Layout(width=WIDTH, height=HEIGHT, background_prompt="", instances=instances)


def ground(models: Models, *instances: Instance, use: tuple[Any, ...] = FORMATS, seed: int = 0) -> InstanceGrounding:
    return ground_layout(layout(*instances), use, *models, seed=seed)


def test_positions_are_shares_of_the_picture_and_slots_are_filled_from_the_first(models: Models) -> None:
    made = ground(models, thing("a"), thing("b", point_xy=(96.0, 0.0)))
    assert made.boxes[0, 0].tolist() == [0.25, 0.25, 0.75, 0.75]
    # F3: an instance without a point among others with one has the middle of its box.
    assert made.points[0, :3].tolist() == [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]]
    assert made.masks[0].tolist() == [1.0, 1.0, *[0.0] * (SLOTS - 2)]
    assert torch.equal(made.text[0, 0], models[1].pooled(["a a"])[0])
    assert not made.text[0, 2:].any() and not made.scribbles.any() and not made.polygons.any()


def test_a_mask_gives_polygon_segment_and_scribble(models: Models) -> None:
    made = ground(models, thing("a", mask=blob()), thing("b"))
    side = models[0].config.seg_resize
    expected = torch.zeros(side, side, dtype=torch.bool)
    expected[side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = True
    assert torch.equal(made.segments[0, 0], expected)  # F1: not overwritten by zeros
    for points, low, high in ((made.polygons, 0.23, 0.79), (made.scribbles, 0.25, 0.75)):
        x, y = points[0, 0].view(-1, 2).T
        assert low <= float(x.min()) < 0.4 < 0.6 < float(x.max()) <= high
        assert low <= float(y.min()) < 0.4 < 0.6 < float(y.max()) <= high
        assert not points[0, 1].any()
    assert not made.segments[0, 1:].any()


def test_one_instance_alone_keeps_its_mask(models: Models) -> None:
    alone, among = ground(models, thing("a", mask=blob())), ground(models, thing("a", mask=blob()), thing("b"))
    assert torch.equal(alone.segments[0, 0], among.segments[0, 0])  # F4
    assert torch.equal(alone.scribbles[0, 0], among.scribbles[0, 0])
    assert torch.equal(among.only(0).polygons, alone.polygons)


def test_the_draw_of_points_depends_on_seed_and_id(models: Models) -> None:
    first = ground(models, thing("a", mask=blob())).scribbles[0, 0]
    assert torch.equal(first, ground(models, thing("b"), thing("a", mask=blob())).scribbles[0, 1])
    assert not torch.equal(first, ground(models, thing("a", mask=blob()), seed=1).scribbles[0, 0])
    assert not torch.equal(first, ground(models, thing("c", mask=blob())).scribbles[0, 0])


def test_a_scribble_is_resampled_and_sorted(models: Models) -> None:
    points = ground(models, thing(scribble_xy=STROKE, mask=blob())).scribbles[0, 0].view(-1, 2)  # F2
    assert points.shape == (20, 2)
    pixels = points * torch.tensor([WIDTH, HEIGHT])
    assert pixels[0].tolist() == pytest.approx([20, 10], abs=1e-4)
    assert pixels[-1].tolist() == pytest.approx([60, 50], abs=1e-4)
    assert (pixels.norm(dim=1).diff() >= -1e-4).all()
    on_stroke = ((pixels[:, 0] - 60).abs() < 1e-3) | ((pixels[:, 1] - 10).abs() < 1e-3)
    assert bool(on_stroke.all())


def test_resampling_is_even_along_the_stroke() -> None:
    stroke = np.array([(0.0, 0.0), (0.0, 30.0), (10.0, 30.0)])
    assert resample_stroke(stroke, 5).tolist() == [[0, 0], [0, 10], [0, 20], [0, 30], [10, 30]]
    assert resample_stroke(stroke, 3) is stroke
    assert resample_stroke(np.array([(4.0, 5.0), (4.0, 5.0)]), 3).tolist() == [[4, 5]] * 3


def test_what_is_not_used_is_not_computed(models: Models) -> None:
    made = ground(models, thing(mask=blob(), scribble_xy=STROKE), use=("box", "point"))
    assert made.segments.shape[-1] == 1 and not made.segments.any()
    assert not made.polygons.any() and not made.scribbles.any()


def test_formats_in_use() -> None:
    assert formats_in_use((), layout(thing())) == ("box", "point")
    assert formats_in_use((), layout(thing("a"), thing("b", scribble_xy=STROKE))) == ("box", "point", "scribble")
    assert formats_in_use((), layout(thing(mask=blob()))) == ("box", "point", "mask")
    assert formats_in_use(("mask", "box"), layout(thing())) == ("box", "mask")
    sets: dict[Use, tuple[str, ...]] = {
        "test_box": ("box", "point"),
        "test_point": ("point",),
        "test_mask": ("box", "point", "mask"),
        "test_scribble": ("box", "point", "scribble", "mask"),
    }
    for name, formats in sets.items():
        assert formats_in_use((name,), layout()) == formats


def test_too_many_instances_and_too_long_phrases_are_refused(models: Models) -> None:
    assert bool(ground(models, *(thing(str(i)) for i in range(SLOTS))).masks.all())
    with pytest.raises(InputError, match=f"{SLOTS + 1} instances.* at most {SLOTS}"):
        ground(models, *(thing(str(i)) for i in range(SLOTS + 1)))
    with pytest.raises(InputError, match="'a' has .* tokens"):
        ground(models, thing().model_copy(update={"phrase": "a rather long description of a thing"}))


def test_seeds_do_not_leak_into_global_generators(models: Models, tmp_path: Path) -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    ground(models, thing(mask=blob()))
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index,union-attr]
