"""Canvases that are not square, from layout to refinement, on the toybox: things are where they should be, upright and flat."""

from pathlib import Path

import numpy as np
import pytest

from llmgen.artifacts import DeleteEdit, EditPlan, Instance, Layout, Record
from llmgen.engine.context import StageContext
from llmgen.pipeline.options import RunOptions
from llmgen.registry import resolve
from llmgen.vision.boxes import iou
from llmgen.vision.images import ImageStore

LONG, SHORT = 192, 128
BALL = (120.0, 10.0, 176.0, 66.0)
"""Top right on the flat canvas, bottom left when the axes are exchanged: beyond the upright canvas for who confuses them."""


def run(context: StageContext, stage: str, method: str, records: list[Record], **given: object) -> list[Record]:
    return list(resolve(stage, method)(context, context.config_for(stage, method, given))(records))


def record(name: str, width: int, height: int, box: tuple[float, float, float, float]) -> Record:
    ball = Instance(id="a", phrase="a red ball", noun="ball", attributes=("red",), box_xyxy=box)
    layout = Layout(width=width, height=height, background_prompt="a meadow", instances=(ball,))
    return Record(id=name, prompt="a red ball in a meadow", seed=len(name), layout=layout)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    return RunOptions(device="cpu").context(ImageStore(tmp_path_factory.mktemp("canvas")))


def test_a_ball_is_drawn_found_removed_and_its_place_refined(context: StageContext) -> None:
    upright = (BALL[1], BALL[0], BALL[3], BALL[2])
    records = [record("x", LONG, SHORT, BALL), record("xx", SHORT, LONG, upright)]
    found = run(context, "detect", "owlv2", run(context, "generate", "lmd", records, num_inference_steps=6), masks=True)
    planned = []
    for one, box in zip(found, (BALL, upright), strict=True):
        assert one.image is not None and one.layout is not None and one.detections is not None
        assert (one.image.width, one.image.height) == (one.layout.width, one.layout.height)
        (ball,) = [d for d in one.detections if d.noun == "ball"]
        assert iou(ball.box_xyxy, box) > 0.5
        assert ball.mask is not None and ball.mask.size == (one.image.height, one.image.width)
        delete = DeleteEdit(target=ball.id, box_xyxy=ball.box_xyxy)
        planned.append(one.model_copy(update={"edits": EditPlan(edits=(delete,), target=())}))
    corrected = run(context, "correct", "self_correction", planned, num_inference_steps=4)
    refined = run(context, "refine", "sdxl", corrected, num_inference_steps=5)
    for before, after, last, box in zip(found, corrected, refined, (BALL, upright), strict=True):
        assert before.image is not None and after.image is not None and last.image is not None
        assert (last.image.width, last.image.height) == (before.image.width, before.image.height)
        pictures = [np.asarray(context.images.load(x.image)).astype(int) for x in (before, after, last) if x.image]
        x, y = int(box[0] + box[2]) // 2, int(box[1] + box[3]) // 2
        # Red leaves the middle of the box, nothing changes in the corner across the canvas.
        assert pictures[0][y, x, 0] - pictures[0][y, x, 1] > 60
        assert pictures[1][y, x, 0] - pictures[1][y, x, 1] < 60
        far = np.s_[-16:, :16] if last.image.width == LONG else np.s_[:16, -16:]
        for picture in pictures[1:]:
            np.testing.assert_array_equal(picture[far], pictures[0][far])
        assert (pictures[2] != pictures[1]).any()


def test_the_files_are_where_the_records_say(context: StageContext) -> None:
    (drawn,) = run(
        context,
        "generate",
        "sd",
        [Record(id="flat", prompt="a car", seed=1)],
        num_inference_steps=2,
        width=96,
        height=64,
    )
    assert drawn.image is not None and (Path(context.images.root) / drawn.image.path).is_file()
    assert context.images.load(drawn.image).size == (96, 64)
