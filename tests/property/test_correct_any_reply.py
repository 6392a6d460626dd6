"""Whatever a model replies and a detector finds: every record is corrected, unchanged, or failed with a reason."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest
import torch
from any_replies import (
    NOUNS,
    detection,
    mostly,
    plan,
    replies,
    scene,
    sound_parsed,
    sound_plan,
    sound_update,
    suggested,
    worded,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import SIZE, BoxSegmenter, noise_image, tiny_context

from llmgen.artifacts import Layout, Record, Reply
from llmgen.correct.image_editing import ImageEditing
from llmgen.correct.self_correction import SelfCorrection
from llmgen.engine.context import StageContext
from llmgen.engine.local import run_stage
from llmgen.errors import LlmgenError
from llmgen.llm.providers.rules import Rules
from llmgen.llm.replies.layout_reply import read_layout_reply
from llmgen.llm.replies.parse_reply import read_parse_reply
from llmgen.llm.replies.update_reply import read_update_reply
from llmgen.llm.replies.wire import layout_of_plan, plan_of_update

Answer = TypeVar("Answer")
IDS = tuple(
    f"{noun} #{k}" for noun in ("red ball", "ball", "palm tree", "house", "dog", "small blue star") for k in (1, 2, 3)
)
QUIET = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
PROMPTS = (
    "a red ball and a house", "three dogs", "a scene without dogs", "a ball on the left and a palm tree on the right",
    "two red balls, three houses and a star", "犬", "forty balls", "x" * 200, "a meadow",
)  # fmt: skip
INSTRUCTIONS = (
    None, None, "remove the ball", "make the red ball blue", "move the house to the left of the dog and make it larger",
    "swap the ball and the house", "", "do nothing", "add a red star", "replace the dog with two cats",
    "make everything blue", "move the ball up 9999 pixels",
)  # fmt: skip


def answered(read: Callable[[], Answer]) -> Answer | None:
    """What was read, or None when it was refused in one line."""
    try:
        return read()
    except LlmgenError as error:
        assert str(error) and "\n" not in str(error) and len(str(error)) < 600
        return None


def layout(text: str, height: int) -> Layout:
    """The layout of a reply to the layout call."""
    return layout_of_plan(read_layout_reply(text, width=SIZE, height=height), width=SIZE, height=height)


@QUIET
@given(st.one_of(worded(sound_parsed()), suggested(IDS), replies(IDS, SIZE)))
def test_any_parse_reply_is_read_or_refused(text: str) -> None:
    parsed = answered(lambda: read_parse_reply(text))
    assert parsed is None or all(thing.noun.strip() for thing in parsed.objects)


@QUIET
@given(st.one_of(worded(sound_plan(SIZE)), worded(plan(SIZE)), suggested(IDS), replies(IDS, SIZE)))
def test_any_layout_reply_becomes_a_valid_layout_or_is_refused(text: str) -> None:
    # The layout checks its own boxes.
    answered(lambda: layout(text, 48))


@QUIET
@given(st.one_of(worded(sound_update(IDS, SIZE)), suggested(IDS), replies(IDS, SIZE)), scene(SIZE))
def test_any_update_reply_becomes_a_plan_or_is_refused(text: str, found: Any) -> None:
    edits = answered(lambda: plan_of_update(read_update_reply(text, found, width=SIZE, height=SIZE), found))
    if edits is None:
        return
    known = {d.id for d in found}
    assert all(e.target in known for e in edits.edits if e.op != "add")
    assert all(-0.01 <= v <= SIZE + 0.01 for e in edits.edits for v in e.box_xyxy)
    assert len({i.id for i in edits.target}) == len(edits.target)
    assert len({e.target for e in edits.edits}) == len(edits.edits)


class AnyDetector:
    """Finds something else in every picture, the same in the same picture."""

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        return [record.grown(detections=self._seen(record)) for record in records]

    def _seen(self, record: Record) -> tuple[Any, ...]:
        rng = random.Random(record.image.sha256 if record.image else "")
        found = []
        for k in range(rng.randrange(5)):
            x, y = rng.uniform(0, SIZE - 2), rng.uniform(0, SIZE - 2)
            box = (x, y, min(SIZE, x + rng.uniform(1, SIZE)), min(SIZE, y + rng.uniform(1, SIZE)))
            found.append(detection(f"{rng.choice(NOUNS[:5])} #{k}", box, rng.random()))
        return tuple(found)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageContext]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    made = tiny_context(tmp_path_factory.mktemp("pictures"))
    spec = made.preset.roles["refiner"]
    made.preset = made.preset.model_copy(update={"roles": {**made.preset.roles, "segmenter": spec, "detector": spec}})
    made._planner = Rules()
    made._methods["detect"] = AnyDetector()  # type: ignore[assignment]
    made.models.segmenter = lambda role="segmenter": BoxSegmenter()  # type: ignore[method-assign, assignment]
    yield made
    torch.set_num_threads(threads)


SOUND = st.one_of(worded(sound_update(IDS, SIZE)), worded(sound_update(IDS, 1)), st.none())
REPLY = mostly(SOUND, st.one_of(suggested(IDS), replies(IDS, SIZE)))
PARSED = mostly(st.none(), mostly(worded(sound_parsed()), replies(IDS, SIZE)))
SAID = mostly(st.sampled_from(INSTRUCTIONS[:6]), st.sampled_from(INSTRUCTIONS[6:]))
FOUND = mostly(scene(SIZE), st.none())
LAYOUT = st.one_of(st.none(), worded(sound_plan(SIZE)).map(lambda text: answered(lambda: layout(text, SIZE))))


def _whole(text: str) -> str:
    return text.encode(errors="replace").decode()


@st.composite
def records(draw: Any, context: StageContext) -> list[Record]:
    image = context.images.save("any", "source", noise_image())
    made = []
    for number in range(draw(st.integers(1, 6))):
        said = (("parse", draw(PARSED)), ("differences", draw(REPLY)))
        made.append(
            Record(
                id=f"r{number}",
                prompt=draw(st.sampled_from(PROMPTS)),
                instruction=draw(SAID),
                image=image,
                seed=draw(st.integers(0, 9)),
                detections=draw(FOUND),
                layout=draw(LAYOUT),
                # Half a character cannot come from a file: its text is refused before it is a reply.
                replies=tuple(Reply(call=c, provider="replay", text=_whole(t)) for c, t in said if t is not None),
            )
        )
    return made


def correct(context: StageContext, made: list[Record], method: type[SelfCorrection], rounds: int) -> list[str]:
    """What became of each record: `corrected`, `unchanged`, or why it failed. Anything else is an error of the test."""
    given = {"rounds": rounds, "num_inference_steps": 2}
    done = run_stage(made, method_class=method, config=method.Config(**given), given=given, context=context).records
    ends = []
    for before, after in zip(made, done, strict=True):
        if after.error is not None:
            # Anything but these two was not foreseen.
            assert after.error.type in ("InputError", "ModelError"), (after.error, before)
            assert after.error.message.strip() and "\n" not in after.error.message
            ends.append(after.error.message)
        else:
            assert after.edits is not None and after.image is not None and after.detections is not None
            ends.append("unchanged" if after.image == before.image else "corrected")
    return ends


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_any_record_is_corrected_unchanged_or_failed_with_a_reason(context: StageContext, data: st.DataObject) -> None:
    method = data.draw(st.sampled_from((SelfCorrection, ImageEditing)))
    correct(context, data.draw(records(context)), method, data.draw(st.integers(1, 2)))
