"""The page: what is in it, that it is escaped, bounded and the same each time."""

import base64
import hashlib
import html
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from report_run import HOSTILE, RunFolder, draw, found, layout, records, score, write_run

from llmgen.artifacts import AddEdit, EditPlan, HistoryEntry, ImageRef, MoveEdit, Record, Score
from llmgen.artifacts.io import write_artifact
from llmgen.errors import InputError
from llmgen.report import write_report
from llmgen.report.overlay import Labels, edit_marks, edit_words, found_marks
from llmgen.report.pictures import Pictures, longest_side
from llmgen.report.source import read_source
from llmgen.report.steps import make_steps
from llmgen.report.view import make_page
from llmgen.vision.images import ImageStore


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    path = write_report(run)
    assert path == run / "report.html"
    return path.read_text(encoding="utf-8")


def test_same_run_in_another_folder_gives_the_same_bytes(run: Path, page: str, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(run, copy)
    output = write_report(copy, tmp_path / "out" / "page.html")
    assert output == tmp_path / "out" / "page.html"
    assert output.read_bytes() == page.encode("utf-8")


def test_nothing_leaves_the_file(page: str) -> None:
    assert re.findall(r'\b(?:src|href|action|srcset)="(?!data:|#)[^"]*"', page) == []
    assert "url(" not in page.partition("</style>")[0].partition("<style>")[2]
    assert "@import" not in page


def test_policy_names_exactly_the_style_and_the_script(page: str) -> None:
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0])
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_data_is_escaped_everywhere(page: str) -> None:
    assert page.count("<script") == 1
    assert page.count("<img") == page.count('<img src="data:image/') + 2 * page.count('class="compare"')
    (heading,) = re.findall(r'<h3 id="prompt-0007"[^>]*>(.*?)</h3>', page, re.S)
    assert html.unescape(heading) == HOSTILE and "<" not in heading
    assert "<b>bold</b>" not in page and "<i>, rules" not in page


def test_each_record_shows_its_story(page: str) -> None:
    articles = re.findall(r"<article .*?</article>", page, re.S)
    assert [re.findall(r'id="record-([^"]*)"', a)[0] for a in articles] == [f"000{i}" for i in range(1, 8)]
    first = articles[0]
    for words in ("turn blue ball #1 into a red ball", "add a red ball", "wanted 3 x red ball, found 1", "Round 2"):
        assert words in first
    assert "it should be red" in first
    assert "144 objects do not fit" in articles[5]
    assert "not finished" not in page
    assert "move red car #1 58 px right" in articles[2]
    assert ">Refined<" in articles[2]
    assert ">dropped<" in articles[3]
    assert "Absent" in articles[3]


def test_a_picture_is_embedded_once(page: str) -> None:
    urls = re.findall(r'<img src="(data:[^"]*)"', page)
    assert len(urls) == 3 + 1 + 3 + 2 + 2
    with Image.open(io.BytesIO(base64.b64decode(urls[0].partition(",")[2]))) as image:
        assert (
            image.convert("RGB").tobytes()
            == draw([("red", "ball", (14, 74, 52, 112)), ("blue", "ball", (64, 20, 102, 58))]).tobytes()
        )


def test_recipes_are_shared_by_records(run: Path) -> None:
    page = make_page(read_source(run))
    assert [recipe.stage for recipe in page.recipes] == ["layout", "generate", "detect", "correct"]
    assert '"rounds": 2' in page.recipes[3].passed and "fg_noise_ratio" not in page.recipes[3].passed
    assert all(made.recipe in page.recipes for card in page.cards for made in card.made)


def test_a_partial_run_with_plans_only(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / "scores.json").unlink()
    record = Record(kind="layouts", id="a", prompt="a ball", layout=layout([("red", "ball", (10, 10, 50, 50))]))
    write_artifact(run / "layouts.json", "layouts", [record])
    text = write_report(run).read_text(encoding="utf-8")
    assert "not finished: its last artifact holds layouts" in text and "Planned layout: a red ball" in text
    assert "before and after correction" not in text


