"""HICO-DET's figures: the arithmetic against a second implementation, the files, and what their numbers mean."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmgen.cli import main
from llmgen.errors import InputError
from llmgen.evaluate.hoi.files import evaluate_hico_files
from llmgen.evaluate.hoi.hico import HicoRules, Pair, average_precision, kept_pairs, matched
from llmgen.evaluate.hoi.numbering import HicoFilesConfig
from llmgen.evaluate.hoi.objects import COCO_80, COCO_91

OBJECTS = ("bicycle", "dog", "person")
VERBS = ("hold", "no_interaction", "ride")
ACTIONS = [(verb, thing) for verb in range(3) for thing in range(3)]


# A second implementation: boxes of whole pixels with the last one included, as the published program has them; one loop after the other.


def pixels(box: Sequence[float], other: Sequence[float]) -> float:
    """IoU of two boxes whose corners are pixels, both included."""
    across = min(box[2], other[2]) - max(box[0], other[0]) + 1
    down = min(box[3], other[3]) - max(box[1], other[1]) + 1
    if across <= 0 or down <= 0:
        return 0.0
    sizes = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other)]
    return across * down / (sizes[0] + sizes[1] - across * down)


Row = tuple[tuple[int, int], list[int], list[int], float]


def reference(
    wanted: Mapping[str, list[Row]], found: Mapping[str, list[Row]], rare: set[tuple[int, int]], known: bool
) -> dict[str, float]:
    aps: dict[tuple[int, int], float] = {}
    for action in {row[0] for rows in wanted.values() for row in rows}:
        verdicts: list[tuple[float, int]] = []
        total = 0
        taken: set[int] = set()
        for name, rows in wanted.items():
            total += sum(row[0] == action for row in rows)
            if known and not any(row[0][1] == action[1] for row in rows):
                continue
            top = sorted(found.get(name, []), key=lambda row: row[3], reverse=True)[:100]
            own = [row for row in top if row[0] == action]
            while own:
                first = own.pop(0)
                rest = []
                for row in own:
                    if pixels(first[1], row[1]) * pixels(first[2], row[2]) ** 0.5 <= 0.7:
                        rest.append(row)
                own = rest
                verdicts.append((first[3], _decide(first, [r for r in rows if r[0] == action], taken)))
            taken.clear()
        verdicts.sort(key=lambda pair: -pair[0])
        hits, curve = 0, []
        for place, (_, verdict) in enumerate(verdicts, start=1):
            hits += verdict
            curve.append((hits / total, hits / place))
        points = [0.1 * k for k in range(11)]
        aps[action] = sum(max((p for r, p in curve if r >= point), default=0.0) for point in points) / 11

    def mean(actions: set[tuple[int, int]]) -> float:
        return sum(aps[action] for action in actions) / len(actions)

    return {"full": mean(set(aps)), "rare": mean(set(aps) & rare), "non_rare": mean(set(aps) - rare)}


def _decide(row: Row, candidates: list[Row], taken: set[int]) -> int:
    best, which = 0.0, None
    for number, other in enumerate(candidates):
        persons, things = pixels(row[1], other[1]), pixels(row[2], other[2])
        if persons > 0.5 and things > 0.5 and min(persons, things) > best:
            best, which = min(persons, things), number
    if which is None or which in taken:
        return 0
    taken.add(which)
    return 1


def made_up() -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Forty pictures; what is found is what is wanted, moved a little, more often than not, with doubles and inventions."""
    rng = random.Random(11)

    def box() -> list[int]:
        x, y = rng.randint(1, 60), rng.randint(1, 60)
        return [x, y, x + rng.randint(10, 40), y + rng.randint(10, 40)]

    def moved(corners: list[int], most: int) -> list[int]:
        return [max(1, corner + rng.randint(-most, most)) for corner in corners]

    wanted: dict[str, list[Row]] = {}
    found: dict[str, list[Row]] = {}
    for number in range(40):
        name = f"HICO_test2015_{number:08d}.jpg"
        wanted[name] = [(rng.choice(ACTIONS[:7]), box(), box(), 1.0) for _ in range(rng.randint(0, 4))]
        rows = [
            (action, moved(person, most), moved(thing, most), rng.random())
            for action, person, thing, _ in wanted[name]
            for most in rng.sample([1, 2, 3, 5, 8], k=rng.randint(0, 3))
        ]
        rows += [(rng.choice(ACTIONS), box(), box(), rng.random()) for _ in range(rng.randint(0, 5))]
        rows += [(a, moved(p, 1), moved(t, 1), 0.9 * s) for a, p, t, s in rows[:2]]
        if number == 3:
            rows += [(ACTIONS[0], box(), box(), 0.99) for _ in range(120)]
        found[name] = [row for row in rows if all(b[2] > b[0] and b[3] > b[1] for b in row[1:3])]
    return wanted, found


