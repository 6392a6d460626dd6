"""A small run for the tests of the report: pictures drawn with PIL, records of every fate."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from llmgen.artifacts import (
    AddEdit,
    ChangeAttributeEdit,
    DeleteEdit,
    Detection,
    Edit,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Instance,
    Layout,
    ModelUse,
    MoveEdit,
    Provenance,
    Record,
    RecordError,
    Reply,
    Score,
)
from llmgen.artifacts.io import pretty_json, write_artifact
from llmgen.vision.masks import encode_mask

SIZE = 128
HOSTILE = "<script>document.title='owned'</script> \"quoted\" & {{ 7 * 7 }} <img src=x onerror=alert(1)>"
COLORS = {"red": "#d8352f", "blue": "#2f6bd8", "green": "#2f9a4b", "yellow": "#f0b81e", "purple": "#8a4bbf"}
Box = tuple[float, float, float, float]
Thing = tuple[str, str, Box]
"""Colour, noun, box."""


def draw(things: list[Thing], region: bool = False) -> Image.Image:
    """A picture of things on a meadow."""
    image = Image.new("RGB", (SIZE, SIZE), "#cfe6f5")
    pen = ImageDraw.Draw(image)
    pen.ellipse((-30, 64, 110, 150), fill="#b5dca0")
    pen.rectangle((0, 84, SIZE, SIZE), fill="#a5d18e")
    for color, noun, box in things:
        fill = COLORS[color]
        x0, y0, x1, y1 = box
        if noun == "ball":
            pen.ellipse((x0, y0, x1 - 1, y1 - 1), fill=fill)
            pen.ellipse((x0 + 6, y0 + 5, x0 + 13, y0 + 11), fill="#ffffff88")
        elif noun == "house":
            pen.rectangle((x0, (y0 + y1) / 2, x1 - 1, y1 - 1), fill=fill)
            pen.polygon([(x0, (y0 + y1) / 2), ((x0 + x1) / 2, y0), (x1 - 1, (y0 + y1) / 2)], fill="#6b4a35")
        elif noun == "tree":
            pen.rectangle(((x0 + x1) / 2 - 4, y1 - 16, (x0 + x1) / 2 + 4, y1 - 1), fill="#6b4a35")
            pen.ellipse((x0, y0, x1 - 1, y1 - 10), fill=fill)
        else:
            pen.rounded_rectangle((x0, y0 + 8, x1 - 1, y1 - 8), 6, fill=fill)
            for x in (x0 + 8, x1 - 18):
                pen.ellipse((x, y1 - 14, x + 12, y1 - 2), fill="#333")
    return image


class RunFolder:
    """Writes pictures and artifacts as a run does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "images").mkdir(parents=True, exist_ok=True)

    def save(self, name: str, image: Image.Image) -> ImageRef:
        path = f"images/{name}.png"
        image.save(self.root / path)
        digest = hashlib.sha256((self.root / path).read_bytes()).hexdigest()
        return ImageRef(path=path, sha256=digest, width=image.width, height=image.height)

    def region(self, name: str, *boxes: Box) -> ImageRef:
        image = Image.new("L", (SIZE, SIZE))
        for box in boxes:
            ImageDraw.Draw(image).rectangle(box, fill=255)
        return self.save(name, image)


def found(things: list[Thing], score: float = 0.91) -> tuple[Detection, ...]:
    counts: dict[str, int] = {}
    out = []
    for color, noun, box in things:
        phrase = f"{color} {noun}"
        counts[phrase] = counts.get(phrase, 0) + 1
        out.append(
            Detection(
                id=f"{phrase} #{counts[phrase]}",
                phrase=phrase,
                noun=noun,
                attributes=(color,),
                box_xyxy=box,
                score=score,
            )
        )
    return tuple(out)


def layout(things: list[Thing], background: str = "a meadow", absent: tuple[str, ...] = ()) -> Layout:
    instances = tuple(
        Instance(id=f"{noun}-{i}", phrase=f"a {color} {noun}", noun=noun, attributes=(color,), box_xyxy=box)
        for i, (color, noun, box) in enumerate(things, start=1)
    )
    return Layout(width=SIZE, height=SIZE, background_prompt=background, absent=absent, instances=instances)


def score(of: Any, value: float, kind: str, detail: str, seen: tuple[Detection, ...] | None = None) -> Score:
    return Score(metric="lmd", of=of, value=value, type=kind, by="judge", detail=detail, seen=seen)


