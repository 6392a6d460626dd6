"""How well phrases fit a crop: CLIP's cosine, or a detector's best hit where there is no CLIP."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from llmgen.diffusion.prompts import cut_phrases
from llmgen.vision.protocols import PhraseDetector


class ClipPhraseScorer:
    """Cosines of a CLIP model; implements `llmgen.vision.protocols.PhraseScorer`.

    Args:
        model: A `transformers.CLIPModel`, already on its device.
        processor: Its `transformers.CLIPProcessor`.
        device: Where the model is.
        batch_size: Most crops in one forward pass.
    """

    measure: Literal["cosine", "hit"] = "cosine"

    def __init__(self, model: Any, processor: Any, device: str | torch.device = "cpu", *, batch_size: int = 32) -> None:
        self.model, self.processor = model.eval(), processor
        self.device = torch.device(device)
        self.batch_size = batch_size

    @torch.no_grad()
    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        """Compare crops with phrases; see `PhraseScorer.score_phrases`.

        Raises:
            ValueError: If there are not as many lists of phrases as crops, or a crop is empty.
        """
        if len(crops) != len(phrases):
            raise ValueError(f"{len(crops)} crops but {len(phrases)} lists of phrases")
        if not crops:
            return []
        if any(0 in crop.size for crop in crops):
            raise ValueError("a crop without pixels cannot be compared with phrases")
        distinct = list(dict.fromkeys(phrase for asked in phrases for phrase in asked))
        row = {phrase: number for number, phrase in enumerate(distinct)}
        texts = self._texts(distinct)
        scores: list[list[float]] = []
        for start in range(0, len(crops), self.batch_size):
            chunk = crops[start : start + self.batch_size]
            cosines = (self._pictures(chunk) @ texts.T).float().cpu().tolist()
            scores += [
                [values[row[phrase]] for phrase in asked]
                for values, asked in zip(cosines, phrases[start : start + self.batch_size], strict=True)
            ]
        return scores

    @torch.no_grad()
    def picture_features(self, pictures: Sequence[Image.Image]) -> list[list[float]]:
        """Vectors of pictures; see `llmgen.vision.protocols.PictureEncoder`."""
        rows: list[list[float]] = []
        for start in range(0, len(pictures), self.batch_size):
            rows += self._pictures(pictures[start : start + self.batch_size]).float().cpu().tolist()
        return rows

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        """See `llmgen.vision.protocols.PhraseReader.cut_phrases`."""
        return cut_phrases(self.processor.tokenizer, phrases)

    def _texts(self, phrases: Sequence[str]) -> Tensor:
        tokens = self.processor.tokenizer(list(phrases), padding=True, truncation=True, return_tensors="pt")
        features = self.model.get_text_features(
            input_ids=tokens["input_ids"].to(self.device), attention_mask=tokens["attention_mask"].to(self.device)
        ).pooler_output
        return torch.nn.functional.normalize(features, dim=-1)

    def _pictures(self, crops: Sequence[Image.Image]) -> Tensor:
        pixels = self.processor.image_processor(images=[crop.convert("RGB") for crop in crops], return_tensors="pt")
        features = self.model.get_image_features(
            pixel_values=pixels["pixel_values"].to(self.device, self.model.dtype)
        ).pooler_output
        return torch.nn.functional.normalize(features, dim=-1)


class DetectorPhraseScorer:
    """A phrase detector in CLIP's place: a phrase is worth its best hit in the crop; implements `PhraseScorer`.

    The phrases of one crop compete for each box, so the best phrase is the label of the surest box. Detectors expect things that are
    smaller than their picture, so a crop gets a margin in the colour of its own border. Hits are no cosines: their means cannot be
    compared with those of a CLIP.

    Args:
        detector: Any `PhraseDetector`.
    """

    measure: Literal["cosine", "hit"] = "hit"

    def __init__(self, detector: PhraseDetector) -> None:
        self.detector = detector

    def score_phrases(self, crops: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[float]]:
        """Best hit of each phrase, 0 for one that no box answers; see `PhraseScorer.score_phrases`."""
        answers = self.detector.detect_phrases([_with_margin(crop) for crop in crops], phrases, threshold=0.0)
        scores = []
        for hits, asked in zip(answers, phrases, strict=True):
            best = dict.fromkeys(asked, 0.0)
            for hit in hits:
                best[hit.query] = max(best[hit.query], hit.score)
            scores.append([best[phrase] for phrase in asked])
        return scores

    def cut_phrases(self, phrases: Sequence[str]) -> list[str]:
        """See `llmgen.vision.protocols.PhraseReader.cut_phrases`."""
        return self.detector.cut_phrases(phrases)


def _with_margin(crop: Image.Image) -> Image.Image:
    """The crop in the middle of a square twice as long as its longer side."""
    pixels = np.asarray(crop.convert("RGB"))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = (int(value) for value in np.median(border, axis=0))
    side = 2 * max(crop.size)
    square = Image.new("RGB", (side, side), (red, green, blue))
    square.paste(crop, ((side - crop.width) // 2, (side - crop.height) // 2))
    return square
