"""What a prompt means: objects, relations, absences, background."""

from dataclasses import dataclass
from typing import Literal

OrderKind = Literal["left_of", "right_of", "above", "below"]
ContactKind = Literal["on", "in", "behind", "in_front_of", "next_to", "between", "holding", "wearing"]
SideKind = Literal["on_left", "on_right", "on_top", "on_bottom", "in_middle"]
RelationKind = OrderKind | ContactKind | SideKind
DEFAULT_BACKGROUND = "a realistic photo of a scene"


@dataclass(frozen=True, slots=True)
class WantedObject:
    """A group of equal objects that the prompt asks for.

    Attributes:
        noun: Singular, lower case, may have several words.
        attributes: Adjectives, lower case.
        count: How many.
        exact: True when the prompt says a number; False for "a ball" (at least one) and for bare plurals.
        detail: What it holds, shows, has on it, wears or does, as it was said: "of cherries", "with lit windows", "in red kicking". It is
            drawn, and not looked for.
    """

    noun: str
    attributes: tuple[str, ...] = ()
    count: int = 1
    exact: bool = False
    detail: str = ""

    @property
    def phrase(self) -> str:
        """What is looked for: one of them without article, for example "red ball"."""
        return " ".join((*self.attributes, self.noun))


@dataclass(frozen=True, slots=True)
class Relation:
    """Where objects are.

    Attributes:
        kind: `left_of`, `right_of`, `above`, `below` order two groups by their centres; `on`, `in`, `behind`, `in_front_of`, `next_to`,
            `between`, `holding`, `wearing` say how they touch or lie near each other; `on_left`, `on_right`, `on_top`, `on_bottom`,
            `in_middle` place one group in the picture.
        subject: Index into `PromptMeaning.objects`.
        object: Index of the other group, None for the kinds that speak of the picture. A group between two has two relations.
    """

    kind: RelationKind
    subject: int
    object: int | None = None


@dataclass(frozen=True, slots=True)
class Ordering:
    """All of one group come before all of another along an axis, by the centres of their boxes.

    Attributes:
        axis: 0 for x (before = left), 1 for y (before = above).
        first: Index of the group with the smaller centres.
        second: Index of the group with the larger centres.
    """

    axis: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class PromptMeaning:
    """What a prompt asks for."""

    objects: tuple[WantedObject, ...] = ()
    relations: tuple[Relation, ...] = ()
    absent: tuple[str, ...] = ()
    """Singular nouns that must not be there."""
    background: str = DEFAULT_BACKGROUND
    """The scene without its objects."""
    remarks: tuple[str, ...] = ()
    """A line with its words for each thing that was not read, or that boxes cannot show. Where there is one, the rest is not all."""

    def orderings(self) -> tuple[Ordering, ...]:
        """The relations between groups, said outright or by opposite sides ("A on the left and B on the right")."""
        found: list[Ordering] = []
        for relation in self.relations:
            if relation.object is not None and relation.kind in ("left_of", "right_of", "above", "below"):
                axis = 0 if relation.kind in ("left_of", "right_of") else 1
                pair = (relation.subject, relation.object)
                first, second = pair if relation.kind in ("left_of", "above") else pair[::-1]
                found.append(Ordering(axis, first, second))
        pairs = (
            (0, "on_left", "on_right"),
            (1, "on_top", "on_bottom"),
            (0, "on_left", "in_middle"),
            (0, "in_middle", "on_right"),
        )
        for axis, low, high in pairs:
            firsts = [r.subject for r in self.relations if r.kind == low]
            seconds = [r.subject for r in self.relations if r.kind == high]
            found += [Ordering(axis, a, b) for a in firsts for b in seconds if a != b]
        return tuple(dict.fromkeys(found))
