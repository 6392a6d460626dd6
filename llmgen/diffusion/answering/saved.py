"""The folder of a trained LGD model, written by its training and read by its methods.

| file | holds |
| --- | --- |
| `lgd.json` | `LgdSettings` |
| `unet_ema/`, `unet/` | the editor's U-Net as diffusers saves it; the average is what samples |
| `bridge_ema.safetensors`, `bridge.safetensors` | `Bridge` |
| `null_context.safetensors` | `null`, the states of the empty text, `[1, rows, width]` |
| `qformer_delta.safetensors` | what was trained of BLIP-2, by its own names, and `code_head.*`; may be missing |

Nothing frozen is in it: the autoencoder, BLIP-2 and its language model are named by a preset.
"""

import copy
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from llmgen.artifacts import ArtifactModel
from llmgen.artifacts.complaints import describe
from llmgen.artifacts.files import write_atomic
from llmgen.diffusion.answering.bridge import Bridge, Slots
from llmgen.errors import MissingRequirementError

SETTINGS: Final = "lgd.json"
BRIDGE: Final = "bridge.safetensors"
BRIDGE_EMA: Final = "bridge_ema.safetensors"
NULL: Final = "null_context.safetensors"
ADAPTER: Final = "qformer_delta.safetensors"
UNET: Final = "unet"
UNET_EMA: Final = "unet_ema"
CODE_HEAD: Final = "code_head."
_MOST_BYTES: Final = 2**20


class LgdSettings(ArtifactModel):
    """How a model was trained, so far as its use must agree."""

    format: Literal[1] = 1
    width: int = Field(ge=1, le=65536)
    """Of the language model's states."""
    context_width: int = Field(ge=1, le=65536)
    """Of the U-Net's cross-attention."""
    slots: Slots = "feat"
    """What to fill the condition with unless somebody says otherwise."""
    wired: bool = False
    """Whether the latent slot holds the predictive code (`code_head` of the latent) in place of the latent."""
    side: int | None = Field(default=None, ge=14, le=4096)
    """Side in pixels of the square that BLIP-2 sees; the vision model's own by default. The original's is 364."""
    question: Literal["cleaned", "raw"] = "cleaned"
    """How questions were worded."""
    answerer: str = ""
    """The BLIP-2 that was used, and its revision."""
    answerer_revision: str | None = None
    editor: str = ""
    """What the U-Net was started from."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Dropout, steps, losses: for people."""


def write_settings(folder: Path, settings: LgdSettings) -> None:
    """Write `lgd.json`."""
    write_atomic(folder / SETTINGS, settings.model_dump_json(indent=2).encode())


def read_settings(folder: Path) -> LgdSettings:
    """Read `lgd.json`.

    Raises:
        MissingRequirementError: If it is missing or not valid.
    """
    path = folder / SETTINGS
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MissingRequirementError(f"{path} is larger than {_MOST_BYTES // 2**20} MiB; that is no {SETTINGS}")
        return LgdSettings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise MissingRequirementError(
            f"{folder} is no LGD model, it has no {SETTINGS}; make one with `llmgen train lgd-unet`"
        ) from error
    except ValidationError as error:
        raise MissingRequirementError(f"{path} is not valid: {describe(error)}") from error


def save_bridge(folder: Path, bridge: Bridge, *, averaged: bool = False) -> None:
    """Write the bridge's weights, or their average."""
    _write(folder / (BRIDGE_EMA if averaged else BRIDGE), bridge.state_dict())


def load_bridge(folder: Path, settings: LgdSettings) -> Bridge:
    """The bridge that samples: the average where there is one.

    Raises:
        MissingRequirementError: If its weights are missing or do not fit.
    """
    bridge = Bridge(settings.width, settings.context_width)
    _fill(bridge, _read(folder, BRIDGE_EMA, BRIDGE), folder)
    return bridge.eval().requires_grad_(False)


def save_null(folder: Path, null: Tensor) -> None:
    """Write the states of the empty text, `[1, rows, width]`."""
    _write(folder / NULL, {"null": null})


def load_null(folder: Path, settings: LgdSettings) -> Tensor:
    """The states of the empty text, `float32[1, rows, width]`.

    Raises:
        MissingRequirementError: If they are missing or do not fit.
    """
    null = _read(folder, NULL).get("null")
    if null is None or null.ndim != 3 or null.shape[0] != 1 or null.shape[2] != settings.width:
        raise MissingRequirementError(f"{NULL} of {folder} does not hold `null`, [1, rows, {settings.width}]")
    return null.float()


def save_adapter(folder: Path, trained: dict[str, Tensor], code_head: nn.Module | None = None) -> None:
    """Write what was trained of BLIP-2.

    Args:
        folder: Of the model.
        trained: BLIP-2's own names to weights.
        code_head: The predictive head, if there is one.
    """
    head = {} if code_head is None else {CODE_HEAD + name: value for name, value in code_head.state_dict().items()}
    _write(folder / ADAPTER, {**trained, **head})


def load_adapter(folder: Path, blip2: Any, settings: LgdSettings) -> tuple[Any, nn.Linear | None]:
    """BLIP-2 with what was trained of it, if the folder holds that.

    Args:
        folder: Of the model.
        blip2: The one that the training started from; it stays as it is.
        settings: Of the model.

    Returns:
        A BLIP-2 that shares all other weights with the given one, and the predictive head where the model is wired to it.

    Raises:
        MissingRequirementError: If weights do not fit, or the head is needed and missing.
    """
    weights = _read(folder, ADAPTER) if settings.wired or (folder / ADAPTER).is_file() else {}
    heads = {name.removeprefix(CODE_HEAD): weights.pop(name) for name in list(weights) if name.startswith(CODE_HEAD)}
    own = dict(blip2.named_parameters())
    for name, value in weights.items():
        if name not in own or own[name].shape != value.shape:
            raise MissingRequirementError(f"{ADAPTER} of {folder} does not fit this BLIP-2: {name}")
    shared = [value for name, value in own.items() if name not in weights]
    trained = copy.deepcopy(blip2, {id(value): value for value in (*shared, *blip2.buffers())})
    with torch.no_grad():
        for name, value in trained.named_parameters():
            if name in weights:
                value.copy_(weights[name])
    if not settings.wired:
        return trained, None
    head = nn.Linear(settings.width, settings.width)
    _fill(head, heads, folder)
    return trained, head.eval().requires_grad_(False)


def unet_folder(folder: Path) -> str:
    """Which U-Net samples: the average where there is one.

    Raises:
        MissingRequirementError: If there is none.
    """
    found = next((name for name in (UNET_EMA, UNET) if (folder / name).is_dir()), None)
    if found is None:
        raise MissingRequirementError(
            f"{folder} has neither {UNET_EMA}/ nor {UNET}/; train it with `llmgen train lgd-unet`"
        )
    return found


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    write_atomic(path, save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}))


def _read(folder: Path, *names: str) -> dict[str, Tensor]:
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise MissingRequirementError(
            f"{folder} has no {' or '.join(names)}; train it again with `llmgen train lgd-unet`"
        )
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise MissingRequirementError(f"{path} cannot be read: {str(error)[:200]}") from error


def _fill(module: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    own = {name: value.shape for name, value in module.state_dict().items()}
    wrong = [
        name for name in own.keys() | weights.keys() if name not in weights or own.get(name) != weights[name].shape
    ]
    if wrong:
        raise MissingRequirementError(f"the weights of {type(module).__name__} in {folder} do not fit: {min(wrong)}")
    module.load_state_dict(weights)
