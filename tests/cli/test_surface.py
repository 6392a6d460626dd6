"""The flags are a promise: this list changes only on purpose. And the command line is quick and light."""

import importlib.util
import subprocess
import sys

import pytest
import typer
from rich.text import Text

from llmgen.cli import main, whole_app
from llmgen.cli.commands import COMMANDS

STAGE_FLAGS = (
    "--output -o --format --images --preset --planner --seed --device --dtype --offload --batch-size --concurrency --budget-tokens "
    "--engine --workers --shard --set --resume --force --dry-run --no-serve --quiet -q --verbose -v"
).split()
FLAGS = {
    "layout": ["source", "--prompt", "--method", "--width", "--height", *STAGE_FLAGS],
    "generate": [
        "source",
        "--prompt",
        "--method",
        "--samples",
        "-n",
        "--width",
        "--height",
        "--negative-prompt",
        "--steps",
        "--guidance-scale",
        "--guidance",
        "--scheduler",
        "--use",
        "--metadata",
        "--no-metadata",
        "--picture-format",
        "--reuse",
        *STAGE_FLAGS,
    ],
    "detect": ["source", "--method", "--masks", "--no-masks", *STAGE_FLAGS],
    "correct": [
        "source",
        "--mode",
        "--method",
        "--plan-only",
        "--rounds",
        "--depths",
        "--painter",
        "--images-from",
        "--steps",
        "--guidance-scale",
        "--guidance",
        "--scheduler",
        "--outside-vocabulary",
        "--metadata",
        "--no-metadata",
        "--picture-format",
        "--critic",
        *STAGE_FLAGS,
    ],
    "refine": [
        "source",
        "--method",
        "--strength",
        "--steps",
        "--guidance-scale",
        "--guidance",
        "--scheduler",
        "--profile",
        "--reference",
        "--metadata",
        "--no-metadata",
        "--picture-format",
        *STAGE_FLAGS,
    ],
    "evaluate": (
        "method source --judge --no-judge --answers --annotations --results --subset --first --squeeze --side "
        "--layouts --captions --json"
    ).split()
    + STAGE_FLAGS,
    "run": (
        "manifest --prompts --prompt --samples -n --output -o --preset --planner --critic --seed --device --dtype --offload "
        "--batch-size --concurrency --budget-tokens --engine --workers --shard --set --resume --force --json --metadata --no-metadata "
        "--picture-format --dry-run --barrier --no-serve --quiet -q --verbose -v"
    ).split(),
    "serve": "--preset --device --idle --detach --status --stop --json --quiet -q".split(),
    "merge": ["sources", "--output", "-o", "--force", "--quiet", "-q"],
    "sheet": ["source", "--output", "-o", "--first", "--quiet", "-q"],
    "show": ["pictures", "--json"],
    "report": ["source", "other", "--output", "-o", "--one-file", "--open", "--quiet", "-q"],
    "import": (
        "dialect source --output -o --prompts --images-from --categories --bbox-format --seed --classes --label-key --default-class "
        "--force --quiet -q --verbose -v"
    ).split(),
    "export": "dialect source --output -o --bbox-format --force --quiet -q".split(),
    "methods": ["stage", "--json"],
    "models": ["--preset", "--template", "--json"],
    "doctor": ["--preset", "--json"],
    "schema": ["kind", "--write", "--folder"],
    "validate": ["source", "--quiet", "-q"],
}


def commands():
    group = typer.main.get_command(whole_app())
    return {name: command for name, command in group.commands.items() if name != "train"}


def test_flags_are_frozen():
    found = {
        name: [
            word
            for parameter in command.params
            for word in (
                [*parameter.opts, *parameter.secondary_opts]
                if parameter.param_type_name == "option"
                else [parameter.name]
            )
        ]
        for name, command in commands().items()
    }
    assert {name: sorted(words) for name, words in found.items()} == {
        name: sorted(words) for name, words in FLAGS.items()
    }


@pytest.mark.parametrize("name", FLAGS)
def test_every_command_and_flag_has_help(name, capsys):
    command = commands()[name]
    assert command.help
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name}"
    assert main([name, "--help"]) == 0
    assert command.help.split()[0] in capsys.readouterr().out


