import pytest
from tiny_stages import TinyConfig, TinyCorrect, TinyDetect, TinyEvaluate, TinyGenerate, TinyGenerateConfig

from llmgen.artifacts import ImageRef, Record, Sample, Score
from llmgen.artifacts.hashing import record_digest
from llmgen.artifacts.pictures import image_refs
from llmgen.engine.context import StageContext
from llmgen.engine.journal import Journal
from llmgen.engine.local import run_stage
from llmgen.engine.pictures import bring
from llmgen.engine.seeds import derive_seed
from llmgen.errors import InputError
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore


def context(root, **changes):
    values = {"seed": 5, "batch_size": 3, "device": "cpu", "dtype": "float32", **changes}
    return StageContext(preset=load_preset("toybox"), images=ImageStore(root), **values)


def go(records, root, method=TinyGenerate, config=None, **options):
    config = config or TinyConfig()
    shared = context(root, **options.pop("context", {}))
    return run_stage(records, method_class=method, config=config, given={}, context=shared, **options).records


def prompts(n):
    return [Record(id=f"r{i}", prompt=f"thing {i}") for i in range(n)]


def draw(root, n=2, samples=3, **options):
    return go(prompts(n), root, config=TinyGenerateConfig(samples=samples), **options)


def test_the_first_sample_is_the_picture_that_is_drawn_alone(tmp_path):
    alone = go(prompts(2), tmp_path / "alone", config=TinyGenerateConfig())
    for one, several in zip(alone, draw(tmp_path / "several"), strict=True):
        assert not one.samples and [sample.index for sample in several.samples] == [0, 1, 2]
        first = several.samples[0]
        assert first.image == one.image == several.image and first.chosen and several.chosen is first
        assert (several.id, several.seed, several.history) == (one.id, one.seed, one.history)
        assert len({sample.image.sha256 for sample in several.samples}) == 3


def test_seeds_derive_from_record_and_place_and_depend_on_no_number(tmp_path):
    (record,) = draw(tmp_path, n=1, samples=4)
    seed = derive_seed(5, "r0")
    assert [s.seed for s in record.samples] == [seed, *(derive_seed(seed, "r0", i) for i in (1, 2, 3))]
    (fewer,) = draw(tmp_path, n=1, samples=2, context={"batch_size": 1})
    assert fewer.samples == record.samples[:2]
    given = go([Record(id="r0", prompt="x", seed=9)], tmp_path, config=TinyGenerateConfig(samples=2))[0]
    assert [s.seed for s in given.samples] == [9, derive_seed(9, "r0", 1)]


def test_pictures_are_called_like_record_and_sample(tmp_path):
    (record,) = draw(tmp_path, n=1)
    names = [sample.image.path.removeprefix("images/").rpartition("-")[0] for sample in record.samples]
    assert names == ["r0.generate", "r0.s1.generate", "r0.s2.generate"]
    long = go([Record(id="x" * 128, prompt="x")], tmp_path, config=TinyGenerateConfig(samples=2))[0]
    assert long.error is None and len(long.samples) == 2


def test_a_publication_draws_from_its_own_seeds(tmp_path):
    config = TinyGenerateConfig(samples=2, published=True)
    (record,) = go([Record(id="r0", prompt="x", seed=9)], tmp_path, config=config)
    assert [sample.seed for sample in record.samples] == [11, 12] and record.seed == 9
    with pytest.raises(InputError, match="3 seeds of their own"):
        go(prompts(1), tmp_path, config=TinyGenerateConfig(samples=4, published=True))


def test_a_call_is_never_larger_than_a_batch(tmp_path, monkeypatch):
    sizes = []
    call = TinyGenerate.__call__
    monkeypatch.setattr(
        TinyGenerate, "__call__", lambda self, records: sizes.append(len(records)) or call(self, records)
    )
    draw(tmp_path, n=4, samples=4, context={"batch_size": 3})
    # Three records are a batch: their first pictures as if alone, then the others; then the fourth record.
    assert sizes == [3, 3, 3, 3, 1, 3]
    sizes.clear()
    monkeypatch.setattr(TinyGenerateConfig, "first_alone", False)
    (record,) = draw(tmp_path, n=1, samples=9, context={"batch_size": 9})
    assert sizes == [9] and [sample.index for sample in record.samples] == list(range(9))


def test_all_samples_are_looked_at_and_scored(tmp_path):
    looked = go(draw(tmp_path), tmp_path, method=TinyDetect)
    assert all(sample.detections for record in looked for sample in record.samples)
    assert looked[0].detections == looked[0].samples[0].detections
    scored = go(looked, tmp_path, method=TinyEvaluate)
    for record in scored:
        assert [score.of for score in record.scores] == ["initial", "final"]
        assert [[score.of for score in s.scores] for s in record.samples][0] == ["final"]
        assert all(score.value == 1.0 for sample in record.samples for score in sample.scores if score.of == "final")
        assert record.id == record.id.split(".")[0] and len(record.provenance) == 3


