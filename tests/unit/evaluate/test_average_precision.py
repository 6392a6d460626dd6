import numpy as np
import pytest

from llmgen.evaluate.average_precision import (
    LabelledBox,
    ScoredPicture,
    average_precision,
    equal_scores,
    masked_pictures,
)
from llmgen.vision.masks import encode_mask


def test_masks_are_compared_as_masks() -> None:
    left, right = np.zeros((8, 10), bool), np.zeros((8, 10), bool)
    left[:, :5], right[:, 5:] = True, True
    # The boxes are the same; only the masks tell the pictures apart.
    box = (0.0, 0.0, 10.0, 8.0)
    wanted = (LabelledBox("ball", box, mask=encode_mask(left)),)
    good = ScoredPicture(wanted, (LabelledBox("ball", box, 0.9, encode_mask(left)),))
    bad = ScoredPicture(wanted, (LabelledBox("ball", box, 0.9, encode_mask(right)),))
    assert average_precision([good], "segm")["ap"] == pytest.approx(1.0)
    assert average_precision([bad], "segm")["ap"] == 0
    assert average_precision([bad])["ap"] == pytest.approx(1.0)


def test_one_box_without_mask_costs_its_picture_and_no_measure() -> None:
    box, mask = (0.0, 0.0, 10.0, 8.0), encode_mask(np.ones((8, 10), bool))
    good = ScoredPicture((LabelledBox("ball", box, mask=mask),), (LabelledBox("ball", box, 0.9, mask),))
    plain = ScoredPicture((LabelledBox("cup", box),), ())
    half = ScoredPicture(good.wanted, (*good.found, LabelledBox("ball", box, 0.8)))
    assert masked_pictures([good, plain, half]) == [good]
    assert average_precision([good, plain, half], "segm")["ap"] == pytest.approx(1.0)
    assert average_precision([plain], "segm")["ap"] is None
    # Nobody looked for masks, so there are no figures of them, and not 0.
    boxes = ScoredPicture(good.wanted, (LabelledBox("ball", box, 0.9),))
    assert average_precision([boxes, ScoredPicture(good.wanted, ())], "segm")["ap"] is None


def test_equal_scores_are_counted_by_category() -> None:
    box = (0.0, 0.0, 10.0, 8.0)
    wanted = (LabelledBox("ball", box), LabelledBox("cup", box))
    found = [
        LabelledBox(name, box, score)
        for name, score in (("ball", 0.5), ("cup", 0.5), ("ball", 0.7), ("dog", 0.5), ("dog", 0.5))
    ]
    assert equal_scores([ScoredPicture(wanted, tuple(found))]) == 0
    assert equal_scores([ScoredPicture(wanted, tuple(found)), ScoredPicture((), (found[0],))]) == 2