def as_lists(pictures: Mapping[str, list[Row]]) -> dict[str, Any]:
    """The form with its own lists, corners from 1."""
    return {
        "filenames": list(pictures),
        "size": [[110, 110] for _ in pictures],
        "empty": [],
        "objects": list(OBJECTS),
        "verbs": list(VERBS),
        "correspondence": [[hoi, thing, verb] for hoi, (verb, thing) in enumerate(ACTIONS)],
        "annotation": [
            {
                "boxes_h": [row[1] for row in rows],
                "boxes_o": [row[2] for row in rows],
                "hoi": [ACTIONS.index(row[0]) for row in rows],
                "object": [row[0][1] for row in rows],
                "verb": [row[0][0] for row in rows],
            }
            for rows in pictures.values()
        ],
    }


def as_results(pictures: Mapping[str, list[Row]], shift: int = 0, verb_base: int = 0) -> list[dict[str, Any]]:
    """A detector's results by verb, objects as COCO's 80 from 0."""
    return [
        {
            "filename": name,
            "predictions": [
                {"bbox": [corner + shift for corner in box], "category_id": COCO_80.index(label), "score": 0.5}
                for row in rows
                for box, label in ((row[1], "person"), (row[2], OBJECTS[row[0][1]]))
            ],
            "hoi_prediction": [
                {"subject_id": 2 * i, "object_id": 2 * i + 1, "category_id": row[0][0] + verb_base, "score": row[3]}
                for i, row in enumerate(rows)
            ],
        }
        for name, rows in pictures.items()
    ]


def as_entries(pictures: Mapping[str, list[Row]], shift: int = -1) -> list[dict[str, Any]]:
    """The form of separate entries, corners from 0, COCO's 91 numbers, verbs and actions from 1, one number a text."""
    back = {name: number for number, name in COCO_91.items()}
    return [
        {
            "file_name": name,
            "annotations": [
                {"bbox": [str(box[0] + shift), *(corner + shift for corner in box[1:])], "category_id": back[label]}
                for row in rows
                for box, label in ((row[1], "person"), (row[2], OBJECTS[row[0][1]]))
            ],
            "hoi_annotation": [
                {
                    "subject_id": 2 * i,
                    "object_id": 2 * i + 1,
                    "category_id": row[0][0] + 1,
                    "hoi_category_id": ACTIONS.index(row[0]) + 1,
                }
                for i, row in enumerate(rows)
            ],
        }
        for name, rows in pictures.items()
    ]


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


LISTS = HicoFilesConfig(
    boxes="inclusive-1", result_boxes="inclusive-1", result_classes="verb-0", result_objects="coco80-0"
)


