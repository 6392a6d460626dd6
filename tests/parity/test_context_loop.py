"""The pure parts of the published context loop give what the original gave: goldens of its own functions, run on a CPU."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from parity.goldens import Case
from PIL import Image

from llmgen.artifacts import Mask
from llmgen.correct.context.original import (
    CLASSES,
    Run,
    Seen,
    mask_to_frame,
    parse_reply,
    prompt_slots,
    replay,
    request_of,
    square_window,
)
from llmgen.paint.web_api import picture_of
from llmgen.paint.web_payload import IMG2IMG, OPTIONS, PORT, TXT2IMG, merged
from llmgen.vision.masks import BoolMask, decode_mask, mask_bounds

FAMILY = "context"


def mask_of(golden: dict[str, Any]) -> BoolMask:
    return decode_mask(Mask(size=(golden["size"][0], golden["size"][1]), counts=golden["counts"]))


def test_prompt_slots(golden_case: Case) -> None:
    given = golden_case.raw
    assert list(prompt_slots(given["classes"], given["prompt"])) == given["slots"]


def test_reply_parsing(golden_case: Case) -> None:
    given = golden_case.raw
    parsed = parse_reply(given["reply"])
    assert parsed == given["parsed"]
    assert {name: parsed.get(name, "KeyError") for name in given["lookup"]} == given["lookup"]


def test_llm_request(golden_group: dict[str, Any]) -> None:
    sent = request_of(["Sky"], "a cat")
    assert (sent["model"], sent["temperature"]) == (golden_group["model"], golden_group["temperature"])
    assert [message["role"] for message in sent["messages"]] == golden_group["roles"]
    assert sorted(sent.keys() - {"model", "temperature", "messages"}) == golden_group["other_arguments"]
    assert len(prompt_slots([], "")) == golden_group["template_slots"]
    assert len(sent["messages"][0]["content"]) == golden_group["system_message_characters"]


def test_payload_defaults(golden_group: dict[str, Any]) -> None:
    ours = {"options": OPTIONS, "txt2img": TXT2IMG, "img2img": IMG2IMG, "base_url_port": PORT}
    assert {name: ours[name] for name in golden_group} == golden_group


def test_payload_merge(golden_case: Case) -> None:
    result = merged(IMG2IMG, golden_case.raw["override"])
    assert result == golden_case.raw["result"] and list(result) == list(golden_case.raw["result"])


def test_mask_to_frame(golden_case: Case) -> None:
    given = golden_case.raw
    width, height = given["frame_wh"]
    grey = np.asarray(mask_to_frame(mask_of(given["mask"]), (width, height)))
    assert list(grey.shape) == given["out_hw"]
    for name, ours in (("at_least_128", grey >= 128), ("above_0", grey > 0), ("is_255", grey == 255)):
        if name in given:
            assert (ours == mask_of(given[name])).all(), name
    assert int(grey.sum()) == given["sum"]
    if "values_row_major" in given:
        assert grey.ravel().tolist() == given["values_row_major"]


def test_round_trip(golden_case: Case) -> None:
    """Misplaced where the original misplaces it: what is wrong with its way back from the square is wrong here."""
    width, height = golden_case.raw["frame_wh"]
    scale, top, left = square_window((width, height))
    x0, y0, x1, y1 = golden_case.raw["drawn_x1y1x2y2"]
    square = np.zeros((1024, 1024), dtype=bool)
    square[top + round(y0 * scale) : top + round(y1 * scale), left + round(x0 * scale) : left + round(x1 * scale)] = (
        True
    )
    returned = mask_bounds(np.asarray(mask_to_frame(square, (width, height))) >= 128)
    assert returned is not None and list(returned) == golden_case.raw["returned_x1y1x2y2"]


def seen_at(detections: dict[str, Any]) -> Seen:
    """Masks of one class in one, classes as they first appear."""
    masks: dict[str, BoolMask] = {}
    for number, golden in zip(detections["class_ids"], detections["masks_1024"], strict=True):
        name, mask = CLASSES[number - 1], mask_of(golden)
        masks[name] = masks[name] | mask if name in masks else mask
    return Seen(list(masks), list(masks.values()))


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> dict[str, Any]:
    from parity.conftest import golden_folder
    from parity.goldens import told_groups

    return {
        name: run for told in told_groups(golden_folder(request.config), FAMILY, "loop") for name, run in told.items()
    }


def depths_of(name: str, golden: dict[str, Any], runs: dict[str, Any]) -> tuple[list[Seen], list[str]]:
    """What was seen and said at each depth. A run that does not tell it began like another one that does."""
    nothing, asked = Seen([], []), golden["result"]["llm_calls"]
    told = next((run for run in (golden, *runs.values()) if "detections" in run), None)
    if told is None:
        pytest.skip("no run of the folder tells what was detected")
    detections = told["detections"]
    seen = [seen_at(one) for one in (detections if isinstance(detections, list) else [detections])]
    if "detections" not in golden and name.startswith("no_detection_at_depth_"):
        empty = int(name.rpartition("_")[2])
        seen = [seen[0] if depth < empty else nothing for depth in range(1, asked + 1)]
    reply = golden.get("reply") or told["reply"]
    return seen[:asked], [reply] * asked


def same_call(path: str, body: dict[str, Any], golden: dict[str, Any]) -> None:
    assert path == golden["path"]
    if "keys" in golden:
        assert sorted(body) == sorted(golden["keys"])
    for key, value in golden.get("values", {}).items():
        assert body[key] == value and type(body[key]) is type(value), key
    if "init_image_pixel" in golden:
        assert body["init_images"] == [golden["init_image_pixel"]]
    if "image_pixel" in golden:
        assert body["image"] == golden["image_pixel"]
    if "mask" in golden:
        mask, grey = golden["mask"], np.asarray(body["mask"])
        assert (list(grey.shape), int(grey.sum())) == (mask["hw"], mask["sum"])
        assert int(((grey > 0) & (grey < 255)).sum()) == mask["grey_pixels"]
        for name, ours in (("at_least_128", grey >= 128), ("above_0", grey > 0)):
            if name in mask:
                assert (ours == mask_of(mask[name])).all(), name


def test_loop(golden_member: tuple[str, dict[str, Any]], runs: dict[str, Any]) -> None:
    name, golden = golden_member
    result = golden["result"]
    run: Run = replay(*depths_of(name, golden, runs))
    for (path, body), wanted in zip(run.calls, result["calls"], strict=True):
        same_call(path, body, wanted)
    assert run.llm_calls == result["llm_calls"]
    assert run.error == result["error"]
    pictures = {file: told["pixel"] for file, told in result["images"].items()}
    assert {file: number for file, number in run.files.items() if file in pictures} == pictures
    assert sorted(run.files) == sorted(file for file in result["files"] if file.endswith(".png"))


def test_server_reply_with_data_url_prefix(golden_group: dict[str, Any]) -> None:
    """The original fails; a client that is to last takes the prefix off."""
    assert golden_group == {"exception": "Error"}
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (1, 2, 3)).save(buffer, "PNG")
    plain = base64.b64encode(buffer.getvalue()).decode()
    for text in (plain, f"data:image/png;base64,{plain}", base64.encodebytes(buffer.getvalue()).decode()):
        assert picture_of(text).getpixel((2, 1)) == (1, 2, 3)
