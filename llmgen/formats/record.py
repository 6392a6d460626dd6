"""ReCorD's tables: sentences with token places, seeds and boxes, as the original's scripts write and read them.

What the scripts let through unnoticed is said here: a row without a usable box was drawn as a candidate instead of a correction, boxes of
no area were used, a blank line or a short box stopped the whole table, and every word was taken for one token. `README.md` has the list.

Source:
    ReCorD (Lin et al. 2024), https://github.com/j1anglin/ReCorD: prompt preprocessing, batch generation, preparation of HICO-DET.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from llmgen.artifacts import (
    AddEdit,
    EditPlan,
    HistoryEntry,
    ImageRef,
    Interaction,
    Kind,
    Layout,
    MoveEdit,
    Record,
)
from llmgen.artifacts.foreign_prompts import plain_seed
from llmgen.artifacts.io import parse_json, read_bytes
from llmgen.artifacts.parsing import not_text
from llmgen.artifacts.record import MOST_SEED
from llmgen.errors import InputError, LlmgenError
from llmgen.formats.collected import Collected, four_numbers
from llmgen.formats.hico_preparation import NO_INTERACTION, SIDE, sentence_with_is
from llmgen.llm.english.acting import read_interaction, split_at_is
from llmgen.llm.questions.interaction import guessed_layout
from llmgen.vision.boxes import BoxTuple
from llmgen.vision.images import ImageStore

_PROMPT: Final = "full_prompt"
_SENTENCE: Final = "prompt"
_INTRANSITIVE: Final = "intransitive_prompt"
_BEFORE: Final = "object_bbox"
_AFTER: Final = ("updated_object_bbox", "updates_object_bbox", "updated_object_location")
_TOKENS: Final = "token_indices"
_SEEDS, _CHOSEN = "seeds", "selected_image_idx"
_WORDS: Final = ("obj_nouns", "object", "verb", "subject_index", "verb_index", "obj_index", _TOKENS)
_KNOWN: Final = frozenset((_PROMPT, _SENTENCE, _INTRANSITIVE, _BEFORE, *_AFTER, _SEEDS, _CHOSEN, *_WORDS))
_MOST_CELL: Final = 100_000


def read_record_file(source: str, images_from: Path | None) -> tuple[Collected, Kind, Path]:
    """Read a table of the original, CSV or a JSON list of its rows.

    Args:
        source: Path, or `-` for stdin.
        images_from: Folder of the candidates, `<full prompt>/seed_<seed>_1.png` each, as the original saves them.

    Returns:
        The records, their kind (`images` with pictures, else `layouts`), and the folder of the pictures.

    Raises:
        InputError: If it is no such table.
    """
    name, base, data = read_bytes(source)
    rows = _json_rows(data, name) if data.lstrip()[:1] in (b"[", b"{") else list(_csv_rows(data, name))
    if not rows or not any({_PROMPT, _SENTENCE} & set(row) for row in rows):
        raise InputError(
            f"{name}: no table of ReCorD: expected a column `full_prompt`, or `Prompt` with `token indices`; save a spreadsheet as CSV"
        )
    return read_record_rows(rows, name, images_from), "images" if images_from else "layouts", images_from or base


def read_record_rows(rows: Sequence[Mapping[str, Any]], name: str, images_from: Path | None = None) -> Collected:
    """Turn rows into records of kind `layouts`, or `images` where their candidates are at hand."""
    found, kind = Collected(name), "images" if images_from is not None else "layouts"
    skipped = blank = 0
    if any(column in row for row in rows for column in ("subject_index", "obj_index", _TOKENS)):
        found.notes.append(
            "token places of the table are not used: they take every word for one token; tokens are found by the words' letters"
        )
    for position, row in enumerate(rows, start=1):
        found.unused.update(key for key in row if key not in _KNOWN and row[key] not in (None, ""))
        if not any(str(value).strip() for value in row.values() if value is not None):
            blank += 1
            continue
        if str(row.get("verb") or "").strip() == NO_INTERACTION:
            skipped += 1
            continue
        record_id = found.free_id(f"{position:04d}")
        said = str(row.get(_PROMPT) or row.get(_SENTENCE) or "")
        try:
            found.records.append(_record(row, record_id, images_from, partial(found.mended, record_id)))
        except ValidationError as error:
            reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
            found.fail(kind, record_id, said, position, reason)  # type: ignore[arg-type]
        except LlmgenError as error:
            found.fail(kind, record_id, said, position, " ".join(str(error).split()))  # type: ignore[arg-type]
    if skipped:
        found.notes.append(f"{skipped} rows of the verb {NO_INTERACTION} are left out")
    if blank:
        found.notes.append(f"{blank} blank rows are left out; the original stops at the first one")
    return found


def _record(row: Mapping[str, Any], record_id: str, images_from: Path | None, note: Callable[[str], None]) -> Record:
    prompt = _prompt(row)
    interaction = _interaction(prompt, row, note)
    seed = _seed(row, note)
    before = _box(row.get(_BEFORE), _BEFORE, note)
    column = next((name for name in _AFTER if row.get(name) not in (None, "")), None)
    after = _box(row.get(column), column, note) if column else None
    if after is None and before is not None:
        note(
            "it has no corrected box: its object is placed by the critic; the original draws a candidate again, unnoticed"
        )
    width = height = SIDE
    image: ImageRef | None = None
    if images_from is not None:
        image = _candidate(images_from, prompt, seed)
        width, height = image.width, image.height
    wanted, was = (_scaled(box, width, height) for box in (after, before))
    layout = guessed_layout(prompt, interaction, width, height, wanted or was)
    return Record(
        kind="images" if image else "layouts",
        id=record_id,
        prompt=prompt,
        seed=seed,
        layout=layout,
        image=image,
        history=(HistoryEntry(stage="generate", round=0, image=image),) if image else (),
        edits=_plan(layout, wanted, was) if image and wanted else None,
    )


def _prompt(row: Mapping[str, Any]) -> str:
    """The whole sentence, with its "is".

    Raises:
        InputError: If there is none.
    """
    said = " ".join(str(row.get(_PROMPT) or "").split())
    if said:
        return said
    sentence = str(row.get(_SENTENCE) or "").strip()
    if not sentence:
        raise InputError("it has no prompt; the original stops here")
    if row.get(_TOKENS) in (None, ""):
        return " ".join(sentence.split())
    places = _listed(row[_TOKENS], _TOKENS)
    if not all(isinstance(place, int) for place in places):
        raise InputError("`token indices` are two whole numbers, such as [2, 5]")
    return sentence_with_is(sentence, places).full


def _interaction(prompt: str, row: Mapping[str, Any], note: Callable[[str], None]) -> Interaction:
    """Who does what with what: by grammar, or else by the original's rule, "is" and the last two words."""
    try:
        found = read_interaction(prompt, note)
    except InputError as error:
        found, _ = split_at_is(prompt)
        note(f"read by the original's rule, at 'is' and by its last two words: {error}")
    said = " ".join(str(row.get(_INTRANSITIVE) or "").split())
    if said and said != found.intransitive_prompt:
        note(
            f"its intransitive prompt stays {said[:60]!r}; from its words it would be {found.intransitive_prompt[:60]!r}"
        )
        found = found.model_copy(update={"intransitive_prompt": said})
    nouns = " ".join(str(row.get("obj_nouns") or "").split())
    if nouns and nouns.split()[-1].lower() not in found.object.text.lower().split():
        note(f"its obj_nouns say {nouns[:60]!r}, its sentence {found.object.text!r}; the sentence counts")
    elif nouns and nouns != found.object.text:
        note(
            f"its object is {found.object.text!r}, not {nouns[:60]!r}: the original takes its last words, whatever they are"
        )
    return found


