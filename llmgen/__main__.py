"""`python -m llmgen`, and the command `llmgen`: a server that holds the models does the work, or this process does."""

import os
import sys


def main() -> int:
    """Run the command line of this process.

    Returns:
        The exit code.
    """
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


if __name__ == "__main__":
    sys.exit(main())
