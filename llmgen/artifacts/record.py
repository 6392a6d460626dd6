"""One picture's entry. It only grows: a stage takes a record and returns a new one."""

from typing import Any, Final, Literal

from pydantic import Field

from llmgen.artifacts.base import SCHEMA_VERSION, ArtifactModel, Sha256, check_inside, has_surrogate
from llmgen.artifacts.detection import Detection
from llmgen.artifacts.edit import EditOutcome, EditPlan
from llmgen.artifacts.image import ImageRef, RelativePath
from llmgen.artifacts.interaction import WordAttention
from llmgen.artifacts.layout import Layout
from llmgen.artifacts.sample import Sample, check_samples
from llmgen.artifacts.score import Score

Kind = Literal["prompts", "layouts", "images", "detections", "corrections", "refinements", "scores"]
Stage = Literal["layout", "generate", "detect", "correct", "refine", "evaluate"]

#: Names of questions to a language model.
CALL_PATTERN: Final = r"^[a-z][a-z0-9_]{0,63}$"

MOST_PROMPT: Final = 10_000
"""Characters of a prompt."""
MOST_SEED: Final = 2**64 - 1
"""As many seeds as other tools have, and as torch takes."""

#: Stage to the kind of artifact that it leaves.
MAKES: dict[Stage, Kind] = {
    "layout": "layouts",
    "generate": "images",
    "detect": "detections",
    "correct": "corrections",
    "refine": "refinements",
    "evaluate": "scores",
}
#: Sections that every record of a kind has (records with `error` excepted).
REQUIRED_SECTIONS: dict[str, tuple[str, ...]] = {
    "prompts": (),
    "layouts": ("layout",),
    "images": ("image",),
    "detections": ("image", "detections"),
    "corrections": ("image", "edits"),
    "refinements": ("image",),
    "scores": ("scores",),
}


class HistoryEntry(ArtifactModel):
    """One picture in the life of a record: the drawn one, each round of correction, the refined one."""

    stage: Literal["generate", "correct", "refine"]
    """The stage that made the picture."""
    round: int = Field(ge=0)
    """0 for the first picture, then the number of the correction round that made it."""
    image: ImageRef
    """The picture."""
    detections: tuple[Detection, ...] | None = None
    """What the loop's detector found in this picture, if it looked."""
    edits: EditPlan | None = None
    """The edits that made this picture."""
    outcomes: tuple[EditOutcome, ...] | None = None
    """What became of each of those edits, in order; null where they were carried out together."""
    region: ImageRef | None = None
    """White where those edits were allowed to change pixels (a grey PNG)."""
    attention: WordAttention | None = None
    """Where this picture attended to a word while it was drawn, if that was read."""
    energies: tuple[float, ...] = ()
    """Energy of the attention before each step that lowered it, in order."""
    satisfied: bool | None = None
    """Whether the planner saw nothing left to correct in this picture."""
    agreement: float | None = Field(default=None, ge=0, le=1)
    """Share of the layout's demands that the detector saw fulfilled; the best picture is kept by it."""
    kept: bool = True
    """False for a picture that was dropped in favour of a better one."""


class Reply(ArtifactModel):
    """A language model's reply, verbatim."""

    call: str = Field(pattern=CALL_PATTERN)
    """Name of the question, such as `layout`, `instances`, `parse`, `differences` or `edit`."""
    provider: str
    """Who answered: `rules`, `openai` or `replay`."""
    model: str | None = None
    """Name of the model, as the server knows it."""
    text: str
    """The reply, verbatim."""
    attempts: int = Field(default=1, ge=1)
    """How many requests it took, re-asks included."""


class LoraUse(ArtifactModel):
    """A LoRA that was added to a model."""

    source: str
    """Its file."""
    weight: float
    """How much of it."""


class ModelUse(ArtifactModel):
    """A model that took part."""

    role: str
    """What it did, for example `detector`."""
    source: str
    """Hub id or `package:` path of bundled weights."""
    revision: str | None = None
    """Commit of the hub repository, or digest of bundled weights."""
    scheduler: str | None = None
    """What it drew by: a name of `llmgen.artifacts.schedulers`, or a class of diffusers; null for a model that does not draw."""
    lora: tuple[LoraUse, ...] | None = None
    """What was added to its weights."""


class Provenance(ArtifactModel):
    """How a stage made its section. Times are not here: they would make equal runs differ; the journal has them."""

    stage: Stage
    """Name of the stage."""
    method: str
    """Name of the method."""
    preset: str
    """Name of the preset."""
    config: dict[str, Any]
    """Every setting that can change the result, defaults filled in."""
    config_passed: dict[str, Any] = Field(default_factory=dict)
    """The settings that somebody gave."""
    seed: int | None = None
    """Seed of the run."""
    models: tuple[ModelUse, ...] = ()
    """Models that took part."""
    input_sha256: Sha256
    """Digest of the record that came in."""
    llmgen: str
    """Version of llmgen."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Versions of the packages that can change the result."""
    device: str
    """Where it was computed, for example `cpu` or `cuda`."""
    dtype: str
    """Precision it was computed in."""


class Remark(ArtifactModel):
    """Something that was mended, cut or left out on the way."""

    stage: str
    """The stage that did it; `read` for what was done to the input."""
    text: str = Field(min_length=1)
    """What was done and why, in one line."""


