"""Pictures that say what they are, as records: those of llmgen, of AUTOMATIC1111's web UI and of whoever writes its line."""

import hashlib
import re
from pathlib import Path

from pydantic import ValidationError

from llmgen.artifacts import HistoryEntry, ImageRef, Record
from llmgen.artifacts.complaints import describe
from llmgen.errors import InputError
from llmgen.formats.collected import Collected
from llmgen.vision.decoding import MAX_PIXELS
from llmgen.vision.picture_text import SUFFIXES, read_picture_text

_OUR_NAME = re.compile(r"(.+)\.(?:generate|correct-\d+|refine)-[0-9a-f]{8}")
"""Stem of a picture that llmgen drew: record, stage, digest."""


def read_pictures(source: str) -> tuple[Collected, Path]:
    """Records of pictures, in the order of their names.

    Args:
        source: A picture, or a folder of pictures; folders in it are not looked into.

    Returns:
        The records, each with the picture as it is, and the folder that their paths are relative to. A picture that says no prompt is
        left out with a line.

    Raises:
        InputError: If there is no picture.
    """
    path = Path(source)
    if path.is_dir():
        folder, files = path, sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    else:
        folder, files = path.parent, [path]
    if not files:
        raise InputError(f"{source}: holds no picture ({', '.join(SUFFIXES)})")
    found = Collected(source)
    for file in files:
        try:
            record = _record(file, found)
        except InputError as error:
            found.dropped.append(str(error))
            continue
        if record is None:
            found.dropped.append(f"{file}: says no prompt, so it makes no record")
        else:
            found.records.append(record)
    return found, folder


def _record(path: Path, found: Collected) -> Record | None:
    text, (width, height) = read_picture_text(path)
    if text is None or not text.prompt.strip():
        return None
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path} has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million; make it smaller"
        )
    ours = _OUR_NAME.fullmatch(path.stem)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        image = ImageRef(path=path.name, sha256=digest, width=width, height=height)
        return Record(
            kind="images",
            id=found.free_id(ours[1] if ours else path.stem, given=ours is None),
            prompt=text.prompt,
            instruction=text.instruction,
            seed=text.seed,
            layout=text.layout,
            image=image,
            history=(HistoryEntry(stage="generate", round=0, image=image),),
        )
    except ValidationError as error:
        raise InputError(f"{path}: {describe(error)}") from error
