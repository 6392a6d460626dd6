"""Contact sheets of all that the world can draw, magnified: `python -m llmgen.toybox.world.sheets OUT_DIR [SCALE]`."""

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from llmgen.toybox.world.pairs import CATEGORIES, sample_pair
from llmgen.toybox.world.scenes import Scene, SceneObject, Wanted, place, render_image, sample_scene
from llmgen.toybox.world.vocabulary import (
    BACKGROUNDS,
    CHARACTERS,
    COLORS,
    MOODS,
    PART_STATES,
    PARTS,
    PATTERNS,
    THINGS,
    VERBS,
)

SCALE: Final = 4
_RULE_PX: Final = 2
_COLOR_NAMES: Final = tuple(COLORS)


def tile(scenes: Sequence[Scene], columns: int, scale: int = SCALE) -> Image.Image:
    """Draw scenes in rows.

    Args:
        scenes: What to draw.
        columns: Scenes in a row.
        scale: How many times the picture is magnified, without smoothing.

    Returns:
        The sheet, in a palette of at most 256 colours: the world has few, and a sheet a third of the bytes.
    """
    cell = render_image(scenes[0]).shape[0] + _RULE_PX
    sheet = np.full((-(-len(scenes) // columns) * cell, columns * cell, 3), 255, dtype=np.uint8)
    for index, scene in enumerate(scenes):
        y, x = index // columns * cell, index % columns * cell
        sheet[y : y + cell - _RULE_PX, x : x + cell - _RULE_PX] = render_image(scene)
    image = Image.fromarray(sheet)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).quantize(
        dither=Image.Dither.NONE
    )


def _row(wanted: Sequence[tuple[Wanted, int]], background: str) -> Scene:
    """Objects of given sizes side by side, for comparison; they may come closer than a sampled scene's."""
    objects, x = [], 6
    for one, size in wanted:
        noun, color, pattern, states, mood, verb, target = one
        item = SceneObject(noun, color, size, (0, 0, 0, 0), pattern, states, mood, verb, target)
        height, width = item.drawing.mask.shape
        box = (x, 108 - height, x + width, 108)
        objects.append(SceneObject(noun, color, size, box, pattern, states, mood, verb, target))
        x += width + 8
    return Scene(background, tuple(objects), 0)


def _all_states(noun: str) -> list[tuple[tuple[str, str], ...]]:
    combinations: list[tuple[tuple[str, str], ...]] = [()]
    for part in sorted(PARTS.get(noun, ())):
        if part in PART_STATES:
            unusual = tuple((part, state) for state in PART_STATES[part][1:])
            combinations += [(*chosen, one) for chosen in combinations for one in unusual]
    return combinations


def draw_sheets(out: Path, seed: int = 0, scale: int = SCALE) -> list[Path]:
    """Write every sheet.

    Args:
        out: Folder, made when missing.
        seed: For colours, places and backgrounds.
        scale: How many times the pictures are magnified.

    Returns:
        The files.
    """
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)

    def color() -> str:
        return rng.choice(_COLOR_NAMES)

    def alone(wanted: Wanted) -> Scene:
        return place([wanted], rng.choice(BACKGROUNDS), rng)

    sheets = {
        "moods": (
            [alone(Wanted(noun, color(), mood=mood)) for noun in CHARACTERS for mood in MOODS],
            len(MOODS),
        ),
        "verbs": (
            [alone(Wanted(noun, color(), verb=verb)) for noun in CHARACTERS for verb in VERBS],
            len(VERBS),
        ),
        **{
            verb: (
                [
                    place(
                        [Wanted(noun, color(), verb=verb, target=1), Wanted(thing, color())],
                        rng.choice(BACKGROUNDS),
                        rng,
                    )
                    for noun in CHARACTERS
                    for thing in THINGS
                ],
                len(THINGS),
            )
            for verb in VERBS
        },
        "patterns": (
            [
                _row([(Wanted(noun, shade, pattern), 38), (Wanted(noun, shade, pattern), 56)], "beach")
                for shade in ("red", "yellow", "blue")
                for pattern in PATTERNS
                for noun in THINGS
            ],
            len(THINGS),
        ),
        "clothes": (
            [alone(Wanted(noun, color(), pattern)) for noun in CHARACTERS for pattern in PATTERNS],
            len(PATTERNS),
        ),
        "parts": (
            [
                _row(
                    [(Wanted(noun, shade, "plain", states), 36), (Wanted(noun, shade, "plain", states), 56)], background
                )
                for shade, background in (("red", "meadow"), ("yellow", "night"), ("purple", "rain"))
                for noun in ("house", "car")
                for states in _all_states(noun)
            ],
            6,
        ),
        "backgrounds": ([Scene(name, (), variant) for name in BACKGROUNDS for variant in range(6)], 6),
        "mixed": ([sample_scene(rng) for _ in range(48)], 8),
        "pairs": (
            [
                scene
                for category in CATEGORIES
                for pair in [sample_pair(rng, category) for _ in range(4)]
                for scene in (pair.before, pair.after)
            ],
            8,
        ),
    }
    files = []
    for name, (scenes, columns) in sheets.items():
        files.append(out / f"{name}.png")
        tile(scenes, columns, scale).save(files[-1], optimize=True)
    return files


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or not all(word.isdecimal() for word in sys.argv[2:]):
        sys.exit("usage: python -m llmgen.toybox.world.sheets OUT_DIR [SCALE]")
    drawn = draw_sheets(Path(sys.argv[1]), scale=int(sys.argv[2]) if sys.argv[2:] else SCALE)
    sys.stdout.writelines(f"{path}\n" for path in drawn)
