from pathlib import Path

import pytest

from llmgen.artifacts import Instance, Layout, Record
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.layout.given import GivenLayout, GivenLayoutConfig
from llmgen.layout.lmd import LmdLayout, LmdLayoutConfig
from llmgen.presets import Preset
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    preset = Preset(name="p", description="d", width=128, height=96, roles={})
    return StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")


def test_lmd_plans_with_the_presets_planner(context: StageContext) -> None:
    method = LmdLayout(context, LmdLayoutConfig())
    records = [Record(id=str(i), prompt="a meadow with two red balls", seed=i) for i in range(3)]
    done = method(records)
    assert [r.id for r in done] == ["0", "1", "2"]
    assert all(r.layout is not None and (r.layout.width, r.layout.height) == (128, 96) for r in done)
    assert [r.replies[0].provider for r in done] == ["rules"] * 3
    assert method.models == ()
    assert method(records[1:2]) == done[1:2]
    assert done[0].layout != done[1].layout


def test_lmd_takes_another_canvas(context: StageContext) -> None:
    method = LmdLayout(context, LmdLayoutConfig(width=512, height=512))
    (record,) = method([Record(id="a", prompt="a ball", seed=0)])
    assert record.layout is not None and record.layout.width == 512


def test_lmd_says_what_it_cannot_place(context: StageContext) -> None:
    with pytest.raises(InputError, match="cannot place 'a ball'"):
        LmdLayout(context, LmdLayoutConfig())([Record(id="a", prompt="fifty balls", seed=0)])


def test_given_fills_in_nouns(context: StageContext) -> None:
    layout = Layout(
        width=128,
        height=128,
        background_prompt="a beach",
        instances=(
            Instance(id="a", phrase="a white and small dog", box_xyxy=(0, 0, 50, 50)),
            Instance(id="b", phrase="the thing", noun="cup", attributes=("red",), box_xyxy=(60, 0, 90, 50)),
        ),
    )
    method = GivenLayout(context, GivenLayoutConfig())
    (record,) = method([Record(id="a", prompt="x", layout=layout)])
    assert record.layout is not None
    assert [(i.noun, i.attributes) for i in record.layout.instances] == [("dog", ("white", "small")), ("cup", ("red",))]
    with pytest.raises(InputError, match="has no layout"):
        method([Record(id="b", prompt="x")])


def test_methods_resolve() -> None:
    assert resolve("layout", "lmd") is LmdLayout
    assert resolve("layout", "given") is GivenLayout
