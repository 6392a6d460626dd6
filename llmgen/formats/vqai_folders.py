"""What the original's sampling left: a folder a sample with question picture, target and one picture a seed, to be scored here.

The original leaves every folder out of its figures, without a word, that does not hold exactly as many jpg files as it expects. Here
each becomes a record; one without its pictures is a record with `error`, which the figures count as missing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmgen.artifacts import HistoryEntry, Record, RecordError, Sample
from llmgen.errors import InputError
from llmgen.formats.collected import Collected
from llmgen.formats.vqai import CATEGORIES
from llmgen.vision.images import ImageStore

INPUT: Final = "input_img.jpg"
TARGET: Final = "target_img.jpg"
REFERENCE_SEEDS: Final = 9
_DRAWN: Final = re.compile(r"idx_(\d{1,9})_method_.*?_seed_(\d{1,18})\.jpg")


@dataclass(frozen=True)
class AnswerFolder:
    """What the files of a folder are, by name.

    Attributes:
        input: The picture that was asked about, if it is there.
        target: The one that answers, likewise.
        drawn: The others, by their number.
    """

    input: str | None
    target: str | None
    drawn: tuple[str, ...]


def roles_of(names: Iterable[str]) -> AnswerFolder:
    """Tell the files of a folder apart; what is neither picture nor numbered counts for nothing."""
    found = list(names)
    drawn = sorted((name for name in found if _DRAWN.fullmatch(name)), key=_number)
    return AnswerFolder(INPUT if INPUT in found else None, TARGET if TARGET in found else None, tuple(drawn))


def counts_in_the_original(folder: str, names: Iterable[str], seeds: int = REFERENCE_SEEDS) -> bool:
    """Whether the original scores a folder: it is not hidden and holds exactly input, target and one picture a seed, whatever they are."""
    return not folder.startswith(".") and sum(name.endswith(".jpg") for name in names) == seeds + 2


def read_answer_folders(root: Path, categories: Mapping[str, str]) -> Collected:
    """Records of kind `images` of all folders.

    Args:
        root: Folder of the folders.
        categories: Sample to its category.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{root}: cannot be read: {error.strerror or error}") from error
    found, store = Collected(str(root)), ImageStore(root)
    for folder in folders:
        record_id = found.free_id(folder.name, given=True)
        category = categories.get(folder.name)
        if category is not None and category not in CATEGORIES:
            found.decided(record_id, f"{category[:60]!r} is no category of VQAI's, so it goes without one")
            category = None
        try:
            found.records.append(_record(folder, record_id, store, category))
        except InputError as error:
            line = f"{root}: folder {folder.name!r}: {error}"
            found.invalid.append(line)
            problem = RecordError(stage="read", type="InputError", message=line)
            found.records.append(Record(kind="images", id=record_id, prompt=folder.name, type=category, error=problem))
    return found


def _record(folder: Path, record_id: str, store: ImageStore, category: str | None) -> Record:
    files = roles_of(path.name for path in folder.iterdir())
    missing = [name for name, there in ((INPUT, files.input), (TARGET, files.target)) if there is None]
    if missing or not files.drawn:
        raise InputError(f"{', '.join(missing) or 'every drawn picture'} is missing")
    refs = [store.refer(f"{folder.name}/{name}") for name in files.drawn]
    samples = tuple(
        Sample(index=i, seed=_seed(name), image=ref, chosen=i == 0)
        for i, (name, ref) in enumerate(zip(files.drawn, refs, strict=True))
    )
    return Record(
        kind="images",
        id=record_id,
        prompt=folder.name,
        type=category,
        source_image=f"{folder.name}/{files.input}",
        target_image=f"{folder.name}/{files.target}",
        image=refs[0],
        samples=samples if len(samples) > 1 else (),
        history=(HistoryEntry(stage="generate", round=0, image=refs[0]),),
    )


def _number(name: str) -> int:
    found = _DRAWN.fullmatch(name)
    return int(found[1]) if found else 0


def _seed(name: str) -> int:
    found = _DRAWN.fullmatch(name)
    return int(found[2]) if found else 0
