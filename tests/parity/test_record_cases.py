"""ReCorD's small functions give what the published ones gave, or refuse what those let through."""

import json
from typing import Any

import numpy as np
import pytest
from parity.conftest import case_files, golden_folder
from parity.goldens import Case
from parity.record_goldens import as_xywh, check_alignment

from llmgen.artifacts import Mask
from llmgen.diffusion.interaction.alignment import align, word_schedule, word_tokens
from llmgen.diffusion.interaction.passes import PairSettings
from llmgen.errors import InputError, ModelError
from llmgen.llm.english.acting import split_at_is
from llmgen.llm.questions.figures import checked_object_box
from llmgen.llm.replies.originals import object_location, pose_number
from llmgen.vision.masks import decode_mask, mask_bounds
from llmgen.vision.thresholds import largest_box, otsu_mask

FAMILY = "record"
START, END = -1, -2


def contents(request: pytest.FixtureRequest, group: str) -> list[Any]:
    """A group that is no list of objects, from every file that has it."""
    files = case_files(golden_folder(request.config), FAMILY)
    found = [json.loads(path.read_text(encoding="utf-8")).get(group) for path in files]
    if not any(found):
        pytest.skip(f"the folder of goldens has no group {group!r} of {FAMILY}")
    return [content for content in found if content]


def test_alignment(golden_case: Case) -> None:
    raw = golden_case.raw
    made = align(*([START, *raw[name], END] for name in ("base_ids", "target_ids")))
    check_alignment(made, raw["map_prefix"], raw["alpha_prefix"], raw["map_last"], raw["alpha_sum"])


def test_word_schedule(golden_case: Case) -> None:
    raw = golden_case.raw
    spans, begin = [(0, 0)], 0
    for word in raw["prompt"].split(" "):
        for piece in raw.get("pieces", {}).get(word, [word]):
            spans.append((begin, begin + len(piece)))
            begin += len(piece)
        begin += 1
    spans.append((0, 0))
    if "exception" in raw:
        with pytest.raises(InputError, match="is no share of the steps"):
            word_schedule(raw["prompt"], spans, raw["steps"], raw["schedule"])
        return
    made = word_schedule(raw["prompt"], spans, raw["steps"], raw["schedule"])
    assert len(made) == raw["rows"]
    columns = [[int(c.argmax()), int(c.sum())] for c in made.T]
    assert columns[: len(raw["columns_first_14"])] == raw["columns_first_14"]
    assert columns[-1] == raw["last_column"]
    for word, places in raw.get("word_positions", {}).items():
        assert list(word_tokens(raw["prompt"], word, spans)) == places


def test_table_from_text(request: pytest.FixtureRequest) -> None:
    for table in contents(request, "table_from_text"):
        # A line of one word behind "is" ends the sentence: what the original makes of "what is" has no verb at all.
        for line, row in zip(table["lines"], table["rows"], strict=True):
            made, (subject, verb, thing) = split_at_is(line)
            assert made.intransitive_prompt == row["Intransitive_prompt"]
            assert f"{made.object.text}" == row["obj_nouns"]
            places = [row[f"{name}_index"] for name in ("subject", "verb", "obj")]
            assert [str(subject), str(verb), str(thing)] == places
        for failing in table["failing"]:
            with pytest.raises(InputError, match="has no word 'is'"):
                split_at_is(failing["lines"][0])


def test_box_reply(golden_case: Case) -> None:
    raw = golden_case.raw
    found = object_location(raw["reply"], raw["label"])
    if raw["label"].replace(" ", "").isalnum() or not raw["label"]:
        assert (list(found) if found else None) == raw["xl"] == raw["sd"]
    elif raw["xl"] is None or isinstance(raw["xl"], str):
        # The original takes the label for a pattern: brackets find nothing, a lone one is an error. Here a label is a label.
        assert found is None or raw["label"] in raw["reply"]
    else:
        assert found is not None and list(found) == raw["xl"]


def test_pose_reply(request: pytest.FixtureRequest) -> None:
    for pairs in contents(request, "pose_reply"):
        assert [pose_number(reply) for reply, _ in pairs] == [expected for _, expected in pairs]


def test_box_in_batch_generation(golden_case: Case) -> None:
    """Boxes that the original uses are used; those that it lets through broken, or drops unnoticed, are refused in words."""
    cell, boxes = golden_case.raw["cell"], golden_case.raw["boxes"]
    if cell is None:
        return
    x0, y0, x1, y1 = (float(side) for side in json.loads(cell.replace("(", "[").replace(")", "]")))
    said: list[str] = []
    usable = boxes and boxes[0][0] < boxes[0][2] and boxes[0][1] < boxes[0][3] and min(boxes[0]) >= 0
    if usable and (boxes[0][2] - boxes[0][0]) * (boxes[0][3] - boxes[0][1]) in range(530, 230_000):
        assert list(checked_object_box((x0, y0, x1, y1), (512, 512), None, cell, said.append)) == boxes[0]
    elif not usable:
        with pytest.raises(ModelError, match=r"inverted|outside"):
            checked_object_box((x0, y0, x1, y1), (512, 512), None, cell, said.append)


def test_human_box(golden_case: Case) -> None:
    raw = golden_case.raw
    said = raw["nonzero_after_times_255_cut"]
    bounds = mask_bounds(decode_mask(Mask(size=tuple(said["size"]), counts=said["counts"])))
    if bounds is None:
        assert raw["box"] == "TypeError"
    else:
        # The original's ends are inclusive.
        assert [bounds[0], bounds[1], bounds[2] - 1, bounds[3] - 1] == raw["box"]


def test_otsu(golden_case: Case) -> None:
    raw = golden_case.raw
    rows, columns = raw["mask"]["size"]
    mask = otsu_mask(np.array(raw["map_row_major"], dtype=np.float64).reshape(rows, columns))
    assert np.array_equal(mask, decode_mask(Mask(size=(rows, columns), counts=raw["mask"]["counts"])))
    assert int(mask.sum()) == raw["foreground"]
    assert as_xywh(largest_box(mask)) == raw["xywh"]


def test_gradient_step_sizes(golden_case: Case) -> None:
    raw = golden_case.raw
    settings = PairSettings(steps=raw["steps"], scale=float(raw["scale_factor"]))
    made = [settings.step_size(index) for index in range(raw["steps"])]
    assert made == pytest.approx(raw["eta"], abs=1e-6)
