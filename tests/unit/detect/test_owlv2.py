from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmgen.artifacts import ImageRef, Instance, Layout, Record, Reply
from llmgen.detect.asked import demands_of_layout
from llmgen.detect.merging import Demand, Hit, drop_contradictions, drop_explained, merge_passes
from llmgen.detect.owlv2 import Owlv2Detect, Owlv2DetectConfig
from llmgen.diffusion.phrase_detection import Owlv2PhraseDetector
from llmgen.diffusion.segmentation import SamSegmenter
from llmgen.engine.context import StageContext
from llmgen.llm.providers.provider import Answer
from llmgen.llm.questions.question import Question
from llmgen.llm.schemas import ParsedPrompt
from llmgen.presets import Preset
from llmgen.vision.images import ImageStore
from llmgen.vision.masks import decode_mask
from llmgen.vision.protocols import PhraseHit

from .tiny import tiny_owlv2, tiny_sam


class Scripted:
    """A detector that knows where things are: answers by query, and remembers what it was asked."""

    def __init__(self, answers: dict[str, list[tuple[tuple[float, float, float, float], float]]]) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        return [f"its phrase {phrase!r} is long" for phrase in phrases if len(phrase) > 60]

    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        self.asked += [list(q) for q in queries]
        return [
            [PhraseHit(q, box, score) for q in asked for box, score in self.answers.get(q, []) if score >= threshold]
            for asked in queries
        ]


class Models:
    """Stands for the pool: what a role is filled with."""

    def __init__(self, detector: Any, segmenter: Any = None) -> None:
        self.detector, self.sam = detector, segmenter

    def phrase_detector(self, role: str) -> Any:
        return self.detector

    def segmenter(self) -> Any:
        return self.sam


class Planner:
    """Takes one prompt apart."""

    def ask(self, question: Question[Any]) -> Answer[Any]:
        assert question.subject == "two cups in a meadow without stars"
        parsed = ParsedPrompt.model_validate(
            {
                "reasoning": "",
                "objects": [{"noun": "cup", "instances": [{"attributes": []}, {"attributes": []}]}],
                "background": "a meadow",
                "negative": ["stars"],
            }
        )
        return Answer(parsed, Reply(call=question.name, provider="test", text=parsed.model_dump_json()))


def context(tmp_path: Path, detector: Any, segmenter: Any = None) -> StageContext:
    preset = Preset(name="test", description="", width=64, height=64, roles={})
    made = StageContext(preset=preset, images=ImageStore(tmp_path), device="cpu", dtype="float32")
    made._models = Models(detector, segmenter)  # type: ignore[assignment]
    made._planner = Planner()  # type: ignore[assignment]
    return made


def picture(made: StageContext, name: str, size: tuple[int, int] = (64, 64)) -> ImageRef:
    noise = np.random.default_rng(len(name)).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return made.images.save(name, "generate", Image.fromarray(noise))


def plan(*instances: tuple[str, str, tuple[str, ...]], absent: tuple[str, ...] = ()) -> Layout:
    return Layout(
        width=64,
        height=64,
        background_prompt="a meadow",
        absent=absent,
        instances=tuple(
            Instance(id=f"{i}", phrase=phrase, noun=noun or None, attributes=attributes, box_xyxy=(0, 0, 20, 20))
            for i, (phrase, noun, attributes) in enumerate(instances)
        ),
    )


A, B, C = (2.0, 2.0, 20.0, 20.0), (30.0, 2.0, 50.0, 20.0), (2.0, 30.0, 20.0, 50.0)


