"""A second set of goldens, made of the shipped ones: other names, fewer cases, other indices, and cases on which rules apply.

It holds no number that the first set does not hold, but for inputs on which we differ on purpose: those have what the original would give.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from parity.goldens import DATA

Json = dict[str, Any]

#: Groups of SLD's cases, longest first where one begins another.
BEGINNINGS = (
    *(
        "diff_",
        "same_object",
        "register",
        "merge",
        "nms",
        "box_clamp_round",
        "spot_reply_",
        "update_reply_",
        "lmd_reply_",
    ),
    *(
        "mask_union",
        "mask_thin",
        "mask_dilate",
        "mask_center",
        "select",
        "resize_",
        "warp_",
        "noise_",
        "blend_",
        "compose_",
    ),
    *(
        "shift_",
        "scale_box",
        "centered_",
        "energy_max_based",
        "energy_total",
        "boxdiff_total",
        "boxdiff_kernel",
        "phrases_",
    ),
    *(
        "guidance_iterations",
        "fast_schedule",
        "ddim_timesteps",
        "ddim_inverse_single",
        "ddim_inversion_loop",
        "final_loop_",
    ),
    *(
        "filter_",
        "spec_",
        "rule",
        "verdict",
        "lmd_compose",
        "lmd_align",
        "lmd_prompt_counts",
        "tiny_forward",
        "tiny_guidance",
    ),
    *("tiny_object", "tiny_inversion", "tiny_final"),
)
#: The same of the families whose files hold groups.
GROUPS_REMOVED = {
    "context": ("round_trip", "payload_defaults", "annotator"),
    "record": ("keypoint_shift", "request_failures", "otsu"),
    "lgd": ("question_cleaning", "folders"),
}
#: Groups that the second set does not have at all.
REMOVED = ("select", "spec_", "boxdiff_kernel", "verdict", "tiny_guidance", "ddim_timesteps")


def write_second_set(folder: Path) -> None:
    """Write it to a folder: one file of SLD's cases, parts of InstanceDiffusion's under other names, the groups of other families."""
    cases: list[Json] = []
    for path in sorted(DATA.glob("sld_cases*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        cases += content["cases"] if isinstance(content, dict) else content
    kept = [_renamed(case, n) for n, case in enumerate(cases) if not case["case"].startswith(REMOVED)]
    found = [
        _other(case)
        for n, case in enumerate(kept)
        if n % 2 or not case["case"].startswith(("nms", "tiny_final", "warp_"))
    ]
    (folder / "sld_cases_second.json").write_text(json.dumps({"cases": [*found, *OWN]}))
    evaluation = json.loads((DATA / "instancediffusion_eval.json").read_text(encoding="utf-8"))
    for key in ("cogvlm", "attributes"):
        del evaluation[key]
    (folder / "instancediffusion_eval_second.json").write_text(json.dumps(evaluation))
    shutil.copy(DATA / "instancediffusion_eval.safetensors", folder / "instancediffusion_eval_second.safetensors")
    keys = json.loads((DATA / "instancediffusion_keys.json").read_text(encoding="utf-8"))
    (folder / "instancediffusion_keys.json").write_text(json.dumps({"keys": keys["keys"]}))
    for ending in ("json", "safetensors"):
        shutil.copy(DATA / f"instancediffusion_points.{ending}", folder / f"instancediffusion_other.{ending}")
    for family, removed in GROUPS_REMOVED.items():
        (folder / f"{family}_cases_second.json").write_text(json.dumps(_groups_otherwise(family, removed)))


def _groups_otherwise(family: str, removed: tuple[str, ...]) -> Json:
    """A family in the form of groups: all files in one, without some groups, and fewer cases of each in the other order."""
    made: Json = {}
    for path in sorted(DATA.glob(f"{family}_cases*.json")):
        made |= json.loads(path.read_text(encoding="utf-8"))
    for name in removed:
        del made[name]
    for name, value in made.items():
        if isinstance(value, list):
            made[name] = value[:0:-1] or value
        elif isinstance(value, dict) and isinstance(value.get("cases"), list):
            made[name] = {**value, "cases": value["cases"][:0:-1] or value["cases"]}
    if "loop" in made:
        # The run that the others began like comes last.
        made["loop"] = dict(reversed(made["loop"].items()))
    return made


def _renamed(case: Json, number: int) -> Json:
    group = max((one for one in BEGINNINGS if case["case"].startswith(one)), key=len)
    return {**case, "case": f"{group.rstrip('_')}_case_{number}"}


def _other(case: Json) -> Json:
    """The same case asked for less, or in another order."""
    name, given, expected = case["case"], case["input"], case["expected"]
    if name.startswith("tiny_inversion"):
        return {**case, "expected": {level: expected[level] for level in list(expected)[1:]}}
    if name.startswith("tiny_object"):
        function = case["function"].replace("positions 0, 100, 255", "positions 255, 0")
        attention = [expected["attention"][k] for k in (2, 0)]
        return {**case, "function": function, "expected": {"final": expected["final"], "attention": attention}}
    if name.startswith("ddim_inversion_loop"):
        function = case["function"].replace("0,5000,12345,16383", "16383,0")
        return {**case, "function": function, "expected": {"25": [expected["25"][k] for k in (3, 0)]}}
    if name.startswith("guidance_iterations"):
        return {**case, "expected": expected[:30]}
    if name.startswith("noise_"):
        return {**case, "expected": {**expected, "first": expected["first"][:2]}}
    if name.startswith("final_loop") or name.startswith("tiny_final"):
        return {**case, "input": {**given, "probes": given["probes"][::-1]}, "expected": expected[::-1]}
    if name.startswith("compose_"):
        # The original fills every level of a cell in no layer with noise; here is one of a later level.
        return {
            **case,
            "input": {**given, "probes": [*given["probes"], [3, 0, 40, 45]]},
            "expected": {**expected, "values": [*expected["values"], 1.25]},
        }
    if name.startswith("ddim_inverse_single"):
        return {**case, "input": {**given, "t": given["t"][::-1]}, "expected": expected[::-1]}
    return case


def _own(name: str, given: Any, expected: Any) -> Json:
    return {"case": name, "function": "", "input": given, "expected": expected, "compare": "exact"}


_BOX, _BESIDE = [0.1, 0.1, 0.4, 0.4], [0.5, 0.1, 0.4, 0.4]
_NOTHING: Json = {"preserve": [], "delete": [], "add": [], "move": [], "change_attribute": []}
#: Inputs of the second set's own, with what the original gives: each meets a rule.
OWN = [
    _own(
        "diff_number",
        {"current": [["cup #1", _BOX]], "suggested": [["cup #2", _BOX]]},
        {**_NOTHING, "delete": [["cup #1", _BOX]], "add": [["cup #2", _BOX]]},
    ),
    _own(
        "diff_attribute",
        {
            "current": [["red cup #1", _BOX], ["cat #1", _BESIDE]],
            "suggested": [["cat #1", _BESIDE], ["green cup #1", _BOX]],
        },
        {
            **_NOTHING,
            "preserve": [["cat #1", _BESIDE]],
            "delete": [["red cup #1", _BOX]],
            "add": [["green cup #1", _BOX]],
        },
    ),
    _own(
        "diff_raises",
        {"current": [["cup #1", _BOX]], "suggested": [["red cup #1", _BOX], ["green cup #1", _BOX]]},
        {"error": "KeyError"},
    ),
    _own(
        "merge_twice",
        {
            "objects": [["cup", ["red", "green"]]],
            "attribute_detections": [],
            "primitive_detections": [["cup", _BESIDE], ["cup", _BOX]],
        },
        [["cup #1", _BESIDE], ["cup #2", _BESIDE]],
    ),
    _own(
        "merge_raises",
        {
            "objects": [["tea pot", ["blue"]]],
            "attribute_detections": [["blue tea pot", _BOX]],
            "primitive_detections": [],
        },
        {"error": "KeyError"},
    ),
    _own(
        "phrases_inside_a_word",
        {"prompt": "a tea cup beside a cup", "phrases": ["a cup"], "words": ["cup"]},
        {"positions": [[2, 3]], "word_positions": [3], "prompt": "a tea cup beside a cup"},
    ),
    _own(
        "spot_reply_goes_on",
        "Objects: [('cup', [None])]\nBackground: A table\nNegation: dogs\n\nI hope that this helps.",
        {"objects": [["cup", [None]]], "bg_prompt": "A table", "neg_prompt": "dogs\n\nI hope that this helps."},
    ),
    _own(
        "spot_reply_of_json",
        'Objects: [["cup", ["red", null]]]\nBackground: A table\nNegation: ',
        {"error": "retry"},
    ),
    _own("update_reply_of_sums", "Updated Objects: [('cup #1', [0.1+0.2, 0.1, 0.25, 0.5])]", {"error": "retry"}),
    _own(
        "lmd_reply_goes_on",
        "[('a cat', [1, 2, 3, 4])]\nBackground prompt: A forest\nNegative prompt: dogs\n\nEnjoy the picture.",
        [[["a cat", [1, 2, 3, 4]]], "A forest", "dogs\n\nEnjoy the picture."],
    ),
    _own(
        "rule_of_two",
        "A realistic photo of a scene with three bowls and two cars",
        [
            ["image of a bowl", "image of a bowl"],
            {"type": "numeracy_2obj", "object_name1": "bowl", "number1": 3, "object_name2": "bowl", "number2": 3},
        ],
    ),
    _own(
        "warp_to_the_last_row",
        {"source_box": [0.25, 0.25, 0.5, 0.5], "target_box": [0.5, 0.5, 0.5, 0.5], "mask_rectangle": [16, 48, 16, 48]},
        {"count": 961, "bbox": [32, 32, 62, 62]},
    ),
    _own(
        "warp_raises",
        {
            "source_box": [0.25, 0.25, 0.5, 0.5],
            "target_box": [-0.25, 0.25, 0.5, 0.5],
            "mask_rectangle": [16, 48, 16, 48],
        },
        {"error": "RuntimeError"},
    ),
]

RECORD: Json = {
    "what": "A family in the form of groups.",
    "tolerance": "approx 1e-3",
    "box_reply": [{"label": "cup", "input": 2, "expected": 4}, {"input": 3, "expected": 9.0005}],
    "schedule": [{"name": "five", "input": 5, "expected": [0, 1, 2, 3, 4], "tolerance": 0}],
}
RECORD_TEST = """
from compared import check

FAMILY = "record"


def test_box_reply(golden_case):
    check(golden_case.input**2, golden_case.expected, golden_case.tolerance)


def test_schedule(golden_case):
    assert golden_case.tolerance == 0
    check(list(range(golden_case.input)), golden_case.expected, golden_case.tolerance)


def test_what_nobody_has(golden_case):
    raise AssertionError("there is no such group")


def test_tensors(golden_set):
    golden_set.close(golden_set["in.x"] * golden_set.sidecar["factor"], "out.x", golden_set.tolerance("latents"))
"""
