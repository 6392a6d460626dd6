"""Drawn pictures with known boxes, to train a detector on what the denoiser really draws.

A folder holds PNG files and `boxes.json`, a list with an entry a picture:
`{"image": "0001.png", "objects": [{"noun": "ball", "color": "red", "pattern": "plain", "mood": null, "box_xyxy": [8, 12, 48, 52]}]}`.
`pattern` and `mood` may be left out: plain and calm.
"""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from llmgen.errors import InputError
from llmgen.toybox.recipes.scene_batches import COLOR_NAMES, OPEN, STATE_PARTS, SceneBatch
from llmgen.toybox.world.scenes import MAX_OBJECTS, SIZE
from llmgen.toybox.world.vocabulary import CHARACTERS, KEYPOINTS, MOODS, NOUNS, PATTERNS

INDEX: Final = "boxes.json"


@dataclass(frozen=True)
class DrawnPictures:
    """All pictures of a folder.

    Attributes:
        pictures: uint8 ``[N, 3, H, W]``.
        truth: what is on them, without pictures.
    """

    pictures: Tensor
    truth: SceneBatch

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder.

        Raises:
            InputError: if the index is missing or says what cannot be.
        """
        try:
            rows = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            read = [_read_row(folder, row) for row in rows]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder / INDEX}: {error}; see llmgen/toybox/recipes/drawn_pictures.py") from error
        if not read:
            raise InputError(f"{folder / INDEX} names no pictures")
        pictures, boxes, looks, present = (np.stack(part) for part in zip(*read, strict=True))
        count, columns = len(read), torch.from_numpy(looks).unbind(-1)
        truth = SceneBatch(
            images=torch.zeros(count, 0),
            boxes=torch.from_numpy(boxes),
            nouns=columns[0],
            colors=columns[1],
            patterns=columns[2],
            moods=columns[3],
            # Nobody has looked at these.
            verbs=torch.full((count, MAX_OBJECTS), OPEN),
            states=torch.full((count, MAX_OBJECTS, len(STATE_PARTS)), OPEN),
            backgrounds=torch.zeros(count, dtype=torch.long),
            present=torch.from_numpy(present),
            ignored=torch.zeros(count, MAX_OBJECTS, dtype=torch.bool),
            keypoints=torch.full((count, MAX_OBJECTS, len(KEYPOINTS), 2), torch.nan),
        )
        return cls(torch.from_numpy(pictures).permute(0, 3, 1, 2), truth)

    def mixed_into(self, batch: SceneBatch, rng: np.random.Generator, *, share: float) -> SceneBatch:
        """Put drawn pictures in the place of some of a batch's.

        Args:
            batch: renders, without masks.
            rng: picks the places and the pictures.
            share: of the batch, 0 to 1.
        """
        here = torch.from_numpy(np.flatnonzero(rng.random(len(batch.images)) < share))
        chosen = torch.from_numpy(rng.integers(len(self.pictures), size=len(here)))
        mixed: dict[str, Any] = {}
        for item in fields(SceneBatch):
            whole = getattr(batch, item.name)
            if whole is None:
                continue
            part = (
                self.pictures[chosen].float() / 255 if item.name == "images" else getattr(self.truth, item.name)[chosen]
            )
            mixed[item.name] = whole.index_copy(0, here, part.to(whole.dtype))
        return replace(batch, **mixed)


def _read_row(folder: Path, row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    with Image.open(folder / row["image"]) as file:
        picture = np.asarray(file.convert("RGB"))
    if picture.shape[:2] != (SIZE, SIZE):
        raise ValueError(f"{row['image']} is not {SIZE} x {SIZE} pixels")
    objects = row["objects"]
    if len(objects) > MAX_OBJECTS:
        raise ValueError(f"{row['image']} has more than {MAX_OBJECTS} objects")
    boxes = np.zeros((MAX_OBJECTS, 4), np.float32)
    looks, present = np.zeros((MAX_OBJECTS, 4), np.int64), np.arange(MAX_OBJECTS) < len(objects)
    for slot, item in enumerate(objects):
        boxes[slot] = item["box_xyxy"]
        looks[slot] = (
            NOUNS.index(item["noun"]),
            COLOR_NAMES.index(item["color"]),
            PATTERNS.index(item.get("pattern") or PATTERNS[0]),
            MOODS.index(item.get("mood") or MOODS[0]) if item["noun"] in CHARACTERS else OPEN,
        )
    return picture, boxes, looks, present
