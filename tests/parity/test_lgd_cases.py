"""Pure rules of Latent-Guided Diffusion give what the original gave: sizes, questions, answers, causal rows."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from parity.goldens import Case
from PIL import Image

from llmgen.diffusion.answering.causal import causal_rows
from llmgen.diffusion.answering.sizes import edit_size, fit_picture, reference_size, squash_picture
from llmgen.diffusion.answering.wording import (
    clean_question,
    last_question_position,
    question_at_evaluation,
    target_sentence,
)
from llmgen.errors import InputError

FAMILY = "lgd"
BLOCKS = 0.05


def _pattern(width: int, height: int, k: int) -> Image.Image:
    """The test picture that the notes describe."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red, green = (x * (3 + k) + 2 * y) % 256, (np.floor(x * y / 7) + 11 * k) % 256
    blue = 255 * (0.5 + 0.5 * np.sin(x / 17 + y / 23 + k))
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))


def _blocks(image: Image.Image) -> NDArray[np.float64]:
    values = np.asarray(image, dtype=np.float64)
    height, width = values.shape[:2]
    return values.reshape(4, height // 4, 4, width // 4, 3).mean(axis=(1, 3, 4))


def test_sizing(golden_case: Case) -> None:
    raw = golden_case.raw
    width, height = raw["input_wh"]
    size = reference_size(width, height)
    assert list(size) == raw["crop_fit_wh"]
    squashed = squash_picture(_pattern(width, height, raw["pattern_input"]), size)
    assert list(squashed.size) == raw["model_input_wh"]
    assert np.abs(_blocks(squashed) - np.array(raw["input_blocks4x4"])).max() < BLOCKS
    target = squash_picture(_pattern(width, height, raw["pattern_target"]), size).resize(size)
    assert np.abs(_blocks(target) - np.array(raw["target_blocks4x4"])).max() < BLOCKS
    # Ours has the same size without the detour over a square.
    assert edit_size(width, height) == size
    assert fit_picture(_pattern(width, height, 0), size).size == size
    assert np.asarray(squashed).mean() == pytest.approx(raw["input_mean_0_255"], abs=BLOCKS)


def test_question_cleaning(golden_case: Case) -> None:
    assert clean_question(golden_case.raw["in"]) == golden_case.raw["out"]


def test_question_at_evaluation(golden_case: Case) -> None:
    assert question_at_evaluation(golden_case.raw["in"]) == golden_case.raw["out"]


def test_last_question_position(golden_case: Case) -> None:
    raw = golden_case.raw
    position = last_question_position(raw["tokens_with_end"])
    assert position == raw["position"]
    assert position + 1 == raw["positions_averaged"]


def test_answer_weights(golden_case: Case) -> None:
    text, weight = target_sentence(golden_case.raw["sent"])
    assert [text] == golden_case.raw["target_text"]
    assert [weight] == golden_case.raw["weight"]


def test_causal_rows(golden_case: Case) -> None:
    raw, features, start = golden_case.raw, {}, 0
    for name, count in golden_case.file["causal_rows"]["rows_per_sample"].items():
        features[name] = torch.arange(start, start + count).float()[:, None]
        start += count
    rows, positives = causal_rows(raw["sample"], features, raw["names_drawn_in_order"])
    assert rows[:, 0].int().tolist() == raw["row_numbers"]
    assert positives == raw["num_pos"]


def test_sizing_where_floating_point_loses(golden_sizes: dict[str, list[dict[str, list[int]]]]) -> None:
    for case in golden_sizes["floating_point_cases"]:
        width, height = case["input_wh"]
        assert list(edit_size(width, height)) == case["exact_arithmetic_wh"]
        if min(case["reference_wh"]):
            assert list(reference_size(width, height)) == case["reference_wh"]
        else:
            with pytest.raises(InputError, match="a side of 0"):
                reference_size(width, height)
    for case in golden_sizes["sizes_only"]:
        assert list(reference_size(*case["input_wh"])) == case["wh"]


@pytest.fixture
def golden_sizes(request: pytest.FixtureRequest) -> dict[str, list[dict[str, list[int]]]]:
    """What the file says of sizes beside the cases."""
    from parity.conftest import golden_folder
    from parity.goldens import grouped_cases

    cases = grouped_cases(golden_folder(request.config), FAMILY).get("sizing", [])
    if not cases or not {"floating_point_cases", "sizes_only"} <= cases[0].file["sizing"].keys():
        pytest.skip("the folder of goldens has no sizes beside the cases")
    return dict(cases[0].file["sizing"])
