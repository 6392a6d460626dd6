"""The flags are a promise: this list changes only on purpose. And the command line is quick and light."""

import subprocess
import sys

import pytest
import typer

from llmgen.cli import app, main

STAGE_FLAGS = (
    "--output -o --images --preset --planner --seed --device --dtype --offload --batch-size --set --resume --force "
    "--dry-run --quiet -q --verbose -v"
).split()
FLAGS = {
    "layout": ["source", "--method", *STAGE_FLAGS],
    "generate": [
        "source",
        "--method",
        "--samples",
        "-n",
        "--steps",
        "--guidance-scale",
        "--use",
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
        "--outside-vocabulary",
        "--critic",
        *STAGE_FLAGS,
    ],
    "refine": [
        "source",
        "--method",
        "--strength",
        "--steps",
        "--guidance-scale",
        "--profile",
        "--reference",
        *STAGE_FLAGS,
    ],
    "evaluate": (
        "method source --judge --no-judge --answers --annotations --results --subset --first --squeeze --side "
        "--layouts --captions --json"
    ).split()
    + STAGE_FLAGS,
    "run": (
        "manifest --output -o --preset --planner --critic --seed --device --dtype --offload --batch-size --set --resume --force "
        "--dry-run --quiet -q --verbose -v"
    ).split(),
    "report": ["source", "--output", "-o", "--quiet", "-q"],
    "import": (
        "dialect source --output -o --prompts --images-from --categories --bbox-format --seed --force --quiet -q --verbose -v"
    ).split(),
    "export": "dialect source --output -o --bbox-format --force --quiet -q".split(),
    "methods": ["stage", "--json"],
    "models": ["--preset", "--json"],
    "doctor": ["--preset", "--json"],
    "schema": ["kind", "--write", "--folder"],
    "validate": ["source", "--quiet", "-q"],
}


def commands():
    group = typer.main.get_command(app)
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


def test_planning_needs_no_torch(tmp_path):
    code = (
        "import sys\nfrom llmgen.cli import main\n"
        "assert main(['layout', '-', '--planner', 'rules', '-q']) == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input='["a red ball"]', capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_public_names_resolve():
    import llmgen

    for name in llmgen.__all__:
        assert getattr(llmgen, name) is not None
    assert set(dir(llmgen)) == set(llmgen.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = llmgen.nothing