def made(record: str, *stages: tuple[Any, str, dict[str, Any]]) -> tuple[Provenance, ...]:
    return tuple(
        Provenance(
            stage=stage,
            method=method,
            preset="toybox",
            config=config,
            config_passed={k: v for k, v in config.items() if k == "rounds"},
            seed=7,
            models=(ModelUse(role="detector", source="package:toybox/weights/detector"),) if stage == "detect" else (),
            input_sha256=hashlib.sha256(f"{record}{stage}".encode()).hexdigest(),
            llmgen="0.1.0",
            packages={"torch": "2.15.0", "pillow": "12.0"},
            device="cpu",
            dtype="float32",
        )
        for stage, method, config in stages
    )


STAGES: tuple[tuple[Any, str, dict[str, Any]], ...] = (
    ("layout", "lmd", {}),
    ("generate", "sd", {"num_inference_steps": 20, "guidance_scale": 5.0}),
    ("detect", "owlv2", {"threshold": 0.3, "masks": True}),
    ("correct", "self_correction", {"rounds": 2, "fg_noise_ratio": 0.1}),
)


def records(folder: RunFolder) -> tuple[Record, ...]:
    """One record of every fate."""
    return (
        _fixed(folder),
        _right(folder),
        _moved(folder),
        _wrong(folder),
        _worse(folder),
        _error(),
        _hostile(),
    )


def inputs_layout() -> Layout:
    """Three instances: one with everything, one with a mask, one with a box alone and a long phrase."""
    stroke = ((14.0, 92.0), (22.0, 100.0), (32.0, 84.0), (42.0, 104.0), (52.0, 92.0))
    ring = np.zeros((SIZE, SIZE), dtype=bool)
    ring[20:60, 70:110] = True
    ring[32:48, 82:98] = False
    return Layout(
        width=SIZE,
        height=SIZE,
        background_prompt="a meadow",
        instances=(
            Instance(
                id="ball-1",
                phrase="a red ball",
                noun="ball",
                box_xyxy=(12, 72, 54, 114),
                point_xy=(33, 93),
                scribble_xy=stroke,
            ),
            Instance(
                id="tree-1", phrase="a green tree", noun="tree", box_xyxy=(70, 20, 110, 60), mask=encode_mask(ring)
            ),
            Instance(
                id="car-1",
                phrase="a blue car that has seen better days & <b>roads</b>",
                noun="car",
                box_xyxy=(66, 80, 122, 116),
            ),
        ),
    )


def write_inputs_run(root: Path) -> Path:
    """Write a run of one record whose instances have points, scribbles and masks; its picture is twice as large as its layout.

    Returns:
        Its folder.
    """
    folder = RunFolder(root)
    things: list[Thing] = [
        ("red", "ball", (12, 72, 54, 114)),
        ("green", "tree", (70, 20, 110, 60)),
        ("blue", "car", (66, 80, 122, 116)),
    ]
    picture = folder.save("meadow", draw(things).resize((2 * SIZE, 2 * SIZE)))
    seen = tuple(d.model_copy(update={"box_xyxy": tuple(2 * v for v in d.box_xyxy)}) for d in found(things))
    record = Record(
        kind="scores",
        id="meadow",
        prompt="a meadow with a red ball, a green tree and a blue car",
        layout=inputs_layout(),
        image=picture,
        detections=seen,
        history=(HistoryEntry(stage="generate", round=0, image=picture),),
        scores=tuple(
            Score(metric=metric, of="final", value=0.75, by="detector", detail="3 of 4 wanted instances were found")
            for metric in ("coco", "pim.scribble.strict", "attributes.color.strict", "grounding.as_published")
        ),
    )
    write_artifact(root / "scores.json", "scores", [record])
    return root


