"""Single files of weights, checkpoints and LoRAs, looked at by their headers before anything is loaded. Light: no torch."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

from llmgen.errors import MissingRequirementError

PACKAGE: Final = "package:"
"""Before the path of bundled weights."""
SUFFIX: Final = ".safetensors"
PICKLES: Final = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
CONVERT: Final = (
    "python -c \"import sys, torch, safetensors.torch as s; d = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
    "s.save_file({k: v.clone().contiguous() for k, v in d.get('state_dict', d).items() if torch.is_tensor(v)}, sys.argv[2])\""
)
"""Command that makes a safetensors file of a pickle and runs none of its code."""

Shapes = Mapping[str, tuple[int, ...]]
"""Name to shape of every tensor of a file."""

_SD = ("scheduler/scheduler_config.json", "unet/config.json", "vae/config.json", "model_index.json")
_TOKENIZER = ("merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json")
_FIRST, _SECOND = ("text_encoder/config.json",), ("text_encoder_2/config.json",)
#: Family to the configurations that a single file lacks, and to the folders of tokenizers.
CONFIGS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "stable-diffusion": (_SD + _FIRST, ("tokenizer",)),
    "stable-diffusion-xl": (_SD + _FIRST + _SECOND, ("tokenizer", "tokenizer_2")),
    "stable-diffusion-xl-refiner": (_SD + _SECOND, ("tokenizer_2",)),
    "inpainting": (_SD + _FIRST, ("tokenizer",)),
}
#: What each kind of checkpoint is called.
_WORDS = {
    "stable-diffusion": "Stable Diffusion",
    "stable-diffusion-xl": "SDXL",
    "stable-diffusion-xl-refiner": "SDXL's refiner",
}
_UNET = "model.diffusion_model."
_FIRST_LAYER = f"{_UNET}input_blocks.0.0.weight"
_INPAINTING_CHANNELS = 9
_LORA_DOWN = ("lora_down.weight", "lora_A.weight", "lora_A.default.weight", "lora.down.weight")
_LENGTH_BYTES, _MOST_HEADER_BYTES = 8, 100_000_000
"""How long a safetensors file says its header is, and how long it may be."""
_TRANSFORMER = ("transformer.", "diffusion_model.", "lora_transformer_")


class LoraLike(Protocol):
    """What is read of a LoRA of a role."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def weight(self) -> float: ...  # noqa: D102


class FileRole(Protocol):
    """What is read of a preset's role here."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> str | None: ...  # noqa: D102
    @property
    def family(self) -> str: ...  # noqa: D102
    @property
    def base(self) -> str | None: ...  # noqa: D102
    @property
    def base_revision(self) -> str | None: ...  # noqa: D102
    @property
    def classes(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def files(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def variant(self) -> str | None: ...  # noqa: D102
    @property
    def lora(self) -> Sequence[LoraLike]: ...  # noqa: D102


def is_single_file(source: str) -> bool:
    """Whether a source is one file of weights and neither a folder nor a repository."""
    return source.lower().endswith((SUFFIX, *PICKLES)) and "://" not in source and not Path(source).is_dir()


def local_path(source: str) -> Path:
    """Where a file or folder of a preset lies: beside the program, in a home folder (`~`), or inside the package (`package:`)."""
    if source.startswith(PACKAGE):
        return Path(str(files("llmgen"))) / source.removeprefix(PACKAGE)
    return Path(source).expanduser()


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a safetensors file; the weights are not read.

    Raises:
        MissingRequirementError: If it is not there or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise MissingRequirementError(f"{path} cannot be read as safetensors: {str(error)[:200]}") from error


def cut_short(path: Path) -> str | None:
    """Why a safetensors file cannot be whole, by its header and its size; None where nothing is missing. The weights are not read.

    What was left by a download that broke off, or by a clone without Git LFS, would otherwise be found when the model is loaded.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_LENGTH_BYTES)
            if head.startswith(b"version "):
                return "is a pointer of Git LFS and not the file itself: `git lfs pull`"
            length = int.from_bytes(head, "little")
            if len(head) < _LENGTH_BYTES or not 0 < length <= min(size, _MOST_HEADER_BYTES):
                return f"is no safetensors file, or only its beginning ({size} bytes)"
            header = json.loads(file.read(length))
        ends = [value["data_offsets"][1] for name, value in header.items() if name != "__metadata__"]
        whole = _LENGTH_BYTES + length + max(ends, default=0)
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, IndexError, TypeError):
        return "is no safetensors file"
    return f"has {size} of {whole} bytes; fetch it again" if size < whole else None


