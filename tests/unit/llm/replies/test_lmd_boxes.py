import pytest

from llmgen.llm.replies.lmd_boxes import filter_boxes, place_lmd_boxes
from llmgen.llm.replies.raw_objects import RawBox


@pytest.mark.parametrize("box", [(0, -1, 2, 3e-234), (-1, 0, 3e-234, 2), (-1, -1, 1e-200, 1e-300)])
def test_a_box_without_an_extent_divides_by_nothing_and_is_dropped(box: tuple[float, ...]) -> None:
    said: list[str] = []
    named = [("a dog", list(box)), ("a cat", [10, 20, 100, 120])]
    assert filter_boxes(named[:1])[0][1][2:].count(0) >= 1
    placed = place_lmd_boxes([(name, RawBox(tuple(sides))) for name, sides in named], said.append)  # type: ignore[arg-type]
    assert placed.xywh[0] is None and placed.xywh[1] is not None
    assert any("dropped 'a dog'" in line for line in said)