def _fixed(folder: RunFolder) -> Record:
    a, b, c = (14.0, 74.0, 52.0, 112.0), (64.0, 20.0, 102.0, 58.0), (76.0, 80.0, 114.0, 118.0)
    first: list[Thing] = [("red", "ball", a), ("blue", "ball", b)]
    second: list[Thing] = [("red", "ball", a), ("red", "ball", b)]
    third: list[Thing] = [*second, ("red", "ball", c)]
    pictures = [folder.save(f"0001.{i}", draw(things)) for i, things in enumerate((first, second, third))]
    change = ChangeAttributeEdit(
        target="blue ball #1", phrase="a red ball", noun="ball", attributes=("red",), box_xyxy=b
    )
    add = AddEdit(target="red ball #3", phrase="a red ball", noun="ball", attributes=("red",), box_xyxy=c)
    plan1 = EditPlan(edits=(change,), reasoning="Two balls are there, one is blue; it should be red.")
    plan2 = EditPlan(edits=(add,))
    return Record(
        kind="scores",
        id="0001",
        prompt="three red balls on a meadow",
        type="numeracy",
        seed=123,
        layout=layout([("red", "ball", a), ("red", "ball", b), ("red", "ball", c)]),
        image=pictures[2],
        detections=found(third),
        edits=plan2,
        history=(
            HistoryEntry(
                stage="generate",
                round=0,
                image=pictures[0],
                detections=found(first),
                satisfied=False,
                agreement=1 / 3,
            ),
            HistoryEntry(
                stage="correct",
                round=1,
                image=pictures[1],
                detections=found(second),
                edits=plan1,
                satisfied=False,
                agreement=2 / 3,
                region=folder.region("0001.region-1", b),
            ),
            HistoryEntry(
                stage="correct",
                round=2,
                image=pictures[2],
                detections=found(third),
                edits=plan2,
                satisfied=True,
                agreement=1.0,
                region=folder.region("0001.region-2", c),
            ),
        ),
        scores=(
            score("initial", 0.0, "numeracy", "wanted 3 x red ball, found 1", found(first)),
            score("final", 1.0, "numeracy", "found 3 x red ball", found(third)),
        ),
        replies=(
            Reply(call="layout", provider="rules", text='{"objects": [{"phrase": "a red ball"}]}'),
            Reply(call="differences", provider="rules", model="grammar", text="change: blue ball #1", attempts=2),
        ),
        provenance=made("0001", *STAGES),
    )


def _right(folder: RunFolder) -> Record:
    things: list[Thing] = [("blue", "car", (12, 66, 66, 108)), ("yellow", "ball", (78, 20, 114, 56))]
    picture = folder.save("0002.0", draw(things))
    return Record(
        kind="scores",
        id="0002",
        prompt="a blue car and a yellow ball",
        type="attribution",
        seed=124,
        layout=layout(things),
        image=picture,
        detections=found(things),
        edits=EditPlan(),
        history=(
            HistoryEntry(
                stage="generate", round=0, image=picture, detections=found(things), satisfied=True, agreement=1.0
            ),
        ),
        scores=(
            score("initial", 1.0, "attribution", "found blue car, yellow ball"),
            score("final", 1.0, "attribution", "found blue car, yellow ball"),
        ),
        provenance=made("0002", *STAGES),
    )


def _moved(folder: RunFolder) -> Record:
    car_from, car_to = (14.0, 76.0, 62.0, 116.0), (72.0, 76.0, 120.0, 116.0)
    house = (48.0, 18.0, 90.0, 62.0)
    house_to = (10.0, 48.0, 62.0, 104.0)
    first: list[Thing] = [("green", "house", house), ("red", "car", car_from)]
    last: list[Thing] = [("green", "house", house_to), ("red", "car", car_to)]
    pictures = [folder.save(f"0003.{i}", draw(things)) for i, things in enumerate((first, last, last))]
    image = draw(last)
    ImageDraw.Draw(image).ellipse((56, 4, 76, 24), fill="#fff3b0")
    refined = folder.save("0003.refine", image)
    edits: tuple[Edit, ...] = (
        MoveEdit(op="move", target="red car #1", from_box_xyxy=car_from, box_xyxy=car_to),
        MoveEdit(op="resize", target="green house #1", from_box_xyxy=house, box_xyxy=house_to),
    )
    plan = EditPlan(edits=edits)
    return Record(
        kind="scores",
        id="0003",
        prompt="a green house to the left of a red car",
        type="spatial",
        seed=125,
        layout=layout(last),
        image=refined,
        edits=plan,
        history=(
            HistoryEntry(
                stage="generate", round=0, image=pictures[0], detections=found(first), satisfied=False, agreement=0.5
            ),
            HistoryEntry(
                stage="correct",
                round=1,
                image=pictures[1],
                detections=found(last),
                edits=plan,
                satisfied=True,
                agreement=1.0,
                region=folder.region("0003.region-1", car_from, car_to, house, house_to),
            ),
            HistoryEntry(stage="refine", round=1, image=refined),
        ),
        scores=(
            score("initial", 0.0, "spatial", "house is not left of car"),
            score("final", 1.0, "spatial", "house is left of car"),
        ),
        provenance=made("0003", *STAGES),
    )


