import json

import pytest
import tiny_stages
from tiny_stages import TinyConfig, TinyDetect, TinyGenerate, TinyLayout

from llmgen.artifacts import Record, RecordError
from llmgen.artifacts.hashing import record_digest
from llmgen.engine.context import StageContext
from llmgen.engine.journal import Journal
from llmgen.engine.local import Progress, run_stage, stream_stage
from llmgen.engine.seeds import derive_seed
from llmgen.errors import InputError, MissingRequirementError, ModelError, OutputError
from llmgen.presets import load_preset
from llmgen.vision.images import ImageStore


def context(root, **changes):
    values = {"seed": 5, "batch_size": 3, "device": "cpu", "dtype": "float32", **changes}
    return StageContext(preset=load_preset("toybox"), images=ImageStore(root), **values)


def go(records, root, method=TinyGenerate, config=None, **options):
    changes = options.pop("context", {})
    return run_stage(
        records,
        method_class=method,
        config=config or TinyConfig(),
        given={"rounds": 2},
        context=context(root, **changes),
        **options,
    )


def prompts(n):
    return [Record(id=f"r{i}", prompt=f"thing {i}") for i in range(n)]


def test_records_grow_in_order_with_seed_kind_and_provenance(tmp_path):
    result = go(prompts(7), tmp_path)
    assert [r.id for r in result.records] == [f"r{i}" for i in range(7)]
    record = result.records[3]
    assert record.seed == derive_seed(5, "r3") and record.kind == "images" == result.makes
    (provenance,) = record.provenance
    assert (provenance.stage, provenance.method, provenance.preset) == ("generate", "tiny", "toybox")
    assert provenance.config["rounds"] == 2 and provenance.config_passed == {"rounds": 2}
    assert provenance.input_sha256 == record_digest(Record(id="r3", prompt="thing 3", seed=record.seed))
    assert provenance.models[0].role == "tiny" and provenance.packages["pydantic"]


def test_result_depends_on_neither_order_nor_batches(tmp_path):
    forward = {r.id: r for r in go(prompts(7), tmp_path).records}
    backward = {r.id: r for r in go(prompts(7)[::-1], tmp_path, context={"batch_size": 2}).records}
    assert forward == backward


def test_a_given_seed_is_kept(tmp_path):
    assert go([Record(id="a", prompt="x", seed=9)], tmp_path).records[0].seed == 9


@pytest.mark.parametrize(("field", "kind"), [("fail", "ModelError"), ("crash", "ZeroDivisionError")])
def test_one_failure_leaves_the_others_alone(tmp_path, field, kind):
    result = go(prompts(7), tmp_path, config=TinyConfig(**{field: ("r4",)}))
    assert [r.id for r in result.failed] == ["r4"]
    error = result.records[4].error
    assert error is not None and error.type == kind and error.stage == "generate"
    assert all(r.image is not None for i, r in enumerate(result.records) if i != 4)


def test_out_of_memory_is_a_model_error_with_advice(tmp_path, monkeypatch):
    def one(self, record):
        raise MemoryError

    monkeypatch.setattr(TinyGenerate, "one", one)
    (record,) = go(prompts(1), tmp_path).records
    assert record.error.type == "ModelError" and "--batch-size" in record.error.message


@pytest.mark.parametrize("said_by", ["python", "method"])
def test_a_batch_that_memory_does_not_hold_is_halved_and_says_so(tmp_path, monkeypatch, said_by):
    calls = []

    def call(self, records):
        calls.append(len(records))
        if len(records) > 2:
            if said_by == "python":
                raise MemoryError
            raise ModelError("generate tiny: out of memory") from MemoryError()
        return [self.one(record) for record in records]

    expected = go(prompts(7), tmp_path, context={"batch_size": 7}).records
    monkeypatch.setattr(TinyGenerate, "__call__", call)
    records = go(prompts(7), tmp_path, context={"batch_size": 7}).records
    assert calls == [7, 4, 2, 2, 3, 2, 1]
    assert [r.grown(remarks=()) for r in records] == expected
    assert [[remark.text.partition(" records")[0] for remark in r.remarks] for r in records] == [
        *[["out of memory with 4", "out of memory with 7"]] * 4,
        *[["out of memory with 3", "out of memory with 7"]] * 3,
    ]


