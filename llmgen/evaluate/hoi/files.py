"""HICO-DET's figures of files: annotations and a detector's results, without records and without models."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

from llmgen.errors import InputError
from llmgen.evaluate.hoi.hico import hico_figures
from llmgen.evaluate.hoi.hico_files import Annotated, read_annotated, read_found
from llmgen.evaluate.hoi.numbering import HicoFilesConfig

RARE_BELOW: Final = 10
"""An action that the training pictures have fewer times is rare: HICO-DET's rule."""


def evaluate_hico_files(annotations: Path, results: Path, config: HicoFilesConfig) -> dict[str, Any]:
    """Compare results with annotations.

    Args:
        annotations: HICO-DET's annotations in one of their two JSON forms.
        results: A detector's results on these pictures.
        config: What the numbers of both are.

    Returns:
        A JSON-ready dictionary: `metric`, the names of the files, what was `declared`, the figures of `hico_figures` (verbs with
        their names where the annotations have them), `n_images`, `n_pairs`, `n_found`, `n_without_results`, `n_foreign_results`,
        `n_failed` and `failed` (pictures that were left out, with reasons), and `lost` (pairs that did not count, by reason).

    Raises:
        InputError: If a file cannot be read, what its numbers are was not said, or nothing can be compared.
    """
    wanted = read_annotated(annotations, config)
    found = read_found(results, config, wanted)
    failed = {**wanted.failed, **found.failed}
    counted = {name: pairs for name, pairs in wanted.pairs.items() if name not in failed}
    if not any(counted.values()):
        reason = next(iter(failed.values()), "no picture has a pair")
        raise InputError(f"{annotations}: nothing can be compared; {reason}")
    figures = hico_figures(counted, found.pairs, wanted.shown, _rare(config, wanted))
    if wanted.verbs is not None:
        for entry in figures["actions"]:
            entry["verb_name"] = wanted.verbs[entry["verb"]]
    lost: Counter[str] = wanted.lost + found.lost
    return {
        "metric": "hoi",
        "annotations": annotations.name,
        "results": results.name,
        "declared": config.model_dump(exclude_none=True),
        **figures,
        "n_images": len(counted),
        "n_pairs": sum(map(len, counted.values())),
        "n_found": sum(len(found.pairs.get(name, ())) for name in counted),
        "n_without_results": sum(name not in found.pairs for name in counted),
        "n_foreign_results": found.foreign,
        "n_failed": len(failed),
        "failed": [{"image": name, "reason": reason} for name, reason in failed.items()],
        "lost": dict(lost),
    }


def _rare(config: HicoFilesConfig, wanted: Annotated) -> set[tuple[int, str]] | None:
    if config.training is None:
        return None
    training = read_annotated(Path(config.training), config)
    if training.verbs != wanted.verbs:
        raise InputError(
            f"{config.training}: its list of verbs is not that of the annotations, so their actions cannot be counted"
        )
    times = Counter(pair.action for pairs in training.pairs.values() for pair in pairs)
    actions = {pair.action for pairs in wanted.pairs.values() for pair in pairs}
    return {action for action in actions if times[action] < RARE_BELOW}