def _seed(row: Mapping[str, Any], note: Callable[[str], None]) -> int | None:
    """The seed of the selected candidate.

    Raises:
        InputError: If the selected one does not exist.
    """
    cell = row.get(_SEEDS)
    if cell in (None, ""):
        return None
    seeds = [
        plain_seed(value) for value in (_listed(cell, _SEEDS) if "[" in str(cell) or isinstance(cell, list) else [cell])
    ]
    if not seeds or not all(
        isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed <= MOST_SEED for seed in seeds
    ):
        raise InputError("`seeds` is a whole number, or a list of them")
    chosen = row.get(_CHOSEN)
    if chosen in (None, ""):
        if len(seeds) > 1:
            note(f"it has {len(seeds)} seeds and no selected_image_idx; the first is taken")
        return int(seeds[0])
    index = plain_seed(chosen)
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if not isinstance(index, int) or not 0 <= index < len(seeds):
        raise InputError(
            f"selected_image_idx {str(chosen)[:20]!r} is none of its {len(seeds)} seeds, which count from 0"
        )
    return int(seeds[index])


def _box(cell: Any, column: str, note: Callable[[str], None]) -> BoxTuple | None:
    """A box of the 512 frame, cut to it; None where there is none.

    Raises:
        InputError: If it is no box.
    """
    if cell in (None, "") or str(cell).strip().lower() in ("null", "none", "nan"):
        return None
    numbers = four_numbers(_listed(cell, column))
    if numbers is None:
        raise InputError(f"`{column}` is no box of four numbers: {str(cell)[:60]!r}; the original stops here")
    x0, y0, x1, y1 = numbers
    if x1 < x0 or y1 < y0:
        raise InputError(
            f"`{column}` is inverted: {list(numbers)}; the original draws a candidate instead of a correction, unnoticed"
        )
    inside = (min(max(x0, 0.0), SIDE), min(max(y0, 0.0), SIDE), min(max(x1, 0.0), SIDE), min(max(y1, 0.0), SIDE))
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        raise InputError(
            f"`{column}` has no area inside the {SIDE}x{SIDE} frame: {list(numbers)}; the original uses it all the same"
        )
    if inside != numbers:
        note(f"`{column}` is cut to the frame: {list(numbers)}; the original cuts the far sides only")
    return inside


