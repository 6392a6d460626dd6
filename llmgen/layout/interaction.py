"""Who does what with what: the words of a prompt for ReCorD, and a first guess of the boxes."""

from typing import ClassVar, Literal

from llmgen.artifacts import Instance, Interaction, Layout, Record
from llmgen.layout.planned import CanvasConfig, PlannedLayout
from llmgen.llm.english.acting import split_at_is
from llmgen.llm.english.grammar import read_phrase
from llmgen.llm.questions.interaction import InteractionQuestion, background_of, guessed_boxes


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
            return record.grown(layout=self._layout(record.prompt, interaction))
        answer = self.context.heard(record.id, self.planner.ask(InteractionQuestion(record.prompt, seed)))
        layout = self._layout(record.prompt, answer.value)
        return record.grown(layout=layout, replies=(*record.replies, answer.reply))

    def _layout(self, prompt: str, interaction: Interaction) -> Layout:
        width, height = self.canvas
        instances: list[Instance] = []
        spans = (interaction.subject, interaction.object)
        for span, box in zip(spans, guessed_boxes(prompt, interaction, width, height), strict=True):
            noun, attributes = read_phrase(span.text)
            number = 1 + sum(instance.noun == noun for instance in instances)
            instances.append(
                Instance(id=f"{noun}-{number}", phrase=span.text, noun=noun, attributes=attributes, box_xyxy=box)
            )
        return Layout(
            width=width,
            height=height,
            background_prompt=background_of(prompt),
            instances=tuple(instances),
            interaction=interaction,
        )
