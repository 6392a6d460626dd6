"""Open-vocabulary detection with Grounding DINO and its relatives, MM-Grounding-DINO and LLMDet."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from llmgen.diffusion.phrase_hits import hits_of
from llmgen.diffusion.prompts import cut_texts
from llmgen.vision.protocols import PhraseHit

_STOP: Final = "."
"""Ends a phrase in a caption; the model lets no words attend to each other across it."""


class _Caption(NamedTuple):
    """Phrases that are asked for in one pass."""

    queries: tuple[str, ...]
    text: str
    spans: tuple[tuple[int, int], ...]
    """Where each query lies in the text, in characters."""


class GroundingDinoPhraseDetector:
    """Looks for phrases with a Grounding DINO; implements `llmgen.vision.protocols.PhraseDetector`.

    The caption is the phrases in lower case with full stops between. A phrase's score is the mean probability of its tokens, so that a
    `red ball` must be red, too, and a box belongs to its best phrase. Phrases that do not fit one caption are asked in further passes,
    whose boxes do not compete.

    Args:
        model: A `transformers.GroundingDinoForObjectDetection`, or one of the same interface, on its device.
        processor: Its `transformers.GroundingDinoProcessor`, with a fast tokenizer.
        device: Where the model is.

    Source:
        Liu et al. 2023, "Grounding DINO"; the mean over a phrase's tokens is that of MM-Grounding-DINO (Zhao et al. 2024).
    """

    def __init__(self, model: Any, processor: Any, device: str | torch.device = "cpu") -> None:
        self.model = model.eval()
        self.processor = processor
        self.device = torch.device(device)

    @torch.no_grad()
    def detect_phrases(
        self, images: Sequence[Image.Image], queries: Sequence[Sequence[str]], *, threshold: float
    ) -> list[list[PhraseHit]]:
        """Look for phrases; see `PhraseDetector.detect_phrases`.

        Pictures are looked at one by one: in a batch they are padded, which changes what is found.

        Raises:
            ValueError: If there are not as many query lists as pictures.
        """
        if len(images) != len(queries):
            raise ValueError(f"{len(images)} pictures but {len(queries)} lists of queries")
        hits = []
        for image, asked in zip(images, queries, strict=True):
            found = [hit for caption in self._captions(asked) for hit in self._ground(image, caption, threshold)]
            hits.append(sorted(found, key=lambda hit: -hit.score))
        return hits

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        """See `llmgen.vision.protocols.PhraseReader.cut_phrases`."""
        captions = {f"phrase {phrase[:40]!r}": _caption([phrase]).text for phrase in phrases}
        return cut_texts(self.processor.tokenizer, captions, int(self.model.config.max_text_len))

    def _captions(self, queries: Sequence[str]) -> list[_Caption]:
        longest = int(self.model.config.max_text_len)
        captions, waiting = [], list(dict.fromkeys(queries))
        while waiting:
            # As many as fit, at least one: a phrase that alone is too long is cut, as the model would cut it.
            count = len(waiting)
            while count > 1 and self._length(_caption(waiting[:count]).text) > longest:
                count -= 1
            captions.append(_caption(waiting[:count]))
            waiting = waiting[count:]
        return captions

    def _length(self, text: str) -> int:
        return len(self.processor.tokenizer(text)["input_ids"])

    def _ground(self, image: Image.Image, caption: _Caption, threshold: float) -> list[PhraseHit]:
        longest = int(self.model.config.max_text_len)
        tokens = self.processor.tokenizer(
            caption.text, return_offsets_mapping=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        offsets = tokens.pop("offset_mapping")[0].tolist()
        seen = self.processor.image_processor(images=[image.convert("RGB")], return_tensors="pt")
        output = self.model(
            pixel_values=seen["pixel_values"].to(self.device, self.model.dtype),
            pixel_mask=seen["pixel_mask"].to(self.device),
            **{name: value.to(self.device) for name, value in tokens.items()},
        )
        members = [
            [place for place, (begin, end) in enumerate(offsets) if first <= begin < end <= last]
            for first, last in caption.spans
        ]
        return _read_hits(output.logits[0], output.pred_boxes[0], caption.queries, members, image.size, threshold)


def _caption(queries: Sequence[str]) -> _Caption:
    text, spans = "", []
    for query in queries:
        phrase = " ".join(query.lower().replace(_STOP, " ").split())
        spans.append((len(text), len(text) + len(phrase)))
        text += f"{phrase}{_STOP} "
    return _Caption(tuple(queries), text.strip(), tuple(spans))


def _read_hits(
    logits: Tensor,
    boxes: Tensor,
    queries: Sequence[str],
    members: Sequence[Sequence[int]],
    size: tuple[int, int],
    threshold: float,
) -> list[PhraseHit]:
    """Hits of one picture and caption, best first.

    Args:
        logits: `[boxes, tokens]`.
        boxes: `[boxes, 4]`, centre and size as fractions of the picture.
        queries: The phrases.
        members: For each phrase its tokens; none for a phrase without a word.
        size: Width, height of the picture in pixels.
        threshold: Least score.
    """
    chances = logits.float().sigmoid().cpu()
    none = torch.zeros(len(chances))
    scores = torch.stack([chances[:, list(own)].mean(dim=1) if own else none for own in members], dim=1)
    best, label = scores.max(dim=1)
    width, height = size
    corners = (boxes.float().cpu() * torch.tensor([width, height, width, height])).tolist()
    return hits_of(best, label, corners, queries, size, threshold)