def test_names_what_it_finds(tmp_path: Path) -> None:
    detector = Scripted(
        {
            "image of a red ball": [(A, 0.9)],
            "image of a ball": [((2.0, 2.0, 20.0, 21.0), 0.8), (B, 0.7)],
            "image of a cup": [(C, 0.3)],
        }
    )
    made = context(tmp_path, detector)
    layout = plan(("a red ball", "ball", ("red",)), ("a blue ball", "ball", ("blue",)), absent=("cup",))
    record = Record(id="r", prompt="a red ball and a blue ball without cups", layout=layout, image=picture(made, "r"))
    [seen] = Owlv2Detect(made, Owlv2DetectConfig(masks=False))([record])
    assert [(d.id, d.phrase, d.noun, d.attributes, d.score) for d in seen.detections or ()] == [
        ("red ball #1", "red ball", "ball", ("red",), 0.9),
        ("ball #1", "ball", "ball", (), 0.7),
        ("cup #1", "cup", "cup", (), 0.3),
    ]
    assert detector.asked == [
        ["image of a red ball", "image of a blue ball"],
        ["image of a ball", "image of a cup"],
    ]


def test_what_the_detector_does_not_read_is_said(tmp_path: Path) -> None:
    made, said = context(tmp_path, Scripted({})), []
    made.remark_on = lambda record_id, text: said.append((record_id, text))
    long = "very " * 12 + "red"
    layout = plan(("a ball", "ball", (long,)), ("a cup", "cup", ()))
    record = Record(id="r", prompt="a ball", layout=layout, image=picture(made, "r"))
    Owlv2Detect(made, Owlv2DetectConfig(masks=False))([record])
    assert said == [("r", f"its phrase 'image of a {long} ball' is long")]


def test_all_records_of_a_prompt_carry_what_was_remarked_when_it_was_taken_apart(tmp_path: Path) -> None:
    class Mending(Planner):
        asked = 0

        def ask(self, question: Question[Any]) -> Answer[Any]:
            self.asked += 1
            return replace(super().ask(question), remarks=("an object without a noun was left out",))

    made, said = context(tmp_path, Scripted({})), []
    made._planner = planner = Mending()  # type: ignore[assignment]
    made.remark_on = lambda record_id, text: said.append((record_id, text))
    prompt = "two cups in a meadow without stars"
    records = [Record(id=name, prompt=prompt, image=picture(made, name)) for name in "abc"]
    method = Owlv2Detect(made, Owlv2DetectConfig(masks=False))
    seen = [*method(records[:2]), *method(records[2:])]
    assert said == [(name, "an object without a noun was left out") for name in "abc"]
    assert planner.asked == 1 and [len(record.replies) for record in seen] == [1, 1, 1]


def test_owlv2_says_which_phrases_it_cuts() -> None:
    detector = Owlv2PhraseDetector(*tiny_owlv2())
    assert detector.cut_phrases(["a red ball"]) == []
    [line] = detector.cut_phrases(["a ball", " ".join(["ball"] * 40)])
    assert line.endswith("tokens, the model reads the first 16")


def test_nothing_wanted_nothing_asked(tmp_path: Path) -> None:
    detector = Scripted({})
    made = context(tmp_path, detector)
    record = Record(id="r", prompt="a meadow", layout=plan(), image=picture(made, "r"))
    [seen] = Owlv2Detect(made, Owlv2DetectConfig(masks=False))([record])
    assert seen.detections == ()
    assert not any(detector.asked)


def test_without_a_layout_the_planner_reads_the_prompt_once(tmp_path: Path) -> None:
    made = context(tmp_path, Scripted({"image of a cup": [(A, 0.9)], "image of a star": [(B, 0.9)]}))
    detect = Owlv2Detect(made, Owlv2DetectConfig(masks=False))
    record = Record(id="r", prompt="two cups in a meadow without stars", image=picture(made, "r"))
    [seen] = detect([record])
    assert [d.id for d in seen.detections or ()] == ["cup #1", "star #1"]
    assert [reply.call for reply in seen.replies] == ["parse"]
    [again] = detect([seen])
    assert again.replies == seen.replies and isinstance(again.replies[0], Reply)