def test_all_figures_are_those_of_a_second_implementation(tmp_path: Path) -> None:
    wanted, found = made_up()
    rare_actions = set(ACTIONS[:3])
    training = {
        f"t{i}": [(action, [1, 1, 20, 20], [5, 5, 30, 30], 1.0)] * (9 if action in rare_actions else 10)
        for i, action in enumerate(ACTIONS)
    }
    config = LISTS.model_copy(update={"training": str(write(tmp_path / "train.json", as_lists(training)))})
    summary = evaluate_hico_files(
        write(tmp_path / "a.json", as_lists(wanted)), write(tmp_path / "r.json", as_results(found)), config
    )
    for setting, known in (("default", False), ("known_object", True)):
        expected = reference(wanted, found, rare_actions, known)
        assert 0.1 < expected["full"] < 0.9
        for name, value in expected.items():
            assert summary[setting][name] == pytest.approx(value, abs=1e-12), (setting, name)
    assert summary["default"]["full"] != summary["known_object"]["full"]
    assert summary["n_rare"] == 3 and summary["n_actions"] == 7 and summary["n_failed"] == 0
    assert {entry["verb_name"] for entry in summary["actions"]} == {"hold", "no interaction", "ride"}


def test_both_forms_and_every_numbering_say_the_same(tmp_path: Path) -> None:
    wanted, found = made_up()
    lists, entries = write(tmp_path / "l.json", as_lists(wanted)), write(tmp_path / "e.json", as_entries(wanted))
    by_verb = write(tmp_path / "v.json", as_results(found))
    first = evaluate_hico_files(lists, by_verb, LISTS)
    from_zero = HicoFilesConfig(
        boxes="inclusive-0",
        objects="coco91",
        verbs="verb-1",
        result_boxes="edges",
        result_classes="verb-1",
        result_objects="coco80-0",
    )
    at_edges = as_results(found, verb_base=1)
    for entry in at_edges:
        for thing in entry["predictions"]:
            thing["bbox"][:2] = [corner - 1 for corner in thing["bbox"][:2]]
    other = evaluate_hico_files(entries, write(tmp_path / "w.json", at_edges), from_zero)
    assert other["default"] == first["default"] and other["known_object"] == first["known_object"]
    by_action = as_results(found)
    for entry, rows in zip(by_action, found.values(), strict=True):
        for one, row in zip(entry["hoi_prediction"], rows, strict=True):
            one["category_id"] = ACTIONS.index(row[0])
    config = HicoFilesConfig(boxes="inclusive-1", result_boxes="inclusive-1", result_classes="hoi-0")
    assert evaluate_hico_files(lists, write(tmp_path / "h.json", by_action), config)["default"] == first["default"]
    # One pixel beside is another figure: the base is no detail.
    shifted = evaluate_hico_files(lists, by_verb, LISTS.model_copy(update={"result_boxes": "inclusive-0"}))
    assert shifted["default"]["full"] != first["default"]["full"]


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("boxes", "--set boxes=inclusive-0|inclusive-1|edges"),
        ("objects", "its objects are numbered 1 to 18; say what they are: --set objects=coco80-0|coco80-1|coco91"),
        ("verbs", "its verbs are numbered 1 to 3; say what they are: --set verbs=verb-0|verb-1"),
        ("result_boxes", "--set result_boxes="),
        ("result_classes", "its interactions are numbered 0 to 2, by verb or by verb and object together"),
        ("result_objects", "--set result_objects=coco80-0|coco80-1|coco91|file-0"),
    ],
)
def test_what_is_not_declared_is_asked_for_and_never_guessed(tmp_path: Path, lacking: str, said: str) -> None:
    wanted, found = made_up()
    config = HicoFilesConfig(
        boxes="inclusive-0",
        objects="coco91",
        verbs="verb-1",
        result_boxes="inclusive-1",
        result_classes="verb-0",
        result_objects="coco80-0",
    ).model_copy(update={lacking: None})
    with pytest.raises(InputError) as caught:
        evaluate_hico_files(
            write(tmp_path / "a.json", as_entries(wanted)), write(tmp_path / "r.json", as_results(found)), config
        )
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"boxes": "inclusive-1"}, "has a corner at 0, so its boxes do not count from 1"),
        ({"objects": "coco80-1"}, None),
        ({"verbs": "verb-0"}, None),
        ({"result_classes": "verb-1"}, "run from 0 to 2, so they are not verb-1"),
        ({"result_objects": "file-0"}, "needs annotations with a list `objects`"),
    ],
)
def test_a_declaration_that_the_file_contradicts_is_refused(
    tmp_path: Path, changes: dict[str, str], said: str | None
) -> None:
    wanted, found = made_up()
    wanted["HICO_test2015_00000000.jpg"] = [((0, 0), [1, 1, 20, 20], [5, 5, 30, 30], 1.0)]
    config = HicoFilesConfig(
        boxes="inclusive-0",
        objects="coco91",
        verbs="verb-1",
        result_boxes="inclusive-1",
        result_classes="verb-0",
        result_objects="coco80-0",
    ).model_copy(update=changes)
    files = write(tmp_path / "a.json", as_entries(wanted)), write(tmp_path / "r.json", as_results(found))
    if said is None:  # These numbers fit both; only the figures tell.
        assert evaluate_hico_files(*files, config)["default"]["full"] < 0.2
        return
    with pytest.raises(InputError, match=said):
        evaluate_hico_files(*files, config)


