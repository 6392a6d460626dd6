"""The published loop, function by function, with its faults: what `profile=reference` is held against, and nothing draws with.

Only pure parts are here: the detector's way from picture to square and back, the slots of the prompt, the reading of replies, and the
order in which requests are made. The constants of the requests are in `llmgen.paint.web_payload`.

Source: GPT4-Contextual-Diffusion (2023), https://github.com/AWC2124R/GPT4-Contextual-Diffusion, commit d997f50.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llmgen.paint.web_payload import IMG2IMG, LOOP_MASK_BLUR, OPTIONS, TXT2IMG, merged

CLASSES: Final = (
    "Skirt Shirt Hat Bag Shoe Cars Buildings Alleyshops Jacket Dress BodyofWater Sky Lightsource Shelfs Residentialcomplex "
    "Brightwindow"
).split()
"""Of the author's detector; ids from 1 in this order."""
PROMPT: Final = "1girl, full body, city background, walking"
FRAME: Final = (1280, 720)
"""Width and height after the second pass of the first picture."""
MODEL: Final = "gpt-4"
TEMPERATURE: Final = 0.7
SYSTEM: Final = (
    "You are a helper that writes context in tag prompts for my Stable Diffusion model, which I use to make pictures."
)
"""In our words; the original's are as long. One sentence, as one of two messages."""
TEMPLATE: Final = (
    "There are {} objects in a picture of the prompt {}. The objects are {}. Write a creative story of one paragraph around the prompt "
    "and the objects; new themes and backgrounds are welcome. Then write for every object more prompts, as tags separated by commas like "
    "those of the prompt, not as sentences: at most 10 tags, none of the prompt's, and about that object alone. They are for inpainting "
    "more detail. Begin with a line 'Story: ', then write one line for each object, its real name and ': ' first."
)
"""In our words, with the original's three slots."""


def prompt_slots(classes: Sequence[str], prompt: str) -> tuple[str, str, str]:
    """What goes into the three slots of the template: how many classes, the prompt and the classes in single quotes."""
    return (str(len(classes)), f"'{prompt}'", f"'{','.join(classes)}'")


def request_of(classes: Sequence[str], prompt: str) -> dict[str, Any]:
    """The one request to the language model."""
    return {
        "model": MODEL,
        "temperature": TEMPERATURE,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": TEMPLATE.format(*prompt_slots(classes, prompt))},
        ],
    }


def parse_reply(reply: str) -> dict[str, str]:
    """Lines that split at a colon and a blank into two; all others are lost, and of equal keys the last wins.

    A story is a key like any other. What is no class by its very letters is never found again.
    """
    found = {}
    for line in reply.split("\n"):
        parts = line.split(": ")
        if len(parts) == 2:
            found[parts[0]] = parts[1]
    return found


def mask_to_frame(mask: NDArray[np.bool_], frame_wh: tuple[int, int]) -> Image.Image:
    """A mask of the detector's square as the grey picture that is sent; white is painted, the border is grey.

    The whole square is taken for padding and picture, whatever the long side was scaled to: masks of square pictures up to 1024 pixels,
    and of others whose long side is not scaled to 1024, are misplaced.

    Args:
        mask: `bool[s, s]` of the padded square.
        frame_wh: Width and height of the picture.

    Returns:
        Mode `L`, as large as the picture: the mask resized bicubically to a square with the long side, the middle band cut out.
    """
    width, height = frame_wh
    side = max(width, height)
    square = Image.fromarray(mask.astype(np.uint8) * 255, mode=None).resize((side, side))
    left, top = (side - width) // 2, (side - height) // 2
    return square.crop((left, top, left + width, top + height))


def square_window(frame_wh: tuple[int, int], least: int = 800, most: int = 1024) -> tuple[float, int, int]:
    """Where the detector puts a picture in its square: the scale, and the pixels above and to the left.

    Source: Mask R-CNN of matterport, `resize_image`, mode `square`.
    """
    width, height = frame_wh
    scale = max(1.0, least / min(height, width))
    if round(max(height, width) * scale) > most:
        scale = most / max(height, width)
    rows, columns = round(height * scale), round(width * scale)
    return scale, (most - rows) // 2, (most - columns) // 2


@dataclass
class Run:
    """What one run of the original asks of its server and leaves on disk."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Path and body; pictures are told by their number, from 1 in the order in which they were drawn."""
    files: dict[str, int] = field(default_factory=dict)
    """Name to the number of its picture."""
    llm_calls: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Seen:
    """What the detector gave at one depth."""

    classes: Sequence[str]
    """Distinct, in the order of their first appearance."""
    masks: Sequence[NDArray[np.bool_]]
    """For each class the union of its masks, `bool[1024, 1024]`."""


def replay(
    depths: Sequence[Seen], replies: Sequence[str], *, prompt: str = PROMPT, frame: tuple[int, int] = FRAME
) -> Run:
    """Requests and files of a run, in order.

    Args:
        depths: What was seen at each depth.
        replies: What the language model said at each depth.
        prompt: Of the first picture.
        frame: Width and height of all pictures.

    Returns:
        Everything up to the end, or to the error that ended it.
    """
    run, pictures = Run(), 0

    def draw(path: str, body: Mapping[str, Any]) -> int:
        nonlocal pictures
        pictures += 1
        run.calls.append((path, dict(body)))
        run.calls.append(("/sdapi/v1/png-info", {"image": pictures}))
        return pictures

    run.calls.append(("/sdapi/v1/options", dict(OPTIONS)))
    # Half of the frame, as floats: the second pass doubles it.
    size = {"width": frame[0] / 2, "height": frame[1] / 2}
    buffer = draw("/sdapi/v1/txt2img", merged(TXT2IMG, {**size, "prompt": prompt}))
    run.files |= {"images/initial_image.png": buffer, "images/val/buffer_image.png": buffer}
    last: int | None = None
    for depth, (seen, reply) in enumerate(zip(depths, replies, strict=True), start=1):
        # Without a detection the language model is asked all the same.
        run.llm_calls += 1
        tags = parse_reply(reply)
        for number, (name, mask) in enumerate(zip(seen.classes, seen.masks, strict=True)):
            if name not in tags:
                run.error = f"KeyError: {name!r}"
                return run
            override = {
                "mask_blur": LOOP_MASK_BLUR,
                "width": frame[0],
                "height": frame[1],
                "prompt": tags[name],
                "init_images": [buffer if last is None else last],
                "mask": mask_to_frame(mask, frame),
            }
            last = draw("/sdapi/v1/img2img", merged(IMG2IMG, override))
            run.files[f"images/{depth}/itr{number}-{name}.png"] = last
        if last is None:
            run.error = "NameError: name 'img' is not defined"
            return run
        run.files["images/val/buffer_image.png"] = buffer = last
    return run
