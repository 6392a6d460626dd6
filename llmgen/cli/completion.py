"""What the shell offers after a flag; names come from literal tables, so nothing heavy is imported."""

from collections.abc import Callable


def method_names(stage: str) -> Callable[[str], list[str]]:
    """Completion of the methods of a stage."""

    def complete(incomplete: str) -> list[str]:
        from llmgen.registry import methods

        return [name for name in methods(stage) if name.startswith(incomplete)]

    return complete


def presets(incomplete: str) -> list[str]:
    """Completion of preset names."""
    from llmgen.presets import preset_names

    return [name for name in preset_names() if name.startswith(incomplete)]


def words(*choices: str) -> Callable[[str], list[str]]:
    """Completion of fixed words."""
    return lambda incomplete: [word for word in choices if word.startswith(incomplete)]
