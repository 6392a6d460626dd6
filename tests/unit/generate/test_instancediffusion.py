"""`generate instancediffusion` at tiny sizes, with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_instances import SLOTS, tiny_instance_context
from tiny_models import SIZE

from llmgen.artifacts import Instance, Layout, Record
from llmgen.cli.progress import StageProgress
from llmgen.diffusion.offloading import Offload
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.errors import InputError
from llmgen.generate.instancediffusion import InstanceGenerate
from llmgen.vision.masks import encode_mask

BOXES = [(4.0, 4.0, 28.0, 28.0), (34.0, 8.0, 60.0, 30.0), (10.0, 34.0, 50.0, 62.0)]


def instance(number: int, phrase: str, **more: Any) -> Instance:
    return Instance(id=f"i{number}", phrase=phrase, box_xyxy=more.pop("box", BOXES[number % 3]), **more)


def record(seed: int, *instances: Instance, width: int = SIZE, name: str | None = None) -> Record:
    layout = Layout(width=width, height=SIZE, background_prompt="sea", instances=instances)
    return Record(id=name or f"r{seed}", prompt="a cat at sea", seed=seed, layout=layout)


def draw(context: StageContext, *records: Record, **given: Any) -> list[NDArray[np.int64]]:
    method = InstanceGenerate(context, InstanceGenerate.Config(**{"num_inference_steps": 4, "mis": 0.5, **given}))
    return [np.asarray(context.images.load(drawn.image)).astype(int) for drawn in method(records) if drawn.image]


def differ(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    return int(np.abs(a - b).max())


def test_a_picture_depends_on_its_record_only(tmp_path: Path) -> None:
    context = tiny_instance_context(tmp_path)
    wide = record(4, instance(0, "a cat"), width=96)
    records = [record(1, instance(0, "a cat"), instance(1, "a dog")), record(2), wide, record(3, instance(2, "a dog"))]
    together = draw(context, *records)
    assert together[2].shape == (SIZE, 96, 3)
    for alone, drawn in zip([draw(context, r)[0] for r in reversed(records)][::-1], together, strict=True):
        assert differ(alone, drawn) <= 1
    context.batch_size = 1
    assert differ(draw(context, records[0])[0], together[0]) <= 1
    assert differ(together[0], together[3]) > 5


def test_an_edited_instance_is_drawn_from_the_same_noise(tmp_path: Path) -> None:
    context = tiny_instance_context(tmp_path)
    first = record(1, instance(0, "a cat"), name="x")
    edits = [
        record(1, instance(0, "a cat"), instance(1, "a dog"), name="x"),  # added
        record(1, instance(0, "a fish"), name="x"),  # replaced
        record(1, instance(0, "a cat", box=(30.0, 30.0, 54.0, 54.0)), name="x"),  # moved
        record(1, instance(0, "a cat", box=(4.0, 4.0, 60.0, 60.0)), name="x"),  # resized
    ]
    # Without grounding and without runs of their own the instances do nothing: what is left is noise and prompt.
    free = draw(context, first, *edits, alpha=0.0, mis=0.0)
    assert all(differ(free[0], other) == 0 for other in free[1:])
    grounded = draw(context, first, *edits)
    assert all(differ(grounded[0], other) > 0 for other in grounded[1:])


def test_the_description_of_a_plan_is_drawn_in_place_of_the_prompt(tmp_path: Path) -> None:
    context = tiny_instance_context(tmp_path)
    plain = record(1, instance(0, "a cat"))
    told = plain.grown(layout=plain.layout.model_copy(update={"description": "a dog on a beach"}))
    asked = plain.grown(prompt="a dog on a beach")
    first, described, prompted = draw(context, plain, told.grown(id="b"), asked.grown(id="c"))
    assert differ(first, described) > 0 and differ(described, prompted) <= 1


@pytest.mark.parametrize(
    "change",
    [
        {"guidance_scale": 1.0},
        {"alpha": 0.0},
        {"mis": 0.0},
        {"merge": "crop-paste"},
        {"sampler": "ddim"},
        {"use": ("box",)},
        {"use": ("test_point",)},
        {"use": ("test_scribble",)},
        {"masked_attention": True},
        {"negative_prompt": "blue"},
    ],
)
def test_every_setting_matters(tmp_path: Path, change: dict[str, Any]) -> None:
    context = tiny_instance_context(tmp_path)
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[8:28, 36:60] = True
    stroke = ((6.0, 6.0), (20.0, 24.0))
    wanted = record(
        1, instance(0, "a cat", scribble_xy=stroke, point_xy=(5.0, 9.0)), instance(1, "a dog", mask=encode_mask(mask))
    )
    plain = {"use": ("test_mask",)}
    assert differ(draw(context, wanted, **plain)[0], draw(context, wanted, **{**plain, **change})[0]) > 0


def test_the_orientation_of_the_original_can_be_had(tmp_path: Path) -> None:
    wanted = record(1, instance(1, "a dog"))
    for given in ({"merge": "crop-paste"}, {"masked_attention": True}):
        context = tiny_instance_context(tmp_path / next(iter(given)))
        pictures = [draw(context, wanted, orientation=o, **given)[0] for o in ("corrected", "reference")]
        assert differ(*pictures) > 0


def test_tokens_are_made_once_and_masks_are_read_only_where_they_are(tmp_path: Path) -> None:
    context = tiny_instance_context(tmp_path)
    unifusion = context.models.instance_diffusion().unifusion
    tokens: list[int] = []
    encoded: list[int] = []
    mask = encode_mask(np.ones((SIZE, SIZE), dtype=bool))
    hooks = [
        unifusion.tokenizers["box"].register_forward_hook(lambda *a: tokens.append(len(a[2]))),
        unifusion.segment_encoder.register_forward_hook(lambda *a: encoded.append(len(a[2]))),
    ]
    draw(context, record(1, instance(0, "a cat"), instance(1, "a dog")))
    assert (tokens, encoded) == ([3, 1], [])
    draw(context, record(1, instance(0, "a cat"), instance(1, "a dog", mask=mask)))
    assert (tokens[2:], encoded) == ([3, 1], [2])  # the whole and the dog
    for hook in hooks:
        hook.remove()


def test_what_it_cost_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = tiny_instance_context(tmp_path)
    progress = StageProgress()
    context.remark = progress.remark
    progress.start("generate", "instancediffusion", 2)
    draw(context, record(1, instance(0, "a cat"), instance(1, "a dog")), record(2))
    # 4 runs: 2 + 4 rows at first, 8 until the merge after two steps, 4 in the two steps left.
    progress.finish()
    assert "(5 calls of the U-Net with 30 rows for 2 pictures)" in capsys.readouterr().err
    progress.start("refine", "sdxl", 2)
    progress.finish()
    assert "calls" not in capsys.readouterr().err


def test_a_record_that_cannot_be_drawn_does_not_stop_the_others(tmp_path: Path) -> None:
    context = tiny_instance_context(tmp_path)
    crowd = record(1, *(instance(i, "a cat") for i in range(SLOTS + 1)))
    config = InstanceGenerate.Config(num_inference_steps=2)
    done = run_stage(
        [crowd, record(2, instance(0, "a cat"))],
        method_class=InstanceGenerate,
        config=config,
        given={},
        context=context,
    )
    assert [r.error is None for r in done.records] == [False, True]
    assert done.records[0].error is not None and "at most 5" in done.records[0].error.message
    provenance = done.records[1].provenance[-1]
    used = [(use.role, use.scheduler) for use in provenance.models]
    assert used == [("instances_to_image", "pndm"), ("instances_to_image base", None)]  # plms, as schedulers are called


def test_settings_that_cannot_work_are_refused_before_drawing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = tiny_instance_context(tmp_path)
    with pytest.raises(InputError, match="350 steps"):
        InstanceGenerate(context, InstanceGenerate.Config(num_inference_steps=350))
    long = record(1, instance(0, "a cat")).model_copy(update={"prompt": "word " * 40})
    draw(context, long)
    assert "its prompt has" in caplog.text


@pytest.mark.parametrize("how", ["model", "sequential"])
def test_offloaded_models_draw_the_same(tmp_path: Path, how: Offload) -> None:
    wanted = record(1, instance(0, "a cat"))
    plain, offloaded = (tiny_instance_context(tmp_path / name) for name in ("plain", "offloaded"))
    offloaded.offload = how
    assert differ(draw(plain, wanted)[0], draw(offloaded, wanted)[0]) == 0
    assert hasattr(offloaded.models.instance_diffusion().pipe.unet, "_hf_hook")