def _listed(cell: Any, column: str) -> list[Any]:
    """A list from a cell such as `[1, 2]` or `(1, 2)`."""
    if isinstance(cell, list | tuple):
        return list(cell)
    text = str(cell).strip()[:_MOST_CELL]
    if re.fullmatch(r"[\[(][-+0-9eE.,\s]*[\])]", text):
        inner = text[1:-1].strip().rstrip(",")
        try:
            value = json.loads(f"[{inner}]")
        except ValueError:
            value = None
        if isinstance(value, list):
            return value
    raise InputError(f"`{column}` is no list of numbers: {text[:60]!r}")


def _candidate(folder: Path, prompt: str, seed: int | None) -> ImageRef:
    """The candidate as the original saves it: the second picture of its run."""
    if seed is None:
        raise InputError("it has no seed, so nobody knows which picture is its candidate")
    relative = f"{prompt}/seed_{seed}_1.png"
    if "/" in prompt or "\\" in prompt or prompt.startswith("."):
        raise InputError("its prompt is no name of a folder, so its candidate cannot be found")
    return ImageStore(folder).refer(relative)


def _scaled(box: BoxTuple | None, width: int, height: int) -> BoxTuple | None:
    if box is None:
        return None
    x0, y0, x1, y1 = box
    return (x0 * width / SIDE, y0 * height / SIDE, x1 * width / SIDE, y1 * height / SIDE)


def _plan(layout: Layout, wanted: BoxTuple, was: BoxTuple | None) -> EditPlan:
    """The correction that the table asks for, as `correct --mode interaction` carries it out."""
    thing = layout.instances[-1]
    edit: MoveEdit | AddEdit
    if was is not None:
        edit = MoveEdit(op="move", target=thing.id, from_box_xyxy=was, box_xyxy=wanted)
    else:
        edit = AddEdit(
            target=thing.id, phrase=thing.phrase, noun=thing.noun or thing.phrase, attributes=thing.attributes, box_xyxy=wanted
        )  # fmt: skip
    return EditPlan(edits=(edit,), target=layout.instances, reasoning="the corrected box of ReCorD's table")


def _csv_rows(data: bytes, name: str) -> Iterator[dict[str, Any]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_text(name, data, error.start) from error
    head = text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=head.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{name}: the table cannot be read: {error}") from error
    columns = [_column(cell) for cell in rows[0]] if rows else []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(columns):
            raise InputError(
                f"{name}: line {number} has {len(row)} cells, the head {len(columns)}; quote cells with commas"
            )
        yield dict(zip(columns, row, strict=False))


def _json_rows(data: bytes, name: str) -> list[dict[str, Any]]:
    value = parse_json(data, name)
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{name}: rows are objects")
    return [{_column(key): cell for key, cell in row.items()} for row in rows]


def _column(name: str) -> str:
    return "_".join(name.strip().lower().split())
