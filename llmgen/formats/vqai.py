"""VQAI's annotations: a question about a picture, the picture that answers it, and the answer in a sentence.

Nothing is downloaded: the pictures of the published set are frames of a copyrighted series, and whoever has them names their folder.

Source:
    LGD (Li et al. 2024), Image Content Generation with Causal Reasoning, https://github.com/IEIT-AGI/MIX-Shannon.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from llmgen.artifacts import Record
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.io import parse_json, read_bytes
from llmgen.errors import InputError, LlmgenError
from llmgen.formats.collected import Collected
from llmgen.vision.images import ImageStore

KEYS: Final = ("sample_name", "image1_name", "image2_name", "question", "sent")
TOTAL: Final = "total sample"
CATEGORIES: Final[dict[str, str]] = {
    "scenery variation": "SV",
    "more entities": "ME",
    "fewer entities": "FE",
    "entities variation": "EV",
    "emotion variation": "EMV",
}
"""The published categories, in the published order, and what their tables call them."""
_ENDING: Final = 5
"""Characters of a picture's name that do not belong to the name of its sample: the letter of the picture and `.jpg`."""


@dataclass(frozen=True)
class VqaiSample:
    """One question with its answer.

    Attributes:
        name: Its id in the file, which joins it with its causal features.
        record_id: The same as a record's id.
        question: What is asked about the first picture.
        answer: The sentence or chain of reasoning that answers it; empty where nobody wrote one.
        before: Path of the picture that is asked about.
        after: Path of the picture that answers.
        category: One of `CATEGORIES`, or None when no list has it.
    """

    name: str
    record_id: str
    question: str
    answer: str
    before: Path
    after: Path
    category: str | None = None


@dataclass(frozen=True)
class VqaiFile:
    """An annotation file.

    Attributes:
        name: The file, for messages.
        samples: The good entries, in the order of the file.
        found: Records of all entries, bad ones with `error`.
        base: Folder that the records' pictures are relative to.
        counts: Words on how many samples, pictures and entries of each category there are.
    """

    name: str
    samples: tuple[VqaiSample, ...]
    found: Collected
    base: Path
    counts: str

    def complete(self) -> tuple[VqaiSample, ...]:
        """All samples, for a training, which goes over the whole file or not at all.

        Raises:
            InputError: If an entry is bad or there is none; the line names the first of them.
        """
        problems = [*self.found.invalid, *self.found.dropped]
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise InputError(f"{problems[0]}{more}; `llmgen import vqai` lists them all")
        if not self.samples:
            raise InputError(f"{self.name}: holds no samples")
        return self.samples


def sample_key(picture: str) -> str:
    """How the category file and the published result folders call a sample: its first picture without `a.jpg`.

    Args:
        picture: Name of the picture that is asked about, such as `0012a.jpg`.
    """
    return picture[:-_ENDING]


def is_vqai(value: Any) -> bool:
    """Whether a JSON value is a list of VQAI's entries (some may be broken)."""
    return isinstance(value, list) and any(
        isinstance(entry, dict) and {"image1_name", "question"} <= entry.keys() for entry in value
    )


def read_categories(source: Path) -> dict[str, str]:
    """Which category each sample is in.

    Args:
        source: JSON object of lists of names; the list of all samples is not needed.

    Returns:
        Key of the sample to its category; of several the first of the published order, then of those that VQAI does not have.

    Raises:
        InputError: If it cannot be read, holds something that is no list of names, or no category that VQAI has.
    """
    name, _, data = read_bytes(str(source))
    value = parse_json(data, name)
    if not isinstance(value, dict):
        raise InputError(f"{name}: categories are a JSON object of lists of sample names")
    unknown = [key for key in value if key != TOTAL and key not in CATEGORIES]
    if unknown and not CATEGORIES.keys() & value.keys():
        raise InputError(f"{name}: no category {unknown[0][:60]!r}; there are {', '.join(CATEGORIES)}, and {TOTAL!r}")
    found: dict[str, str] = {}
    for category in (*CATEGORIES, *unknown):
        names = value.get(category, [])
        if not isinstance(names, list) or not all(isinstance(entry, str) for entry in names):
            raise InputError(f"{name}: {category!r} is no list of sample names")
        for entry in names:
            found.setdefault(entry, category)
    return found


