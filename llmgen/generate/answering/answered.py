"""What the three ways to answer a question by a picture share: sizes, seeds, steps, guidance, and the editor's call.

The comparison of the three says something only where these are the same, so they are settings of one class and code of one place.

Source: Latent-Guided Diffusion (Li et al. 2023), image-answering; sections 6 and 7 of the specification.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from llmgen.artifacts import ImageRef, Kind, ModelUse, Record, Reply, Stage
from llmgen.diffusion.answering.editor import EditSettings, PictureEditor
from llmgen.diffusion.answering.sizes import (
    REFERENCE_MULTIPLE,
    cut_share,
    edit_size,
    fit_picture,
    reference_size,
    squash_picture,
)
from llmgen.diffusion.failures import as_model_errors
from llmgen.diffusion.progress import Steps
from llmgen.engine.samples import SampledConfig, call_size
from llmgen.engine.stage import Profile
from llmgen.errors import InputError
from llmgen.generate.canvas import with_first_picture

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

T = TypeVar("T")

REFERENCE_SEEDS: Final = (1391, 1491, 1441, 1313, 2828, 1399, 1499, 4113, 3114)
"""The original's nine, in its order."""
REFERENCE: Final[Mapping[str, Any]] = {
    "samples": len(REFERENCE_SEEDS),
    "num_inference_steps": 50,
    "guidance_scale": 7.5,
    "image_guidance_scale": 1.8,
    "fit": "squash",
    "size": 512,
}
"""The original's sampling, section 6."""
REFERENCE_FREE: Final = ("samples", "num_inference_steps")
_NOTABLE_CUT: Final = 0.02
"""Share of a picture's area; what fits sides to multiples cuts less, and is not worth a remark."""
_REMEMBERED: Final = 32
"""Questions whose conditions are kept, so that a question is asked once however many calls its samples take."""


class AnsweredConfig(SampledConfig):
    """Settings of all three methods."""

    samples: int = Field(default=len(REFERENCE_SEEDS), ge=1, le=64)
    """Pictures of each question, each with a seed of its own."""
    num_inference_steps: int = Field(default=50, ge=1, le=1000)
    """Denoising steps."""
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    """How far to follow the question or its answer."""
    image_guidance_scale: float = Field(default=1.8, ge=0, le=50)
    """How far to keep to the picture; the original's 1.8, InstructPix2Pix' own is 1.5."""
    size: int | None = Field(default=None, ge=16, le=4096)
    """Side in pixels that the longer side of a picture is brought to before it is edited; the preset's canvas by default."""
    fit: Literal["keep", "squash"] = "keep"
    """`keep` edits at the nearest multiples of the model's cells; `squash` edits in a square and pulls the result back, as the original."""
    profile: Literal["llmgen", "reference"] = "llmgen"
    """`reference` samples as the original does, its nine seeds among them; see the README of this folder."""

    first_alone: ClassVar[bool] = False
    call_size: ClassVar[int] = len(REFERENCE_SEEDS)
    profiles: ClassVar[Mapping[str, Profile]] = {"reference": Profile(REFERENCE, REFERENCE_FREE)}

    def own_seeds(self) -> tuple[int, ...] | None:
        """The original's nine, in its profile."""
        return REFERENCE_SEEDS if self.profile == "reference" else None


@dataclass(frozen=True, eq=False)
class Condition:
    """What the editor is told of one question about one picture.

    Attributes:
        text: `[1, length, width]`.
        null_text: The same of the empty text.
        replies: What was said on the way, verbatim.
        remarks: What was cut or mended on the way.
    """

    text: Tensor
    null_text: Tensor
    replies: tuple[Reply, ...] = ()
    remarks: tuple[str, ...] = ()


class Memory(Generic[T]):
    """The last few values by their keys."""

    def __init__(self) -> None:
        self._values: OrderedDict[Any, T] = OrderedDict()

    def get(self, key: Any, make: Callable[[], T]) -> T:
        """The value of a key, made if it is not remembered."""
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > _REMEMBERED:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]


