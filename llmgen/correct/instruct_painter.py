"""Carry edits out by telling a picture editor what to do, with any model of InstructPix2Pix' kind.

The instruction of the record itself where there is one and nothing was done about it yet; otherwise each edit in a sentence, one after
another on the picture that the one before left. The editor sees the whole picture and may change all of it, so the detector's look
afterwards says whether it is kept, as for every painter.

Source: InstructPix2Pix (Brooks et al. 2023).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from PIL import Image

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, Edit, MoveEdit, RepaintEdit
from llmgen.correct.jobs import Job, Painted
from llmgen.diffusion.answering.editor import EditSettings, PictureEditor
from llmgen.diffusion.answering.sizes import edit_size
from llmgen.diffusion.progress import Steps
from llmgen.engine.seeds import derive_seed
from llmgen.vision.boxes import BoxTuple, area

_MOST_SHOWN: Final = 40
"""Characters of an instruction, in a line about it."""


class Wording(Protocol):
    """What turns texts into a condition; `llmgen.diffusion.text.TextEncoder` is one."""

    def hidden(self, texts: Sequence[str]) -> Any: ...  # noqa: D102


class InstructPainter:
    """Carries edit plans out by instruction.

    Args:
        editor: The editor.
        text: Its text encoder.
        settings: Steps and guidance.
        side: Of the canvas that it was trained on, in pixels.
        progress: Told about each step.

    Attributes:
        unet_calls: Denoising steps so far, of all edits.
    """

    def __init__(
        self,
        editor: PictureEditor,
        text: Wording,
        settings: EditSettings,
        side: int,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._editor, self._text, self._settings, self._side, self._progress = editor, text, settings, side, progress
        self.unet_calls = 0

    def paint(self, jobs: Sequence[Job]) -> list[Painted]:
        """One result per job, in order, each of the size of its picture."""
        return [self._one(job) for job in jobs]

    def _one(self, job: Job) -> Painted:
        image = job.image
        for sentence in sentences_of(job):
            image = self._edited(image, sentence, derive_seed(job.seed, sentence))
        return Painted(image, Image.new("L", image.size, 255))

    def _edited(self, image: Image.Image, sentence: str, seed: int) -> Image.Image:
        # The whole picture comes back at its own size, so that boxes still fit: squashed to the cells by less than one of them.
        size = edit_size(*image.size, side=self._side, multiple=self._editor.multiple)
        given = image.convert("RGB").resize(size, Image.Resampling.LANCZOS) if size != image.size else image
        text, nothing = self._text.hidden([sentence]), self._text.hidden([""])
        told = Steps(self._progress, f"editing: {sentence[:_MOST_SHOWN]}", self._settings.steps)
        (drawn,) = self._editor.edit([given], text, nothing, [seed], self._settings, told)
        self.unet_calls += self._settings.steps
        return drawn if drawn.size == image.size else drawn.resize(image.size, Image.Resampling.LANCZOS)


def sentences_of(job: Job) -> list[str]:
    """The orders that carry a job out, one after the other: somebody's own words, or one for each edit."""
    return [job.instruction] if job.instruction else [sentence_of(edit) for edit in job.plan.edits]


def sentence_of(edit: Edit) -> str:
    """An edit as an order, for example `remove the red ball`."""
    if isinstance(edit, AddEdit):
        return f"add {edit.phrase}"
    named = edit.target.split(" #")[0]
    if isinstance(edit, DeleteEdit):
        return f"remove the {named}"
    if isinstance(edit, ChangeAttributeEdit):
        return f"turn the {named} into {edit.phrase}"
    if isinstance(edit, RepaintEdit):
        return f"turn the {named} into {edit.description}"
    assert isinstance(edit, MoveEdit)
    if edit.op == "resize":
        return f"make the {named} {'larger' if area(edit.box_xyxy) > area(edit.from_box_xyxy) else 'smaller'}"
    return f"move the {named} {_direction(edit.from_box_xyxy, edit.box_xyxy)}"


def _direction(old: BoxTuple, new: BoxTuple) -> str:
    across, down = new[0] + new[2] - old[0] - old[2], new[1] + new[3] - old[1] - old[3]
    if abs(across) >= abs(down):
        return "to the right" if across > 0 else "to the left"
    return "down" if down > 0 else "up"
