"""`evaluate vqai` with small eyes: figures, reference pictures, verdicts, two phases."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from llmgen.artifacts import ModelUse, Record, RecordError, Sample
from llmgen.engine.context import StageContext
from llmgen.errors import InputError
from llmgen.evaluate.vqai.background import MOST_DB, kept_db
from llmgen.evaluate.vqai.figures import area_under_thresholds, figures_of
from llmgen.evaluate.vqai.method import VqaiEvaluate, VqaiEvaluateConfig
from llmgen.evaluate.vqai.table import OVERALL, vqai_table
from llmgen.presets import Preset, RoleSpec
from llmgen.toybox.models.judged import JudgedObject, JudgedPicture
from llmgen.toybox.world.answers import Expected, RightAnswer, answer_to_json
from llmgen.toybox.world.truth import Sighting
from llmgen.vision.images import ImageStore

BOX = (2.0, 2.0, 10.0, 10.0)


class Vae(nn.Module):
    """Halves and doubles the sides, and loses nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(block_out_channels=(1, 1), scaling_factor=1.0)
        self.weight = nn.Parameter(torch.zeros(1))
        self.dtype = torch.float32

    def encode(self, values: torch.Tensor) -> Any:
        return SimpleNamespace(latents=nn.functional.avg_pool2d(values, 2))

    def decode(self, latents: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        return (nn.functional.interpolate(latents, scale_factor=2),)


class Pool:
    """Three models; counts what is asked of them."""

    def __init__(self) -> None:
        self.looked = 0

    def use(self, role: str) -> ModelUse:
        return ModelUse(role=role, source=role)

    def picture_encoder(self, role: str) -> Any:
        assert role == "clip"
        return self

    def picture_features(self, pictures: Sequence[Image.Image]) -> list[list[float]]:
        self.looked += len(pictures)
        means = [np.asarray(picture, dtype=float).mean(axis=(0, 1)) + 1 for picture in pictures]
        return [list(mean / np.linalg.norm(mean)) for mean in means]

    def world_judge(self, role: str) -> Any:
        assert role == "judge"
        return self

    def look(self, pictures: Sequence[Image.Image]) -> list[JudgedPicture]:
        self.looked += len(pictures)
        colors = [picture.getpixel((0, 0)) for picture in pictures]
        found = [JudgedObject("ball", "red" if color[0] > 200 else "blue", BOX, 1.0) for color in colors]  # type: ignore[index]
        return [JudgedPicture([item], "meadow") for item in found]

    def autoencoder(self, role: str) -> Vae:
        return Vae()


def method(folder: Path, pool: Pool, **settings: Any) -> VqaiEvaluate:
    roles = {
        name: RoleSpec(source=name, family="clip", licence="MIT", memory_gb=0)
        for name in ("clip", "judge", "text_to_image")
    }
    preset = Preset(name="test", description="", width=16, height=16, roles=roles)
    context = StageContext(preset=preset, images=ImageStore(folder), device="cpu", dtype="float32")
    context._models = pool  # type: ignore[assignment]
    return VqaiEvaluate(context, VqaiEvaluateConfig(**settings))


def record(folder: Path, name: str = "a", color: str = "red") -> Record:
    store = ImageStore(folder)
    source, target, drawn = (
        store.save(name, label, Image.new("RGB", (16, 16), shade))
        for label, shade in (("source", "blue"), ("target", "red"), ("generate", color))
    )
    return Record(
        kind="images",
        id=name,
        instruction="What if it turns red?",
        type="entities variation",
        image=drawn,
        source_image=source.path,
        target_image=target.path,
    )


def values(scored: Record) -> dict[str, float]:
    return {score.metric: score.value for score in scored.scores or ()}


def truths(folder: Path, *names: str) -> Path:
    answer = RightAnswer((Expected(Sighting("ball", "red", BOX), "changes"),), "meadow", True)
    lines = [json.dumps({"id": name, "answer": answer_to_json(answer)}) + "\n" for name in names]
    (folder / "truths.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder / "truths.jsonl"


def test_worked_numbers() -> None:
    figures = figures_of([[80.5, 90.2], [70.0, 60.9]])
    assert (figures.sim_avg, figures.sim_best) == (pytest.approx(0.754), pytest.approx(0.801))
    assert (figures.auc_avg, figures.auc_best) == (pytest.approx(0.7475), pytest.approx(0.795))
    assert figures_of([]).sim_avg is None and figures_of([[]]).samples == 0


def test_closed_form_is_the_loop() -> None:
    scores = [0.0, 0.2, 1.0, 55.0, 55.3, 99.999, 100.0, 130.0, -5.0]
    loop = sum(sum(score > p for score in scores) / len(scores) for p in range(100, 0, -1)) / 100
    assert area_under_thresholds(scores) == pytest.approx(loop, abs=1e-12)


def test_what_should_stay_is_measured_where_it_should() -> None:
    source, target = Image.new("RGB", (40, 40), "white"), Image.new("RGB", (40, 40), "white")
    target.paste((255, 0, 0), (0, 0, 10, 10))
    assert kept_db(source, target, source) == kept_db(source, target, target) == MOST_DB
    spoilt = target.copy()
    spoilt.paste((0, 0, 0), (30, 30, 40, 40))
    assert 5 < (kept_db(source, target, spoilt) or 0) < 15
    assert kept_db(source, Image.new("RGB", (40, 40), "black"), source) is None


def test_scores_of_the_answer_and_of_what_needs_no_method(tmp_path: Path) -> None:
    [scored] = method(tmp_path, Pool(), truths=truths(tmp_path, "a"))([record(tmp_path)])
    found = values(scored)
    assert found["vqai.similarity"] == pytest.approx(1.0)
    assert found["vqai.gain"] == pytest.approx(1 - found["vqai.copied_input.similarity"])
    assert found["vqai.copied_input.similarity"] < 0.5
    assert found["vqai.target_round_trip.similarity"] == pytest.approx(1.0)
    assert (found["vqai"], found["vqai.copied_input.right"], found["vqai.target.right"]) == (1.0, 0.0, 1.0)
    [wrong] = method(tmp_path, Pool(), round_trips=False)([record(tmp_path, color="green")])
    assert "vqai" not in values(wrong) and not any("round_trip" in name for name in values(wrong))


def test_second_phase_asks_no_model(tmp_path: Path) -> None:
    answers, right = tmp_path / "answers.jsonl", truths(tmp_path, "a")
    first, second = Pool(), Pool()
    [once] = method(tmp_path, first, truths=right, answers=answers)([record(tmp_path)])
    [again] = method(tmp_path, second, truths=right, answers=answers)([record(tmp_path)])
    assert first.looked > 0 == second.looked
    assert values(once) == values(again)
    # A picture that went through JPEG is another one.
    [_] = method(tmp_path, third := Pool(), truths=right, answers=answers, jpeg=True)([record(tmp_path)])
    assert third.looked > 0


def test_what_cannot_be_scored_is_said(tmp_path: Path) -> None:
    lacking = record(tmp_path).grown(target_image=None)
    with pytest.raises(InputError, match="no target_image"):
        method(tmp_path, Pool())([lacking])
    with pytest.raises(InputError, match="no right answer for the record 'b'"):
        method(tmp_path, Pool(), truths=truths(tmp_path, "a"))([record(tmp_path, "b")])
    (tmp_path / "bad.jsonl").write_text('{"id": "a", "answer": {}}\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 1 holds no right answer"):
        method(tmp_path, Pool(), truths=tmp_path / "bad.jsonl")
    [view] = method(tmp_path, Pool(), truths=truths(tmp_path, "a"))([record(tmp_path).grown(id="a.s3")])
    assert values(view)["vqai"] == 1.0


def test_table_has_means_best_and_missing_and_two_questions_count_twice(tmp_path: Path) -> None:
    own = method(tmp_path, Pool(), truths=truths(tmp_path, "a", "b"))
    good, poor = own([record(tmp_path, "a"), record(tmp_path, "b", "blue")])

    def sampled(of: Record, *others: Record) -> Record:
        parts = (of, *others)
        samples = tuple(
            Sample(index=i, seed=i, image=part.image, scores=part.scores, chosen=i == 0)  # type: ignore[arg-type]
            for i, part in enumerate(parts)
        )
        return of.grown(samples=samples)

    failed = record(tmp_path, "c").grown(error=RecordError(stage="generate", type="ModelError", message="NaN"))
    table = vqai_table([sampled(good, poor), sampled(poor, good), failed])
    row = table["categories"][OVERALL]
    assert (row["n"], row["missing"], row["pictures"]) == (2, 1, [2, 2]) and table["missing"] == ["c"]
    low = values(poor)["vqai.similarity"]
    assert row["sim_avg"]["value"] == pytest.approx((1 + low) / 2) and row["sim_best"]["value"] == pytest.approx(1.0)
    assert (row["right"]["value"], row["right_best"]["value"]) == (0.5, 1.0)
    assert table["categories"]["entities variation"]["n"] == 2
    assert table["references"]["copied_input"]["right"] == {
        "value": 0.0,
        "ci95": pytest.approx([0, 0.657], abs=1e-2),
        "n": 2,
    }
    assert vqai_table([failed])["categories"][OVERALL]["sim_avg"]["value"] is None
