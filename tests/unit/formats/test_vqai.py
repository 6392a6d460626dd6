"""VQAI's files as records: what is good, what is bad and named, what is counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llmgen.errors import InputError
from llmgen.formats.vqai import CATEGORIES, read_annotations, read_categories, sample_key
from llmgen.formats.vqai_folders import INPUT, TARGET, read_answer_folders
from llmgen.pipeline.importing import Import, import_foreign


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), "red").save(path)


def entry(name: str, image: str = "0001", **more: Any) -> dict[str, Any]:
    return {
        "sample_name": name,
        "image1_name": f"{image}a.jpg",
        "image2_name": f"{image}b.jpg",
        "question": "What if it rains?",
        "sent": "it is rain now",
    } | more


def written(folder: Path, entries: list[Any], lists: dict[str, Any] | None = None) -> tuple[Path, Path | None]:
    for image in ("0001", "0002"):
        picture(folder / f"{image}a.jpg")
        picture(folder / f"{image}b.jpg")
    path = folder / "train.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    if lists is None:
        return path, None
    (folder / "categories.json").write_text(json.dumps(lists), encoding="utf-8")
    return path, folder / "categories.json"


def test_two_questions_on_one_picture_are_two_records_with_their_category(tmp_path: Path) -> None:
    lists = {"total sample": ["0001", "0002", "0009"], "scenery variation": ["0001", "0009"], "more entities": ["0002"]}
    path, categories = written(tmp_path, [entry("a"), entry("b"), entry("c", "0002")], lists)
    file = read_annotations(str(path), categories=categories)
    assert [(r.id, r.type, r.source_image, r.target_image) for r in file.found.records] == [
        ("a", "scenery variation", "0001a.jpg", "0001b.jpg"),
        ("b", "scenery variation", "0001a.jpg", "0001b.jpg"),
        ("c", "more entities", "0002a.jpg", "0002b.jpg"),
    ]
    assert len(file.complete()) == 3
    assert file.counts == (
        "3 samples of 2 pictures; scenery variation 2, more entities 1; 1 names of the category file are not in the annotations"
    )
    assert [sample.answer for sample in file.samples] == ["it is rain now"] * 3


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"sample_name": "x", "image1_name": "0001a.jpg", "question": "What?"}, "image2_name, sent are missing"),
        (entry("x", question=" "), "question is empty"),
        (entry("x", question=["a"]), "question is no text"),
        (entry("x", "0007"), "0007a.jpg' is missing"),
        (entry("x", image1_name="../secret.jpg"), "leads out of"),
        (entry("a"), "sample_name 'a' is there twice"),
        (entry(""), "sample_name is empty"),
    ],
)
def test_a_bad_entry_is_named_and_stops_no_other(tmp_path: Path, bad: dict[str, Any], said: str) -> None:
    path, _ = written(tmp_path, [entry("a"), bad, entry("z")])
    file = read_annotations(str(path))
    assert [sample.name for sample in file.samples] == ["a", "z"]
    assert [record.error is None for record in file.found.records] == [True, False, True]
    [problem] = file.found.invalid
    assert said in problem and "position 2" in problem
    with pytest.raises(InputError, match="position 2"):
        file.complete()


def test_an_unknown_category_is_said_of_each_of_its_records(tmp_path: Path) -> None:
    lists = {"more entities": ["0002"], "weather variation": ["0001"]}
    path, categories = written(tmp_path, [entry("a"), entry("c", "0002")], lists)
    file = read_annotations(str(path), categories=categories)
    first, second = file.found.artifact("prompts", file.base).records
    assert (first.type, second.type, second.remarks) == (None, "more entities", ())
    assert first.remarks[0].text == "'weather variation' is no category of VQAI's, so it goes without one"


def test_other_files_are_refused(tmp_path: Path) -> None:
    path, categories = written(tmp_path, [entry("a")], {"weather variation": ["0001"]})
    with pytest.raises(InputError, match="no category 'weather variation'; there are scenery variation"):
        read_annotations(str(path), categories=categories)
    assert categories is not None
    for value, said in (([], "JSON object"), ({"more entities": [3]}, "no list of sample names")):
        categories.write_text(json.dumps(value), encoding="utf-8")
        with pytest.raises(InputError, match=said):
            read_categories(categories)
    path.write_text('[{"prompt": "a ball"}]', encoding="utf-8")
    with pytest.raises(InputError, match="no annotations of VQAI"):
        read_annotations(str(path))
    assert sample_key("0012a.jpg") == "0012" and len(CATEGORIES) == 5


def test_import_brings_pictures_along(tmp_path: Path) -> None:
    path, _ = written(tmp_path / "data", [entry("a"), entry("b", "0009")])
    done = import_foreign(Import("vqai", str(path), tmp_path / "out" / "records.json"))
    good, bad = done.records
    assert good.source_image and good.target_image and (tmp_path / "out" / good.target_image).is_file()
    assert bad.error is not None and done.counts.startswith("1 samples")
    with pytest.raises(InputError, match="--categories go with"):
        import_foreign(Import("lmd", str(path), categories=path))


def test_folders_of_the_original_are_records_and_incomplete_ones_are_missing(tmp_path: Path) -> None:
    for name, files in (
        ("0001", [INPUT, TARGET, "idx_1_method_LGD_seed_7.jpg", "idx_0_method_LGD_seed_1391.jpg", "notes.txt"]),
        ("0002", [INPUT, "idx_0_method_LGD_seed_1.jpg"]),
    ):
        for file in files:
            if file.endswith(".jpg"):
                picture(tmp_path / name / file)
            else:
                (tmp_path / name / file).write_text("x")
    good, bad = read_answer_folders(tmp_path, {"0001": "more entities", "0002": "fewer entities"}).records
    assert [sample.seed for sample in good.samples] == [1391, 7] and good.type == "more entities"
    assert (good.source_image, good.target_image) == (f"0001/{INPUT}", f"0001/{TARGET}")
    assert bad.error is not None and TARGET in bad.error.message and bad.type == "fewer entities"
    done = import_foreign(Import("vqai", str(tmp_path)))
    assert [record.kind for record in done.records] == ["images", "images"]
