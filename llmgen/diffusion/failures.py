"""What goes wrong inside a model, in the words of the error tree."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from llmgen.errors import ModelError


@contextmanager
def as_model_errors(what: str) -> Iterator[None]:
    """Turn running out of memory into a `ModelError` that says what to do.

    Args:
        what: The work, for the message, such as `generate sd`.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(f"{what}: out of memory; use a smaller --batch-size, or --dtype float16 on a GPU") from error


def check_finite(latents: Tensor, what: str) -> Tensor:
    """Refuse latents that would decode to a black picture.

    Raises:
        ModelError: If a value is not finite.
    """
    if not bool(torch.isfinite(latents).all()):
        raise ModelError(f"{what}: the model returned numbers that are not finite; use --dtype float32 or bfloat16")
    return latents