def test_numbers_of_actions_are_no_verbs_and_verbs_from_one_are_known_by_their_last(tmp_path: Path) -> None:
    wanted, found = made_up()
    results = as_results(found)
    results[0]["hoi_prediction"] = [{"subject_id": 0, "object_id": 1, "category_id": 153, "score": 0.7}]
    results[0]["predictions"] = [{"bbox": [1, 1, 9, 9], "category_id": 0}, {"bbox": [1, 1, 9, 9], "category_id": 3}]
    lists = write(tmp_path / "a.json", as_lists(wanted))
    with pytest.raises(InputError, match="run from 0 to 153, and verb-0 has 3"):
        evaluate_hico_files(lists, write(tmp_path / "r.json", results), LISTS)
    entries = as_entries(wanted)
    next(e for e in entries if e["hoi_annotation"])["hoi_annotation"][0] |= {"category_id": 117, "hoi_category_id": 600}
    config = LISTS.model_copy(update={"boxes": "inclusive-0", "objects": "coco91", "verbs": "verb-0"})
    with pytest.raises(InputError, match="HICO-DET's verbs counted from 1; --set verbs=verb-1"):
        evaluate_hico_files(write(tmp_path / "e.json", entries), write(tmp_path / "q.json", as_results(found)), config)


def test_what_cannot_be_used_costs_its_picture_or_itself_and_is_named(tmp_path: Path) -> None:
    wanted, found = made_up()
    lists, results = as_lists(wanted), as_results(found)
    full = [number for number, rows in enumerate(wanted.values()) if rows]
    lists["annotation"][full[0]]["hoi"][0] = 99
    lists["annotation"][full[1]]["boxes_h"][0] = [1, 2, "three", 4]
    names = list(wanted)
    results = [entry for entry in results if entry["filename"] != names[full[2]]]
    by_name = {entry["filename"]: entry for entry in results}
    by_name[names[full[3]]]["hoi_prediction"] = [{"subject_id": 0, "object_id": 99, "category_id": 0, "score": 1}]
    by_name[names[full[4]]] |= {
        "predictions": [{"bbox": [1, 1, 9, 9], "category_id": 0}, {"bbox": [float("nan")] * 4, "category_id": 16}, {"category_id": 80}],
        "hoi_prediction": [
            {"subject_id": 0, "object_id": 1, "category_id": 0, "score": 1},
            {"subject_id": 0, "object_id": 2, "category_id": 0, "score": 1},
        ],
    }  # fmt: skip
    results.append({"filename": "elsewhere.jpg", "predictions": [], "hoi_prediction": []})
    summary = evaluate_hico_files(write(tmp_path / "a.json", lists), write(tmp_path / "r.json", results), LISTS)
    reasons = {entry["image"]: entry["reason"] for entry in summary["failed"]}
    assert "no row of `correspondence`" in reasons[names[full[0]]]
    assert "something that is no number" in reasons[names[full[1]]]
    assert "boxes that the picture does not have" in reasons[names[full[3]]]
    assert len(reasons) == summary["n_failed"] == 3 and summary["n_images"] == 37
    assert (summary["n_without_results"], summary["n_foreign_results"]) == (1, 1)
    assert sorted(summary["lost"].values()) == [1, 1]
    json.dumps(summary)


