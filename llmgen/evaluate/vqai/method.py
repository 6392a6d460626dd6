"""Scores of pictures that answer a question: likeness to the target, what was kept, and on the toybox whether the answer is right."""

import io
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from PIL import Image

from llmgen.artifacts import ImageRef, Kind, ModelUse, Record, Score, Stage
from llmgen.engine.context import StageContext
from llmgen.engine.stage import Profile, StageConfig
from llmgen.errors import InputError
from llmgen.evaluate.answers import Answers
from llmgen.evaluate.scores import merge_scores
from llmgen.evaluate.vqai.background import kept_db
from llmgen.evaluate.vqai.figures import similarities
from llmgen.evaluate.vqai.truths import read_right_answers, right_answer_for
from llmgen.toybox.world.answers import (
    is_right_answer,
    rest_stayed,
    sighting_from_json,
    sighting_to_json,
)
from llmgen.toybox.world.truth import Sighting

if TYPE_CHECKING:
    from llmgen.vision.protocols import PictureEncoder

CLIP, JUDGE = "clip", "judge"
_MOST_TRIPS: Final = 64
"""Round trips that are kept, as pictures."""


class VqaiEvaluateConfig(StageConfig):
    """Settings of `evaluate vqai`."""

    profile: Literal["llmgen", "reference"] = "llmgen"
    """`reference` scores what the publication scored: pictures saved as JPEG."""
    jpeg: bool = False
    """Whether pictures go through JPEG (quality 75) before they are looked at, as published."""
    autoencoder: str = "text_to_image"
    """Role whose autoencoder makes the round trips."""
    round_trips: bool = True
    """Whether input and target are also scored after a round trip through the autoencoder."""
    truths: Path | None = None
    """File of JSON Lines with the right answers of toybox questions; with it the judge says whether each picture is one."""
    answers: Path | None = None
    """File of JSON Lines that the models' answers are kept in; what they answered already is not asked again."""

    profiles: ClassVar = {"reference": Profile({"jpeg": True})}