def file_faults(source: str) -> list[str]:
    """Why a file cannot be taken, before its header is looked at."""
    path = local_path(source)
    if source.lower().endswith(PICKLES):
        made = f"{path.with_suffix(SUFFIX)}"
        return [
            f"{source} is a pickle, which may run code when it is read, so it is not; convert it once: `{CONVERT} {path} {made}`"
        ]
    return [] if path.is_file() else [f"there is no file {source}"]


def checkpoint_faults(role: str, spec: FileRole) -> list[str]:
    """All that is wrong with the files of a role: a single-file checkpoint, what it needs beside it, and LoRAs.

    Args:
        role: Name of the role.
        spec: The role; its local paths are as they are found from here.

    Returns:
        Lines, each beginning with the field; none for a role without such files.
    """
    faults: list[str] = []
    shapes: Shapes | None = None
    if is_single_file(spec.source):
        missing = file_faults(spec.source)
        faults += [f"source: {line}" for line in missing]
        if spec.family not in CONFIGS:
            faults.append(f"family: models of the family {spec.family!r} are no single files; use a folder")
        else:
            faults += _fields_of_single_files(role, spec)
            if not missing:
                shapes = _shapes(spec.source, "source", faults)
                faults += [] if shapes is None else [f"source: {line}" for line in _unlike(shapes, spec)]
    faults += _lora_faults(spec, shapes)
    return faults


def _fields_of_single_files(role: str, spec: FileRole) -> Iterator[str]:
    if role == "layout_to_image":
        yield "source: single-file checkpoints hold no grounding by boxes; use a GLIGEN folder for this role"
    for field, value in (("classes", spec.classes), ("files", spec.files), ("variant", spec.variant)):
        if value:
            yield f"{field}: a single file has none; leave it away"
    if spec.base is None:
        yield (
            "base: a single file holds weights alone; name a folder or repository of the same architecture, whose small "
            f"configurations and tokenizers are used ({', '.join(_needed(spec.family))}), such as "
            f"{_EXAMPLES[spec.family]}; nothing is fetched in its place"
        )


_EXAMPLES = {
    "stable-diffusion": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "stable-diffusion-xl": "stabilityai/stable-diffusion-xl-base-1.0",
    "stable-diffusion-xl-refiner": "stabilityai/stable-diffusion-xl-refiner-1.0",
    "inpainting": "stable-diffusion-v1-5/stable-diffusion-inpainting",
}


def _needed(family: str) -> tuple[str, ...]:
    configs, tokenizers = CONFIGS[family]
    return (*configs, *(f"{folder}/*" for folder in tokenizers))


def config_folder(spec: FileRole) -> Path:
    """Where the configurations and tokenizers of a single file are; nothing is fetched.

    Raises:
        MissingRequirementError: If they are not all on this machine, with the command that fetches them.
    """
    from llmgen.diffusion.hub import absent_files, cached_folder, download_command

    configs, tokenizers = CONFIGS[spec.family]
    folder = Path(spec.base or "").expanduser()
    if folder.is_dir():
        gone = [name for name in configs if not (folder / name).is_file()]
        gone += [f"{name}/" for name in tokenizers if not (folder / name).is_dir()]
        if gone:
            raise MissingRequirementError(
                f"the base {spec.base!r} of {spec.source!r} lacks {', '.join(gone)}; it needs {', '.join(_needed(spec.family))}"
            )
        return folder
    names = (*configs, *(f"{folder}/{name}" for folder in tokenizers for name in _TOKENIZER))
    base = _Base(spec.base or "", spec.base_revision, names)
    found = cached_folder(base)
    if found is None:
        raise MissingRequirementError(
            f"{spec.source} needs the configurations of its base {spec.base}, of which {absent_files(base, names)[0]} is not on this "
            f"machine; run `{download_command(base, names)}`, a few megabytes"
        )
    return Path(found)


class _Base:
    """The base of a role, as a repository."""

    def __init__(self, source: str, revision: str | None, files: tuple[str, ...]) -> None:
        self.source, self.revision, self.files = source, revision, files


