"""The judge: a small convolutional detector of the toybox world that only ever scores.

It finds the objects by class, colour and box, and then looks at each box again for what a description may say besides:
pattern, mood, what a character does, the states of parts. It also names the background.

It shares nothing with the detector of the loops: another architecture (centre heat map on a conv pyramid instead of a
vision transformer with text queries), another seed, other data draws. Source of the idea: Zhou et al. 2019, "Objects as
Points"; boxes are regressed as distances to the four sides as in Tian et al. 2019 (FCOS).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.ops import roi_align

from llmgen.toybox.models.judged import JudgedObject, JudgedPicture, understand_query
from llmgen.toybox.world.vocabulary import COLORS, NOUNS
from llmgen.training.saving import save_atomically, to_half
from llmgen.vision.boxes import iou
from llmgen.vision.protocols import PhraseHit

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_CROP: Final = 56
"""Side in pixels of what a box cuts out of the picture."""
DEFAULT_THRESHOLD = 0.4
"""Score from which the judge counts an object as there."""


@dataclass(frozen=True)
class JudgeConfig:
    """Shape of the judge; saved beside its weights."""

    nouns: tuple[str, ...] = NOUNS
    colors: tuple[str, ...] = tuple(COLORS)
    image_size: int = 128
    widths: tuple[int, ...] = (32, 64, 96, 128)
    """Channels at stride 2, 4, 8 and of the deep blocks at stride 8."""
    deep_blocks: int = 2
    details: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What is read of each object, by name: `pattern`, `mood`, `verb`, and `window` and `door` for parts with states; the answers in
    order of their indices."""
    backgrounds: tuple[str, ...] = ()
    """Answers for the background; none of them is never named."""
    characters: tuple[str, ...] = ()
    """The nouns that have a mood and a verb; the others have none."""
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The parts with states of each noun that has any."""


class JudgeOutput(NamedTuple):
    """Raw maps at stride 4: ``S = image_size / 4``."""

    heat: Tensor
    """``[B, nouns, S, S]`` logits: an object of this class has its centre in this cell."""
    color: Tensor
    """``[B, colors, S, S]`` logits."""
    sides: Tensor
    """``[B, 4, S, S]`` distances from the cell's middle to left, top, right, bottom side, in pixels, positive."""
    background: Tensor
    """``[B, backgrounds]`` logits."""