def _wrong(folder: RunFolder) -> Record:
    tree: Thing = ("green", "tree", (70, 36, 112, 96))
    first: list[Thing] = [("purple", "ball", (16, 70, 54, 108)), tree]
    pictures = [folder.save(f"0004.{i}", draw(things)) for i, things in enumerate((first, [*first]))]
    plan = EditPlan(edits=(DeleteEdit(target="green tree #1", box_xyxy=tree[2]),))
    attempt = folder.save("0004.attempt", draw([("purple", "ball", (16, 70, 54, 108)), ("blue", "tree", tree[2])]))
    return Record(
        kind="scores",
        id="0004",
        prompt="a purple ball on a meadow without trees",
        type="negation",
        seed=126,
        layout=layout(first[:1], absent=("tree",)),
        image=pictures[0],
        detections=found(first),
        edits=plan,
        history=(
            HistoryEntry(
                stage="generate", round=0, image=pictures[0], detections=found(first), satisfied=False, agreement=0.5
            ),
            HistoryEntry(
                stage="correct",
                round=1,
                image=attempt,
                detections=found([("purple", "ball", (16, 70, 54, 108)), ("blue", "tree", tree[2])]),
                edits=plan,
                satisfied=False,
                agreement=0.5,
                kept=False,
            ),
        ),
        scores=(
            score("initial", 0.0, "negation", "found a tree"),
            score("final", 0.0, "negation", "found a tree"),
        ),
        provenance=made("0004", *STAGES),
    )


def _worse(folder: RunFolder) -> Record:
    first: list[Thing] = [("yellow", "ball", (20, 30, 60, 70)), ("red", "house", (70, 50, 118, 104))]
    last: list[Thing] = first[1:]
    pictures = [folder.save(f"0005.{i}", draw(things)) for i, things in enumerate((first, last))]
    plan = EditPlan(
        edits=(
            DeleteEdit(target="yellow ball #1", box_xyxy=first[0][2]),
            AddEdit(target="yellow ball #2", phrase="a yellow ball", noun="ball", box_xyxy=(18, 74, 58, 114)),
        )
    )
    return Record(
        kind="scores",
        id="0005",
        prompt="a yellow ball and a red house",
        type="attribution",
        seed=127,
        layout=layout(first),
        image=pictures[1],
        detections=found(last),
        edits=plan,
        history=(
            HistoryEntry(
                stage="generate", round=0, image=pictures[0], detections=found(first), satisfied=False, agreement=0.5
            ),
            HistoryEntry(
                stage="correct",
                round=1,
                image=pictures[1],
                detections=found(last),
                edits=plan,
                satisfied=False,
                agreement=0.5,
            ),
        ),
        scores=(
            score("initial", 1.0, "attribution", "found yellow ball, red house"),
            score("final", 0.0, "attribution", "no yellow ball"),
        ),
        provenance=made("0005", *STAGES),
    )


def _error() -> Record:
    return Record(
        kind="scores",
        id="0006",
        prompt="twelve dozen balls in a thimble",
        type="numeracy",
        seed=128,
        error=RecordError(stage="layout", type="InputError", message="144 objects do not fit into 128x128 pixels"),
        provenance=made("0006", STAGES[0]),
    )


def _hostile() -> Record:
    return Record(
        kind="scores",
        id="0007",
        prompt=HOSTILE,
        instruction="make it </script><script>document.title='owned'</script>",
        type="<b>bold</b>",
        layout=layout([("red", "ball", (30, 40, 80, 90))], background='a "meadow" </svg><script>'),
        scores=(),
        replies=(Reply(call="layout", provider="<i>", text="</pre><script>document.title='owned'</script>"),),
    )


def write_run(root: Path) -> Path:
    """Write the whole run.

    Returns:
        Its folder.
    """
    folder = RunFolder(root)
    write_artifact(root / "scores.json", "scores", records(folder))
    manifest = {
        "kind": "manifest",
        "name": "storybook",
        "description": "Seven pictures that a language model planned, checked and corrected.",
        "preset": "toybox",
        "planner": "rules",
        "seed": 7,
        "prompts": ["three red balls on a meadow"],
        "stages": [{"stage": stage, "method": method, "config": config} for stage, method, config in STAGES]
        + [{"stage": "evaluate", "method": "lmd"}],
    }
    (root / "manifest.json").write_text(pretty_json(manifest), encoding="utf-8")
    return root


def write_many(root: Path, count: int = 70) -> Path:
    """Write a run of so many records that were all mended in two rounds, three pictures each.

    Returns:
        Its folder.
    """
    folder = RunFolder(root)
    made_ = []
    for number in range(count):
        record = _fixed(folder)
        # A dot of its own in each picture, so that no two are the same file.
        history = []
        for entry in record.history:
            with Image.open(root / entry.image.path) as image:
                own = image.convert("RGB")
            own.putpixel((number, 3), (255, 0, 0))
            history.append(entry.model_copy(update={"image": folder.save(f"{number:03d}.{entry.round}", own)}))
        made_.append(
            record.grown(id=f"{number:03d}", prompt=f"scene {number}", history=tuple(history), image=history[-1].image)
        )
    write_artifact(root / "scores.json", "scores", made_)
    return root