@pytest.mark.parametrize("value", ["[]", "{}", "[1]", '{"filenames": [], "annotation": []}', "nonsense", '[{"a": 1}]'])
def test_what_is_no_such_file_is_refused(tmp_path: Path, value: str) -> None:
    wanted, found = made_up()
    good, bad = write(tmp_path / "a.json", as_lists(wanted)), tmp_path / "bad.json"
    bad.write_text(value)
    with pytest.raises(InputError):
        evaluate_hico_files(bad, write(tmp_path / "r.json", as_results(found)), LISTS)
    if value != "[]":
        with pytest.raises(InputError):
            evaluate_hico_files(good, bad, LISTS)


def test_pairs_are_thinned_cut_and_taken_once() -> None:
    person, thing, beside = (0.0, 0.0, 10.0, 20.0), (10.0, 0.0, 20.0, 10.0), (40.0, 0.0, 50.0, 10.0)
    same = [Pair((0, "dog"), person, thing, score) for score in (0.5, 0.9, 0.7)]
    assert [pair.score for pair in kept_pairs(same, HicoRules())] == [0.9]
    assert [pair.score for pair in kept_pairs(same, HicoRules(thinning=1.0))] == [0.9, 0.7, 0.5]
    assert len(kept_pairs(same, HicoRules(most_pairs=2, thinning=1.0))) == 2
    other = Pair((1, "dog"), person, thing, 0.1)
    assert len(kept_pairs([*same, other], HicoRules())) == 2
    wanted = [Pair((0, "dog"), person, thing), Pair((0, "dog"), person, beside)]
    found = [Pair((0, "dog"), person, thing, 0.9), Pair((0, "dog"), person, thing, 0.8), other]
    assert matched(wanted, found, HicoRules()) == [True, False, False]
    half = Pair((0, "dog"), person, (10.0, 0.0, 20.0, 5.0), 0.5)
    assert matched(wanted, [half], HicoRules()) == [False]  # an overlap of one half is not more than one half


def test_average_precision_has_eleven_points() -> None:
    assert average_precision([True], [1.0], 1) == (pytest.approx(1.0), 1.0)
    assert average_precision([True], [1.0], 2) == (pytest.approx(6 / 11), 0.5)
    assert average_precision([False, True], [0.9, 0.8], 1) == (pytest.approx(0.5), 1.0)
    assert average_precision([], [], 3) == (0.0, 0.0)


def test_the_command_prints_a_table_and_writes_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted, found = made_up()
    a, r = write(tmp_path / "a.json", as_lists(wanted)), write(tmp_path / "r.json", as_results(found))
    given = ["evaluate", "hoi", "--annotations", str(a), "--results", str(r)]
    assert main(given) == 3
    assert "--set boxes=inclusive-0|inclusive-1|edges" in capsys.readouterr().err
    settings = [f"{name}={value}" for name, value in LISTS.model_dump(exclude_none=True).items()]
    flags = [part for setting in settings for part in ("--set", setting)]
    assert main([*given, *flags, "-o", str(tmp_path / "ap.json")]) == 0
    said = capsys.readouterr()
    assert "known object" in said.out and "which actions are rare is not known" in said.err
    written = json.loads((tmp_path / "ap.json").read_text())
    assert written["declared"] == LISTS.model_dump(exclude_none=True) and written["default"]["rare"] is None
