"""The objects of a picture while commands are carried out on them, and the edits that come of it."""

import itertools
import random
from dataclasses import dataclass, field

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Detection, Edit, EditPlan, Instance, MoveEdit
from llmgen.llm.english.saying import phrase_of
from llmgen.llm.planning.placement import BoxXyxy, Canvas
from llmgen.llm.replies.bounds import Remark, log_remark

LEAST_MOVE_PX = 1.0
"""What moves less has not moved."""


@dataclass
class Thing:
    """One object while commands are carried out."""

    noun: str
    attributes: tuple[str, ...]
    box: BoxXyxy
    seen: Detection | None = None
    """What it was in the picture; None for a new one."""
    gone: bool = False
    detail: str = ""
    """What it has, wears or does besides, in the words of the instruction."""

    @property
    def place(self) -> BoxXyxy:
        """Where it was in the picture; where it is, of a new one."""
        return self.seen.box_xyxy if self.seen is not None else self.box

    @property
    def phrase(self) -> str:
        """Attributes and noun, no article."""
        return " ".join((*self.attributes, self.noun))

    @property
    def name(self) -> str:
        """What it is called in the picture, the phrase of a new one."""
        return self.seen.id if self.seen is not None else self.phrase


@dataclass
class Board:
    """All objects, old and new."""

    canvas: Canvas
    rng: random.Random
    things: list[Thing] = field(default_factory=list)
    meant: dict[int, list[Thing]] = field(default_factory=dict)
    """What a selection (by its `id`) was found to mean: "it" stays the same object when that moves or changes."""
    remark: Remark = log_remark
    """Told of what was chosen among several."""

    def there(self) -> list[Thing]:
        """The objects that are not deleted."""
        return [thing for thing in self.things if not thing.gone]

    def others(self, *without: Thing) -> list[Thing]:
        """The objects that are not deleted, without some."""
        return [thing for thing in self.there() if not any(thing is one for one in without)]


def plan_of_board(board: Board, reasoning: str) -> EditPlan:
    """The edits that turn the picture that was seen into what the board shows."""
    taken = {t.seen.id for t in board.things if t.seen is not None}
    deletes: list[Edit] = []
    others: list[Edit] = []
    target: list[Instance] = []
    for thing in board.things:
        seen = thing.seen
        phrase = phrase_of(thing.noun, thing.attributes, thing.detail)
        if seen is not None:
            moved = max(abs(a - b) for a, b in zip(thing.box, seen.box_xyxy, strict=True)) >= LEAST_MOVE_PX
            changed = set(thing.attributes) != set(seen.attributes) or bool(thing.detail)
            if thing.gone or (moved and changed):
                deletes.append(DeleteEdit(target=seen.id, box_xyxy=seen.box_xyxy))
            elif moved:
                grown = max(abs(_side(thing.box, k) - _side(seen.box_xyxy, k)) for k in (0, 1)) > 1.5
                others.append(
                    MoveEdit(
                        op="resize" if grown else "move",
                        target=seen.id,
                        from_box_xyxy=seen.box_xyxy,
                        box_xyxy=thing.box,
                    )
                )
            elif changed:
                others.append(
                    ChangeAttributeEdit(
                        target=seen.id, phrase=phrase, noun=thing.noun, attributes=thing.attributes, box_xyxy=thing.box
                    )
                )
            if not thing.gone and not (moved and changed):
                target.append(_instance(seen.id, phrase, thing))
                continue
        if not thing.gone:
            name = next(n for k in itertools.count(1) if (n := f"{thing.phrase} #{k}") not in taken)
            taken.add(name)
            others.append(
                AddEdit(target=name, phrase=phrase, noun=thing.noun, attributes=thing.attributes, box_xyxy=thing.box)
            )
            target.append(_instance(name, phrase, thing))
    return EditPlan(edits=(*deletes, *others), target=tuple(target), reasoning=reasoning)


def _instance(name: str, phrase: str, thing: Thing) -> Instance:
    return Instance(id=name, phrase=phrase, noun=thing.noun, attributes=thing.attributes, box_xyxy=thing.box)


def _side(box: BoxXyxy, axis: int) -> float:
    return box[axis + 2] - box[axis]
