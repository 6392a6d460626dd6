"""What can be drawn over the pictures, and what of it is shown at first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmgen.report.steps import Step

_WORDS: Final = {
    "masks": "Masks",
    "boxes": "Boxes",
    "scribbles": "Scribbles",
    "points": "Points",
    "found": "Found",
    "edits": "Edits",
    "region": "Editable region",
    "judge": "Seen while scoring",
}
_PLANNED: Final = ("boxes", "points", "scribbles", "masks")
_SEEN: Final = ("found", "edits", "region", "judge")


@dataclass(frozen=True, slots=True)
class Layer:
    """A switch of the page."""

    key: str
    words: str
    on: bool
    """Whether it is shown at first."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The switches, in their two groups; those that would switch nothing are left out."""

    planned: tuple[Layer, ...]
    seen: tuple[Layer, ...]

    @property
    def hidden(self) -> str:
        """Classes of the page that hide what is not shown at first; the phrases of a plan go with the last of its inputs."""
        keys = [layer.key for layer in (*self.planned, *self.seen) if not layer.on]
        keys += [] if any(layer.on for layer in self.planned) else ["names"]
        return " ".join(f"hide-{key}" for key in keys)


def layers_of(steps: Sequence[Step], from_layouts: bool) -> Layers:
    """The switches for some figures.

    Where instances have more than boxes, the question is whether the picture keeps to them, so they are shown and what a detector found
    is a click away: both at once would hide the picture. Boxes alone are shown together with what was found.

    Args:
        steps: All figures of the page.
        from_layouts: Whether pictures were drawn from their layouts; otherwise the plan is shown when asked for.
    """
    over = [step for step in steps if step.picture is not None and step.picture.url is not None]
    there: set[str] = {layer for step in over for layer, _ in step.marks}
    there |= {format_ for step in over if step.plan for format_, _ in step.plan.shapes}
    there |= {"region" for step in over if step.region is not None and step.region.url}
    rich = any(step.plan.rich for step in over if step.plan)
    shown = {"edits"} if rich else {"found", "edits"}
    shown |= set(_PLANNED) if rich or from_layouts else set()

    def switches(keys: Sequence[str]) -> tuple[Layer, ...]:
        return tuple(Layer(key, _WORDS[key], key in shown) for key in keys if key in there)

    return Layers(switches(_PLANNED), switches(_SEEN))
