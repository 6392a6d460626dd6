"""The shipped segmenter through segment-anything's own predictor."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

import llmgen.toybox
from llmgen.diffusion.segmentation import build_sam_from_config
from llmgen.errors import InputError
from llmgen.toybox.recipes.contact_sheet import to_pil
from llmgen.toybox.recipes.quality import held_out_scenes, segmenter_quality

WEIGHTS = Path(llmgen.toybox.__file__).parent / "weights" / "segmenter"


@pytest.fixture(scope="module")
def sam() -> Sam:
    return build_sam_from_config(WEIGHTS)


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_masks_of_held_out_renders(sam: Sam, jitter: float) -> None:
    quality = segmenter_quality(sam, count=10, jitter=jitter)
    assert quality.mean_iou >= 0.85
    assert quality.single_mask_iou >= 0.8
    assert quality.quality_error < 0.15


def test_masks_have_the_size_of_a_bigger_picture(sam: Sam) -> None:
    scenes = held_out_scenes(1, seed=8, with_masks=True)
    assert scenes.masks is not None
    big = to_pil(scenes.images)[0].resize((512, 512))
    predictor = SamPredictor(sam)
    predictor.set_image(np.asarray(big))
    masks, scores, _ = predictor.predict(box=scenes.boxes[0, 0].numpy() * 4, multimask_output=True)
    assert masks.shape == (3, 512, 512)
    truth = np.kron(scenes.masks[0, 0].numpy() > 0.5, np.ones((4, 4), dtype=bool))
    chosen = masks[int(scores.argmax())]
    assert (chosen & truth).sum() / (chosen | truth).sum() > 0.75


def test_weights_must_fit_the_config(tmp_path: Path) -> None:
    shutil.copytree(WEIGHTS, tmp_path / "sam")
    config = json.loads((WEIGHTS / "config.json").read_text())
    (tmp_path / "sam" / "config.json").write_text(json.dumps(config | {"encoder_depth": config["encoder_depth"] + 1}))
    with pytest.raises(InputError, match="fit"):
        build_sam_from_config(tmp_path / "sam")
