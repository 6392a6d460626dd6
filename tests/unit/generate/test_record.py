"""Candidates at tiny sizes, with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_interactions import PROMPT, STEPS, acting_context, acting_record

from llmgen.artifacts import Record
from llmgen.diffusion.interaction.passes import guided_passes
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.errors import InputError
from llmgen.generate.record import RecordGenerate


def generate(context: StageContext, *records: Record, **given: Any) -> list[Record]:
    given = {**STEPS, **given}
    config = context.settings_of(RecordGenerate, given)
    return run_stage(list(records), method_class=RecordGenerate, config=config, given=given, context=context).records


def pixels(context: StageContext, image: Any) -> np.ndarray:
    return np.asarray(context.images.load(image)).astype(int)


def test_candidates_stand_in_the_record_with_their_attention(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = generate(context, acting_record(), samples=3)
    assert record.error is None
    assert [sample.index for sample in record.samples] == [0, 1, 2]
    assert len({sample.seed for sample in record.samples}) == 3
    for sample in record.samples:
        assert sample.attention is not None and sample.attention.word == "cup"
        assert (sample.attention.image.width, sample.attention.image.height) == (16, 16)
        box = sample.attention.box_xyxy
        assert box is None or 0 <= box[0] < box[2] <= 64 and 0 <= box[1] < box[3] <= 64
    assert record.history[0].attention == record.samples[0].attention
    other = record.with_choice(2, "the leg")
    assert other.history[0].attention == record.samples[2].attention


def test_a_candidate_depends_on_its_seed_only(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    three = generate(context, acting_record(), acting_record("a cat is eating a bun", "s", 9), samples=3)[0]
    alone = generate(context, acting_record(), samples=1)[0]
    assert np.abs(pixels(context, three.samples[0].image) - pixels(context, alone.image)).max() <= 1


def test_the_pose_is_borrowed(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (with_pose,) = generate(context, acting_record(), samples=1)
    (without,) = generate(context, acting_record(), samples=1, cross_replace=0.0, self_replace=0.0)
    assert np.abs(pixels(context, with_pose.image) - pixels(context, without.image)).max() > 0


def test_where_nothing_is_borrowed_the_other_prompt_is_not_drawn(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    nothing = {"samples": 1, "cross_replace": 0.0, "self_replace": 0.0}
    (record,) = generate(context, acting_record(), **nothing)
    (computed,) = generate(context, acting_record(), **nothing, savings=False)
    assert np.abs(pixels(context, record.image) - pixels(context, computed.image)).max() <= 1
    settings = context.settings_of(RecordGenerate, {**STEPS, **nothing}).constants(xl=False)
    assert {each.rows for each in guided_passes(settings, correcting=False)} == {("u1", "c1")}


def test_the_published_way_reads_all_rows(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = generate(context, acting_record(), samples=2, profile="reference")
    assert record.error is None and record.samples[1].attention is not None
    with pytest.raises(InputError, match="profile 'reference' means half_maps=True"):
        context.settings_of(RecordGenerate, {"profile": "reference", "half_maps": False})


def test_pictures_need_not_be_square(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = generate(context, acting_record(width=96), samples=1)
    assert record.image is not None and (record.image.width, record.image.height) == (96, 64)


def test_a_bad_record_does_not_stop_the_others(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    bare = acting_record(name="bare")
    assert bare.layout is not None
    bare = bare.grown(layout=bare.layout.model_copy(update={"interaction": None}))
    long = acting_record("a very very very old man is kicking a cup", "long")
    good, first, second = generate(context, acting_record(), bare, long, samples=2)
    assert good.error is None
    assert first.error is not None and "run `llmgen layout --method interaction`" in first.error.message
    assert second.error is not None and "does not read as far as the object 'cup'" in second.error.message


def test_what_is_said_of_one_step(tmp_path: Path) -> None:
    context, _ = acting_context(tmp_path)
    (record,) = generate(context, acting_record(), samples=1, num_inference_steps=1, altered_steps=3)
    texts = " ".join(remark.text for remark in record.remarks)
    assert "no attention to read the object's box from" in texts
    assert "altered_steps=3 asks for more than there are" in texts
    with pytest.raises(InputError, match="greater than 1"):
        context.settings_of(RecordGenerate, {"guidance_scale": 1.0})


def test_spans_of_another_prompt_are_refused() -> None:
    record = acting_record()
    with pytest.raises(ValueError, match="make the layout anew"):
        record.grown(prompt=PROMPT.replace("boy", "girl"))