class _Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation around a shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        same = stride == 1 and channels_in == channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, Cin, H, W]`` to ``[B, C, H/stride, W/stride]``."""
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class _SecondLook(nn.Module):
    """Reads details from what a box cuts out of the picture: stripes and mouths are too fine for the maps above."""

    def __init__(self, details: dict[str, tuple[str, ...]], widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.body = nn.Sequential(
            nn.Conv2d(3, first, 3, 2, 1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            _Block(first, second, 2),
            _Block(second, third, 2),
            nn.Flatten(),
            nn.Linear(third * (_CROP // 8) ** 2, 128),
            nn.ReLU(),
        )
        self.answers = nn.ModuleDict({name: nn.Linear(128, len(answers)) for name, answers in details.items()})

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """``[N, 3, 56, 56]`` in -1..1 to logits by detail."""
        body = self.body(crops)
        return {name: head(body) for name, head in self.answers.items()}


class ToyboxJudge(nn.Module):
    """Finds every object of a toybox picture with its class, colour and box.

    Args:
        config: the shape; the default is what ships.
    """

    def __init__(self, config: JudgeConfig | None = None) -> None:
        super().__init__()
        self.config = config or JudgeConfig()
        stem, fine, coarse, deep = self.config.widths
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.fine = _Block(stem, fine, 2)
        self.coarse = _Block(fine, coarse, 2)
        blocks = [_Block(coarse, deep, 1)] + [_Block(deep, deep, 1) for _ in range(self.config.deep_blocks - 1)]
        self.deep = nn.Sequential(*blocks)
        self.lateral = nn.Conv2d(fine, fine, 1)
        self.lift = nn.Conv2d(deep, fine, 1)
        self.merge = nn.Sequential(nn.Conv2d(fine, fine, 3, 1, 1, bias=False), nn.BatchNorm2d(fine), nn.ReLU())
        self.heat = nn.Conv2d(fine, len(self.config.nouns), 1)
        self.color = nn.Conv2d(fine, len(self.config.colors), 1)
        self.sides = nn.Conv2d(fine, 4, 1)
        self.background = nn.Linear(deep, len(self.config.backgrounds)) if self.config.backgrounds else None
        self.second_look = _SecondLook(self.config.details, (stem, fine, coarse)) if self.config.details else None
        # Rare positives: start from a low score everywhere so that the first steps do not explode.
        nn.init.constant_(self.heat.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> JudgeOutput:
        """Read pictures.

        Args:
            images: ``[B, 3, image_size, image_size]``, RGB in 0..1.

        Returns:
            The raw maps.
        """
        fine = self.fine(self.stem(images * 2 - 1))
        deep = self.deep(self.coarse(fine))
        lifted = F.interpolate(self.lift(deep), scale_factor=2.0, mode="nearest")
        merged = self.merge(self.lateral(fine) + lifted)
        behind = deep.new_zeros(len(deep), 0) if self.background is None else self.background(deep.mean(dim=(2, 3)))
        return JudgeOutput(self.heat(merged), self.color(merged), F.softplus(self.sides(merged)) * 8, behind)

    def look_again(self, images: Tensor, boxes: Tensor, owner: Tensor) -> dict[str, Tensor]:
        """Read the details of objects in given boxes.

        Args:
            images: As for `forward`, float32.
            boxes: ``[N, 4]`` xyxy in pixels of these pictures.
            owner: ``[N]`` index of the picture of each box.

        Returns:
            By name of the detail, logits ``[N, answers]``; nothing from a judge that reads no details.
        """
        if self.second_look is None:
            return {}
        margin = 0.06 * (boxes[:, 2:] - boxes[:, :2])
        rois = torch.cat([owner[:, None].to(boxes), boxes[:, :2] - margin, boxes[:, 2:] + margin], dim=1)
        crops = roi_align(images, rois, _CROP, sampling_ratio=2, aligned=True)
        return cast(dict[str, Tensor], self.second_look(crops * 2 - 1))

    @torch.no_grad()
    def detect(
        self, images: Sequence[Image.Image], *, threshold: float = DEFAULT_THRESHOLD, batch_size: int = 32
    ) -> list[list[JudgedObject]]:
        """Find all objects; as `look`, without the background."""
        return [seen.objects for seen in self.look(images, threshold=threshold, batch_size=batch_size)]

    @torch.no_grad()
    def look(
        self, images: Sequence[Image.Image], *, threshold: float = DEFAULT_THRESHOLD, batch_size: int = 32
    ) -> list[JudgedPicture]:
        """Find all objects with their details, and the background.

        Args:
            images: pictures of any size; each is resized to the judge's own and boxes are scaled back.
            threshold: least score, 0 to 1.
            batch_size: pictures a forward pass.

        Returns:
            What is seen in each picture.
        """
        found: list[JudgedPicture] = []
        training = self.training
        self.eval()
        for start in range(0, len(images), batch_size):
            chunk = images[start : start + batch_size]
            pixels = self._to_tensor(chunk)
            output = self(pixels)
            for i, image in enumerate(chunk):
                objects = self._read(output.heat[i].float(), output.color[i], output.sides[i], threshold)
                objects = self._detail(objects, pixels[i : i + 1])
                behind = output.background[i]
                named = self.config.backgrounds[int(behind.argmax())] if len(behind) else None
                found.append(JudgedPicture([self._scaled(item, image.size) for item in objects], named))
        self.train(training)
        return found

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        """See `llmgen.vision.protocols.PhraseReader.cut_phrases`; the judge looks for its words in phrases of any length."""
        return []

    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float = DEFAULT_THRESHOLD
    ) -> list[list[PhraseHit]]:
        """Answer text queries, so that the judge can stand where a detector stands: `llmgen.vision.PhraseDetector`.

        An object answers the most particular of the queries that fit it ("red ball" before "ball" before "object"), the first of
        equals; it gives no second hit.

        Args:
            images: pictures of any size.
            queries: for each picture its phrases; see `understand_query` for what is understood.
            threshold: least score, 0 to 1.

        Returns:
            For each picture its hits, surest first.
        """
        hits: list[list[PhraseHit]] = []
        for seen, phrases in zip(self.detect(images, threshold=threshold), queries, strict=True):
            asked = [(phrase, understand_query(phrase)) for phrase in phrases]
            hits.append([])
            for item in seen:
                fitting = [
                    ((wanted[0] is not None) + (wanted[1] is not None), phrase)
                    for phrase, wanted in asked
                    if wanted is not None and wanted[0] in (None, item.noun) and wanted[1] in (None, item.color)
                ]
                if fitting:
                    best = max(fitting, key=lambda pair: pair[0])[1]
                    hits[-1].append(PhraseHit(best, item.box_xyxy, item.score))
        return hits

    def _to_tensor(self, images: Sequence[Image.Image]) -> Tensor:
        side = self.config.image_size
        parameter = next(self.parameters())
        arrays = [
            np.asarray(
                image.convert("RGB") if image.size == (side, side) else image.convert("RGB").resize((side, side)),
                dtype=np.float32,
            )
            for image in images
        ]
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).to(parameter.device, parameter.dtype) / 255

    def _scaled(self, item: JudgedObject, size: tuple[int, int]) -> JudgedObject:
        x, y = size[0] / self.config.image_size, size[1] / self.config.image_size
        left, top, right, bottom = item.box_xyxy
        return item._replace(box_xyxy=(left * x, top * y, right * x, bottom * y))

    def _detail(self, objects: list[JudgedObject], picture: Tensor) -> list[JudgedObject]:
        if not objects or not self.config.details:
            return objects
        boxes = torch.tensor([item.box_xyxy for item in objects], device=picture.device)
        owner = torch.zeros(len(objects), dtype=torch.long, device=picture.device)
        logits = self.look_again(picture, boxes, owner)
        detailed = []
        for row, item in enumerate(objects):
            answers = {name: self.config.details[name][int(part[row].argmax())] for name, part in logits.items()}
            alive = item.noun in self.config.characters
            detailed.append(
                item._replace(
                    pattern=answers.get("pattern"),
                    mood=answers.get("mood") if alive else None,
                    verb=answers.get("verb") if alive else None,
                    states=tuple((part, answers[part]) for part in self.config.parts.get(item.noun, ())),
                )
            )
        return detailed

    def _read(self, heat: Tensor, color: Tensor, sides: Tensor, threshold: float) -> list[JudgedObject]:
        # One object a place: the classes compete for a cell first, then a peak must beat its neighbours, then boxes.
        score, noun = heat.sigmoid().max(dim=0)
        peak = score == F.max_pool2d(score[None], 3, 1, 1)[0]
        rows, columns = torch.nonzero(peak & (score >= threshold), as_tuple=True)
        order = score[rows, columns].argsort(descending=True)
        stride = self.config.image_size / heat.shape[-1]
        kept: list[JudgedObject] = []
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
            x, y = (column + 0.5) * stride, (row + 0.5) * stride
            left, top, right, bottom = sides[:, row, column].tolist()
            box = (
                max(0.0, x - left),
                max(0.0, y - top),
                min(float(self.config.image_size), x + right),
                min(float(self.config.image_size), y + bottom),
            )
            if all(iou(box, other.box_xyxy) < 0.5 for other in kept):
                kept.append(
                    JudgedObject(
                        self.config.nouns[int(noun[row, column])],
                        self.config.colors[int(color[:, row, column].argmax())],
                        box,
                        float(score[row, column]),
                    )
                )
        return kept

    def save_pretrained(self, folder: Path | str) -> None:
        """Write ``config.json`` and fp16 ``model.safetensors``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _CONFIG).write_text(json.dumps(asdict(self.config), indent=2) + "\n", encoding="utf-8")
        save_atomically(to_half(dict(self.state_dict())), folder / _WEIGHTS)

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> Self:
        """Load in float32, ready to judge.

        Raises:
            FileNotFoundError: if the folder has no judge.
            RuntimeError: if weights and config do not fit each other.
        """
        folder = Path(folder)
        judge = cls(read_config(folder))
        judge.load_state_dict(load_file(folder / _WEIGHTS))
        return judge.float().eval()


def read_config(folder: Path) -> JudgeConfig:
    """The shape of a saved judge.

    Raises:
        FileNotFoundError: if the folder has no judge.
    """
    raw = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    settings: dict[str, Any] = {name: _tuples(value) for name, value in raw.items()}
    return JudgeConfig(**settings)


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples."""
    if isinstance(value, dict):
        return {name: _tuples(inner) for name, inner in value.items()}
    return tuple(value) if isinstance(value, list) else value
