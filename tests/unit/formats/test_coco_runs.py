import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgen.artifacts.run_lengths import read_runs
from llmgen.formats import coco_runs
from llmgen.formats.coco_runs import CheckedRuns
from llmgen.vision.masks import encode_mask

SIDE = 12


def mask(seed: int) -> dict[str, object]:
    pixels = np.random.default_rng(seed).random((SIDE, SIDE)) < 0.1 * seed
    return {"size": [SIDE, SIDE], "counts": encode_mask(pixels).counts}


def refused(check: object, counts: str, height: int, width: int) -> str | None:
    try:
        check(counts, height, width)  # type: ignore[operator]
    except ValueError as error:
        return str(error)
    return None


def test_masks_of_a_file_are_read_once_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = [mask(seed) for seed in range(11)]
    check = CheckedRuns([*masks, None, [[0, 0, 5, 5, 0, 5]], {"size": [SIDE, SIDE], "counts": [144]}])
    monkeypatch.setattr(coco_runs, "read_runs", lambda *_: pytest.fail("this one was read before"))
    for one in masks:
        check(one["counts"], SIDE, SIDE)


@pytest.mark.parametrize("chunk", [1, 40, 2**16])
def test_what_is_wrong_in_one_mask_is_said_of_it_alone(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(coco_runs, "_CHUNK", chunk)
    good, large = mask(4), {"size": [300, 300], "counts": encode_mask(np.eye(300) > 0).counts}
    bad = ["", "é", "P", "0P", "00", str(good["counts"])[:-1], f"{good['counts']}1", "\x1f", "9" * 40, "PPPPPPPPP0"]
    check = CheckedRuns([{"size": [SIDE, SIDE], "counts": counts} for counts in bad] + [good, large])
    for counts in bad:
        assert refused(check, counts, SIDE, SIDE) == refused(read_runs, counts, SIDE, SIDE) is not None
    for one, side in ((good, SIDE), (large, 300)):
        assert refused(check, str(one["counts"]), side, side) is None
        assert refused(check, str(one["counts"]), side + 1, side) is not None


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.text(st.characters(min_codepoint=45, max_codepoint=114), max_size=9), st.integers(1, 30))),
    st.lists(st.integers(0, 9)),
)
def test_any_texts_side_by_side_are_judged_as_one_by_one(texts: list[tuple[str, int]], seeds: list[int]) -> None:
    entries = [{"size": [1, width], "counts": counts} for counts, width in texts]
    known = [mask(seed) for seed in seeds]
    check = CheckedRuns([one for both in zip(entries, known, strict=False) for one in both] + entries + known)
    for counts, width in texts:
        assert refused(check, counts, 1, width) == refused(read_runs, counts, 1, width)
    for one in known:
        assert refused(check, str(one["counts"]), SIDE, SIDE) is None
