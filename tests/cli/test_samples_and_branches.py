"""Several pictures of a prompt, several methods from one input, and going on as it was begun."""

import json

import pytest

from llmgen.artifacts.io import read_records


def test_samples_go_through_the_whole_chain(llmgen, workplace):
    done = llmgen("generate", "-", "--method", "tiny", "-n", "3", "-o", "i.json", stdin='["a", "b"]')
    assert done.code == 0, done.err
    assert llmgen("detect", "i.json", "--method", "tiny", "-o", "d.jsonl").code == 0
    scored = llmgen("evaluate", "tiny", "d.jsonl", "-o", "s.json")
    assert scored.code == 0 and "of all 6 pictures of 2 records: mean 1.000, best 1.000 [0.34, 1.00]" in scored.err
    for record in read_records(workplace / "s.json").records:
        assert len(record.samples) == 3 and all(s.detections and s.scores for s in record.samples)
    assert len(list((workplace / "images").glob("0001*.png"))) == 3
    assert llmgen("validate", "s.json").code == 0
    assert llmgen("report", "s.json").code == 0
    page = (workplace / "s.html").read_text()
    assert page.count("Sample 0, chosen") and page.count("Sample 2") and "6 pictures of 2 records" in page
    next((workplace / "images").glob("0001.s2*.png")).unlink()
    assert "missing" in llmgen("validate", "s.json").err


def test_samples_are_bounded_and_resumed(llmgen, workplace):
    assert "less than or equal to 64" in llmgen("generate", "-", "--method", "tiny", "-n", "65", stdin='["a"]').err
    command = ("generate", "p.json", "--method", "tiny", "-n", "2", "-o", "i.json")
    (workplace / "p.json").write_text('["a", "b"]')
    assert llmgen(*command).code == 0
    before = (workplace / "i.json").read_bytes()
    again = llmgen(*command, "--resume")
    assert "2 done before" in again.err and (workplace / "i.json").read_bytes() == before


@pytest.mark.parametrize("other", [("--seed", "9"), ("--set", "label=x"), ("-n", "3")])
def test_going_on_in_another_way_is_refused(llmgen, workplace, other):
    (workplace / "p.json").write_text('["a", "b"]')
    command = ("generate", "p.json", "--method", "tiny", "-o", "i.json")
    assert llmgen(*command).code == 0
    before = (workplace / "i.json").read_bytes()
    done = llmgen(*command, "--resume", *other)
    assert done.code == 1 and "i.json was begun with" in done.err and "--force" in done.err
    assert done.err.count("error") == 1 and (workplace / "i.json").read_bytes() == before
    (workplace / ".llmgen/i.json.journal").unlink()
    assert "i.json was begun with" in llmgen(*command, "--resume", *other).err
    assert (workplace / "i.json").read_bytes() == before
    assert llmgen(*command, "--force", *other).code == 0
    assert "2 done before" in llmgen(*command, "--resume", *other).err


def test_two_files_called_alike_have_their_own_journals(llmgen, workplace):
    (workplace / "p.json").write_text('["a", "b"]')
    for name in ("x.json", "x.jsonl"):
        assert llmgen("generate", "p.json", "--method", "tiny", "-o", name).code == 0
    assert llmgen("layout", "p.json", "--method", "tiny", "-o", "x.jsonl", "--force").code == 0
    assert "2 done before" in llmgen("generate", "p.json", "--method", "tiny", "-o", "x.json", "--resume").err


def test_remarks_are_said_and_kept(llmgen, workplace):
    command = ("generate", "-", "--method", "tiny", "--set", "remark=cut to 77 tokens", "-o", "i.json")
    done = llmgen(*command, stdin='["a"]')
    assert done.err.count("cut to 77 tokens") == 1 and "generate tiny: record '0001': cut to 77 tokens" in done.err
    (record,) = read_records(workplace / "i.json").records
    assert [(remark.stage, remark.text) for remark in record.remarks] == [("generate", "cut to 77 tokens")]
    assert llmgen("report", "i.json").code == 0 and "cut to 77 tokens" in (workplace / "i.html").read_text()


@pytest.fixture
def branched(workplace):
    def write(stages):
        value = {"name": "t", "prompts": ["a red ball", "two cats"], "stages": stages}
        (workplace / "m.json").write_text(json.dumps(value))

    return write


THREE = [
    {"stage": "layout", "method": "tiny"},
    {"stage": "generate", "method": "tiny", "name": "plain"},
    {"stage": "generate", "method": "tiny", "from": "layouts", "name": "labelled", "config": {"label": "x"}},
    {"stage": "generate", "method": "tiny", "from": "prompts", "config": {"samples": 2}},
    {"stage": "evaluate", "method": "tiny", "from": ["plain", "labelled", "images"]},
]


def test_methods_run_side_by_side_from_one_input(llmgen, workplace, branched):
    branched(THREE)
    done = llmgen("run", "m.json", "-o", "r")
    assert done.code == 0, done.err
    names = {path.name for path in (workplace / "r").glob("*.json")}
    assert names == {
        "manifest.json", "layouts.json", "plain.json", "labelled.json", "images.json",
        "scores-plain.json", "scores-labelled.json", "scores-images.json",
    }  # fmt: skip
    plain, labelled, images = (
        read_records(workplace / "r" / f"{name}.json").records for name in ("plain", "labelled", "images")
    )
    assert plain[0].layout == labelled[0].layout is not None and images[0].layout is None
    assert [p.provenance[-1].config["label"] for p in (plain[0], labelled[0])] == ["plain", "x"]
    table = [line.split() for line in done.err.splitlines() if line.strip().startswith(("plain", "labelled", "images"))]
    assert [row[0] for row in table] == ["plain", "labelled", "images"] and all("1.000" in row for row in table)
    again = llmgen("run", "m.json", "-o", "r")
    assert again.err.count("2 done before") == 7
    resolved = json.loads((workplace / "r/manifest.json").read_text())
    assert [stage.get("from") for stage in resolved["stages"]][2:] == [
        "layouts",
        "prompts",
        ["plain", "labelled", "images"],
    ]
    assert llmgen("validate", "m.json").code == 0


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ({"from": "nothing"}, "starts from 'nothing', which no stage before it leaves; there are prompts, layouts"),
        ({"from": ["layouts", "prompts"]}, "only `evaluate` compares"),
        ({"name": "layouts"}, "would leave a second 'layouts'"),
        ({"name": "../x"}, "/stages/1/name"),
    ],
)
def test_a_branch_that_cannot_be_is_refused(llmgen, branched, stage, reason):
    branched([THREE[0], {"stage": "generate", "method": "tiny", **stage}])
    done = llmgen("run", "m.json")
    assert done.code == 3 and reason in done.err


def test_evaluate_compares_several_artifacts(llmgen, workplace):
    for name in ("one", "two"):
        assert llmgen("generate", "-", "--method", "tiny", "-o", f"{name}/i.json", stdin='["a", "b"]').code == 0
    done = llmgen("evaluate", "tiny", "one/i.json", "two/i.json", "-o", "s")
    assert done.code == 0 and "one-i" in done.out and "two-i" in done.out, done.err
    assert {path.name for path in (workplace / "s").glob("*.json")} == {"one-i.json", "two-i.json"}
    said = json.loads(llmgen("evaluate", "tiny", "one/i.json", "two/i.json", "--json").out)
    (comparison,) = said["comparisons"]
    assert [row["name"] for row in comparison["rows"]] == ["one-i", "two-i"]
    assert comparison["rows"][1]["against"]["n"] == 2
    assert llmgen("evaluate", "tiny", "one/i.json", "one/i.json").code == 3
