"""The error tree. Each class carries the exit code of the command line.

```
LlmgenError                 1   something failed; the message says what and what to do
├─ InputError               3   unreadable or invalid input: JSON, kind, schema, picture, prompt
│  ├─ UnknownNameError      3   a method or preset that does not exist; names its neighbours
│  └─ PresetError           3   a preset that cannot be used; ends a stage, because it is so for every record
├─ MissingRequirementError  4   package, weights, key or server missing; the message gives the command to run
├─ ModelError               5   out of memory, not-a-number picture, refused or unusable reply
├─ OutputError              1   the output exists, or its folder cannot be written
├─ BudgetError              6   a question was not asked, because what it may cost is spent
└─ PartialFailure           6   some records carry `error`; the others are complete
```

Success is 0, wrong usage 2 (Typer's own), Ctrl-C 130, SIGTERM 143.
"""

from typing import Final

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C."""
TERMINATED: Final = 143
"""Exit code after SIGTERM."""


class LlmgenError(Exception):
    """Something failed. The message is one line that says what happened and what to do."""

    exit_code = 1


class InputError(LlmgenError):
    """The input cannot be read or does not say what the stage needs."""

    exit_code = 3


class UnknownNameError(InputError):
    """A name that is in no table, with suggestions."""


class PresetError(InputError):
    """A preset that cannot be used, whatever the record."""


class MissingRequirementError(LlmgenError):
    """A package, weight file, key or server that the work needs is not there."""

    exit_code = 4


class ModelError(LlmgenError):
    """A model could not do its work."""

    exit_code = 5


class OutputError(LlmgenError):
    """The output exists already or cannot be written."""


class BudgetError(LlmgenError):
    """A language model was not asked, because the budget is spent; it is when the work is taken up again."""

    exit_code = 6


class PartialFailure(LlmgenError):
    """Some records failed; the rest are complete and written."""

    exit_code = 6


def error_class(name: str) -> type[LlmgenError]:
    """The class that a record's `error` names; `ModelError` for one that is none of these, such as a library's."""
    found = globals().get(name)
    return found if isinstance(found, type) and issubclass(found, LlmgenError) else ModelError