def test_no_word_of_a_help_is_taken_for_markup():
    """Rich shows `[12]` as it is, and takes `[a/folder]` for a style, of which nothing is left."""

    def walk(command, name):
        yield name, command.help
        for parameter in command.params:
            yield f"{name} {parameter.name}", parameter.help
        for inner, below in getattr(command, "commands", {}).items():
            yield from walk(below, f"{name} {inner}")

    for name, text in walk(typer.main.get_command(whole_app()), "llmgen"):
        assert Text.from_markup(text or "").plain == (text or ""), name


def test_no_arguments_is_help(capsys):
    assert main([]) == 2
    assert "layout" in "".join(capsys.readouterr())


def test_help_imports_nothing_heavy():
    """What makes it quick; `benchmarks/startup.py` has the seconds."""
    code = (
        "import sys, runpy\n"
        "sys.argv = ['llmgen', '--help']\n"
        "try: runpy.run_module('llmgen', run_name='__main__')\n"
        "except SystemExit as error: code = error.code\n"
        "heavy = {'torch', 'numpy', 'diffusers', 'transformers', 'openai', 'pydantic', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


NOT_FOR_A_PLAN = (
    "torch numpy PIL diffusers transformers torchvision openai httpx scipy pycocotools safetensors huggingface_hub ray jinja2 "
    "llmgen.formats.sld llmgen.formats.lmd llmgen.formats.instancediffusion llmgen.pipeline.manifest llmgen.vision.decoding "
    "llmgen.vision.masks llmgen.diffusion llmgen.toybox llmgen.generate llmgen.detect llmgen.correct llmgen.evaluate llmgen.report "
    "llmgen.llm.providers.openai llmgen.llm.providers.replay llmgen.layout.edit llmgen.layout.instances"
).split()
"""What a plan by rules does without: half of the time in which it is made would be theirs."""


@pytest.mark.parametrize(
    "entries", ['["a red ball"]', '[{"id": 7, "prompt": "a red ball", "seed": "3"}]', "a red ball\n"]
)
def test_planning_by_rules_imports_nothing_that_it_does_not_need(tmp_path, entries):
    code = (
        "import sys\nfrom llmgen.cli import main\n"
        "assert main(['layout', '-', '--planner', 'rules', '-q', '-o', 'out.json']) == 0\n"
        f"sys.exit(' '.join({set(NOT_FOR_A_PLAN)} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=entries, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_what_a_plan_does_without_is_there_to_be_imported():
    """A module that was renamed would make the test above prove nothing."""
    assert [
        name for name in NOT_FOR_A_PLAN if name.startswith("llmgen.") and importlib.util.find_spec(name) is None
    ] == []


def test_public_names_resolve():
    import llmgen

    for name in llmgen.__all__:
        assert getattr(llmgen, name) is not None
    assert set(dir(llmgen)) == set(llmgen.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = llmgen.nothing


def test_a_command_that_is_called_is_built_alone():
    """The others would be half of its time; what calls none needs their names only."""
    from llmgen.cli.main import _app_for

    assert [info.name for info in _app_for(["layout", "p.json"]).registered_commands] == ["layout"]
    assert [info.name for info in _app_for(["import", "lmd"]).registered_commands] == ["import"]
    assert [group.name for group in _app_for(["train", "toybox"]).registered_groups] == ["train"]
    for none in ([], ["--help"], ["layuot"]):
        assert [info.name for info in _app_for(none).registered_commands] == list(COMMANDS)


def test_the_list_of_commands_says_what_they_say_themselves():
    group = typer.main.get_command(whole_app())
    assert {name: command.help.split("\n\n")[0] for name, command in group.commands.items()} == {
        name: listed.summary for name, listed in COMMANDS.items()
    }


def test_a_shell_that_asks_what_comes_next_gets_flags(monkeypatch):
    from llmgen.cli.main import _app_for

    monkeypatch.setenv("_LLMGEN_COMPLETE", "complete_bash")
    assert len(_app_for([]).registered_commands) > 10
    assert _app_for([]).registered_groups