def test_correction_goes_on_with_the_chosen_one_and_keeps_the_others(tmp_path):
    looked = go(draw(tmp_path, n=1), tmp_path, method=TinyDetect)
    chosen = looked[0].with_choice(2, "the pose is right")
    assert chosen.image == chosen.samples[2].image and chosen.detections == chosen.samples[2].detections
    assert [(s.chosen, s.reason) for s in chosen.samples] == [(False, None), (False, None), (True, "the pose is right")]
    with pytest.raises(IndexError, match="3 samples"):
        chosen.with_choice(3)
    (corrected,) = go([chosen], tmp_path, method=TinyCorrect)
    assert corrected.samples == chosen.samples and corrected.image != chosen.image
    (scored,) = go([corrected], tmp_path, method=TinyEvaluate)
    assert all(sample.scores for sample in scored.samples)


def test_what_was_drawn_before_is_dropped_when_it_is_drawn_anew(tmp_path):
    (again,) = go(draw(tmp_path, n=1), tmp_path, config=TinyGenerateConfig(samples=1))
    assert again.samples == ()


def test_samples_that_lack_what_is_needed_are_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(TinyEvaluate, "needs", ("image", "detections"))
    (record,) = draw(tmp_path, n=1)
    found = go([record], tmp_path, method=TinyDetect)[0].detections
    (scored,) = go([record.grown(detections=found)], tmp_path, method=TinyEvaluate)
    assert scored.samples[0].scores and scored.samples[1].scores is None
    assert scored.remarks[0].text == "samples without image and detections are left out: 1, 2"


def test_a_finished_record_is_taken_from_the_journal_only_with_all_its_pictures(tmp_path):
    journal = tmp_path / "journal"
    first = draw(tmp_path, journal=Journal(journal))
    assert {ref.path for ref in image_refs(first[0])} == {s.image.path for s in first[0].samples}
    (tmp_path / first[0].samples[2].image.path).unlink()
    again = draw(tmp_path, journal=Journal(journal))
    assert again == first and (tmp_path / first[0].samples[2].image.path).is_file()


def test_samples_move_with_their_artifact(tmp_path):
    (record,) = draw(tmp_path / "here", n=1)
    moved = bring(record, ImageStore(tmp_path / "here"), ImageStore(tmp_path / "there"))
    for sample in moved.samples:
        ImageStore(tmp_path / "there").load(sample.image)


def test_remarks_stand_in_the_record_and_are_said_once(tmp_path):
    from llmgen.engine.local import Progress

    class Lines(Progress):
        def __init__(self):
            self.lines = []

        def problem(self, text):
            self.lines.append(text)

    progress = Lines()
    (record,) = go(prompts(1), tmp_path, config=TinyConfig(remark="cut  to\nfit"), progress=progress)
    assert [(r.stage, r.text) for r in record.remarks] == [("generate", "cut to fit")]
    assert progress.lines == ["generate tiny: record 'r0': cut to fit"]
    (same,) = go(prompts(1), tmp_path, config=TinyGenerateConfig(samples=3, remark="cut"))
    assert [r.text for r in same.remarks] == ["cut"]
    (each,) = go(prompts(1), tmp_path, config=TinyGenerateConfig(samples=2, remark="of {seed}"))
    assert [r.text for r in each.remarks] == [f"of {each.seed}", f"sample 1: of {each.samples[1].seed}"]
    (failed,) = go(prompts(1), tmp_path, config=TinyConfig(remark="cut", crash=("r0",)))
    assert failed.error is not None and failed.remarks == ()
    (later,) = go([record], tmp_path, method=TinyDetect, config=TinyConfig(remark="seen"))
    assert [r.stage for r in later.remarks] == ["generate", "detect"]


PICTURE = ImageRef(path="images/a.png", width=8, height=8)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ([(1, True)], "numbered"),
        ([(0, True), (0, False)], "numbered"),
        ([(0, False), (1, False)], "exactly one"),
        ([(0, True), (1, True)], "exactly one"),
    ],
)
def test_samples_that_contradict_each_other_are_refused(samples, reason):
    made = tuple(Sample(index=index, seed=1, image=PICTURE, chosen=chosen) for index, chosen in samples)
    with pytest.raises(ValueError, match=reason):
        Record(id="a", prompt="x", samples=made)


def test_a_record_without_samples_is_written_as_before():
    assert record_digest(Record(id="a", prompt="x")) == record_digest(
        Record(id="a", prompt="x", samples=(), remarks=())
    )


def test_scores_have_a_unit_and_a_direction():
    assert Score(metric="m", of="final", value=0.5, by="judge").unit == "share"
    distance = Score(metric="m", of="final", value=-3.5, unit="px", better="lower", by="judge")
    assert distance.value == -3.5
    for bad in ({"value": 1.5}, {"value": float("nan"), "unit": "px"}, {"value": 0.5, "better": "more"}):
        with pytest.raises(ValueError):
            Score(**{"metric": "m", "of": "final", "by": "judge", **bad})
