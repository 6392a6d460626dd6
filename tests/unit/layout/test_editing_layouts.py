"""Layouts by instances, and their rounds of editing: what is not named stays, and so does the noise."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from llmgen.artifacts import Instance, Layout, Record
from llmgen.artifacts.io import read_records
from llmgen.engine.context import StageContext
from llmgen.engine.seeds import derive_seed
from llmgen.errors import InputError
from llmgen.layout.edit import EditLayout, EditLayoutConfig
from llmgen.layout.instances import InstancesLayout, InstancesLayoutConfig
from llmgen.pipeline.options import RunOptions
from llmgen.pipeline.single import SingleStage, run_single
from llmgen.pipeline.sources import Source
from llmgen.presets import Preset, load_preset
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import decode_mask, encode_mask, mask_bounds

SQUARE = np.zeros((96, 128), dtype=bool)
SQUARE[40:60, 70:100] = True
BALL = Instance(
    id="ball-1", phrase="a shiny red ball on the grass", noun="ball", attributes=("red",), box_xyxy=(70, 40, 100, 60),
    point_xy=(85, 50), scribble_xy=((70, 40), (100, 60)), mask=encode_mask(SQUARE),
)  # fmt: skip
CAR = Instance(
    id="car-1", phrase="a blue car with its doors open", noun="Car", attributes=("blue",), box_xyxy=(5, 60, 45, 90)
)
LAYOUT = Layout(
    width=128, height=96, description="A ball and a car.", background_prompt="a meadow", instances=(BALL, CAR)
)
RECORD = Record(kind="layouts", id="a", prompt="a ball and a car", seed=5, layout=LAYOUT)


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    preset = Preset(name="p", description="d", width=128, height=96, roles={})
    return StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")


def edited(context: StageContext, instruction: str, record: Record = RECORD) -> dict[str, Instance]:
    (done,) = EditLayout(context, EditLayoutConfig())([record.grown(instruction=instruction)])
    assert done.layout is not None and done.replies[-1].call == "edit"
    assert (done.id, done.seed, done.prompt, done.layout.description) == ("a", 5, record.prompt, "A ball and a car.")
    return {instance.id: instance for instance in done.layout.instances}


def test_instances_are_planned_on_the_presets_canvas(context: StageContext) -> None:
    record = Record(id="a", prompt="a meadow with two red balls", seed=3)
    (done,) = InstancesLayout(context, InstancesLayoutConfig())([record])
    assert done.layout is not None and (done.layout.width, done.layout.height) == (128, 96)
    assert [i.phrase for i in done.layout.instances] == ["a red ball"] * 2 and done.replies[0].call == "instances"
    with pytest.raises(InputError, match="at most 1"):
        InstancesLayout(context, InstancesLayoutConfig(most=1))([record])


def test_what_is_moved_takes_its_shapes_along(context: StageContext) -> None:
    after = edited(context, "move the ball to the left by 20 pixels")
    assert after["car-1"] == CAR
    ball = after["ball-1"]
    shift = ball.box_xyxy[0] - 70
    assert shift == pytest.approx(-20) and ball.phrase == BALL.phrase
    assert ball.box_xyxy == pytest.approx((70 + shift, 40, 100 + shift, 60))
    assert ball.point_xy == pytest.approx((85 + shift, 50))
    assert np.allclose(ball.scribble_xy, [(70 + shift, 40), (100 + shift, 60)])
    assert np.array_equal(decode_mask(ball.mask), np.roll(SQUARE, round(shift), axis=1))


def test_what_is_resized_takes_its_shapes_along(context: StageContext) -> None:
    ball = edited(context, "make the ball larger")["ball-1"]
    width = ball.box_xyxy[2] - ball.box_xyxy[0]
    assert width > 31
    bounds = mask_bounds(decode_mask(ball.mask))
    assert np.allclose(bounds, ball.box_xyxy, atol=1) and ball.point_xy == pytest.approx((85, 50), abs=1)


def test_add_remove_replace_and_recolour(context: StageContext) -> None:
    added = edited(context, "add a green tree")
    assert [added["ball-1"], added["car-1"]] == [BALL, CAR] and added["tree-1"].phrase == "a green tree"
    assert edited(context, "remove the ball") == {"car-1": CAR}
    replaced = edited(context, "replace the car with a green tree")
    assert replaced["ball-1"] == BALL and "tree" in " ".join(i.phrase for i in replaced.values())
    assert all("car" not in i.phrase for i in replaced.values())
    painted = edited(context, "make the ball yellow")["ball-1"]
    assert (painted.phrase, painted.attributes) == ("a yellow ball", ("yellow",))
    assert (painted.box_xyxy, painted.mask) == (BALL.box_xyxy, BALL.mask)
    assert set(edited(context, "add a red ball")) == {"ball-1", "ball-2", "car-1"}


def test_what_is_missing_is_said(context: StageContext) -> None:
    method = EditLayout(context, EditLayoutConfig())
    with pytest.raises(InputError, match="no instruction; give one with --set instruction"):
        method([RECORD])
    with pytest.raises(InputError, match="no layout"):
        method([Record(id="a", prompt="x", seed=1, instruction="add a tree")])
    with pytest.raises(InputError, match="house"):
        method([RECORD.grown(instruction="remove the house")])


def test_editing_keeps_the_noise(tmp_path: Path) -> None:
    """Rounds of files: planned, edited twice; every seed that a picture depends on stays."""
    from llmgen.diffusion.latents import make_noise

    def stage(source: str, output: str, method: str, **given: str) -> list[Record]:
        run_single(
            SingleStage(
                "layout",
                Source(str(tmp_path / source)),
                tmp_path / output,
                method=method,
                given=given,
                options=RunOptions(seed=9),
            )
        )
        return list(read_records(tmp_path / output).records)

    (tmp_path / "p.json").write_text('["a meadow with a red ball and a blue car", "a beach with a red ball"]')
    rounds = [stage("p.json", "0.json", "instances")]
    rounds.append(stage("0.json", "1.json", "edit", instruction="make the ball larger"))
    # By hand, and under another run's seed: the records bring theirs.
    text = (tmp_path / "1.json").read_text().replace('"a red ball"', '"a very red ball"')
    (tmp_path / "1b.json").write_text(text)
    run_single(
        SingleStage(
            "layout",
            Source(str(tmp_path / "1b.json")),
            tmp_path / "2.json",
            method="given",
            options=RunOptions(seed=77),
        )
    )
    rounds.append(list(read_records(tmp_path / "2.json").records))
    for before, after in zip(rounds, rounds[1:], strict=False):
        for old, new in zip(before, after, strict=True):
            assert old.error is new.error is None and old.layout != new.layout
            assert old.seed == new.seed and old.seed is not None
            assert make_noise(old.seed, (4, 8, 8)).equal(make_noise(new.seed, (4, 8, 8)))
            for mine, its in zip(old.layout.instances, new.layout.instances, strict=True):
                assert mine.id == its.id
                assert derive_seed(old.seed, mine.id) == derive_seed(new.seed, its.id)


def test_the_toybox_plans_no_more_than_it_can_draw(tmp_path: Path) -> None:
    preset = load_preset("toybox")
    context = StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")
    source = str(preset.roles["instances_to_image"].source).removeprefix("package:")
    slots = json.loads((files("llmgen") / source / "unifusion" / "config.json").read_text())["max_objs"]
    assert context.config_for("layout", "instances").most == slots
