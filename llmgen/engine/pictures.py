"""Bringing a record's pictures along when its artifact moves to another folder."""

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from llmgen.artifacts import EditOutcome, ImageRef, Record
from llmgen.errors import OutputError
from llmgen.vision.images import ImageStore

_MOST_STEM_BYTES = 200
"""File systems take names of 255 bytes; digest and ending come after it."""


def picture_store(output: Path | None, images: Path | None) -> ImageStore:
    """Where pictures lie for an output.

    Args:
        output: The output file, or None for stdout: then paths are relative to the working directory.
        images: Folder for new pictures, or None for `images` beside the output (`outputs/images` in a pipe).

    Raises:
        OutputError: If the folder is not below the one that paths are relative to.
    """
    root = output.parent if output is not None else Path()
    if images is None:
        return ImageStore(root, "images" if output is not None else "outputs/images")
    try:
        relative = images.resolve().relative_to(root.resolve())
    except ValueError as error:
        what = f"the folder of {output}" if output is not None else "the working directory"
        raise OutputError(
            f"--images {images} must lie in {what}, because records name pictures relative to it"
        ) from error
    return ImageStore(root, relative.as_posix())


def bring(record: Record, source: ImageStore, target: ImageStore) -> Record:
    """The record with its pictures named relative to another folder.

    A picture that lies below the target's root already is only renamed in the record; any other is copied.

    Args:
        record: Whose pictures.
        source: Where its paths are relative to now.
        target: Where they shall be.

    Raises:
        InputError: If a picture is missing, leads out of its folder, or is another one than recorded.
        OutputError: If a picture cannot be copied.
    """
    if source.root.resolve() == target.root.resolve():
        return record

    def moved(ref: ImageRef) -> ImageRef:
        carried = _carried(ref.path, source, target, (ref.width, ref.height), lambda: source.read(ref))
        return ref.model_copy(update={"path": carried})

    def renamed(path: str | None) -> str | None:
        return moved(ImageRef(path=path, width=1, height=1)).path if path else None

    def carried_along(outcome: EditOutcome) -> EditOutcome:
        pictures = {"before": outcome.before, "after": outcome.after}
        return outcome.model_copy(update={k: None if ref is None else moved(ref) for k, ref in pictures.items()})

    history = tuple(
        entry.model_copy(
            update={
                "image": moved(entry.image),
                "region": moved(entry.region) if entry.region is not None else None,
                "outcomes": None if entry.outcomes is None else tuple(map(carried_along, entry.outcomes)),
            }
        )
        for entry in record.history
    )
    return record.grown(
        image=moved(record.image) if record.image is not None else None,
        history=history,
        samples=tuple(sample.model_copy(update={"image": moved(sample.image)}) for sample in record.samples),
        source_image=renamed(record.source_image),
        target_image=renamed(record.target_image),
    )


def _carried(
    relative: str, source: ImageStore, target: ImageStore, size: tuple[int, int], read: Callable[[], bytes]
) -> str:
    """A picture's path below the target: renamed where it lies there already, copied otherwise."""
    path, root = source.path(relative), target.root.resolve()
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    data = read()
    # The name without the digest that `ImageStore` puts at its end, so that a copy is called like its original.
    stem = PurePosixPath(relative).stem.removesuffix(f"-{hashlib.sha256(data).hexdigest()[:8]}")
    stem = stem.encode()[:_MOST_STEM_BYTES].decode(errors="ignore")
    return target.save_bytes(stem, data, PurePosixPath(relative).suffix, size).path
