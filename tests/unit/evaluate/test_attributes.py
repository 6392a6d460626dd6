import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llmgen.artifacts import Instance, Layout, Record
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.evaluate.attribute_binding import COLORS, CropScores, accuracy, attribute_of, is_hit, local_score
from llmgen.evaluate.attributes import AttributesEvaluate, AttributesEvaluateConfig
from llmgen.presets import Preset, RoleSpec
from llmgen.vision.images import ImageStore

RED, BLUE = (0.0, 0.0, 20.0, 20.0), (20.0, 20.0, 40.0, 40.0)


class Eye:
    """Compares the middle of a crop with the colour words of a phrase."""

    measure = "cosine"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return []

    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        self.asked += [list(asked) for asked in phrases]
        names = {(255, 0, 0): "red", (0, 0, 255): "blue"}
        colors = [names.get(crop.getpixel((crop.width // 2, crop.height // 2)), "none") for crop in crops]  # type: ignore[arg-type]
        return [
            [0.3 if color in phrase.split() else -0.1 for phrase in asked]
            for color, asked in zip(colors, phrases, strict=True)
        ]


class Pool:
    """A pool with one model, which counts how often it is wanted."""

    def __init__(self) -> None:
        self.eye, self.loaded = Eye(), 0

    def phrase_scorer(self, role: str) -> Eye:
        assert role == "clip"
        self.loaded += 1
        return self.eye


def method(folder: Path, pool: Pool, **settings: Any) -> AttributesEvaluate:
    roles = {"clip": RoleSpec(source="eye", family="clip", licence="MIT", memory_gb=0)}
    preset = Preset(name="test", description="", width=40, height=40, roles=roles)
    context = StageContext(preset=preset, images=ImageStore(folder), device="cpu", dtype="float32")
    context._models = pool  # type: ignore[assignment]
    return AttributesEvaluate(context, AttributesEvaluateConfig(**settings))


def record(folder: Path, *phrases: str, ids: Sequence[str] = ("1", "2"), boxes: Sequence[Any] = (RED, BLUE)) -> Record:
    picture = Image.new("RGB", (80, 80), "white")
    picture.paste((255, 0, 0), (0, 0, 40, 40))
    picture.paste((0, 0, 255), (40, 40, 80, 80))
    return Record(
        id="a",
        prompt="a red ball and a blue cup",
        image=ImageStore(folder).save("a", "generate", picture),
        layout=Layout(
            width=40,
            height=40,
            background_prompt="a meadow",
            instances=tuple(
                Instance(id=number, phrase=phrase, box_xyxy=box)
                for number, phrase, box in zip(ids, phrases, boxes, strict=False)
            ),
        ),
    )


def values(record: Record) -> dict[str, float]:
    return {score.metric: score.value for score in record.scores or ()}


def test_index_is_the_remainder_of_the_id() -> None:
    assert [attribute_of(n, COLORS) for n in (0, 8, 15, 240196)] == ["black", "black", "purple", "yellow"]


def test_a_crop_without_pixels_is_skipped_or_wrong() -> None:
    crops = [CropScores(1, (0.1, 0.2), 0.25), CropScores(0, None)]
    assert (accuracy(crops), accuracy(crops, strict=True), local_score(crops)) == (1.0, 0.5, 0.25)
    assert accuracy(crops[1:]) is None and accuracy(crops[1:], strict=True) == 0.0 and accuracy([]) is None
    assert is_hit(CropScores(0, (0.2, 0.2))) and not is_hit(CropScores(1, (0.2, 0.2)))


def test_colours_are_read_from_the_phrase_and_compared_on_the_crop(tmp_path: Path) -> None:
    pool = Pool()
    [scored] = method(tmp_path, pool)([record(tmp_path, "a red ball", "a green cup")])
    assert values(scored) == {
        "attributes.color": 0.5,
        "attributes.color.strict": 0.5,
        "attributes.color.local": pytest.approx(0.1),
    }
    assert {score.by for score in scored.scores or ()} == {"clip"}
    assert pool.eye.asked == [[f"a {c} object" for c in COLORS]] * 2 + [["red ball"], ["green cup"]]


def test_a_cosine_is_neither_clamped_nor_called_a_share(tmp_path: Path) -> None:
    [scored] = method(tmp_path, Pool())([record(tmp_path, "a green ball", "a green cup")])
    assert values(scored)["attributes.color.local"] == pytest.approx(-0.1)
    units = {score.metric: score.unit for score in scored.scores or ()}
    assert units == {
        "attributes.color": "share",
        "attributes.color.strict": "share",
        "attributes.color.local": "cosine",
    }


def test_instances_without_a_colour_do_not_count(tmp_path: Path) -> None:
    pool = Pool()
    [scored, plain] = method(tmp_path, pool)([record(tmp_path, "a red ball", "a cup"), record(tmp_path, "a ball")])
    assert values(scored)["attributes.color"] == 1.0
    assert plain.scores == () and pool.loaded == 1


def test_labels_can_come_from_annotation_ids(tmp_path: Path) -> None:
    made = record(tmp_path, "a ball", "a cup", ids=("coco-10", "13"))  # 10 % 8: red, 13 % 8: blue
    [scored] = method(tmp_path, Pool(), labels="id")([made])
    assert values(scored)["attributes.color"] == 1.0
    with pytest.raises(InputError, match="'x' ends with no number"):
        method(tmp_path, Pool(), labels="id")([record(tmp_path, "a ball", ids=("x",))])


def test_a_box_of_no_pixel_costs_only_the_strict_score(tmp_path: Path) -> None:
    made = record(tmp_path, "a red ball", "a blue cup", boxes=(RED, (30.1, 30.1, 30.2, 30.2)))
    [scored] = method(tmp_path, Pool())([made])
    assert (values(scored)["attributes.color"], values(scored)["attributes.color.strict"]) == (1.0, 0.5)


def test_answers_are_kept_and_asked_for_once(tmp_path: Path) -> None:
    answers, first, second = tmp_path / "answers.jsonl", Pool(), Pool()
    made = record(tmp_path, "a red ball", "a blue cup")
    once = method(tmp_path, first, answers=answers)([made])
    again = method(tmp_path, second, answers=answers)([made])
    assert again == once and (first.loaded, second.loaded) == (1, 0)
    assert len(answers.read_text().splitlines()) == 2
    # Another vocabulary is another question.
    other = method(tmp_path, second, answers=answers, colors=("red", "blue"))([made])
    assert values(other[0])["attributes.color"] == 1.0 and second.loaded == 1


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "line 1 is not JSON"), ("[]", "no JSON object"), ('{"a": 1}', "`question` and `answer`")]
)
def test_other_files_are_no_answers(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=reason):
        method(tmp_path, Pool(), answers=path)


def test_a_preset_without_textures_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'test' knows fewer than two textures"):
        method(tmp_path, Pool(), kind="texture", textures=())


def test_answers_are_plain_json_lines(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    method(tmp_path, Pool(), answers=answers)([record(tmp_path, "a red ball")])
    [entry] = [json.loads(line) for line in answers.read_text().splitlines()]
    assert entry["question"]["local"] == "red ball" and entry["question"]["box_xyxy"] == [0, 0, 40, 40]
    assert entry["answer"]["measure"] == "cosine" and len(entry["answer"]["scores"]) == len(COLORS) + 1
