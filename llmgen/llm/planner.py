"""The contract of whoever plans: a language model, recorded replies, or rules."""

from collections.abc import Sequence
from typing import Protocol

from llmgen.artifacts import Detection, EditPlan, Layout, Reply
from llmgen.errors import InputError
from llmgen.llm.schemas import ParsedPrompt
from llmgen.registry import unknown

PLANNERS = ("rules", "openai", "replay:FILE")


class Planner(Protocol):
    """Reads prompts, plans pictures, and says what to correct. Every answer comes with the reply it was read from."""

    @property
    def provider(self) -> str:
        """`rules`, `openai` or `replay`."""
        ...

    @property
    def model(self) -> str | None:
        """The model's name, None where there is none."""
        ...

    def parse(self, prompt: str, *, instruction: bool = False) -> tuple[ParsedPrompt, Reply]:
        """Say which objects a prompt wants, or an instruction speaks of.

        Args:
            prompt: What the picture should show.
            instruction: Whether it says instead what should change in a picture.

        Raises:
            InputError: If the prompt is empty.
            ModelError: If no usable reply came.
            MissingRequirementError: If key or server are missing.
        """
        ...

    def layout(self, prompt: str, *, width: int, height: int, seed: int) -> tuple[Layout, Reply]:
        """Plan a picture.

        Args:
            prompt: What the picture should show.
            width: Width of the canvas in pixels.
            height: Height of the canvas in pixels.
            seed: Chooses among equally good plans.

        Raises:
            InputError: If the objects cannot be placed.
            ModelError: If no usable reply came.
            MissingRequirementError: If key or server are missing.
        """
        ...

    def instances(self, prompt: str, *, width: int, height: int, seed: int, most: int) -> tuple[Layout, Reply]:
        """Describe a picture as a whole, and each thing in it by a phrase and a box.

        Args:
            prompt: What the picture should show; it may name only a kind of scene.
            width: Width of the canvas in pixels.
            height: Height of the canvas in pixels.
            seed: Chooses among equally good plans.
            most: Largest number of instances.

        Raises:
            InputError: If the instances cannot be placed, or are too many.
            ModelError: If no usable reply came.
            MissingRequirementError: If key or server are missing.
        """
        ...

    def differences(
        self,
        prompt: str,
        detections: Sequence[Detection],
        *,
        width: int,
        height: int,
        layout: Layout | None,
        seed: int,
    ) -> tuple[EditPlan, Reply]:
        """Compare what was found with what was wanted.

        Args:
            prompt: What the picture should show.
            detections: What was found in the picture, boxes in pixels.
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.
            layout: The plan that the picture was made after, if any.
            seed: Chooses among equally good corrections.

        Returns:
            The edits, empty when all is right, and the objects as they should be afterwards.

        Raises:
            InputError: If a missing object cannot be placed.
            ModelError: If no usable reply came.
            MissingRequirementError: If key or server are missing.
        """
        ...

    def edit(
        self, instruction: str, detections: Sequence[Detection], *, width: int, height: int, seed: int
    ) -> tuple[EditPlan, Reply]:
        """Say what an instruction changes in what was found.

        Args:
            instruction: What should change.
            detections: What was found in the picture, boxes in pixels.
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.
            seed: Chooses among equally good edits.

        Returns:
            The edits, and the objects as they should be afterwards.

        Raises:
            InputError: If the instruction is not understood, speaks of something that was not found, or leaves no room.
            ModelError: If no usable reply came.
            MissingRequirementError: If key or server are missing.
        """
        ...


def load_planner(name: str) -> Planner:
    """Make a planner.

    Args:
        name: `rules`, `openai`, or `replay:` and the path of a file with recorded replies.

    Raises:
        UnknownNameError: If there is none of that name.
        InputError: If the file of recorded replies cannot be read.
        MissingRequirementError: If the provider misses its key.
    """
    kind, _, rest = name.partition(":")
    if kind == "rules" and not rest:
        from llmgen.llm.rules import RulesPlanner

        return RulesPlanner()
    if kind == "openai" and not rest:
        from llmgen.llm.openai import OpenAIPlanner

        return OpenAIPlanner()
    if kind == "replay":
        if not rest:
            raise InputError("planner 'replay' needs a file: replay:replies.jsonl")
        from llmgen.llm.replay import ReplayPlanner

        return ReplayPlanner(rest)
    raise unknown("planner", name, PLANNERS)
