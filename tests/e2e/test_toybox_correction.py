"""The bundled models, for real: a picture drawn for one prompt is corrected towards another."""

from pathlib import Path

import numpy as np
import pytest

from llmgen.artifacts import Record
from llmgen.engine.context import StageContext
from llmgen.presets import load_preset
from llmgen.registry import resolve
from llmgen.vision.images import ImageStore

CHANGES = [
    ("a meadow with a red ball and a blue house", "a meadow with a red ball and a yellow house"),
    ("a beach with two blue cars and a green tree", "a beach with a blue car and a green tree"),
    ("a snowy field with a purple star", "a snowy field with a purple star and an orange fish"),
    (
        "a meadow with an orange cup to the left of a green car",
        "a meadow with an orange cup to the right of a green car",
    ),
]


@pytest.mark.slow
def test_corrections_agree_more_and_touch_nothing_else(tmp_path: Path) -> None:
    context = StageContext(load_preset("toybox"), ImageStore(tmp_path), "cpu", "float32")

    def run(stage: str, method: str, records: list[Record], **settings: object) -> list[Record]:
        return resolve(stage, method)(context, context.config_for(stage, method, settings))(records)

    drawn = run("layout", "lmd", [Record(id=f"r{i}", prompt=old, seed=i) for i, (old, _) in enumerate(CHANGES)])
    drawn = run("generate", "gligen", drawn)
    asked = [r.grown(prompt=new, layout=None) for r, (_, new) in zip(drawn, CHANGES, strict=True)]
    corrected = run("correct", "self_correction", run("detect", "owlv2", asked), rounds=2)

    first = [r.history[0].agreement or 0 for r in corrected]
    best = [max(e.agreement or 0 for e in r.history if e.kept) for r in corrected]
    assert all(a < 1 for a in first)
    assert all(b >= a for a, b in zip(first, best, strict=True))
    assert sum(b == 1 for b in best) >= 3
    for record in corrected:
        kept = [e for e in record.history if e.kept]
        before, after = (np.asarray(context.images.load(e.image)) for e in (kept[0], kept[-1]))
        white = np.zeros(before.shape[:2], dtype=bool)
        for entry in kept[1:]:
            assert entry.region is not None
            white |= np.asarray(context.images.load(entry.region).convert("L")) > 0
        assert np.array_equal(before[~white], after[~white])
        assert record.image == kept[-1].image
