"""SLD's edits by inpainting: what is painted where, in which order, and what stays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import BoxSegmenter, noise_image, tiny_context

from llmgen.artifacts import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Detection,
    Edit,
    EditPlan,
    HistoryEntry,
    Instance,
    Layout,
    MoveEdit,
    Record,
    RepaintEdit,
)
from llmgen.correct.context.settings import ContextConfig
from llmgen.correct.inpaint_painter import InpaintPainter
from llmgen.correct.jobs import Job, Painted
from llmgen.correct.painters import inpainting_role
from llmgen.correct.self_correction import SelfCorrection
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.errors import InputError
from llmgen.paint.inpainter import Cost, Patch

BALL = Detection(id="red ball #1", phrase="red ball", noun="ball", box_xyxy=(4, 4, 24, 24), score=0.9)
CUP = Detection(id="cup #1", phrase="cup", noun="cup", box_xyxy=(40, 40, 60, 60), score=0.9)


class Painter:
    """Paints grey and remembers what it was given."""

    multiple = 16

    def __init__(self) -> None:
        self.cost, self.seen = Cost(), list[Patch]()

    def steps_at(self, strength: float) -> int:
        return 10

    def paint(self, patches: Sequence[Patch]) -> list[Image.Image]:
        self.seen += patches
        for patch in patches:
            self.cost.add(patch, 10)
        return [Image.new("RGB", patch.image.size, "grey") for patch in patches]


def done(*edits: Edit, target: tuple[Instance, ...] = ()) -> tuple[Painted, Painter, InpaintPainter]:
    painter = Painter()
    settings = ContextConfig(mask_dilation_px=1, mask_blur_px=0.0, crop_share=0.0)
    inpaint = InpaintPainter(painter, BoxSegmenter(), SelfCorrectionConfig(negative_prompt="blurry"), settings)
    job = Job(noise_image(), EditPlan(edits=edits, target=target), (BALL, CUP), "a meadow", "cars", 3)
    (painted,) = inpaint.paint([job])
    return painted, painter, inpaint


def changed(painted: Painted) -> np.ndarray:
    return (np.asarray(painted.image) != np.asarray(noise_image())).any(axis=-1)


def test_what_is_deleted_is_painted_over_with_the_scene() -> None:
    painted, painter, inpaint = done(DeleteEdit(target=BALL.id, box_xyxy=BALL.box_xyxy))
    (patch,) = painter.seen
    assert (patch.prompt, patch.negative, patch.strength) == ("a meadow", "cars, blurry", 1.0)
    assert changed(painted)[10:20, 10:20].all() and not changed(painted)[30:, 30:].any()
    assert inpaint.unet_calls == 10
    region = np.asarray(painted.region.convert("L")) > 0
    assert not (changed(painted) & ~region).any()


def test_an_addition_is_painted_in_its_box_and_spares_what_is_there() -> None:
    painted, painter, _ = done(AddEdit(target="star #1", phrase="a star", noun="star", box_xyxy=(30, 30, 60, 60)))
    assert painter.seen[0].prompt == "a meadow with a star" and painter.seen[0].strength == 1.0
    assert changed(painted)[32:38, 32:38].all() and not changed(painted)[42:58, 42:58].any()


def test_a_change_and_a_repaint_keep_their_strengths() -> None:
    change = ChangeAttributeEdit(
        target=BALL.id, phrase="a blue ball", noun="ball", attributes=("blue",), box_xyxy=BALL.box_xyxy
    )
    repaint = RepaintEdit(
        target=CUP.id, phrase="a cup", noun="cup", tags=("chipped",), box_xyxy=CUP.box_xyxy, strength=0.3
    )
    _, painter, _ = done(change, repaint)
    assert [(p.phrase, p.strength) for p in painter.seen] == [("a blue ball", 0.8), ("a cup, chipped", 0.3)]


def test_a_move_deletes_pastes_and_touches_up() -> None:
    move = MoveEdit(op="move", target=BALL.id, from_box_xyxy=BALL.box_xyxy, box_xyxy=(36, 4, 56, 24))
    instance = Instance(id=BALL.id, phrase="a red ball", noun="ball", box_xyxy=(36, 4, 56, 24))
    _, painter, _ = done(move, target=(instance,))
    old, new = painter.seen
    assert (old.phrase, old.strength, new.phrase, new.strength) == ("", 1.0, "a red ball", 0.4)
    # The object's own pixels lie in the new place before it is touched up.
    warped = np.asarray(new.image)[8:20, 40:52]
    assert (warped == np.asarray(noise_image())[8:20, 8:20]).mean() > 0.9


def test_what_goes_is_painted_before_what_comes() -> None:
    add = AddEdit(target="star #1", phrase="a star", noun="star", box_xyxy=(4, 4, 24, 24))
    _, painter, _ = done(add, DeleteEdit(target=BALL.id, box_xyxy=BALL.box_xyxy))
    assert [p.phrase for p in painter.seen] == ["", "a star"]


@pytest.mark.parametrize("painter", ["inpaint", "latents"])
def test_self_correction_works_with_either_painter(tmp_path: Path, painter: str) -> None:
    context = tiny_context(tmp_path)
    spec = context.preset.role("text_to_image")
    context.preset = context.preset.model_copy(
        update={
            "defaults": {"correct.context": {"num_inference_steps": 2, "crop_share": 0.0}},
            "roles": {**context.preset.roles, "segmenter": spec, "detector": spec},
        }
    )
    context._methods["detect"] = lambda records: [r.grown(detections=(CUP,)) for r in records]  # type: ignore[assignment]
    context.models.segmenter = lambda role="segmenter": BoxSegmenter()  # type: ignore[method-assign, assignment]
    config = SelfCorrectionConfig(painter=painter, num_inference_steps=2, energy_scale=0.0)  # type: ignore[arg-type]
    method = SelfCorrection(context, config)
    image = context.images.save("r0", "generate", noise_image())
    plan = EditPlan(
        edits=(DeleteEdit(target=BALL.id, box_xyxy=BALL.box_xyxy),),
        target=(Instance(id=CUP.id, phrase="a cup", noun="cup", box_xyxy=CUP.box_xyxy),),
    )
    before = Record(
        id="r0",
        prompt="a cup",
        image=image,
        seed=1,
        edits=plan,
        layout=Layout(width=64, height=64, background_prompt="a meadow"),
        detections=(BALL, CUP),
        history=(HistoryEntry(stage="generate", round=0, image=image),),
    )
    (after,) = method([before])
    assert after.history[1].kept and after.image != before.image
    roles = {use.role for use in method.models}
    assert ("text_to_image" in roles) == (painter == "inpaint") != ("layout_to_image" in roles)


@pytest.mark.parametrize(
    ("source", "fraction", "role"),
    [
        (None, 0.0, "text_to_image"),
        (None, 1.0, "layout_to_image"),
        ("its own", 0.0, "inpaint"),
        # Another model may take no boxes; the one that draws layouts does, whatever LoRAs are in it.
        ("its own", 1.0, "layout_to_image"),
        ("that of layouts", 1.0, "inpaint"),
    ],
)
def test_who_paints_inside_masks(tmp_path: Path, source: str | None, fraction: float, role: str) -> None:
    context = tiny_context(tmp_path)
    roles = {name: spec for name, spec in context.preset.roles.items() if name != "inpaint"}
    if source is not None:
        changed = {"source": str(tmp_path / "other")} if source == "its own" else {}
        roles["inpaint"] = roles["layout_to_image"].model_copy(update=changed)
    context.preset = context.preset.model_copy(update={"roles": roles})
    assert inpainting_role(context, ContextConfig(grounding_fraction=fraction)) == role


def test_the_reference_paints_with_latents_only(tmp_path: Path) -> None:
    method = SelfCorrection(tiny_context(tmp_path), SelfCorrectionConfig(painter="inpaint", profile="reference"))
    with pytest.raises(InputError, match="leave the painter away, or the profile"):
        method._load_painter()
