"""What a detector and CLIP see in a picture, for planners who cannot see: things, colours, faces, the scene."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PIL import Image

from llmgen.artifacts import Detection, ImageRef, Record, Reply
from llmgen.inflection import article
from llmgen.llm.planning.answering import SCENES
from llmgen.llm.planning.seen import SeenPicture, SeenThing
from llmgen.llm.planning.vocabulary import nouns_asked_for
from llmgen.llm.questions.parse import ParseQuestion
from llmgen.llm.schemas import ParsedInstance, ParsedObject, ParsedPrompt
from llmgen.vision.protocols import PhraseScorer

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

COLORS: Final = ("red", "blue", "green", "yellow", "orange", "purple")
MOODS: Final = ("happy", "sad", "surprised", "calm")
BEINGS: Final = ("boy", "girl", "man", "woman", "child", "dog", "cat")
"""Whose faces are looked at."""
_ID: Final = "looking"


class PictureReader:
    """Looks at pictures with the preset's detector, and at its crops with the role `clip`.

    Args:
        context: Of the stage.
    """

    def __init__(self, context: "StageContext") -> None:
        self._context = context
        self._detect = context.collaborator("detect")
        has_clip = "clip" in context.preset.roles
        self._clip: PhraseScorer | None = context.models.phrase_scorer("clip") if has_clip else None

    def look(self, ref: ImageRef, picture: Image.Image, question: str) -> SeenPicture:
        """What there is of all that the preset's models know; where they know no bounds, of what the question names.

        Args:
            ref: The picture in the store.
            picture: The same, RGB.
            question: What is asked about it.
        """
        nouns = self._context.preset.words or tuple(nouns_asked_for(question, None))
        objects = [ParsedObject(noun=noun, instances=[ParsedInstance(attributes=[])]) for noun in nouns]
        parsed = ParsedPrompt(reasoning="", objects=objects, background="", negative=[])
        asked = Reply(call=ParseQuestion.name, provider="joined", text=parsed.model_dump_json())
        (found,) = self._detect([Record(id=_ID, prompt=question, image=ref, replies=(asked,))])
        detections = sorted(found.detections or (), key=lambda one: -one.score)
        crops = [picture.crop(_whole(one, picture)) for one in detections]
        colors = self._best(crops, [[f"a {color} {one.noun}" for color in COLORS] for one in detections], COLORS)
        moods = self._best(
            crops, [[f"{article(mood)} {mood} {one.noun}" for mood in MOODS] for one in detections], MOODS
        )
        things = tuple(
            SeenThing(one.noun, one.box_xyxy, color, mood if one.noun in BEINGS else None)
            for one, color, mood in zip(detections, colors, moods, strict=True)
        )
        (scene,) = self._best([picture], [list(SCENES.values())], tuple(SCENES))
        return SeenPicture(picture.width, picture.height, things, scene)

    def _best(
        self, crops: Sequence[Image.Image], phrases: Sequence[list[str]], words: Sequence[str]
    ) -> list[str | None]:
        """The word whose phrase fits each crop best."""
        if self._clip is None or not crops:
            return [None] * len(crops)
        scores = self._clip.score_phrases(crops, phrases)
        return [words[max(range(len(words)), key=row.__getitem__)] for row in scores]


def _whole(found: Detection, picture: Image.Image) -> tuple[int, int, int, int]:
    """A detection's box in whole pixels, never empty."""
    x0, y0, x1, y1 = (int(side) for side in found.box_xyxy)
    return x0, y0, min(max(x1, x0 + 1), picture.width), min(max(y1, y0 + 1), picture.height)