class AnsweredGenerate:
    """Answer questions about pictures by pictures; what the editor is told of a question, a subclass says."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str]
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("instruction", "source_image")
    Config: ClassVar[type[AnsweredConfig]]

    def __init__(
        self, context: "StageContext", config: Any, editor: PictureEditor, multiple: int | None = None
    ) -> None:
        self._context, self._config, self._editor = context, config, editor
        self._conditions: Memory[Condition] = Memory()
        self._multiple = multiple or max(editor.multiple, REFERENCE_MULTIPLE if self._side >= 256 else 1)
        self._calls = self._drawn = 0

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use."""
        raise NotImplementedError

    def condition(self, record: Record, picture: Image.Image) -> Condition:
        """What the editor is told of a record's question.

        Args:
            record: With `instruction`.
            picture: RGB, at its own size.
        """
        raise NotImplementedError

    @property
    def _side(self) -> int:
        return self._config.size or max(self._context.preset.width, self._context.preset.height)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Answer each record's question."""
        originals: dict[str, Image.Image] = {}
        fitted: dict[str, tuple[Image.Image, tuple[int, int]]] = {}
        groups: dict[tuple[int, int], list[int]] = {}
        for i, record in enumerate(records):
            path = record.source_image or ""
            if path not in fitted:
                originals[path] = self._load(record)
                fitted[path] = self._fit(originals[path])
            self._say_cut(record, originals[path], fitted[path][1])
            groups.setdefault(fitted[path][0].size, []).append(i)
        asked = Steps(self._context.progress, f"generate {self.name}: reading {len(records)} questions", len(records))
        told = []
        for record in records:
            told.append(self._told(record, originals[record.source_image or ""]))
            asked()
        made: dict[int, Record] = {}
        for rows in groups.values():
            size = call_size(self._config, self._context.batch_size)
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                pictures = [fitted[records[i].source_image or ""] for i in part]
                images = self._edit([told[i] for i in part], pictures, [records[i].seed or 0 for i in part])
                for i, image in zip(part, images, strict=True):
                    grown = with_first_picture(records[i], self._context, image)
                    made[i] = grown.grown(replies=(*records[i].replies, *told[i].replies))
                self._context.progress(f"generate {self.name}: {len(made)}/{len(records)}")
        return [made[i] for i in range(len(records))]

    def _edit(
        self, told: Sequence[Condition], pictures: Sequence[tuple[Image.Image, tuple[int, int]]], seeds: Sequence[int]
    ) -> list[Image.Image]:
        config = self._config
        settings = EditSettings(
            steps=config.num_inference_steps,
            text_guidance=config.guidance_scale,
            image_guidance=config.image_guidance_scale,
            batch_size=len(told),
            cut=config.profile == "reference",
        )
        with as_model_errors(f"generate {self.name}"):
            images = self._editor.edit(
                [picture for picture, _ in pictures],
                torch.cat([one.text for one in told]),
                told[0].null_text,
                seeds,
                settings,
                Steps(self._context.progress, f"generate {self.name}: {len(told)} pictures", settings.steps),
            )
        self._calls += config.num_inference_steps
        self._drawn += len(images)
        self._context.remark(f"{self._calls} calls of the U-Net for {self._drawn} pictures")
        return [
            image if image.size == size else image.resize(size)
            for image, (_, size) in zip(images, pictures, strict=True)
        ]

    def _told(self, record: Record, picture: Image.Image) -> Condition:
        key = (record.source_image, record.instruction)
        told = self._conditions.get(key, lambda: self.condition(record, picture))
        for text in told.remarks:
            self._context.remark_on(record.id, text)
        return told

    def _load(self, record: Record) -> Image.Image:
        try:
            ref: ImageRef = self._context.images.refer(record.source_image or "")
            return self._context.images.load(ref)
        except InputError as error:
            raise InputError(f"record {record.id!r}: {error}") from error

    def _fit(self, picture: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
        """A picture as the editor takes it, and the size of what comes of it."""
        width, height = picture.size
        if self._config.fit == "squash":
            size = reference_size(width, height)
            return squash_picture(picture, size), size
        size = edit_size(width, height, side=self._side, multiple=self._multiple)
        return fit_picture(picture, size), size

    def _say_cut(self, record: Record, picture: Image.Image, size: tuple[int, int]) -> None:
        share = cut_share(*picture.size, size)
        if share > _NOTABLE_CUT:
            self._context.remark_on(
                record.id,
                f"the picture of {picture.width}x{picture.height} is edited at {size[0]}x{size[1]}: {share:.0%} of it, at its "
                "edges, is cut off",
            )


def worded(text: str, limit: int, count: Callable[[str], int], what: str) -> tuple[str, ...]:
    """What must be said of a text that a model cannot read whole.

    Args:
        text: Question, answer or instruction.
        limit: Most tokens.
        count: Counts them.
        what: What it is, for the remark.
    """
    found = count(text)
    if found <= limit:
        return ()
    return (f"the {what} has {found} tokens, of which the model reads {limit}; its end is cut off",)
