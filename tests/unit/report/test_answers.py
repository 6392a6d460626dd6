"""The report of a question about a picture: input, target, words and samples of every method, side by side."""

import json
from pathlib import Path

import pytest
from tiny_models import noise_image

from llmgen.artifacts import ImageRef, Manifest, Provenance, Record, Reply, Sample, Score
from llmgen.artifacts.io import pretty_json, write_artifact
from llmgen.report import write_report
from llmgen.vision.images import ImageStore

METHODS = ("lgd", "answer-guided", "question-guided")
HOSTILE = "</p><script>alert(1)</script> why?"


def _made(method: str) -> tuple[Provenance, ...]:
    return (
        Provenance(
            stage="generate",
            method=method,
            preset="toybox",
            config={},
            input_sha256="0" * 64,
            llmgen="0.1.0",
            device="cpu",
            dtype="float32",
        ),
    )


def _record(store: ImageStore, method: str, right: bool) -> Record:
    refs: list[ImageRef] = [
        store.save("q", f"{method}-{i}", noise_image(i + 3 * METHODS.index(method))) for i in (0, 1)
    ]
    samples = tuple(
        Sample(
            index=i,
            seed=100 + i,
            image=ref,
            chosen=i == 0,
            scores=(
                Score(metric="vqai", of="final", by="judge", value=float(right and i == 0)),
                Score(metric="vqai.similarity", of="final", by="clip", value=0.81),
            ),
        )
        for i, ref in enumerate(refs)
    )
    said = '{"reasoning": "", "answer": "it is night now", "edit_instruction": "make it night"}'
    return Record(
        kind="scores",
        id="q",
        instruction=HOSTILE,
        source_image="images/before.png",
        target_image="images/after.png",
        image=refs[0],
        samples=samples,
        scores=(Score(metric="vqai", of="final", by="judge", value=float(right)),),
        replies=(Reply(call="answer", provider="rules", text=said),) if method == "answer-guided" else (),
        provenance=_made(method),
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    store = ImageStore(tmp_path)
    (tmp_path / "images").mkdir()
    for name in ("before", "after"):
        noise_image(len(name)).save(tmp_path / "images" / f"{name}.png")
    stages = [{"stage": "generate", "method": name, "from": "prompts", "name": name} for name in METHODS]
    entry = {
        "name": "answers",
        "prompts": ["a cat"],
        "stages": [*stages, {"stage": "evaluate", "method": "vqai", "from": METHODS}],
    }
    manifest = Manifest.model_validate_json(json.dumps(entry))
    (tmp_path / "manifest.json").write_text(pretty_json(manifest.model_dump(mode="json", by_alias=True)))
    for method in METHODS:
        write_artifact(tmp_path / f"scores-{method}.json", "scores", [_record(store, method, method == "lgd")])
    return tmp_path


def test_methods_stand_side_by_side(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    assert page.count("<b>Input</b>") == page.count("<b>Target</b>") == 1
    for method in METHODS:
        assert f"Answers of {method} to record q" in page
    assert page.count("<b>Sample 0, chosen</b>") == page.count("<b>Sample 1</b>") == 3
    assert "it is night now / make it night" in page
    assert page.count("<b>Side by side</b>") == 1 and page.count('<th scope="row">question-guided</th>') == 1
    assert "right · like the target 0.81" in page
    assert page.count("wrong · like the target 0.81") == 5
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_a_missing_input_is_told_of(run: Path) -> None:
    (run / "images" / "before.png").unlink()
    page = write_report(run).read_text(encoding="utf-8")
    assert "This picture cannot be shown" in page and "before.png" in page
    assert str(run) not in page


def test_one_artifact_alone_has_its_own_method_only(run: Path) -> None:
    page = write_report(run / "scores-lgd.json", run / "one.html").read_text(encoding="utf-8")
    assert "Answers of lgd to record q" in page
    assert "Answers of question-guided" not in page and "Side by side" not in page
