"""What a server and who asks it must share, so that a command ends the same with and without it: the code and what it was started under."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_READ_BYTES: Final = 2**18
"""Files that are larger are weights and pictures: size and time of change tell those apart, and at once."""
_AT_IMPORT: Final = (
    "ATEN_", "CUBLAS_", "CUDA_", "CUDNN_", "DIFFUSERS_", "DYLD_", "GOMP_", "HF_", "HIP_", "HSA_", "HUGGINGFACE_", "KMP_", "LANG", "LC_",
    "LD_", "MKL_", "NVIDIA_", "OMP_", "OPENBLAS_", "PYTHON", "PYTORCH_", "ROCR_", "SAFETENSORS_", "TOKENIZERS_", "TORCH", "TRANSFORMERS_",
    "TRITON_", "TYPER_", "_TYPER_", "FORCE_COLOR", "GITHUB_ACTIONS", "HOME", "PY_COLORS", "TERMINAL_WIDTH", "TMPDIR", "TZ",
    "XDG_CACHE_HOME",
)  # fmt: skip
"""Beginnings of variables that libraries read once, as they are imported or first used. All others are read when they are needed, and
are those of who asks."""


def code_digest() -> str:
    """Digest of the package's files, of Python and how it was started, and of the names and versions of all that is installed."""
    total = hashlib.sha256(repr((sys.version, sys.prefix, tuple(sys.flags), sys.warnoptions)).encode())
    for folder in sys.path:
        if folder.endswith(("site-packages", "dist-packages")) and os.path.isdir(folder):
            installed = sorted(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))
            total.update("\0".join([folder, *installed]).encode(errors="surrogateescape"))
    _add_folder(total, str(Path(__file__).parent.parent))
    return total.hexdigest()


def environment_digest(environment: Mapping[str, str]) -> str:
    """Digest of those variables whose values a running server cannot change any more; of secrets there are none among them.

    Args:
        environment: All variables.
    """
    fixed = sorted(
        (name, value)
        for name, value in environment.items()
        if name.startswith(_AT_IMPORT) and "TOKEN" not in name.removeprefix("TOKENIZERS_")
    )
    return hashlib.sha256(repr(fixed).encode()).hexdigest()


def _add_folder(total: "hashlib._Hash", folder: str) -> None:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir():
            if entry.name != "__pycache__":
                _add_folder(total, entry.path)
            continue
        about = entry.stat()
        total.update(f"{entry.path}\0{about.st_size}\0".encode(errors="surrogateescape"))
        if about.st_size > _READ_BYTES:
            total.update(str(about.st_mtime_ns).encode())
        else:
            with open(entry.path, "rb", buffering=0) as file:
                total.update(file.read())
