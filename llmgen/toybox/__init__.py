"""The toybox: a picture-book world and small models trained on it, bundled with the package."""

from pathlib import Path
from typing import Final

WEIGHTS: Final = Path(__file__).parent / "weights"
"""The bundled checkpoints."""