def test_real_models_batch_and_masks(tmp_path: Path) -> None:
    made = context(tmp_path, Owlv2PhraseDetector(*tiny_owlv2()), SamSegmenter(tiny_sam()))
    detect = Owlv2Detect(made, Owlv2DetectConfig(attribute_threshold=0.5, primitive_threshold=0.5))
    layouts = [plan(("a red ball", "ball", ("red",))), plan(("a car", "", ())), plan()]
    records = [
        Record(id=f"r{i}", prompt="x", layout=layout, image=picture(made, "p" * (i + 1), (64 + 16 * i, 48)))
        for i, layout in enumerate(layouts)
    ]
    together = detect(records)
    assert any(record.detections for record in together)
    for record, result in zip(records, together, strict=True):
        assert detect([record]) == [result]
        for found in result.detections or ():
            assert record.image is not None and found.mask is not None
            assert decode_mask(found.mask).shape == (record.image.height, record.image.width)


def test_surplus_shows_on_request() -> None:
    asked = [Demand("ball", (("red",),))]
    attribute_hits = [Hit("red ball", A, 0.9), Hit("red ball", B, 0.8)]
    primitive_hits = [Hit("ball", A, 0.9), Hit("ball", B, 0.8), Hit("ball", C, 0.5)]
    hidden = merge_passes(asked, attribute_hits, primitive_hits)
    shown = merge_passes(asked, attribute_hits, primitive_hits, show_surplus=True)
    assert [hit.id for hit in hidden] == ["red ball #1"]
    assert [hit.id for hit in shown] == ["red ball #1", "red ball #2", "ball #1"]


def test_plain_instance_beside_attributed_ones_is_not_forgotten() -> None:
    asked = [Demand("umbrella", (("orange",), ()))]
    merged = merge_passes(asked, [Hit("orange umbrella", A)], [Hit("umbrella", A), Hit("umbrella", B)])
    assert [hit.id for hit in merged] == ["orange umbrella #1", "umbrella #1"]


def test_one_object_has_one_name() -> None:
    hits = [Hit("red ball", A, 0.5), Hit("blue ball", (2.0, 2.0, 20.0, 20.5), 0.8), Hit("blue ball", B, 0.6)]
    assert drop_contradictions(hits) == hits[1:]


def test_a_confirmed_object_is_not_another_plain_one() -> None:
    asked = [Demand("fish", (("yellow",),)), Demand("house")]
    confirmed = [Hit("yellow fish", A, 0.6)]
    plain = [Hit("house", A, 0.9), Hit("house", B, 0.3), Hit("fish", A, 0.8)]
    assert drop_explained(asked, confirmed, plain) == plain[1:]


def test_demands_of_a_layout_join_by_noun() -> None:
    layout = plan(("a red ball", "ball", ("red",)), ("a tall palm tree", "", ("tall",)), ("a ball", "ball", ()))
    assert demands_of_layout(layout) == (
        Demand("ball", (("red",), ())),
        Demand("palm tree", (("tall",),)),
    )


def test_config_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        Owlv2DetectConfig(nms_threshold=2.0)


def test_thresholds_go_by_what_made_the_picture(tmp_path: Path) -> None:
    ball = {"image of a ball": [((2.0, 2.0, 12.0, 12.0), 0.3)]}
    strict = {"attribute_threshold": 0.6, "primitive_threshold": 0.4, "nms_threshold": 0.5}
    config = Owlv2DetectConfig.model_validate({"masks": False, "by_type": {"dalle": strict}})
    used = context(tmp_path, Scripted(ball))
    image = used.images.save("p", "source", Image.new("RGB", (16, 16)))
    parsed = Reply(call="parse", provider="replay", text="Objects: [('ball', [None])]\nBackground: a\nNegation: None")
    made = [
        Record(id=name, prompt="a ball", type=kind, image=image, replies=(parsed,))
        for name, kind in (("strict", "dalle"), ("other", "lmdplus"), ("none", None))
    ]
    found = Owlv2Detect(used, config)(made)
    assert [len(record.detections or ()) for record in found] == [0, 1, 1]
