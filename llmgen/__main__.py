"""`python -m llmgen`, and the command `llmgen`: a server that holds the models does the work, or this process does."""

import errno
import io
import os
import sys
from typing import TextIO


def main() -> int:
    """Run the command line of this process.

    Returns:
        The exit code.
    """
    open_closed_streams()
    # Pydantic would read the metadata of all that is installed for plugins, a tenth of a plan's time; llmgen's models want none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from llmgen.serving import SERVED

    if sys.argv[1:2] and sys.argv[1] in SERVED:
        from llmgen.serving.client import answered

        code = answered(sys.argv[1:])
        if code is not None:
            return code
    from llmgen.cli import main as run

    return run(sys.argv[1:])


def open_closed_streams() -> None:
    """Put something in the place of standard streams that the caller closed (`<&-`, `>&-`), which Python leaves out.

    Nothing comes from such an input, records for such an output are an error, and what would be said to nobody is lost.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Free numbers are given from below: what is opened here keeps files from being taken for the stream.
            stream = open(os.devnull, mode, encoding="utf-8")
            setattr(sys, name, ClosedOutput(stream) if name == "stdout" else stream)


class ClosedOutput(io.TextIOBase):
    """An output that takes nothing.

    Args:
        place: What stands in its place, and is kept open.
    """

    def __init__(self, place: TextIO) -> None:
        self._place = place

    def close(self) -> None:
        """Close what stands in its place."""
        self._place.close()
        super().close()

    def write(self, text: str) -> int:
        """Refuse it."""
        raise OSError(errno.EBADF, "it is closed")


if __name__ == "__main__":
    sys.exit(main())
