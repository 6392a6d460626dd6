"""Layouts changed by an instruction: add, remove, replace, move, resize, recolour. What is not named stays as it is."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from llmgen.artifacts import Detection, Instance, Layout, Mask, Record
from llmgen.engine.stage import StageConfig
from llmgen.errors import InputError
from llmgen.layout.planned import PlannedLayout
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.questions.edit import EditQuestion
from llmgen.vision.boxes import BoxTuple
from llmgen.vision.masks import decode_mask, encode_mask


class EditLayoutConfig(StageConfig):
    """Settings of `layout edit`."""

    instruction: str | None = Field(default=None, min_length=1)
    """What should change, for example "move the red ball to the left", in records that bring no instruction of their own."""


class EditLayout(PlannedLayout):
    """Asks the planner what an instruction changes in the layout, and changes that.

    The record keeps its id and its seed, so that the picture is drawn from the same noise as before: the rounds of
    InstanceDiffusion's iterative generation. Points, scribbles and masks go with the box of their instance.
    """

    name: ClassVar[str] = "edit"
    needs: ClassVar[tuple[str, ...]] = ("layout",)
    Config: ClassVar[type[EditLayoutConfig]] = EditLayoutConfig

    def planned(self, record: Record, seed: int) -> Record:
        """The record with its layout changed.

        Raises:
            InputError: If there is no layout or no instruction, or it is not understood or cannot be followed.
            ModelError: If no usable reply came.
        """
        layout, instruction = record.layout, record.instruction or self.config.instruction
        if layout is None:
            raise InputError(f"record {record.id!r} has no layout; plan one first, for example with --method instances")
        if instruction is None:
            raise InputError(f"record {record.id!r} has no instruction; give one with --set instruction=TEXT")
        found = tuple(_as_found(instance) for instance in layout.instances)
        asked = EditQuestion(instruction, found, layout.width, layout.height, seed)
        answer = self.context.heard(record.id, self.planner.ask(asked))
        before = {instance.id: instance for instance in layout.instances}
        after: dict[str, Instance] = {}
        for target in answer.value.target:
            instance = (
                _changed(before[target.id], target, layout) if target.id in before else _named(target, before, after)
            )
            after[instance.id] = instance
        changed = layout.model_copy(update={"instances": tuple(after.values())})
        return record.grown(
            instruction=instruction, layout=Layout(**dict(changed)), replies=(*record.replies, answer.reply)
        )


def _as_found(instance: Instance) -> Detection:
    """An instance as if it were seen where it is planned: what planners edit."""
    noun, attributes = (
        (instance.noun.lower(), instance.attributes) if instance.noun is not None else read_phrase(instance.phrase)
    )
    return Detection(
        id=instance.id,
        phrase=" ".join((*attributes, noun)),
        noun=noun,
        attributes=attributes,
        box_xyxy=instance.box_xyxy,
        score=1.0,
    )


def _changed(instance: Instance, target: Instance, layout: Layout) -> Instance:
    """An instance after the edit: at its new place, and with new words only if its attributes changed."""
    found = _as_found(instance)
    if target.attributes != found.attributes or target.noun != found.noun:
        words = {"phrase": target.phrase, "noun": target.noun, "attributes": target.attributes}
        instance = instance.model_copy(update=words)
    old, new = instance.box_xyxy, target.box_xyxy
    if new == old:
        return instance
    return instance.model_copy(
        update={
            "box_xyxy": new,
            "point_xy": instance.point_xy and _carried(instance.point_xy, old, new, layout),
            "scribble_xy": instance.scribble_xy
            and tuple(_carried(point, old, new, layout) for point in instance.scribble_xy),
            "mask": instance.mask and _carried_mask(instance.mask, old, new),
        }
    )


def _named(target: Instance, before: dict[str, Instance], after: dict[str, Instance]) -> Instance:
    """A new instance under a name of its own."""
    number = 1
    while (name := f"{target.noun}-{number}") in before or name in after:
        number += 1
    return target.model_copy(update={"id": name})


def _carried(point: tuple[float, float], old: BoxTuple, new: BoxTuple, layout: Layout) -> tuple[float, float]:
    """A point that keeps its place in a box, and stays on the canvas."""
    x, y = (new[k] + (point[k] - old[k]) * (new[k + 2] - new[k]) / (old[k + 2] - old[k]) for k in (0, 1))
    return (min(max(x, 0.0), float(layout.width)), min(max(y, 0.0), float(layout.height)))


def _carried_mask(mask: Mask, old: BoxTuple, new: BoxTuple) -> Mask | None:
    """A mask moved and scaled as its box is; None when nothing of it is left on the canvas."""
    pixels = decode_mask(mask)
    rows, columns = (
        np.floor(
            old[k] + (np.arange(pixels.shape[1 - k]) + 0.5 - new[k]) * (old[k + 2] - old[k]) / (new[k + 2] - new[k])
        ).astype(int)
        for k in (1, 0)
    )
    known_rows, known_columns = (
        (0 <= v) & (v < side) for v, side in ((rows, pixels.shape[0]), (columns, pixels.shape[1]))
    )
    carried = np.zeros_like(pixels)
    carried[np.ix_(known_rows, known_columns)] = pixels[np.ix_(rows[known_rows], columns[known_columns])]
    return encode_mask(carried) if carried.any() else None
