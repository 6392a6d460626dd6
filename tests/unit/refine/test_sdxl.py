from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import noise_image, tiny_context

from llmgen.artifacts import HistoryEntry, Record
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.refine.sdxl import ImageToImageRefine, ImageToImageRefineConfig


def edited(context: StageContext, name: str = "r0", *, kept: bool = True) -> Record:
    image = context.images.save(name, "correct-1", noise_image())
    region = np.zeros((64, 64), dtype=np.uint8)
    region[8:24, 8:24] = 255
    entries = (
        HistoryEntry(stage="generate", round=0, image=image),
        HistoryEntry(
            stage="correct",
            round=1,
            image=image,
            region=context.images.save(name, "region-1", Image.fromarray(region)),
            kept=kept,
        ),
    )
    return Record(id=name, prompt="a ball", seed=3, image=image, history=entries, detections=())


def refine(context: StageContext, **settings: object) -> ImageToImageRefine:
    config = ImageToImageRefineConfig(**{"num_inference_steps": 4, "strength": 0.5, **settings})  # type: ignore[arg-type]
    return ImageToImageRefine(context, config)


def difference(context: StageContext, record: Record) -> np.ndarray:
    assert record.image is not None
    return (np.asarray(context.images.load(record.image)) != np.asarray(noise_image())).any(axis=-1)


@pytest.mark.parametrize("vae", ["tiny", "kl"])
def test_only_the_corrected_region_is_refined(tmp_path: Path, vae: str) -> None:
    context = tiny_context(tmp_path, vae=vae)
    (after,) = refine(context, feather_px=3)([edited(context)])
    changed = difference(context, after)
    assert changed[12:20, 12:20].any()
    changed[8:24, 8:24] = False
    assert not changed.any()
    assert (after.history[-1].stage, after.history[-1].round) == ("refine", 1)
    assert after.detections is None


def test_what_was_not_corrected_passes_unchanged(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    before = [edited(context, kept=False)]
    assert refine(context)(before) == before


def test_the_whole_picture_when_asked_for(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    (after,) = refine(context, whole_image=True)([edited(context, kept=False)])
    assert difference(context, after).mean() > 0.9
    (large,) = refine(context, whole_image=True, long_side_px=96)([edited(context)])
    assert large.image is not None
    assert (large.image.width, large.image.height) == (96, 96)


def test_neighbours_do_not_matter(tmp_path: Path) -> None:
    context = tiny_context(tmp_path)
    together = refine(context)([edited(context, "r1"), edited(context)])[1]
    (alone,) = refine(context)([edited(context)])
    assert together.image is not None
    assert alone.image is not None
    a, b = (np.asarray(context.images.load(x)).astype(int) for x in (together.image, alone.image))
    assert np.abs(a - b).max() <= 1


def test_no_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no step"):
        refine(tiny_context(tmp_path), num_inference_steps=2, strength=0.3)
