import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from llmgen.diffusion.instances.unifusion import FORMATS, InstanceGrounding
from llmgen.toybox import WEIGHTS
from llmgen.toybox.models.unet import build_unet, paint_boxes
from llmgen.toybox.models.unifusion import ToyboxUniFusion
from llmgen.toybox.recipes.diffusion import DiffusionRecipe
from llmgen.toybox.recipes.instance_batches import draw_polygon, draw_scribble, ground_scenes
from llmgen.toybox.recipes.instances import InstanceParts, InstanceRecipe, load_average
from llmgen.toybox.recipes.run import TrainingRun
from llmgen.toybox.world.scenes import SIZE, Scene, render, sample_scene


def _scenes(count: int = 3) -> list[Scene]:
    return [sample_scene(random.Random(i)) for i in range(count)]


def _grounding(scenes: list[Scene], **options: float) -> InstanceGrounding:
    return ground_scenes(
        scenes,
        lambda scene, index: torch.full((128,), float(len(scene.objects[index].noun))),
        random.Random(1),
        slots=12,
        width=128,
        scribble_points=20,
        polygon_points=64,
        **options,
    )


def test_scenes_are_told_in_every_format() -> None:
    scenes = _scenes()
    grounding = _grounding(scenes)
    for row, scene in enumerate(scenes):
        count = len(scene.objects)
        assert grounding.masks[row].tolist() == [1.0] * count + [0.0] * (12 - count)
        union = torch.from_numpy(render(scene).masks).any(0)
        assert torch.equal(grounding.segments[row].sum(0) > 0, union)
        middles = (grounding.boxes[row, :count, :2] + grounding.boxes[row, :count, 2:]) / 2
        assert torch.allclose(grounding.points[row, :count], middles)
    told_nothing = _grounding(scenes, empty_share=1.0)
    assert not told_nothing.masks.any() and not told_nothing.segments.any()
    bare = _grounding(scenes, unmarked_share=1.0)
    assert bare.masks.any() and not bare.scribbles.any() and not bare.polygons.any() and not bare.segments.any()


def test_scribbles_and_polygons_lie_on_their_objects() -> None:
    for scene in _scenes(8):
        picture = render(scene)
        for item, mask in zip(scene.objects, picture.masks, strict=True):
            x0, y0, x1, y1 = item.box_xyxy
            for points in (draw_scribble(item, random.Random(2), 20), draw_polygon(item, 64)):
                assert (points >= (x0 - 1, y0 - 1)).all() and (points <= (x1 + 2, y1 + 2)).all()
            loose = next(
                p
                for seed in range(99)
                if (p := draw_scribble(item, random.Random(seed), 20)) is not None and _is_loose(p)
            )
            assert mask[loose[:, 1].astype(int), loose[:, 0].astype(int)].all()


def _is_loose(points: np.ndarray) -> bool:
    return bool((points == points.astype(int)).all())


def test_the_map_is_the_boxes_until_something_is_learned_and_zero_without_instances() -> None:
    torch.manual_seed(0)
    unifusion, grounding = ToyboxUniFusion().eval(), _grounding(_scenes())
    there = grounding.masks > 0
    exact = paint_boxes(grounding.boxes[there][:, None], 16, 16)[:, 0]
    bias = unifusion.instance_painter.guess[-1].bias[:, None, None]
    with torch.no_grad():
        assert torch.allclose(unifusion.paint(grounding, ("box",))[there] - bias, exact, atol=1e-6)
        without = unifusion.conditioning(grounding.null(), FORMATS)
        assert not without["map"].any() and without["objs"].abs().max() > 0
        assert unifusion.conditioning(grounding, FORMATS)["objs"].shape == (3, 4 * 12 + 16, 128)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_alone_reaches_the_map(kind: str) -> None:
    torch.manual_seed(0)
    unifusion = ToyboxUniFusion().eval()
    torch.nn.init.normal_(unifusion.instance_painter.guess[-1].weight)
    here, there = _grounding(_scenes(1)), _grounding([sample_scene(random.Random(99))])
    with torch.no_grad():
        assert not torch.allclose(unifusion.paint(here, (kind,)), unifusion.paint(there, (kind,)))
        assert torch.equal(unifusion.paint(here, (kind,)), unifusion.paint(here, (kind,)))


def test_tokens_and_map_steer_the_denoiser_and_switched_off_fusers_do_not() -> None:
    torch.manual_seed(0)
    unet = build_unet().eval()
    parts = InstanceParts(unet).eval()
    grounding = _grounding(_scenes(2))
    sample, states = torch.randn(2, 8, 16, 16), torch.randn(2, 40, 128)

    def call(told: InstanceGrounding | None) -> torch.Tensor:
        kwargs = None if told is None else {"gligen": parts.unifusion.conditioning(told, ("box",))}
        with torch.no_grad():
            return unet(sample, 500, states, cross_attention_kwargs=kwargs).sample

    assert not torch.allclose(call(grounding), call(grounding.null()), atol=1e-4)
    for fuser in parts.fusers.values():
        fuser.enabled = False
    assert torch.equal(call(grounding), call(None))


@pytest.mark.slow
def test_the_recipe_trains_only_the_additions_resumes_and_ships(tmp_path: Path) -> None:
    recipe = InstanceRecipe(scenes=DiffusionRecipe(batch=2, pool=16), looks=2, look_steps=3)
    TrainingRun(tmp_path, steps=3, processes=1).train(recipe)
    unet, before = load_average(tmp_path)
    after = TrainingRun(tmp_path, steps=6, processes=1, resume=True).train(recipe)
    assert not torch.equal(before.unifusion.null_text, after.unifusion.null_text)
    shutil.copytree(WEIGHTS / "text_to_image", tmp_path / "weights" / "text_to_image")
    recipe.ship(tmp_path, tmp_path / "weights")
    folder = tmp_path / "weights" / "instancediffusion"
    again = ToyboxUniFusion.from_pretrained(folder / "unifusion")
    assert torch.allclose(again.null_text.float(), after.unifusion.null_text, atol=1e-3)
    assert sum(f.stat().st_size for f in folder.rglob("*.safetensors")) < 8e6
    assert SIZE == 128 and unet.config.in_channels == 8
