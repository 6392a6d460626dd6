"""Bad input: one clear line that names the record and what to do, the right exit code, nothing lost, the other records done."""

import json
import resource
import struct
import zlib

import pytest
from PIL import Image

LAYOUT = {"width": 16, "height": 16, "background_prompt": "a meadow"}
GOOD = {"id": "good", "prompt": "a cat"}


def picture_record(path, **more):
    return {"kind": "images", "id": "bad", "prompt": "x", "image": {"path": path, "width": 16, "height": 16, **more}}


def boxed(box):
    instance = {"id": "i", "phrase": "a ball", "box_xyxy": box}
    return {"kind": "layouts", "id": "bad", "prompt": "x", "layout": {**LAYOUT, "instances": [instance]}}


#: Arguments, stdin, exit code, words on stderr.
WHOLE = {
    "no file": (["layout", "none.json"], "", 3, "no such file"),
    "not JSON": (["layout", "-"], "{", 3, "not JSON"),
    "nothing on stdin": (["layout", "-"], "", 3, "wrote nothing"),
    "empty prompts": (["layout", "-"], "[]", 3, "holds no prompts"),
    "blank prompt": (["layout", "-"], '[" "]', 3, "the prompt is empty"),
    "unknown field": (["layout", "-"], '[{"prompt": "a", "tpye": "b"}]', 3, "did you mean 'type'"),
    "wrong kind": (["detect", "-"], '["a cat"]', 3, "make it first with `llmgen generate`"),
    "not looked at": (
        ["correct", "-", "--mode", "tiny"],
        json.dumps(picture_record("a.png")),
        3,
        "make it first with `llmgen detect`",
    ),
    "manifest given to a stage": (["layout", "-"], '{"stages": []}', 3, "llmgen run"),
    "no manifest": (["run", "none.json"], "", 3, "no such file"),
    "box outside": (
        ["generate", "-"],
        json.dumps(boxed([1, 2, 30, 4])),
        3,
        "'bad' (position 1): /layout: instance 'i'",
    ),
    "box inverted": (
        ["generate", "-"],
        json.dumps(boxed([9, 2, 3, 4])),
        3,
        "/layout/instances/0/box_xyxy: box is inverted",
    ),
    "box NaN": (["generate", "-"], json.dumps(boxed([float("nan"), 2, 3, 4])), 3, "finite number"),
    "picture leaves": (["detect", "-"], json.dumps(picture_record("../a.png")), 3, "leaves the folder"),
    "picture missing": (["detect", "-"], json.dumps(picture_record("a.png")), 3, "'a.png' is missing"),
    "no picture": (["detect", "-"], json.dumps(picture_record("text.png")), 3, "'text.png' is not a picture"),
    "other picture": (["detect", "-"], json.dumps(picture_record("good.png", sha256="0" * 64)), 3, "SHA-256 differs"),
    "other size": (["detect", "-"], json.dumps(picture_record("good.png", width=9)), 3, "is 16x16"),
    "bomb": (["detect", "-"], json.dumps(picture_record("bomb.png", width=16000, height=16000)), 3, "pixels"),
    "link outside": (["detect", "-"], json.dumps(picture_record("link.png")), 3, "leads out of"),
    "unknown method": (["layout", "-", "--method", "tinny"], '["a"]', 3, "Did you mean 'tiny'?"),
    "unknown preset": (["layout", "-", "--preset", "toyboks"], '["a"]', 3, "Did you mean 'toybox'?"),
    "unknown setting": (["layout", "-", "--set", "round=3"], '["a"]', 3, "Did you mean 'rounds' or"),
    "bad setting": (["layout", "-", "--set", "rounds=many"], '["a"]', 3, "got 'many'"),
    "flag that is no setting": (["refine", "-", "--strength", "0.5"], '["a"]', 3, "no setting 'strength'"),
    "unknown schema": (["schema", "recrod"], "", 3, "Did you mean 'record'?"),
    "unknown stage": (["methods", "dectect"], "", 3, "Did you mean 'detect'?"),
    "no such device": (["layout", "-", "--device", "tpu"], '["a"]', 3, "no device 'tpu'"),
    "no such dtype": (["layout", "-", "--dtype", "int8"], '["a"]', 3, "no dtype 'int8'"),
    "output is a folder": (["layout", "-", "-o", "folder"], '["a"]', 1, "is a folder"),
    "output below a file": (["layout", "-", "-o", "text.png/l.json"], '["a"]', 1, "choose another folder"),
    "output exists": (["layout", "-", "-o", "text.png"], '["a"]', 1, "use --resume to complete it or --force"),
    "unexpected error": (["layout", "-", "--set", "crash=0001"], '["a"]', 5, "ZeroDivisionError: by design"),
    "all fail": (["layout", "-", "--set", "fail=0001"], '["a"]', 5, "cannot do 0001"),
    "setting without a value": (["layout", "-", "--set", "rounds"], '["a"]', 2, "NAME=VALUE"),
    "unknown flag": (["layout", "-", "--colour"], '["a"]', 2, "--colour"),
    "batch of none": (["layout", "-", "--batch-size", "0"], '["a"]', 2, "--batch-size"),
    "report of nothing": (["report", "none"], "", 3, "none"),
}


def prepare(folder):
    Image.new("RGB", (16, 16)).save(folder / "good.png")
    (folder / "text.png").write_text("no picture")
    (folder / "folder").mkdir()
    (folder / "link.png").symlink_to("/etc/hostname")

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 16000, 16000, 8, 0, 0, 0, 0)
    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
    )


