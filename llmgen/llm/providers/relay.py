"""What providers have in common that stand before another one."""

from collections.abc import Callable

from llmgen.llm.providers.provider import Provider


class Relay:
    """A provider that asks another: name, model and how many questions go at once are that one's.

    Args:
        other: Gives the one that is asked; it may be made when it is first needed.
    """

    def __init__(self, other: Callable[[], Provider]) -> None:
        self._other = other

    @property
    def provider(self) -> str:
        """That of the other provider."""
        return self._other().provider

    @property
    def model(self) -> str | None:
        """That of the other provider."""
        return self._other().model

    @property
    def at_once(self) -> int:
        """That of the other provider."""
        return self._other().at_once
