"""Open-vocabulary detection with OWLv2."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from llmgen.diffusion.phrase_hits import hits_of
from llmgen.diffusion.prompts import cut_phrases
from llmgen.diffusion.squares import placed, squares_of
from llmgen.vision.protocols import PhraseHit


class _Seen(NamedTuple):
    """What the image tower made of one picture."""

    features: Tensor
    """`[patches, width]`, what queries are compared with."""
    boxes: Tensor
    """`[patches, 4]`, centre and size as fractions of the padded square."""


class _View(NamedTuple):
    """What is looked at once."""

    of: int
    """Which of the pictures."""
    image: Image.Image
    """It, or a part of it."""
    square: tuple[int, int, int, int]
    """Where that lies in it, xyxy in pixels."""


class Owlv2PhraseDetector:
    """Looks for phrases with an OWLv2 model; implements `llmgen.vision.protocols.PhraseDetector`.

    A phrase is encoded once per call however many pictures ask for it, and the pictures seen last are remembered, so that a second
    pass with other queries costs no second image tower.

    A wide or tall picture that the model would shrink is looked at as a whole, and then square by square.

    Args:
        model: A `transformers.Owlv2ForObjectDetection`, already on its device.
        processor: Its `transformers.Owlv2Processor`.
        device: Where the model is.
        batch_size: Most pictures in one forward pass, and how many are remembered.
    """

    def __init__(self, model: Any, processor: Any, device: str | torch.device = "cpu", *, batch_size: int = 8) -> None:
        self.model = model.eval()
        self.processor = processor
        self.device = torch.device(device)
        self.batch_size = batch_size
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    @torch.no_grad()
    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        """Look for phrases; see `PhraseDetector.detect_phrases`.

        Raises:
            ValueError: If there are not as many query lists as pictures.
        """
        if len(images) != len(queries):
            raise ValueError(f"{len(images)} pictures but {len(queries)} lists of queries")
        hits: list[list[PhraseHit]] = [[] for _ in images]
        asked = [i for i, phrases in enumerate(queries) if phrases]
        if not asked:
            return hits
        phrases = list(dict.fromkeys(phrase for i in asked for phrase in queries[i]))
        vectors = self._encode_phrases(phrases)
        row = {phrase: number for number, phrase in enumerate(phrases)}
        views = [view for i in asked for view in self._views(i, images[i])]
        for start in range(0, len(views), self.batch_size):
            chunk = views[start : start + self.batch_size]
            seen = self._look([view.image for view in chunk])
            logits = self._compare(seen, [vectors[[row[p] for p in queries[view.of]]] for view in chunk])
            for place, (i, image, square) in enumerate(chunk):
                found = _read_hits(logits[place], seen[place].boxes, list(queries[i]), image.size, threshold)
                hits[i] += placed(found, square, images[i].size)
        return [sorted(found, key=lambda hit: -hit.score) for found in hits]

    def _views(self, index: int, image: Image.Image) -> list[_View]:
        squares = squares_of(image.size, int(self.model.config.vision_config.image_size))
        whole = (0, 0, *image.size)
        return [_View(index, image, whole), *(_View(index, image.crop(square), square) for square in squares)]

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        """See `llmgen.vision.protocols.PhraseReader.cut_phrases`; OWLv2 reads 16 tokens of a phrase."""
        return cut_phrases(self.processor.tokenizer, phrases, self._longest)

    @property
    def _longest(self) -> int:
        return int(self.model.config.text_config.max_position_embeddings)

    def _encode_phrases(self, phrases: list[str]) -> Tensor:
        tokens = self.processor.tokenizer(
            phrases,
            padding="max_length",
            truncation=True,
            max_length=self._longest,
            return_tensors="pt",
        )
        vectors: Tensor = self.model.owlv2.get_text_features(
            input_ids=tokens["input_ids"].to(self.device), attention_mask=tokens["attention_mask"].to(self.device)
        ).pooler_output
        return vectors / torch.linalg.norm(vectors, dim=-1, keepdim=True)

    def _look(self, images: Sequence[Image.Image]) -> list[_Seen]:
        names = [
            hashlib.sha256(repr(image.size).encode() + image.convert("RGB").tobytes()).hexdigest() for image in images
        ]
        new = {name: image for name, image in zip(names, images, strict=True) if name not in self._seen}
        found = {name: self._seen[name] for name in names if name in self._seen}
        if new:
            pixels = self.processor.image_processor(
                images=[image.convert("RGB") for image in new.values()], return_tensors="pt"
            )["pixel_values"].to(self.device, self.model.dtype)
            grid, _ = self.model.image_embedder(pixels)
            features = grid.flatten(1, 2)
            boxes = self.model.box_predictor(features, grid)
            found.update({name: _Seen(features[i], boxes[i]) for i, name in enumerate(new)})
        for name, seen in found.items():
            self._seen[name] = seen
            self._seen.move_to_end(name)
        while len(self._seen) > self.batch_size:
            self._seen.popitem(last=False)
        return [found[name] for name in names]

    def _compare(self, seen: Sequence[_Seen], vectors: Sequence[Tensor]) -> Tensor:
        # Pictures ask different numbers of queries; the class head wants a rectangle, so short lists are padded and masked.
        most = max(len(v) for v in vectors)
        padded = torch.stack([torch.nn.functional.pad(v, (0, 0, 0, most - len(v))) for v in vectors])
        valid = torch.tensor([[n < len(v) for n in range(most)] for v in vectors], device=self.device)
        logits: Tensor = self.model.class_predictor(torch.stack([s.features for s in seen]), padded, valid)[0]
        return logits


def _read_hits(
    logits: Tensor, boxes: Tensor, queries: list[str], size: tuple[int, int], threshold: float
) -> list[PhraseHit]:
    """Hits of one picture, best first.

    Args:
        logits: `[patches, queries]`; padding at the end.
        boxes: `[patches, 4]`, centre and size as fractions of the padded square.
        queries: The phrases.
        size: Width, height of the picture in pixels.
        threshold: Least score.

    Returns:
        Hits with boxes in pixels. The processor pads to the bottom right, so one factor, the longer side, serves both axes.
    """
    best, label = logits.float().max(dim=-1)
    scores = best.sigmoid().cpu()
    width, height = size
    corners = (boxes.float().cpu() * max(width, height)).tolist()
    return hits_of(scores, label, corners, queries, size, threshold)