def _shapes(source: str, field: str, faults: list[str]) -> Shapes | None:
    try:
        return read_shapes(local_path(source))
    except MissingRequirementError as error:
        faults.append(f"{field}: {error}")
        return None


def kind_of(shapes: Shapes) -> str | None:
    """The family of a checkpoint, by its parts; None if it is none that is known."""
    if any(name.startswith("conditioner.embedders.1.") for name in shapes):
        return "stable-diffusion-xl"
    if any(name.startswith("conditioner.embedders.0.model.") for name in shapes):
        return "stable-diffusion-xl-refiner"
    whole = any(name.startswith("cond_stage_model.") for name in shapes) and _FIRST_LAYER in shapes
    return "stable-diffusion" if whole else None


def _unlike(shapes: Shapes, spec: FileRole) -> Iterator[str]:
    """What tells a checkpoint from what its role says that it is."""
    kind = kind_of(shapes)
    channels = shapes[_FIRST_LAYER][1] if len(shapes.get(_FIRST_LAYER, ())) == 4 else 0
    if kind is None:
        what = (
            "a LoRA, which belongs into `lora`" if lora_layers(shapes) else "no whole checkpoint with its text encoder"
        )
        yield f"{spec.source} is {what}"
    elif spec.family == "inpainting":
        if kind == "stable-diffusion-xl-refiner":
            yield f"{spec.source} is a checkpoint of {_WORDS[kind]}, which does not inpaint"
    elif kind != spec.family:
        yield f"{spec.source} is a checkpoint of {_WORDS[kind]}, so its family is {kind!r}, not {spec.family!r}"
    elif channels == _INPAINTING_CHANNELS:
        yield f"{spec.source} is an inpainting checkpoint; give it the role inpaint and the family 'inpainting'"


def lora_layers(shapes: Shapes) -> list[str]:
    """Names of the first halves of a LoRA's layers."""
    return [name for name in shapes if name.endswith(_LORA_DOWN)]


def _lora_faults(spec: FileRole, checkpoint: Shapes | None) -> Iterator[str]:
    width = _text_width(spec, checkpoint) if spec.lora else None
    for number, lora in enumerate(spec.lora):
        field, faults = f"lora/{number}/source", list[str]()
        missing = file_faults(lora.source)
        yield from (f"{field}: {line}" for line in missing)
        shapes = None if missing else _shapes(lora.source, field, faults)
        yield from faults
        if shapes is None:
            continue
        layers = lora_layers(shapes)
        if not layers:
            yield f"{field}: {lora.source} holds no LoRA: none of its tensors is named {' or '.join(_LORA_DOWN[:2])}"
            continue
        of_transformer = any(name.startswith(_TRANSFORMER) for name in layers)
        if of_transformer != (spec.family == "z-image"):
            made, here = ("a transformer", "a U-Net") if of_transformer else ("a U-Net", "a transformer")
            yield f"{field}: {lora.source} was made for {made}; the model here is {here}"
            continue
        widths = {shapes[name][1] for name in layers if "attn2" in name and "to_k" in name and len(shapes[name]) > 1}
        if width is not None and widths and widths != {width}:
            yield (
                f"{field}: {lora.source} was made for another architecture: it attends to text of width "
                f"{', '.join(map(str, sorted(widths)))}, the model here to {width}"
            )


def _text_width(spec: FileRole, checkpoint: Shapes | None) -> int | None:
    """How wide the states of text are that a U-Net attends to; None where that cannot be seen without loading."""
    if checkpoint is not None:
        found = (
            shape[1]
            for name, shape in checkpoint.items()
            if name.startswith(_UNET) and name.endswith("attn2.to_k.weight")
        )
        return next(found, None)
    path = _unet_config(spec)
    if path is None:
        return None
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    width = values.get("cross_attention_dim") if isinstance(values, dict) else None
    return width if isinstance(width, int) else None


def _unet_config(spec: FileRole) -> Path | None:
    if is_single_file(spec.source) or "://" in spec.source or spec.source.startswith(PACKAGE):
        return None
    folder = Path(spec.source).expanduser()
    if folder.is_dir():
        return folder / "unet" / "config.json"
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(spec.source, "unet/config.json", revision=spec.revision)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None