def test_one_artifact_file(run: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_artifact(tmp_path / "mine.json", "scores", records(folder)[:1])
    path = write_report(tmp_path / "mine.json")
    assert path == tmp_path / "mine.html"
    assert "<h1>mine</h1>" in path.read_text(encoding="utf-8")


def test_the_last_artifact_of_a_run_wins(tmp_path: Path) -> None:
    for name, kind, prompt in (("layouts.json", "layouts", "older"), ("images.json", "images", "newer")):
        folder = RunFolder(tmp_path)
        record = Record(
            kind=kind,  # type: ignore[arg-type]
            id="a",
            prompt=prompt,
            layout=layout([]),
            image=folder.save("a", draw([])),
        )
        write_artifact(tmp_path / name, record.kind, [record])
    assert read_source(tmp_path).artifact.records[0].prompt == "newer"


def test_the_manifest_says_which_artifact_is_the_last(tmp_path: Path) -> None:
    ref = RunFolder(tmp_path).save("a", draw([]))

    def write(name: str, kind: str) -> None:
        score_ = (score("final", 1.0, "spatial", ""),)
        record = Record(kind="scores", id="a", prompt=name, image=ref, detections=(), scores=score_)
        write_artifact(tmp_path / f"{name}.json", kind, [record.grown(kind=kind)])  # type: ignore[arg-type]

    def last() -> tuple[str, bool]:
        source = read_source(tmp_path)
        return source.artifact.records[0].prompt, source.finished

    write("refinements", "refinements")
    write("detections", "detections")
    assert last() == ("refinements", True)
    stages = [("refine", "sdxl"), ("detect", "owlv2"), ("evaluate", "coco"), ("evaluate", "pim")]
    manifest = {
        "kind": "manifest",
        "name": "m",
        "prompts": ["x"],
        "stages": [dict(stage=s, method=m) for s, m in stages],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert last() == ("detections", False)
    write("scores", "scores")
    assert last() == ("scores", False)
    write("scores-2", "scores")
    assert last() == ("scores-2", True)
    (tmp_path / "manifest.json").unlink()
    assert last() == ("scores-2", True)


def test_scores_made_by_hand_know_more_than_the_run(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["stages"] = manifest["stages"][:3]
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert read_source(run).artifact.kind == "scores"


def test_many_measures_are_folded_away(tmp_path: Path) -> None:
    ref = RunFolder(tmp_path).save("a", draw([]))
    means = tuple(Score(metric=f"m{i}", of="final", value=0.5, by="detector", detail=f"why {i}") for i in range(3))
    for count, folded in ((2, 0), (3, 1)):
        record = Record(kind="scores", id="a", prompt="p", image=ref, scores=means[:count])
        write_artifact(tmp_path / "scores.json", "scores", [record])
        text = write_report(tmp_path).read_text(encoding="utf-8")
        assert text.count('<details class="measures">') == folded
        assert "why 1" in text and "✗" not in text.partition("<article")[2]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds none of scores.json"):
        write_report(tmp_path)


def test_a_missing_picture_is_named_and_the_place_is_not(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / "images" / "0001.1.png").unlink()
    (run / "images" / "0002.0.png").write_bytes(b"not a picture")
    text = write_report(run).read_text(encoding="utf-8")
    assert "This picture cannot be shown" in text and "0001.1.png" in text and "0002.0.png" in text
    assert str(tmp_path) not in text


def test_large_pictures_are_reduced_and_many_more_so(tmp_path: Path) -> None:
    noise = Image.effect_noise((1200, 600), 80).convert("RGB")
    ref = RunFolder(tmp_path).save("large", noise)
    picture = Pictures(ImageStore(tmp_path)).show(ref)
    assert picture.url is not None and picture.url.startswith("data:image/jpeg;")
    with Image.open(io.BytesIO(base64.b64decode(picture.url.partition(",")[2]))) as image:
        assert image.size == (768, 384)
    assert (picture.width, picture.height) == (1200, 600)
    assert [longest_side(n) for n in (1, 150, 151, 600, 601)] == [768, 768, 512, 512, 384]


def test_a_region_darkens_only_what_may_not_change(tmp_path: Path) -> None:
    picture = Pictures(ImageStore(tmp_path)).region(RunFolder(tmp_path).region("r", (10, 10, 50, 50)))
    assert picture.url is not None
    with Image.open(io.BytesIO(base64.b64decode(picture.url.partition(",")[2]))) as image:
        alpha = image.convert("RGBA").getchannel("A")
    assert alpha.getpixel((30, 30)) == 0
    assert alpha.getpixel((80, 80)) == 150


def test_labels_keep_clear_of_each_other_and_of_the_edge() -> None:
    things = [("red", "ball", (100.0, 0.0, 127.0, 27.0)), ("red", "ball", (100.0, 2.0, 127.0, 29.0))]
    marks = found_marks(found(things), Labels(128, 128))
    places = [(float(m.label.x), float(m.label.y)) for m in marks if m.label]
    assert len(set(places)) == 2
    assert all(0 <= x <= 100 and 5 <= y <= 128 for x, y in places)
    long = Labels(128, 128).place("ball " + "x" * 60, (0, 0, 9, 9))
    assert long.text.endswith("…") and len(long.text) <= 30


def test_edits_in_words_and_marks() -> None:
    plan = EditPlan(
        edits=(
            MoveEdit(op="resize", target="ball #1", from_box_xyxy=(0, 0, 10, 10), box_xyxy=(0, 0, 10, 20)),
            MoveEdit(op="resize", target="ball #2", from_box_xyxy=(0, 0, 10, 10), box_xyxy=(-5 + 5, 0, 20, 10)),
            MoveEdit(op="move", target="ball #3", from_box_xyxy=(50, 50, 60, 60), box_xyxy=(50, 50, 60, 60)),
            MoveEdit(op="move", target="ball #4", from_box_xyxy=(50, 50, 60, 60), box_xyxy=(20, 40, 30, 50)),
        )
    )
    assert [words.text for words in edit_words(plan)] == [
        "move ball #1 5 px down, resize from 10×10 to 10×20 px",
        "move ball #2 5 px right, resize from 10×10 to 20×10 px",
        "leave ball #3 in place",
        "move ball #4 30 px left and 10 px up",
    ]
    marks = edit_marks(plan, 128, 128)
    assert [m.kind for m in marks] == ["from", "move"] * 4
    assert [m.arrow is not None for m in marks if m.kind == "move"] == [True, True, False, True]
    assert [m.badge.text for m in marks if m.badge] == ["1", "2", "3", "4"]
    arrow = marks[-1].arrow
    assert arrow is not None and arrow.line.startswith("M55 55L") and arrow.head.startswith("M25 45L")


def test_a_plan_that_was_not_carried_out_is_drawn_as_planned(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    image = folder.save("a", draw([]))
    plan = EditPlan(edits=(AddEdit(target="ball #1", phrase="a ball", noun="ball", box_xyxy=(1, 1, 9, 9)),))
    history = (HistoryEntry(stage="generate", round=0, image=image),)
    record = Record(kind="corrections", id="a", prompt="a ball", image=image, edits=plan, history=history)
    steps = make_steps(record, Pictures(ImageStore(tmp_path)), {})
    assert [(s.title, s.planned, s.final) for s in steps] == [("Drawn", False, True), ("Next", True, False)]
    done = record.grown(history=(history[0].model_copy(update={"edits": plan}),))
    assert [s.title for s in make_steps(done, Pictures(ImageStore(tmp_path)), {})] == ["Drawn"]


def test_a_picture_from_outside_is_shown_with_its_detections(tmp_path: Path) -> None:
    image = RunFolder(tmp_path).save("a", draw([]))
    seen = found([("red", "ball", (1, 1, 20, 20))])
    record = Record(kind="detections", id="a", prompt="a ball", image=image, detections=seen)
    (step,) = make_steps(record, Pictures(ImageStore(tmp_path)), {})
    assert step.title == "Picture" and step.alt == "Picture picture, found in it: red ball"
    assert [layer for layer, _ in step.marks] == ["found"]


def test_a_picture_that_was_given_is_not_called_drawn(tmp_path: Path) -> None:
    image = RunFolder(tmp_path).save("a", draw([]))
    history = (HistoryEntry(stage="generate", round=0, image=image),)
    record = Record(
        kind="images", id="a", prompt="p", instruction="i", source_image=image.path, image=image, history=history
    )
    assert [s.title for s in make_steps(record, Pictures(ImageStore(tmp_path)), {})] == ["Given"]
    own = record.grown(source_image=None)
    assert [s.title for s in make_steps(own, Pictures(ImageStore(tmp_path)), {})] == ["Drawn"]


def test_a_picture_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    draw([]).save(outside)
    root = tmp_path / "run"
    root.mkdir()
    (root / "link.png").symlink_to(outside)
    picture = Pictures(ImageStore(root)).show(ImageRef(path="link.png", width=128, height=128))
    assert picture.url is None and picture.problem is not None


def test_before_and_after_are_compared_only_over_the_same_records(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    assert make_page(read_source(run)).headline is not None
    scored = list(read_source(run).artifact.records)
    assert scored[0].scores is not None
    scored[0] = scored[0].grown(scores=scored[0].scores[1:])
    write_artifact(run / "scores.json", "scores", scored)
    page = make_page(read_source(run))
    assert page.headline is None
    assert {row.type: row.change for row in (*page.tables[0].rows, page.tables[0].overall)} == {
        "negation": "±0",
        "numeracy": "",
        "attribution": "−50",
        "spatial": "+100",
        "overall": "",
    }


def test_without_correction_nothing_is_called_still_wrong(tmp_path: Path) -> None:
    ref = RunFolder(tmp_path).save("a", draw([]))
    scored = Record(
        kind="scores", id="a", prompt="p", image=ref, scores=(score("final", 0.0, "numeracy", "wanted 3, found 2"),)
    )
    write_artifact(tmp_path / "scores.json", "scores", [scored])
    page = make_page(read_source(tmp_path))
    assert page.cards[0].outcome_text == "Wrong"
    assert page.cards[0].verdicts[0].column == "Picture"
    assert [words for _, words in page.tables[0].columns] == ["Picture"]
    assert [o[1:] for o in page.outcomes] == [("Wrong", "✗", 1)]
