"""What a run would cost, as far as it can be said before: by journals of earlier runs, the settings, the preset; else `unknown`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from llmgen.engine.fingerprint import run_settings
from llmgen.engine.journal_lines import summed_up
from llmgen.pipeline.options import Choice
from llmgen.pipeline.settling import settled

Unknown = Literal["unknown"]
UNKNOWN: Final[Unknown] = "unknown"
_MOST_JOURNALS: Final = 200
_SAME: Final = ("stage", "method", "preset", "planner", "device", "dtype", "config")
"""What an earlier run must share so that its times tell of this one."""


def journals_near(folder: Path) -> list[Path]:
    """Journals of earlier runs: those in a folder and in the folders beside it, the newest first.

    Args:
        folder: Where the run would write.
    """
    found = [*folder.glob(".llmgen/*.journal"), *folder.parent.glob("*/.llmgen/*.journal")]
    times = {}
    for path in found[:_MOST_JOURNALS]:
        try:
            times[path] = path.stat().st_mtime
        except OSError:  # gone in the meantime
            continue
    return sorted(times, key=lambda path: times[path], reverse=True)


def estimate(
    choice: Choice, records: int | Unknown, journals: Sequence[Path], *, stages_before: Sequence[str] = ()
) -> dict[str, Any]:
    """What one stage would cost.

    Args:
        choice: Method and settings.
        records: How many come in.
        journals: Of earlier runs, the newest first.
        stages_before: Stages that the records have behind them, as far as is known.

    Returns:
        `records`; `model_calls`, steps of pictures for what draws and pictures for what looks; `language_model_calls`, the most there can
        be unless an answer must be asked for again; `seconds`, and in `seconds_from` whence. Each is a number or `unknown`.
    """
    seconds, whence = _seconds(choice, records, journals)
    return {
        "records": records,
        "model_calls": _times(records, _calls(choice, stages_before)),
        "language_model_calls": _times(records, _questions(choice, stages_before)),
        "seconds": seconds,
        "seconds_from": whence,
    }


def total(choice: Choice, estimates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all stages would cost together, and the weights of the preset's models in GB; what one cannot say, the sum cannot either.

    Args:
        choice: Of any of the stages: they share the preset.
        estimates: Of the stages.
    """
    sums: dict[str, Any] = {}
    for name in ("model_calls", "language_model_calls", "seconds"):
        values = [one[name] for one in estimates]
        sums[name] = UNKNOWN if UNKNOWN in values else round(sum(values), 1)
    context = choice.context
    # Only a dry run asks for it, and it looks into checkpoints.
    from llmgen.pipeline.checkup import preset_memory_gb

    whole, largest = preset_memory_gb(context.preset, context.device, context.dtype)
    memory = whole if context.offload == "none" else largest
    return {**sums, "memory_gb": memory or UNKNOWN}


def _times(records: int | Unknown, each: int | None) -> int | Unknown:
    if each == 0:
        return 0
    return UNKNOWN if each is None or records == UNKNOWN else records * each


def _calls(choice: Choice, before: Sequence[str]) -> int | None:
    """Calls of the stage's model for one record; None where that depends on what is in its picture."""
    config = choice.config
    stage = choice.method_class.stage
    if stage == "layout":
        return 0
    if told := getattr(choice.method_class, "model_calls", None):
        return int(told(config)) * int(getattr(config, "samples", 1))
    if stage == "detect":
        return 1
    if stage == "evaluate" and "judge" in type(config).model_fields:
        # The first picture and the last, where these differ.
        return (2 if {"correct", "refine"} & set(before) else 1) if config.judge else 0
    return None


def _questions(choice: Choice, before: Sequence[str]) -> int | None:
    """Most questions to a language model about one record, repetitions left aside."""
    context, stage = choice.context, choice.method_class.stage
    planner = context.planner_name or context.preset.planner
    critic = context.critic_name or planner
    asked = {"layout": (planner,), "detect": (planner,), "correct": (planner, critic)}.get(stage, ())
    if all(not name.startswith("openai") for name in asked):
        # Rules are no language model, and recorded replies were asked for another time.
        return 0
    if stage == "layout":
        return 1 if choice.method in ("lmd", "instances", "edit") else 0 if choice.method == "given" else None
    if stage == "detect":
        return 0 if "layout" in before else 1
    if choice.method == "self_correction":
        return int(choice.config.rounds) + (1 if "layout" in before else 2)
    return None


def _seconds(choice: Choice, records: int | Unknown, journals: Sequence[Path]) -> tuple[float | Unknown, str]:
    if records == UNKNOWN:
        return UNKNOWN, "the number of records is unknown"
    # What is left to the length of the run is settled in its journal.
    ways = (choice, settled(choice, iter(()))[0])
    wanted = {_like(run_settings(way.context, way.method_class, way.config)) for way in ways}
    for path in journals:
        begun, made, seconds = summed_up(path)
        if made and _like(begun) in wanted:
            return round(seconds / made * records, 1), f"{made} records in {path}"
    return UNKNOWN, "no earlier run with these settings"


def _like(settings: Mapping[str, Any]) -> str:
    return json.dumps({name: settings.get(name) for name in _SAME}, sort_keys=True)