class VqaiEvaluate:
    """Scores the answer of a question against the picture that answers it.

    `vqai.similarity` is CLIP's cosine to the target, `vqai.gain` what it is above the input's, `vqai.kept` the PSNR outside what should
    change. With `truths`, `vqai` is the judge's verdict on the state of the world, and `vqai.rest` whether the rest stayed. The
    reference pictures have their own: `vqai.copied_input.similarity` and so on.

    Source:
        LGD (Li et al. 2024); the verdicts stand for its human ratings.
    """

    stage: ClassVar[Stage] = "evaluate"
    name: ClassVar[str] = "vqai"
    makes: ClassVar[Kind] = "scores"
    needs: ClassVar[tuple[str, ...]] = ("image", "source_image")
    Config: ClassVar[type[VqaiEvaluateConfig]] = VqaiEvaluateConfig

    def __init__(self, context: StageContext, config: VqaiEvaluateConfig) -> None:
        """Nothing is loaded before a picture is to be looked at: known answers need no model.

        Raises:
            InputError: If a file of truths or answers cannot be read.
        """
        self.context, self.config = context, config
        self._answers = Answers(config.answers)
        self._truths = read_right_answers(config.truths) if config.truths else {}
        self._encoder: PictureEncoder | None = None
        self._judge: Any = None
        self._trips: dict[str, _Picture] = {}

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """Who looked, whether now or before."""
        roles = [
            CLIP,
            *([JUDGE] if self._truths else []),
            *([self.config.autoencoder] if self.config.round_trips else []),
        ]
        return tuple(self.context.models.use(role) for role in roles)

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Add scores.

        Raises:
            InputError: If a record has no target, or a picture cannot be read.
        """
        return [record.grown(scores=merge_scores(record.scores or (), self._scores(record))) for record in records]

    def _scores(self, record: Record) -> list[Score]:
        if record.image is None or record.source_image is None:
            raise InputError(f"record {record.id!r} has no picture to score, or none that it answers")
        if record.target_image is None:
            raise InputError(
                f"record {record.id!r} has no target_image to compare with; `llmgen import vqai` takes it from the annotations"
            )
        pictures = {
            "": self._picture(record.image.path, record.image),
            "copied_input": self._picture(record.source_image),
            "target": self._picture(record.target_image),
        }
        if self.config.round_trips:
            pictures["input_round_trip"] = self._round_trip(pictures["copied_input"])
            pictures["target_round_trip"] = self._round_trip(pictures["target"])
        scores = [*self._similar(record, pictures), *self._kept(record, pictures)]
        return scores + (self._judged(record, pictures) if self._truths else [])

    def _picture(self, path: str, ref: ImageRef | None = None) -> "_Picture":
        store = self.context.images
        if ref is None or ref.sha256 is None:
            ref = store.refer(path)
        return _Picture(str(ref.sha256), "", lambda: self._opened(ref))

    def _similar(self, record: Record, pictures: "dict[str, _Picture]") -> list[Score]:
        features = {name: self._features(picture) for name, picture in pictures.items()}
        names = [name for name in features if name != "target"]
        values = similarities(features["target"], [features[name] for name in names])
        cosines = {name: round(value / 100, 6) for name, value in zip(names, values, strict=True)}
        gain = cosines[""] - cosines["copied_input"]
        found = [
            self._score(record, "similarity", cosines[""], "cosine", CLIP),
            self._score(record, "gain", gain, "cosine", CLIP),
        ]
        return found + [
            self._score(record, f"{name}.similarity", cosines[name], "cosine", CLIP) for name in names if name
        ]

    def _kept(self, record: Record, pictures: "dict[str, _Picture]") -> list[Score]:
        source, target = pictures["copied_input"], pictures["target"]
        found = []
        for name in ("", "input_round_trip"):
            if name not in pictures:
                continue
            question: dict[str, Any] = {
                "kept": pictures[name].digest,
                "of": [source.digest, target.digest],
                "after": pictures[name].after,
            }
            if self.config.jpeg:
                question["jpeg"] = True
            known = self._answers.find(question)
            if known is None:
                known = [kept_db(source.image, target.image, pictures[name].image)]
                self._answers.add(question, known)
            if known[0] is not None:
                found.append(self._score(record, f"{name}.kept".lstrip("."), round(known[0], 3), "dB", "pixels"))
        return found

    def _judged(self, record: Record, pictures: "dict[str, _Picture]") -> list[Score]:
        answer = right_answer_for(self._truths, record.id)
        found = []
        for name, picture in pictures.items():
            seen, background = self._seen(picture)
            right = float(is_right_answer(answer, seen, background))
            stayed = float(rest_stayed(answer, seen, background))
            detail = f"seen: {', '.join(f'{s.color} {s.noun}' for s in seen) or 'nothing'}; {background}"
            found.append(self._score(record, f"{name}.right" if name else "", right, "share", JUDGE, detail))
            found.append(self._score(record, f"{name}.rest".lstrip("."), stayed, "share", JUDGE))
        return found

    def _score(self, record: Record, name: str, value: float, unit: str, by: str, detail: str | None = None) -> Score:
        metric = f"{self.name}.{name}" if name else self.name
        return Score(metric=metric, of="final", value=value, unit=unit, type=record.type, by=by, detail=detail)

    def _opened(self, ref: ImageRef) -> Image.Image:
        image = self.context.images.load(ref)
        if not self.config.jpeg:
            return image
        buffer = io.BytesIO()
        image.save(buffer, "JPEG")
        return Image.open(buffer).convert("RGB")

    def _about(self, picture: "_Picture", role: str) -> dict[str, Any]:
        """What identifies a look: the picture, what was done to it, and who looks."""
        spec = self.context.preset.role(role)
        about = {"picture": picture.digest, "by": [role, spec.source, spec.revision]}
        return (
            about | ({"jpeg": True} if self.config.jpeg else {}) | ({"after": picture.after} if picture.after else {})
        )

    def _features(self, picture: "_Picture") -> list[float]:
        question = self._about(picture, CLIP)
        known = self._answers.find(question)
        if known is None:
            self._encoder = self._encoder or self.context.models.picture_encoder(CLIP)
            [features] = self._encoder.picture_features([picture.image])
            known = [round(value, 6) for value in features]
            self._answers.add(question, known)
        return list(known)

    def _seen(self, picture: "_Picture") -> tuple[list[Sighting], str | None]:
        question = self._about(picture, JUDGE)
        known = self._answers.find(question)
        if known is None:
            self._judge = self._judge or self.context.models.world_judge(JUDGE)
            [seen] = self._judge.look([picture.image])
            known = {
                "objects": [sighting_to_json(item.sighting) for item in seen.objects],
                "background": seen.background,
            }
            self._answers.add(question, known)
        return [sighting_from_json(item) for item in known["objects"]], known["background"]

    def _round_trip(self, picture: "_Picture") -> "_Picture":
        """The picture as it comes back from the autoencoder; the last ones are kept, for the samples of a record share them."""
        made = self._trips.get(picture.digest)
        if made is None:
            role = self.config.autoencoder
            spec = self.context.preset.role(role)
            made = _Picture(
                picture.digest, f"{role} {spec.source} {spec.revision}", lambda: self._through(picture.image, role)
            )
            self._trips[picture.digest] = made
            if len(self._trips) > _MOST_TRIPS:
                del self._trips[next(iter(self._trips))]
        return made

    def _through(self, image: Image.Image, role: str) -> Image.Image:
        from llmgen.diffusion.latents import decode_latents, encode_images, latent_factor

        autoencoder = self.context.models.autoencoder(role)
        factor = latent_factor(autoencoder)
        width, height = (max(factor, round(side / factor) * factor) for side in image.size)
        fitting = image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)
        [made] = decode_latents(autoencoder, encode_images(autoencoder, [fitting]))
        return made.resize(image.size, Image.Resampling.LANCZOS)


class _Picture:
    """A picture to look at, decoded when somebody looks.

    Args:
        digest: SHA-256 of its file.
        after: What it went through, or nothing.
        opened: Decodes it.
    """

    def __init__(self, digest: str, after: str, opened: Callable[[], Image.Image]) -> None:
        self.digest, self.after, self._opened = digest, after, opened

    @cached_property
    def image(self) -> Image.Image:
        """Its pixels, RGB."""
        return self._opened()
