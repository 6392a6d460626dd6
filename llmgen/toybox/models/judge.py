"""The judge: a small convolutional detector of the toybox world that only ever scores.

It shares nothing with the detector of the loops: another architecture (centre heat map on a conv pyramid instead of a
vision transformer with text queries), another seed, other data draws. Source of the idea: Zhou et al. 2019, "Objects as
Points"; boxes are regressed as distances to the four sides as in Tian et al. 2019 (FCOS).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from llmgen.toybox.recipes.checkpoint import save_atomically, to_half
from llmgen.toybox.world.vocabulary import COLORS, NOUNS, object_phrase, singular
from llmgen.vision.protocols import PhraseHit

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
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


class JudgedObject(NamedTuple):
    """One object the judge sees."""

    noun: str
    color: str
    box_xyxy: tuple[float, float, float, float]
    """Pixels of the judged picture, half-open."""
    score: float
    """0 to 1, how sure the judge is that an object of this class has its middle here."""

    @property
    def phrase(self) -> str:
        """The object in words, for example "a red ball"."""
        return object_phrase(self.noun, self.color)


class JudgeOutput(NamedTuple):
    """Raw maps at stride 4: ``S = image_size / 4``."""

    heat: Tensor
    """``[B, nouns, S, S]`` logits: an object of this class has its centre in this cell."""
    color: Tensor
    """``[B, colors, S, S]`` logits."""
    sides: Tensor
    """``[B, 4, S, S]`` distances from the cell's middle to left, top, right, bottom side, in pixels, positive."""


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
        deep = self.lift(self.deep(self.coarse(fine)))
        merged = self.merge(self.lateral(fine) + F.interpolate(deep, scale_factor=2.0, mode="nearest"))
        return JudgeOutput(self.heat(merged), self.color(merged), F.softplus(self.sides(merged)) * 8)

    @torch.no_grad()
    def detect(
        self, images: Sequence[Image.Image], *, threshold: float = DEFAULT_THRESHOLD, batch_size: int = 32
    ) -> list[list[JudgedObject]]:
        """Find all objects.

        Args:
            images: pictures of any size; each is resized to the judge's own and boxes are scaled back.
            threshold: least score, 0 to 1.
            batch_size: pictures a forward pass.

        Returns:
            For each picture its objects, surest first.
        """
        found: list[list[JudgedObject]] = []
        training = self.training
        self.eval()
        for start in range(0, len(images), batch_size):
            chunk = images[start : start + batch_size]
            output = self(self._to_tensor(chunk))
            found += [
                self._read(output.heat[i].float(), output.color[i], output.sides[i], image.size, threshold)
                for i, image in enumerate(chunk)
            ]
        self.train(training)
        return found

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

    def _read(
        self, heat: Tensor, color: Tensor, sides: Tensor, size: tuple[int, int], threshold: float
    ) -> list[JudgedObject]:
        # One object a place: the classes compete for a cell first, then a peak must beat its neighbours, then boxes.
        score, noun = heat.sigmoid().max(dim=0)
        peak = score == F.max_pool2d(score[None], 3, 1, 1)[0]
        rows, columns = torch.nonzero(peak & (score >= threshold), as_tuple=True)
        order = score[rows, columns].argsort(descending=True)
        stride = self.config.image_size / heat.shape[-1]
        x_factor, y_factor = size[0] / self.config.image_size, size[1] / self.config.image_size
        kept: list[JudgedObject] = []
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
            x, y = (column + 0.5) * stride, (row + 0.5) * stride
            left, top, right, bottom = sides[:, row, column].tolist()
            box = (
                max(0.0, x - left) * x_factor,
                max(0.0, y - top) * y_factor,
                min(float(self.config.image_size), x + right) * x_factor,
                min(float(self.config.image_size), y + bottom) * y_factor,
            )
            if all(_overlap(box, other.box_xyxy) < 0.5 for other in kept):
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
        raw = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()
        }
        config = JudgeConfig(**settings)
        judge = cls(config)
        judge.load_state_dict(load_file(folder / _WEIGHTS))
        return judge.float().eval()


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two xyxy boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def understand_query(query: str) -> tuple[str | None, str | None] | None:
    """What a detection query asks for, in the judge's closed vocabulary.

    Args:
        query: for example "image of a red ball", "balls", "a red object".

    Returns:
        Noun and colour, each None when left open; None when the query names nothing the judge knows.

    Examples:
        >>> understand_query("image of a red ball")
        ('ball', 'red')
        >>> understand_query("blue objects")
        (None, 'blue')
        >>> understand_query("a dog") is None
        True
    """
    words = re.findall(r"[a-z]+", query.lower())
    nouns = [noun for word in words if (noun := singular(word)) is not None]
    color = next((word for word in words if word in COLORS), None)
    if nouns:
        return nouns[-1], color
    return (None, color) if {"object", "objects", "thing", "things"} & set(words) else None
