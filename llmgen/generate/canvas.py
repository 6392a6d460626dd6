"""What the generate methods share: the size of the canvas and the record's first picture."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from llmgen.artifacts import HistoryEntry, Layout, Record
from llmgen.diffusion.failures import as_model_errors
from llmgen.diffusion.prompts import beyond_limits
from llmgen.errors import InputError

if TYPE_CHECKING:
    from llmgen.diffusion.text import TextEncoder
    from llmgen.engine.context import StageContext


def draw_by_canvas(
    records: Sequence[Record],
    context: "StageContext",
    draw: Callable[[Sequence[Record], int, int], Sequence[Image.Image]],
    *,
    method: str,
    multiple: int,
    width: int | None = None,
    height: int | None = None,
) -> list[Record]:
    """The records with their first pictures.

    Args:
        records: Records.
        context: Gives the preset's canvas and the largest batch, keeps the pictures, and is told of each batch.
        draw: Draws a batch whose pictures have one width and height in pixels.
        method: Name of the method, for messages.
        multiple: As of `group_by_canvas`.
        width: As of `group_by_canvas`.
        height: As of `group_by_canvas`.

    Raises:
        InputError: If a side does not fit.
        ModelError: If memory runs out.
    """
    made: dict[int, Record] = {}
    for size, rows in group_by_canvas(records, context, width=width, height=height, multiple=multiple):
        with as_model_errors(f"generate {method}"):
            images = draw([records[i] for i in rows], *size)
        made |= {i: with_first_picture(records[i], context, image) for i, image in zip(rows, images, strict=True)}
        context.progress(f"generate {method}: {len(made)}/{len(records)}")
    return [made[i] for i in range(len(records))]


def group_by_canvas(
    records: Sequence[Record],
    context: "StageContext",
    *,
    multiple: int,
    width: int | None = None,
    height: int | None = None,
) -> list[tuple[tuple[int, int], list[int]]]:
    """Batches of records whose pictures have one size.

    Args:
        records: Records.
        context: Gives the preset's canvas and the largest batch.
        multiple: Sides must be multiples of it.
        width: Width in pixels that was asked for; else the layout's, else the preset's.
        height: Height in pixels, likewise.

    Returns:
        Size and places of the records, at most `context.batch_size` of them.

    Raises:
        InputError: If a side does not fit.
    """
    places: dict[tuple[int, int], list[int]] = {}
    for i, record in enumerate(records):
        layout = record.layout
        w = width or (layout.width if layout else context.preset.width)
        h = height or (layout.height if layout else context.preset.height)
        if w % multiple or h % multiple:
            raise InputError(f"record {record.id!r}: a picture of {w}x{h} needs sides that are multiples of {multiple}")
        places.setdefault((w, h), []).append(i)
    step = context.batch_size
    return [(size, rows[i : i + step]) for size, rows in places.items() for i in range(0, len(rows), step)]


def layout_of(record: Record) -> Layout:
    """The record's layout.

    Raises:
        InputError: If it has none.
    """
    if record.layout is None:
        raise InputError(f"record {record.id!r} has no layout; run `llmgen layout` first")
    return record.layout


def remark_on_limits(
    context: "StageContext", record: Record, prompt: str, encoder: "TextEncoder", **others: Any
) -> None:
    """Remark on what of a record's texts the model cannot take in; `others` as of `beyond_limits`."""
    for text in beyond_limits(prompt, encoder, **others):
        context.remark_on(record.id, text)


def with_first_picture(record: Record, context: "StageContext", image: Image.Image) -> Record:
    """The record with its picture saved. Whatever later stages had made of an earlier picture is dropped."""
    ref = context.images.save(record.id, "generate", image)
    entry = HistoryEntry(stage="generate", round=0, image=ref)
    return record.grown(image=ref, history=(entry,), detections=None, edits=None, scores=None)
