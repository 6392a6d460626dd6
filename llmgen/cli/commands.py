"""The commands: where each is, and what `llmgen --help` says of it; only the one that is called is imported."""

import importlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import typer


class Listed(NamedTuple):
    """What is known of a command before its module is imported.

    Attributes:
        panel: Where the help lists it.
        summary: Its line there: the first of its own help.
        example: The last line of its own help; none for a family of commands.
    """

    panel: str
    summary: str
    example: str | None = None

    @property
    def is_family(self) -> bool:
        """Whether it has commands of its own."""
        return self.example is None


_STAGES: Final = "Stages"
_RUNS: Final = "Runs"
_LOOKING: Final = "Looking around"
COMMANDS: Final = {
    "layout": Listed(
        _STAGES,
        "Plan where things go: boxes, a background, what must be absent.",
        "llmgen layout prompts.txt -o layouts.json",
    ),
    "generate": Listed(
        _STAGES,
        "Draw each record's picture.",
        'llmgen generate "a red ball and a blue car" -n 4 --seed 7',
    ),
    "detect": Listed(
        _STAGES,
        "Look at each picture for what its layout or prompt asks for.",
        "llmgen detect images.json -o detections.json",
    ),
    "correct": Listed(
        _STAGES,
        "Find what is wrong with each picture and mend it, round by round, keeping the best.",
        "llmgen correct detections.json --mode self_correction -o corrections.json",
    ),
    "refine": Listed(
        _STAGES,
        "Go over each picture once more, in the edited region unless told otherwise.",
        "llmgen refine corrections.json -o refinements.json",
    ),
    "evaluate": Listed(
        _STAGES,
        "Score layouts, detections or pictures; a table to stderr, records to stdout.",
        "llmgen evaluate lmd refinements.json --judge -o scores.json",
    ),
    "run": Listed(
        _RUNS,
        "Run a manifest's stages, or the whole chain on your prompts; started again, it goes on. --set takes stage.name=value.",
        "llmgen run mine.txt -n 4",
    ),
    "serve": Listed(
        _RUNS,
        "Hold a preset's models in one process: the stage commands and `run` find it and need not load them; see --no-serve there.",
        "llmgen serve &",
    ),
    "merge": Listed(
        _RUNS,
        "Put together what `--shard` wrote: the artifact of a run in one piece, byte for byte.",
        "llmgen merge images.json",
    ),
    "report": Listed(
        _RUNS,
        "Write a run's report anew, or two runs side by side: an HTML page that needs no server and no network.",
        "llmgen report outputs/mine outputs/other --open",
    ),
    "sheet": Listed(
        _RUNS,
        "Put the pictures of a run on one page: prompts, first and last picture or all samples, verdicts.",
        "llmgen sheet outputs/mine -o sheet.png",
    ),
    "import": Listed(
        _RUNS,
        "Take over files of other programs as records, pictures that say their prompt, too; VGG's as COCO annotations to train on.",
        "llmgen import png FOLDER -o images.json",
    ),
    "export": Listed(
        _RUNS,
        "Hand layouts to InstanceDiffusion: what `llmgen import` reads is written back as it was.",
        "llmgen export instancediffusion layouts.json -o FOLDER",
    ),
    "show": Listed(
        _LOOKING,
        "Print how pictures were made, as they say it themselves: prompt, seed, models, settings.",
        "llmgen show picture.png",
    ),
    "methods": Listed(
        _LOOKING,
        "List the methods of the stages; with a stage, their settings and defaults too.",
        "llmgen methods generate",
    ),
    "doctor": Listed(
        _LOOKING,
        "Say what is installed, which device there is, which presets can run here and what is missing; no model is loaded.",
        "llmgen doctor --preset sd15",
    ),
    "schema": Listed(
        _LOOKING,
        "Print a JSON Schema, or all of them in one object.",
        "llmgen schema preset > preset.schema.json",
    ),
    "validate": Listed(
        _LOOKING,
        "Check a file: its fields, that its pictures are there and unchanged, that its methods, settings and folders exist.",
        "llmgen validate mine.json",
    ),
    "models": Listed(_LOOKING, "List the presets and the model that each of their roles uses."),
    "train": Listed(_RUNS, "Train the models of the toybox world, a detector on annotated pictures, or LGD."),
}


def add(app: typer.Typer, names: Iterable[str]) -> None:
    """Give an app commands, which imports their modules."""
    for name in names:
        panel, _, example = listed = COMMANDS[name]
        own = f"{name}_" if name == "import" else name  # no name in Python
        module = importlib.import_module(f"llmgen.cli.{own}")
        if listed.is_family:
            app.add_typer(module.app, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel, epilog=f"Example: {example}")(getattr(module, own))


def list_only(app: typer.Typer) -> None:
    """Give an app the names and lines of all commands, for its help and for guesses at a mistyped name."""
    for name, listed in COMMANDS.items():
        app.command(name, help=listed.summary, rich_help_panel=listed.panel)(_listed)


def _listed() -> None:
    pass