@pytest.mark.parametrize("case", WHOLE)
def test_what_cannot_be_done_is_said_in_one_line(llmgen, workplace, case):
    prepare(workplace)
    before = {path: path.read_bytes() for path in workplace.rglob("*") if path.is_file()}
    arguments, stdin, code, words = WHOLE[case]
    done = llmgen(*arguments, *methods_of(arguments), stdin=stdin)
    assert done.code == code, done.err
    if code == 2:
        assert words in done.err
    else:
        last = done.err.splitlines()[-1]
        assert last.startswith("error: ") and words in last and len(last) < 600
        assert "Traceback" not in done.err
    assert {path: path.read_bytes() for path in before} == before


def methods_of(arguments):
    stages = ("layout", "generate", "detect", "refine")
    return ["--method", "tiny"] if arguments[0] in stages and "--method" not in arguments else []


BESIDE = {
    "unknown field": ({"id": "bad", "prompt": "x", "tpye": "b"}, "tpye"),
    "box outside": (boxed([1, 2, 30, 4]), "leaves the 16x16 picture"),
    "picture missing": (picture_record("a.png"), "'a.png' is missing"),
    "no picture": (picture_record("text.png"), "not a picture"),
    "no section": ({"id": "bad", "prompt": "x"}, "no section 'image'"),
}


@pytest.mark.parametrize("case", BESIDE)
def test_a_bad_record_does_not_stop_the_others(llmgen, workplace, case):
    prepare(workplace)
    bad, words = BESIDE[case]
    good = {**picture_record("good.png"), "id": "good"}
    text = "".join(json.dumps(record) + "\n" for record in (good, bad, {**good, "id": "also"}))
    done = llmgen("detect", "-", "--method", "tiny", stdin=text)
    records = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 6
    assert [r["id"] for r in records] == ["good", "bad", "also"]
    assert [("detections" in r) for r in records] == [True, False, True]
    assert words in records[1]["error"]["message"] and words in done.err and "bad" in done.err.splitlines()[-1]


def test_an_entry_without_a_prompt_goes_on_with_its_error(llmgen):
    entries = ["a cat", "", {"id": "x"}, {"id": "null", "prompt": None}, {"id": "half", "prompt": "\ud83d"}]
    entries += [{"id": "long", "prompt": "a" * 10_001}, {"id": "no-question", "source_image": "a.png"}]
    entries += [{"id": "no-picture", "instruction": "What if it rains?"}]
    done = llmgen("layout", "-", "--method", "tiny", stdin=json.dumps(entries))
    records = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 6 and "left out" not in done.err
    assert [r["id"] for r in records] == ["0001", "0002", "x", "null", "half", "long", "no-question", "no-picture"]
    assert ["error" in r for r in records] == [False] + [True] * 7
    assert "half of a character" in done.err and "nothing is said about the picture" in done.err
    assert "there is no picture that the `instruction` is about" in done.err


def test_what_is_no_entry_is_left_out_and_said(llmgen):
    done = llmgen("layout", "-", "--method", "tiny", stdin='["a cat", null]')
    assert done.code == 6 and len(done.out.splitlines()) == 1
    assert "position 2: expected a prompt or a record, found null" in done.err and "left out" in done.err


def test_a_record_is_named_once(llmgen, workplace):
    prepare(workplace)
    records = [{**picture_record("good.png"), "id": "good"}, picture_record("text.png"), {"id": "bare", "prompt": "x"}]
    done = llmgen("detect", "-", "--method", "tiny", stdin="".join(json.dumps(r) + "\n" for r in records))
    assert (
        done.code == 6 and "record 'bare': has no section 'image', which detect tiny needs; make it first" in done.err
    )
    assert all(line.count("'bare'") == 1 for line in done.err.splitlines()[:-1] if "bare" in line)


def test_what_the_machine_lacks(llmgen, monkeypatch):
    import tiny_stages

    from llmgen.errors import MissingRequirementError

    def init(self, context, config):
        raise MissingRequirementError("unet/config.json is missing; make it with `llmgen train toybox`")

    monkeypatch.setattr(tiny_stages.TinyGenerate, "__init__", init)
    done = llmgen("generate", "-", "--method", "tiny", stdin='["a"]')
    assert done.code == 4 and done.out == "" and "llmgen train toybox" in done.err
    done = llmgen("layout", "-", "--method", "tiny", "--device", "mps", stdin='["a"]')
    assert done.code == 4 and "--device auto" in done.err
    assert llmgen("doctor", "--preset", "sd14-gligen").code == 4


def test_a_full_disk_is_one_line_and_loses_nothing(llmgen, workplace):
    """A limit on the size of files stands for the full disk: the system refuses to write on."""
    assert llmgen("layout", "-", "--method", "tiny", "-o", "l.json", stdin='["a", "b"]').code == 0
    before = (workplace / "l.json").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        done = llmgen("layout", "-", "--method", "tiny", "-o", "l.json", "--force", stdin='["a", "b"]')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 1 and done.err.splitlines()[-1].startswith("error: cannot write")
    assert (workplace / "l.json").read_bytes() == before
    assert not list(workplace.rglob("*.tmp"))


def test_debugging_shows_where(llmgen, monkeypatch):
    monkeypatch.setenv("LLMGEN_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        llmgen("layout", "-", "--method", "tiny", "--set", "crash=0001", stdin='["a"]')
