"""Names of schedulers, as presets, settings, records and pictures call them. The classes are in `llmgen.diffusion.schedulers`."""

import difflib
import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

OWN: Final = "own"
"""No name of a scheduler: the one that the preset's role names, else the model's own."""

SCHEDULER_LABELS: Final[dict[str, str]] = {
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "pndm": "PLMS",
    "lms": "LMS",
    "lms-karras": "LMS Karras",
    "euler": "Euler",
    "euler-karras": "Euler Karras",
    "euler-a": "Euler a",
    "heun": "Heun",
    "heun-karras": "Heun Karras",
    "dpm2": "DPM2",
    "dpm2-karras": "DPM2 Karras",
    "dpm2-a": "DPM2 a",
    "dpm2-a-karras": "DPM2 a Karras",
    "dpm++-2m": "DPM++ 2M",
    "dpm++-2m-karras": "DPM++ 2M Karras",
    "dpm++-2m-sde": "DPM++ 2M SDE",
    "dpm++-2m-sde-karras": "DPM++ 2M SDE Karras",
    "dpm++-2s": "DPM++ 2S",
    "dpm++-2s-karras": "DPM++ 2S Karras",
    "deis": "DEIS",
    "unipc": "UniPC",
    "unipc-karras": "UniPC Karras",
    "lcm": "LCM",
}
"""Name to what AUTOMATIC1111's web UI and its kin call it."""

#: Other spellings of parts of a name.
_SPELLINGS = {"dpmpp": "dpm++", "plms": "pndm", "ancestral": "a"}


def scheduler_name(value: object) -> object:
    """A scheduler's name from any usual spelling: `DPM++ 2M Karras` and `dpmpp_2m_karras` are `dpm++-2m-karras`.

    Raises:
        ValueError: If there is none of that name; near names and all names are listed.
    """
    if not isinstance(value, str):
        return value  # whose type is complained of by whoever asked for a name
    parts = re.split(r"[\s_-]+", value.strip().lower())
    name = "-".join(_SPELLINGS.get(part, part) for part in parts)
    if name == OWN or name in SCHEDULER_LABELS:
        return name
    near = difflib.get_close_matches(name, SCHEDULER_LABELS, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(f"no scheduler {value[:80]!r}.{hint} Known: {OWN}, {', '.join(SCHEDULER_LABELS)}")


SchedulerName = Annotated[
    str, BeforeValidator(scheduler_name), Field(json_schema_extra={"enum": [OWN, *SCHEDULER_LABELS]})
]
