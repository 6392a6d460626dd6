import numpy as np
import pytest

from llmgen.evaluate.average_precision import LabelledBox, ScoredPicture, average_precision
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
    assert average_precision([good, ScoredPicture((LabelledBox("cup", box),), ())], "segm")["ap"] is None