def read_annotations(source: str, images_from: Path | None = None, categories: Path | None = None) -> VqaiFile:
    """Read an annotation file as it is published.

    Args:
        source: Path, or `-` for stdin.
        images_from: Folder of the pictures; by default that of the file.
        categories: The category file, if there is one.

    Raises:
        InputError: If nothing of it can be read.
    """
    name, base, data = read_bytes(source)
    value = parse_json(data, name)
    if not is_vqai(value):
        raise InputError(f"{name}: no annotations of VQAI: expected a list of objects with {', '.join(KEYS)}")
    lists = read_categories(categories) if categories is not None else {}
    found, folder = Collected(name), images_from or base
    store = ImageStore(folder)
    seen: set[str] = set()
    samples: list[VqaiSample] = []
    for position, entry in enumerate(value, start=1):
        if not isinstance(entry, dict):
            found.dropped.append(f"{name}: entry at position {position}: expected an object")
            continue
        said = entry.get("sample_name")
        record_id = found.free_id(said if isinstance(said, str) and said else f"{position:04d}", given=True)
        question = entry["question"] if isinstance(entry.get("question"), str) else ""
        try:
            sample = _sample(entry, record_id, store, seen)
            category = lists.get(sample_key(entry["image1_name"]))
            if category in CATEGORIES:
                sample = replace(sample, category=category)
            elif category is not None:
                found.decided(record_id, f"{category[:60]!r} is no category of VQAI's, so it goes without one")
            found.records.append(_record(sample, store))
            samples.append(sample)
        except ValidationError as error:
            found.fail("prompts", record_id, question, position, describe(error))
        except LlmgenError as error:
            found.fail("prompts", record_id, question, position, " ".join(str(error).split()))
    if not images_from and not samples:
        found.notes.append("the pictures are looked for beside the file; --images-from names another folder")
    return VqaiFile(name, tuple(samples), found, folder, _counts(samples, lists, value))


def _sample(entry: Mapping[str, Any], record_id: str, store: ImageStore, seen: set[str]) -> VqaiSample:
    missing = [key for key in KEYS if key not in entry]
    if missing:
        raise InputError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    values = [entry[key] for key in KEYS]
    wrong = [key for key, value in zip(KEYS, values, strict=True) if not isinstance(value, str)]
    if wrong:
        raise InputError(f"{wrong[0]} is no text")
    name, before, after, question, answer = values
    if not name:
        raise InputError("sample_name is empty")
    if name in seen:
        raise InputError(f"sample_name {name[:60]!r} is there twice")
    seen.add(name)
    if not question.strip():
        raise InputError("question is empty")
    paths = [store.path(picture) for picture in (before, after)]
    return VqaiSample(name, record_id, question, answer, paths[0], paths[1])


def _record(sample: VqaiSample, store: ImageStore) -> Record:
    root = store.root.resolve()
    return Record(
        id=sample.record_id,
        instruction=sample.question,
        type=sample.category,
        source_image=sample.before.relative_to(root).as_posix(),
        target_image=sample.after.relative_to(root).as_posix(),
    )


def _counts(samples: list[VqaiSample], lists: Mapping[str, str], entries: list[Any]) -> str:
    pictures = len({sample.before for sample in samples})
    text = f"{len(samples)} samples of {pictures} pictures"
    if lists:
        of = Counter(sample.category or "no category" for sample in samples)
        text += "; " + ", ".join(f"{name} {of[name]}" for name in (*CATEGORIES, "no category") if of[name])
        names = {sample_key(str(entry.get("image1_name", ""))) for entry in entries if isinstance(entry, dict)}
        strangers = len(set(lists) - names)
        text += f"; {strangers} names of the category file are not in the annotations" if strangers else ""
    return text
