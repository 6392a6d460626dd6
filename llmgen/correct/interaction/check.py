"""How much of what a prompt asks the loop's own models see in a picture: what a correction is kept by.

Ours. The published code draws every correction and keeps it, whatever came out.
"""

from collections import Counter
from collections.abc import Sequence

from llmgen.artifacts import Detection, Edit, Interaction, MoveEdit, Record
from llmgen.llm.english.grammar import read_phrase, read_prompt
from llmgen.llm.english.words import singularize
from llmgen.llm.planning.interactions import Figure, place_object
from llmgen.vision.boxes import BoxTuple, iou

_SAME_PX = 1.5
"""Boxes that differ by rounding only are one."""
_IN_PLACE = 0.5
"""IoU with the planned box from which an object lies where the plan wants it."""


def stays(edit: Edit) -> bool:
    """Whether an edit leaves the object where it was found."""
    return isinstance(edit, MoveEdit) and all(
        abs(a - b) <= _SAME_PX for a, b in zip(edit.from_box_xyxy, edit.box_xyxy, strict=True)
    )


def share_seen(
    record: Record,
    interaction: Interaction,
    detections: Sequence[Detection],
    figure: Figure | None,
    thing: Detection | None,
    planned: BoxTuple | None = None,
) -> float:
    """The share of three demands that a picture fulfils: who acts and the object as they are told, and the object in its place.

    Args:
        record: Whose picture it is; its prompt says how many of each there are.
        interaction: Who does what with what.
        detections: What was found in the picture.
        figure: Who acts in it, or None.
        thing: The object in it, or None.
        planned: Where the plan wants the object; None before there is one: its place is then where the verb wants it.

    Returns:
        0, 1/3, 2/3 or 1. Nouns that are there more often than the prompt names them are not fulfilled: a second head is a second figure.
        Nor are those of which none has the attributes that the prompt tells.
    """
    wanted: Counter[str] = Counter()
    for each in read_prompt(record.prompt).objects:
        wanted[singularize(each.noun)] += each.count

    def as_told(phrase: str) -> bool:
        noun, attributes = read_phrase(phrase)
        noun = singularize(noun)
        of_it = [found for found in detections if singularize(found.noun.lower()) == noun]
        in_number = bool(of_it) and (not wanted[noun] or len(of_it) == wanted[noun])
        return in_number and any(set(attributes) <= set(found.attributes) for found in of_it)

    met = [as_told(interaction.subject.text), as_told(interaction.object.text), False]
    if figure is not None and thing is not None:
        there_already = planned is not None and iou(thing.box_xyxy, planned) >= _IN_PLACE
        met[2] = there_already or _fits(record, interaction, figure, thing.box_xyxy)
    return sum(met) / len(met)


def _fits(record: Record, interaction: Interaction, figure: Figure, box: BoxTuple) -> bool:
    assert record.image is not None
    between = record.prompt[interaction.verb.end : interaction.object.start].strip()
    size, canvas = (box[2] - box[0], box[3] - box[1]), (record.image.width, record.image.height)
    return place_object(figure, interaction.verb_base, between, size, canvas, box)[1] == box
