"""A drawn picture edited by instruction with the shipped models, judged by the one model that no stage uses."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from llmgen.artifacts import Record
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.toybox.models.judge import ToyboxJudge
from llmgen.toybox.world.scenes import Scene, SceneObject, render_image
from llmgen.vision.images import ImageStore

SCENE = Scene(
    "meadow",
    (
        SceneObject("ball", "red", 40, (10, 70, 50, 110)),
        SceneObject("house", "yellow", 40, (78, 66, 118, 108)),
        SceneObject("star", "purple", 40, (44, 8, 84, 48)),
    ),
    seed=3,
)


@pytest.mark.slow
def test_a_ball_turns_blue_and_a_star_goes(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    context = StageContext(load_preset("toybox"), store, "cpu", "float32", seed=1)
    source = store.save("scene", "source", Image.fromarray(_drawn())).path
    prompt = "a meadow with a red ball, a yellow house and a purple star"
    records = [
        Record(id=name, prompt=prompt, instruction=said, source_image=source)
        for name, said in (("recolor", "make the red ball blue"), ("remove", "remove the star"))
    ]
    method_class = resolve("correct", "image_editing")
    config = context.config_for("correct", "image_editing", {"rounds": 2})
    result = run_stage(records, method_class=method_class, config=config, given={"rounds": 2}, context=context)
    judge = context.models.phrase_detector("judge")
    assert isinstance(judge, ToyboxJudge)
    seen = {}
    for record in result.records:
        assert record.error is None and record.image is not None
        seen[record.id] = sorted((s.color, s.noun) for s in judge.detect([store.load(record.image)])[0])
        region = np.asarray(store.load(record.history[-1].region).convert("L")) > 0  # type: ignore[arg-type]
        before, after = (np.asarray(store.load(record.history[k].image)) for k in (0, -1))
        assert (before == after)[~region].all()
    assert seen == {
        "recolor": [("blue", "ball"), ("purple", "star"), ("yellow", "house")],
        "remove": [("red", "ball"), ("yellow", "house")],
    }


def _drawn() -> npt.NDArray[np.uint8]:
    from llmgen.toybox.world.sprites import sprite

    # Boxes are as large as the drawings; the scene above only says where they begin.
    fitted = []
    for item in SCENE.objects:
        height, width = sprite(item.noun, item.color, item.size).mask.shape
        x0, y0 = item.box_xyxy[:2]
        fitted.append(SceneObject(item.noun, item.color, item.size, (x0, y0, x0 + width, y0 + height)))
    return render_image(Scene(SCENE.background, tuple(fitted), SCENE.seed))