class RecordError(ArtifactModel):
    """Why a record could not be finished. Later stages pass it on."""

    stage: str
    """Where it failed; `read` for an entry that did not fit its schema."""
    type: str
    """Class of the error."""
    message: str
    """What happened and what to do, in one line."""


def kept_prompt(value: Any) -> str:
    """The prompt that an entry goes on with which does not fit its schema: its own, or none where a record could not hold it."""
    fits = isinstance(value, str) and len(value) <= MOST_PROMPT and not has_surrogate(value)
    return value if fits else ""


def check_prompt(prompt: str, instruction: str | None, source_image: str | None) -> None:
    """Refuse what says nothing about the picture.

    Raises:
        ValueError: If there is neither a prompt nor an instruction for a picture to start from.
    """
    asked = bool((instruction or "").strip())
    if prompt.strip() or (asked and source_image):
        return
    if asked:
        raise ValueError(
            "there is no picture that the `instruction` is about; name it as `source_image`, or give a prompt"
        )
    if source_image:
        raise ValueError(
            "nothing is said about the picture; give an `instruction` (a question, or what to change) or a prompt"
        )
    raise ValueError("the prompt is empty; give one, or an `instruction` and the `source_image` it is about")


class Record(ArtifactModel):
    """One picture's entry."""

    kind: Kind = "prompts"
    """Which sections are filled."""
    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this format."""
    id: str = Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the pictures too; letters, digits, dot, dash, underscore."""
    prompt: str = Field(default="", max_length=MOST_PROMPT)
    """What the picture should show; may be empty where `instruction` and `source_image` say it."""
    instruction: str | None = None
    """What should change, or the question."""
    type: str | None = None
    """Group for scores."""
    seed: int | None = Field(default=None, ge=0, le=MOST_SEED)
    """Seed of this record; derived from the run's seed and the id when null."""
    source_image: RelativePath | None = None
    """A picture to start from, as a path like those of `image`."""
    target_image: RelativePath | None = None
    """What the answer should look like, where somebody knows; a path like those of `image`. Only `evaluate` and the report look at it."""
    layout: Layout | None = None
    """What should be where."""
    image: ImageRef | None = None
    """The current picture."""
    detections: tuple[Detection, ...] | None = None
    """What the loop's detector found in the current picture; null when nobody has looked at it yet."""
    edits: EditPlan | None = None
    """The plan that is to be carried out, or the one carried out last."""
    history: tuple[HistoryEntry, ...] = ()
    """The life of the current picture: the drawn one, each round of correction, the refined one."""
    samples: tuple[Sample, ...] = ()
    """All pictures that were drawn of the prompt, where they are several; the current picture comes of the chosen one."""
    scores: tuple[Score, ...] | None = None
    """What `evaluate` found."""
    replies: tuple[Reply, ...] = ()
    """What language models said, verbatim, in order."""
    remarks: tuple[Remark, ...] = ()
    """What was mended, cut or left out on the way, in order."""
    provenance: tuple[Provenance, ...] = ()
    """How each section was made, in order."""
    error: RecordError | None = None
    """Why this record could not be finished; null when all is well."""

    def model_post_init(self, context: Any, /) -> None:
        """Refuse a record without what its kind says, and sections that contradict each other."""
        super().model_post_init(context)
        if self.error is None:
            for section in REQUIRED_SECTIONS[self.kind]:
                if getattr(self, section) is None:
                    raise ValueError(f"a record of kind {self.kind!r} needs the section {section!r}")
            check_prompt(self.prompt, self.instruction, self.source_image)
        if self.layout is not None and self.layout.interaction is not None:
            self.layout.interaction.check_prompt(self.prompt)
        check_samples(self.samples)
        seen: set[str] = set()
        for detection in self.detections or ():
            if detection.id in seen:
                raise ValueError(f"two detections are called {detection.id!r}")
            seen.add(detection.id)
            if self.image is not None:
                what = f"detection {detection.id!r}"
                check_inside(detection.box_xyxy, self.image.width, self.image.height, what)
                if detection.mask is not None:
                    detection.mask.check_size(self.image.width, self.image.height, what)

    @property
    def chosen(self) -> Sample | None:
        """The sample that the record goes on with; None where only one picture was drawn."""
        return next((sample for sample in self.samples if sample.chosen), None)

    def with_choice(self, index: int, reason: str | None = None) -> "Record":
        """The record as it is when it goes on with another of its samples.

        The current picture, its detections and its scores are then those of that sample; what had been made of the sample that was
        chosen before is dropped.

        Args:
            index: Of the sample.
            reason: Why it was chosen.

        Raises:
            IndexError: If there is no such sample.
        """
        if not 0 <= index < len(self.samples):
            raise IndexError(f"record {self.id!r} has {len(self.samples)} samples, none is number {index}")
        wanted = self.samples[index]
        return self.grown(
            samples=tuple(
                sample.model_copy(
                    update={"chosen": sample is wanted, "reason": reason if sample is wanted else sample.reason}
                )
                for sample in self.samples
            ),
            image=wanted.image,
            detections=wanted.detections,
            scores=wanted.scores,
            edits=None,
            history=(HistoryEntry(stage="generate", round=0, image=wanted.image, attention=wanted.attention),),
        )

    def grown(self, **sections: Any) -> "Record":
        """A new, validated record with sections added or replaced (`model_copy` would not validate)."""
        return Record(**{**self.__dict__, **sections})
