"""A record grows out of parts that were checked when they were made."""

import pytest
from pydantic import ValidationError

from llmgen.artifacts import Detection, ImageRef, Mask, Record

_PICTURE = ImageRef(path="images/a.png", width=4, height=2)


def detection(counts: str, size: tuple[int, int] = (2, 4)) -> Detection:
    box = (0.0, 0.0, 2.0, 2.0)
    return Detection(
        id="ball #1", phrase="ball", noun="ball", box_xyxy=box, score=1.0, mask=Mask(size=size, counts=counts)
    )


def test_a_mask_is_decoded_once_when_it_is_made(monkeypatch):
    with pytest.raises(ValidationError, match="leave 8 of 8 pixels out"):
        detection("")
    found = detection("8")
    decoded = []
    monkeypatch.setattr("llmgen.artifacts.detection.read_runs", lambda *mask: decoded.append(mask))
    record = Record(id="a", prompt="a ball", image=_PICTURE).grown(detections=(found,)).grown(kind="detections")
    assert record.detections == (found,) and decoded == []
    Record.model_validate_json(record.model_dump_json())
    assert decoded == [("8", 2, 4)]


def test_what_a_record_says_of_its_parts_together_is_checked_whenever_it_grows():
    record = Record(id="a", prompt="a ball", image=_PICTURE)
    with pytest.raises(ValidationError, match="its mask is 2x4, the picture 4x2"):
        record.grown(detections=(detection("8", (4, 2)),))
    with pytest.raises(ValidationError, match="needs the section 'detections'"):
        record.grown(kind="detections")
    with pytest.raises(ValidationError, match="unknown|not permitted"):
        record.grown(detection=())
