"""What a picture says of itself: prompt, seed, model and settings as text inside the file.

Two forms side by side: the line `parameters` that AUTOMATIC1111's web UI writes and most tools read, and our own JSON, which holds more.
Neither holds times, paths or the place in a batch, so equal pictures of equal settings stay equal files.

Source: the line's form is that of AUTOMATIC1111/stable-diffusion-webui, modules/infotext_utils.py, parse_generation_parameters.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field, ValidationError

from llmgen.artifacts.base import ArtifactModel
from llmgen.artifacts.layout import Layout
from llmgen.artifacts.record import MOST_SEED, ModelUse
from llmgen.artifacts.schedulers import SCHEDULER_LABELS

OURS: Final = "llmgen"
"""Key of our JSON."""
PARAMETERS: Final = "parameters"
"""Key of the line that most tools read."""
MAX_BYTES: Final = 2**20
"""Longest text that is read."""
_MOST_LAYOUT_BYTES: Final = 2**16
"""A layout whose masks and scribbles take more than this stays in the artifact."""
_MOST_LINE: Final = 4096
"""Characters of the line of settings."""
_NEGATIVE: Final = "Negative prompt:"


class PictureText(ArtifactModel):
    """How a picture was made, as far as it is known when it is written."""

    llmgen: str | None = None
    """Version of llmgen; null for a picture of another program."""
    stage: str | None = None
    """The stage that made it."""
    method: str | None = None
    """Its method."""
    preset: str | None = None
    """Name of the preset."""
    prompt: str = Field(default="", max_length=10_000)
    """What it should show."""
    instruction: str | None = None
    """What was to be changed."""
    negative_prompt: str = ""
    """What it should not show."""
    seed: int | None = Field(default=None, ge=0, le=MOST_SEED)
    """What its noise was drawn from."""
    width: int | None = Field(default=None, gt=0)
    """In pixels."""
    height: int | None = Field(default=None, gt=0)
    """In pixels."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings of the method."""
    models: tuple[ModelUse, ...] = ()
    """Models in use."""
    layout: Layout | None = None
    """What should be where, unless it is very long."""

    def chunks(self) -> dict[str, str]:
        """Key and text of each form."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        if len(json.dumps(values.get("layout"))) > _MOST_LAYOUT_BYTES:
            del values["layout"]
        return {PARAMETERS: self.line(), OURS: json.dumps(values, ensure_ascii=False)}

    def line(self) -> str:
        """The form of AUTOMATIC1111: the prompt, what should not be there, then the settings in a line."""
        known = {
            "Steps": self.settings.get("num_inference_steps"),
            "Sampler": self.settings.get("sampler") or self._sampler(),
            "CFG scale": self.settings.get("guidance_scale"),
            "Seed": self.seed,
            "Size": None if self.width is None else f"{self.width}x{self.height}",
            "Model": next((model.source.rsplit("/", 1)[-1] for model in self.models), None),
            "Version": None if self.llmgen is None else f"llmgen {self.llmgen}",
        }
        settings = ", ".join(f"{key}: {_quoted(value)}" for key, value in known.items() if value is not None)
        negative = f"{_NEGATIVE} {self.negative_prompt}" if self.negative_prompt else ""
        return "\n".join(part for part in (self.prompt, negative, settings) if part)

    def _sampler(self) -> str | None:
        """What it was drawn by, as other tools call it."""
        name = next((model.scheduler for model in self.models if model.scheduler is not None), None)
        return None if name is None else SCHEDULER_LABELS.get(name, name)


def read_chunks(chunks: Mapping[str, str]) -> PictureText | None:
    """What a picture says of itself.

    Args:
        chunks: Its texts by key.

    Returns:
        Our own form, where it is there and whole, else AUTOMATIC1111's; None where a picture says nothing that is understood.
    """
    ours = chunks.get(OURS, "")
    if 0 < len(ours) <= MAX_BYTES:
        try:
            return PictureText.model_validate_json(ours)
        except ValidationError:
            pass  # of a newer llmgen, or changed by hand: the other form is still there
    parameters = chunks.get(PARAMETERS, "")
    return _of_parameters(parameters) if 0 < len(parameters) <= MAX_BYTES else None


def _of_parameters(text: str) -> PictureText | None:
    *lines, last = text.strip().split("\n")
    settings = _settings(last)
    if "Steps" not in settings and "Seed" not in settings:
        lines, settings = [*lines, last], {}
    prompt: list[str] = []
    negative: list[str] = []
    target = prompt
    for line in lines:
        if target is prompt and line.strip().startswith(_NEGATIVE):
            target, line = negative, line.strip().removeprefix(_NEGATIVE)
        target.append(line.strip())
    width, _, height = settings.get("Size", "").partition("x")
    found = {
        "num_inference_steps": _number(settings.get("Steps")),
        "guidance_scale": _number(settings.get("CFG scale")),
    }
    seed = _number(settings.get("Seed"))
    try:
        return PictureText(
            prompt="\n".join(prompt).strip(),
            negative_prompt="\n".join(negative).strip(),
            seed=seed if isinstance(seed, int) and 0 <= seed <= MOST_SEED else None,
            width=int(width) if width.isdecimal() and 0 < len(width) < 6 else None,
            height=int(height) if height.isdecimal() and 0 < len(height) < 6 else None,
            settings={key: value for key, value in found.items() if value is not None},
            models=(ModelUse(role="model", source=settings["Model"]),) if settings.get("Model") else (),
        )
    except ValidationError:
        return None


def _settings(line: str) -> dict[str, str]:
    """`Steps: 20, Model: "a, b", Seed: 1` as a table; a comma in quotes separates nothing."""
    found: dict[str, str] = {}
    if len(line) > _MOST_LINE:
        return found
    parts: list[str] = []
    for part in line.split(","):
        if parts and parts[-1].count('"') % 2:
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    for part in parts:
        key, colon, value = part.partition(":")
        if colon and key.strip():
            found.setdefault(key.strip(), value.strip().strip('"'))
    return found


def _number(text: str | None) -> int | float | None:
    try:
        value = float(text or "")
        return int(text or "") if (text or "").lstrip("-").isdecimal() else value if abs(value) < 1e9 else None
    except ValueError:
        return None


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(sign in text for sign in ',:"\n') else text