def test_debugging_raises_what_was_not_expected(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMGEN_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        go(prompts(2), tmp_path, config=TinyConfig(crash=("r0",)))


def test_a_method_may_clear_a_section_of_the_old_kind(tmp_path, monkeypatch):
    def one(self, record):
        return record.grown(detections=None, image=self.picture(record, "new"))

    looked = go(go(prompts(1), tmp_path).records, tmp_path, method=TinyDetect).records
    monkeypatch.setattr(TinyGenerate, "one", one)
    (record,) = go(looked, tmp_path).records
    assert record.error is None and record.kind == "images" and record.detections is None


def test_records_with_an_error_pass_through(tmp_path):
    broken = Record(id="b", prompt="x", error=RecordError(stage="layout", type="ModelError", message="no"))
    result = go([broken, *prompts(1)], tmp_path)
    assert result.records[0].error == broken.error and result.records[0].kind == "images"
    assert result.records[0].image is None and result.records[1].image is not None


def test_missing_sections_are_said(tmp_path):
    with pytest.raises(InputError, match="the input: record 'r0' .* no section 'image'.*`llmgen generate`"):
        go(prompts(2), tmp_path, method=TinyDetect)
    whole = go(prompts(1), tmp_path).records[0]
    result = go([whole, Record(id="z", prompt="no picture yet")], tmp_path, method=TinyDetect)
    assert result.records[0].detections and "no section 'image'" in result.records[1].error.message


def test_what_is_missing_for_all_stops_at_once(tmp_path, monkeypatch):
    calls = []

    def one(self, record):
        calls.append(record.id)
        raise MissingRequirementError("no key; set OPENAI_API_KEY")

    monkeypatch.setattr(TinyLayout, "one", one)
    with pytest.raises(MissingRequirementError, match="OPENAI_API_KEY"):
        go(prompts(9), tmp_path, method=TinyLayout)
    assert set(calls) == {"r0", "r1", "r2"}


def test_errors_of_loading_are_nobodys_records(tmp_path, monkeypatch):
    def init(self, context, config):
        raise MissingRequirementError("weights are missing")

    monkeypatch.setattr(TinyLayout, "__init__", init)
    with pytest.raises(MissingRequirementError, match="weights"):
        go(prompts(2), tmp_path, method=TinyLayout)


def test_a_full_disk_stops_the_stage(tmp_path, monkeypatch):
    def one(self, record):
        raise OutputError("cannot write: no space left on device")

    monkeypatch.setattr(TinyGenerate, "one", one)
    with pytest.raises(OutputError):
        go(prompts(2), tmp_path)


def test_emitted_in_order_as_batches_finish(tmp_path):
    broken = Record(id="b", prompt="x", error=RecordError(stage="layout", type="ModelError", message="no"))
    seen = []
    go([*prompts(4), broken], tmp_path, emit=lambda records: seen.append([r.id for r in records]))
    assert seen == [["r0", "r1", "r2"], ["r3", "b"]]


def test_a_stream_is_read_no_further_than_its_batch(tmp_path):
    read, seen = [], []

    def coming():
        for record in prompts(9):
            read.append(record.id)
            yield record

    tally = stream_stage(
        coming(),
        method_class=TinyGenerate,
        config=TinyConfig(fail=("r1",)),
        given={},
        context=context(tmp_path),
        emit=lambda records: seen.append((len(read), [r.id for r in records])),
    )
    assert seen == [(n, [f"r{i}" for i in range(n - 3, n)]) for n in (3, 6, 9)]
    assert (tally.count, tally.failed, tally.named) == (9, 1, ["r1"]) and tally.first_error.type == "ModelError"


def test_a_stream_that_breaks_keeps_the_batches_before(tmp_path):
    def coming():
        yield from prompts(5)
        raise InputError("the file ends in the middle")

    seen, journal = [], Journal(tmp_path / "j")
    with pytest.raises(InputError, match="in the middle"):
        stream_stage(
            coming(),
            method_class=TinyGenerate,
            config=TinyConfig(),
            given={},
            context=context(tmp_path),
            emit=seen.extend,
            journal=journal,
        )
    assert [r.id for r in seen] == ["r0", "r1", "r2"] and len(Journal(tmp_path / "j")) == 3


def test_progress_counts_every_record_once(tmp_path):
    class Count(Progress):
        total = count = 0

        def start(self, stage, method, total):
            self.total = total

        def done(self, records, reused):
            self.count += len(records)

    progress = Count()
    broken = Record(id="b", prompt="x", error=RecordError(stage="layout", type="ModelError", message="no"))
    go([*prompts(4), broken], tmp_path, progress=progress, config=TinyConfig(fail=("r1",)))
    assert progress.count == progress.total == 5


class TestJournal:
    @pytest.fixture
    def work(self, tmp_path, monkeypatch):
        """Runs seven records and says which were really worked on."""
        log = tmp_path / "log"
        monkeypatch.setenv(tiny_stages.WORK_LOG, str(log))

        def work(records=None, **options):
            log.write_text("")
            result = go(records or prompts(7), tmp_path, journal=Journal(tmp_path / "j.jsonl"), **options)
            return result, [line.split()[1] for line in log.read_text().splitlines()]

        return work

    def test_nothing_is_done_twice(self, work):
        first, done = work()
        assert len(done) == 7 and first.reused == 0
        second, done = work()
        assert done == [] and second.reused == 7 and second.records == first.records

    def test_of_a_batch_that_failed_in_part_the_rest_is_done_before(self, work):
        first, _ = work(config=TinyConfig(fail=("r1",)))
        second, done = work(config=TinyConfig(fail=("r1",)))
        assert done == [] and second.reused == 6 and second.records == first.records

    def test_a_torn_end_costs_its_batch_only(self, work, tmp_path):
        first, _ = work()
        path = tmp_path / "j.jsonl"
        path.write_bytes(path.read_bytes()[:-30])
        second, done = work()
        assert done == ["r6"] and second.records == first.records
        assert all(json.loads(line) for line in path.read_text().splitlines())
        assert work()[1] == []

    def test_rubbish_is_not_trusted(self, work, tmp_path):
        first, _ = work()
        (tmp_path / "j.jsonl").write_bytes(b'{"records": 3}\n\xff\n')
        second, done = work()
        assert len(done) == 7 and second.records == first.records

    @pytest.mark.parametrize(
        "change",
        [
            {"config": TinyConfig(rounds=3)},
            {"context": {"seed": 6}},
            {"context": {"planner_name": "openai"}},
            {"method": TinyLayout},
        ],
    )
    def test_other_settings_are_other_work(self, work, change):
        work()
        assert len(work(**change)[1]) == 7

    def test_a_changed_record_is_done_again(self, work):
        first, _ = work()
        second, done = work([*prompts(6), Record(id="r6", prompt="another thing")])
        assert done == ["r6"] and second.records[:6] == first.records[:6]

    @pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b"other")])
    def test_a_lost_picture_is_made_again_with_its_batch(self, work, tmp_path, damage):
        first, _ = work()
        damage(tmp_path / first.records[4].image.path)
        second, done = work()
        assert done == ["r3", "r4", "r5"] and second.records == first.records

    def test_failed_records_are_tried_again_alone(self, work, monkeypatch):
        config = TinyConfig(fail=("r1",))
        first, _ = work(config=config)
        assert [r.id for r in first.failed] == ["r1"]
        monkeypatch.setattr(TinyGenerate, "__call__", lambda self, records: [self.one(r) for r in records])
        second, _ = work(config=config)
        assert second.failed == [] and second.records[0] == first.records[0]

    def test_times_are_in_the_journal_and_not_in_records(self, work, tmp_path):
        result, _ = work()
        line = json.loads((tmp_path / "j.jsonl").read_text().splitlines()[1])["line"]
        assert line["seconds"] >= 0 and line["finished_at"].endswith("Z")
        assert "finished_at" not in result.records[0].model_dump_json()
        assert Journal(tmp_path / "j.jsonl").seconds() >= 0
