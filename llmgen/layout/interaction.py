"""Who does what with what: the words of a prompt for ReCorD, and a first guess of the boxes."""

from typing import ClassVar, Literal

from llmgen.artifacts import Record
from llmgen.layout.planned import CanvasConfig, PlannedLayout
from llmgen.llm.english.acting import split_at_is
from llmgen.llm.questions.interaction import InteractionQuestion, guessed_layout


class InteractionLayoutConfig(CanvasConfig):
    """Settings of `layout interaction`."""

    profile: Literal["llmgen", "reference"] = "llmgen"
    """`reference` splits the prompt at its word "is" and takes the last two words for the object, as the published script does."""


class InteractionLayout(PlannedLayout):
    """Asks the planner who does what with what. A layout that the record has already is replaced.

    The boxes are those of somebody in the middle and of the thing where the verb wants it: a guess, for detectors and models that need
    one; ReCorD itself places the object by the pose that was drawn.

    Source:
        ReCorD (Lin et al. 2024), prompt preprocessing.
    """

    name: ClassVar[str] = "interaction"
    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    Config: ClassVar[type[InteractionLayoutConfig]] = InteractionLayoutConfig

    def planned(self, record: Record, seed: int) -> Record:
        """The record with its interaction.

        Raises:
            InputError: If the prompt does not say who does what with what.
            ModelError: If no usable reply came.
        """
        if self.config.profile == "reference":
            interaction, _ = split_at_is(record.prompt)
            return record.grown(layout=guessed_layout(record.prompt, interaction, *self.canvas))
        answer = self.context.heard(record.id, self.planner.ask(InteractionQuestion(record.prompt, seed)))
        layout = guessed_layout(record.prompt, answer.value, *self.canvas)
        return record.grown(layout=layout, replies=(*record.replies, answer.reply))
