"""What a preset can name: roles, families of models with what they are loaded with, and where classes may come from."""

import re
from collections.abc import Mapping

from llmgen.artifacts.schedulers import OWN

#: Role to what its model does.
ROLES: dict[str, str] = {
    "text_to_image": "draws from text",
    "layout_to_image": "draws from text and boxes",
    "instances_to_image": "draws instances, each from its own phrase",
    "refiner": "draws a picture anew at higher quality",
    "inpaint": "draws inside a mask",
    "edit": "edits a picture by an instruction",
    "detector": "finds what a loop asks for",
    "detector_objects": "finds the objects of its own classes, with their masks",
    "detector_parts": "finds parts of objects",
    "segmenter": "turns boxes into masks",
    "pose": "finds the keypoints of figures",
    "answerer": "answers a question about a picture",
    "answer_to_image": "draws the answer to a question about a picture, from the answerer's states",
    "critic": "chooses between pictures and says what is wrong with them",
    "judge": "scores, and is asked in no loop",
    "clip": "compares pictures with texts and pictures",
}

#: Family of models to the packages that it is loaded with; its loader has the same name in `diffusion/families.py`.
FAMILIES: dict[str, tuple[str, ...]] = {
    "stable-diffusion": ("torch", "diffusers", "transformers", "accelerate"),
    "stable-diffusion-xl": ("torch", "diffusers", "transformers", "accelerate"),
    "stable-diffusion-xl-refiner": ("torch", "diffusers", "transformers", "accelerate"),
    "inpainting": ("torch", "diffusers", "transformers", "accelerate"),
    "z-image": ("torch", "diffusers", "transformers", "accelerate"),
    "instancediffusion": ("torch", "torchvision", "diffusers", "transformers"),
    "owlv2": ("torch", "transformers"),
    "grounding-dino": ("torch", "transformers"),
    "mask-rcnn": ("torch", "torchvision", "pycocotools"),
    "sam": ("torch", "transformers", "segment-anything"),
    "clip": ("torch", "transformers"),
    "vitpose": ("torch", "transformers", "scipy"),
    "phrase-detector": ("torch",),
    "blip2": ("torch", "transformers"),
    "instruct-pix2pix": ("torch", "diffusers", "transformers", "accelerate"),
    "lgd": ("torch", "diffusers", "transformers", "accelerate"),
}

STEPPED = ("stable-diffusion", "stable-diffusion-xl", "stable-diffusion-xl-refiner", "inpainting")
"""Families whose pipelines step by a scheduler of one's choice."""
ADAPTED = (*STEPPED, "z-image")
"""Families that take LoRAs."""

CLASS_PACKAGES = ("llmgen", "diffusers", "transformers", "torchvision", "segment_anything")
"""Packages that a preset may take classes from. A preset is a file that one may get from others: it names no other code."""
#: Modules that presets of older versions name, to where their classes are now.
_MOVED = {
    f"llmgen.toybox.{name}": f"llmgen.toybox.models.{name}"
    for name in ("judge", "positions", "tokenizer", "unet", "unifusion")
}
_CLASS = re.compile(r"([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*):[A-Za-z_]\w*", re.ASCII)
#: Entries of `classes` that are words and no classes.
_WORDS = {"grounding": "gligen"}


def family_faults(family: str, *, scheduler: str, lora: bool) -> list[str]:
    """What a role asks of its model that its family cannot do.

    Args:
        family: One of `FAMILIES`.
        scheduler: Its name, or `own`.
        lora: Whether it names LoRAs.
    """
    faults = []
    if scheduler != OWN and family not in STEPPED:
        own = "draws by a loop that needs its own" if "diffusers" in FAMILIES[family] else "does not draw"
        faults.append(f"scheduler: a model of the family {family!r} {own}; leave the scheduler away")
    if lora and family not in ADAPTED:
        faults.append(f"lora: a model of the family {family!r} takes none; families that do: {', '.join(ADAPTED)}")
    return faults


def checked_classes(classes: Mapping[str, str]) -> dict[str, str]:
    """The classes of a role, where they are now.

    Args:
        classes: Component to `module:Class`.

    Raises:
        ValueError: If one is no class of `CLASS_PACKAGES`.
    """
    checked = {}
    for component, path in classes.items():
        if _WORDS.get(component) == path:
            checked[component] = path
            continue
        found = _CLASS.fullmatch(path)
        if found is None:
            raise ValueError(f"{component}: {path!r} is not `module:Class`, such as `diffusers:AutoencoderTiny`")
        if found[1] not in CLASS_PACKAGES:
            raise ValueError(
                f"{component}: {path!r} is not of {', '.join(CLASS_PACKAGES)}; a preset takes no other code"
            )
        module, _, name = path.partition(":")
        checked[component] = f"{_MOVED.get(module, module)}:{name}"
    return checked
