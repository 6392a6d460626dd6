"""What an edit instruction can say."""

from dataclasses import dataclass, replace
from typing import Literal

from llmgen.llm.english.descriptions import Described
from llmgen.llm.english.selections import Selection

Place = Literal[
    "left_of",
    "right_of",
    "above",
    "on",
    "below",
    "near",
    "between",
    "towards",
    "away_from",
    "together",
    "apart",
    "side",
    "at",
]


@dataclass(frozen=True, slots=True)
class Location:
    """Where something should go.

    Attributes:
        kind: Relation to the anchors, or `side` of the picture; `at` is where the anchor is, or was; `together` and `apart` are
            said of several.
        anchors: The objects it speaks of; two for `between`.
        sides: For `side`: one or two of left, right, top, bottom, middle.
    """

    kind: Place
    anchors: tuple[Selection, ...] = ()
    sides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove objects."""

    what: Selection


@dataclass(frozen=True, slots=True)
class Change:
    """Give objects attributes, in place.

    Attributes:
        what: Which.
        attributes: What they become.
        detail: What they have or do besides, in its own words.
        like: Whose colour they take on.
    """

    what: Selection
    attributes: tuple[str, ...]
    detail: str = ""
    like: Selection | None = None


@dataclass(frozen=True, slots=True)
class Replace:
    """Put other objects in the place of some, `colored` as those were or as is said."""

    what: Selection
    by: Described
    colored: bool = False


@dataclass(frozen=True, slots=True)
class Swap:
    """Exchange the places of two objects, or their colours or sizes."""

    first: Selection
    second: Selection
    of: Literal["place", "color", "size"] = "place"


@dataclass(frozen=True, slots=True)
class Shift:
    """Move objects in a direction.

    Attributes:
        what: Which.
        direction: Signs along x and y.
        amount: In units of the usual step, or in pixels.
        pixels: Whether it is in pixels.
    """

    what: Selection
    direction: tuple[int, int]
    amount: float = 1.0
    pixels: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """Move objects to a place; `amount` tells how far "towards" goes."""

    what: Selection
    to: Location
    amount: float = 1.0


@dataclass(frozen=True, slots=True)
class Resize:
    """Make objects larger or smaller.

    Attributes:
        what: Which.
        factor: Of their sides; of those of `than`, where there is one.
        than: What they are compared with.
        side: By which sides.
    """

    what: Selection
    factor: float
    than: Selection | None = None
    side: Literal["width", "height", "both"] = "both"


@dataclass(frozen=True, slots=True)
class Add:
    """Draw new objects, anywhere or in a place."""

    what: Described
    to: Location | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Have so many of something: what is missing is added (where `to` says), what is too much goes."""

    what: Described
    to: Location | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Draw what is there once more, or several times."""

    what: Selection
    times: int = 1
    to: Location | None = None


@dataclass(frozen=True, slots=True)
class Prefer:
    """Have what is there like this: "I'd rather have a square clock"."""

    what: Described


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave objects as they are; None where only a property was named ("keep their shape"), which `of` says."""

    what: Selection | None
    of: str = ""


Command = Remove | Change | Replace | Swap | Shift | Move | Resize | Add | Count | Duplicate | Prefer | Keep


@dataclass(frozen=True, slots=True)
class Instruction:
    """What an instruction says.

    Attributes:
        commands: In the order in which they were said.
        background: The scene, where the instruction names it.
        remarks: What was said and is not carried out.
    """

    commands: tuple[Command, ...]
    background: str | None = None
    remarks: tuple[str, ...] = ()


def exchanged(commands: list[Command]) -> list[Command]:
    """Commands in which two things that go each to where the other is are swapped, and what is to be kept goes with what keeps it."""
    done: list[Command] = []
    for command in commands:
        before = done[-1] if done else None
        if isinstance(command, Keep) and isinstance(before, Replace) and "colo" in command.of:
            done[-1] = replace(before, colored=True)  # "replace the balls with cups, keeping their colours"
            continue
        if isinstance(command, Move) and isinstance(before, Move) and command.to.kind == before.to.kind == "at":
            if command.to.anchors == (before.what,) and before.to.anchors == (command.what,):
                done[-1] = Swap(before.what, command.what)
                continue
        done.append(command)
    return done


def spoken_of(command: Command) -> Selection | None:
    """What "it" means after a command."""
    if isinstance(command, Swap):
        return None
    if isinstance(command, Add | Replace | Count | Prefer):
        new = command.by if isinstance(command, Replace) else command.what
        return Selection(new.noun, new.attributes, every=new.count > 1)
    return command.what
