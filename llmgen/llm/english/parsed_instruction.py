"""What must be looked for before an instruction can be carried out."""

from llmgen.llm.english.commands import (
    Add,
    Command,
    Count,
    Duplicate,
    Instruction,
    Keep,
    Move,
    Prefer,
    Remove,
    Replace,
    Resize,
    Swap,
)
from llmgen.llm.english.meaning import DEFAULT_BACKGROUND
from llmgen.llm.english.selections import ANYTHING, Selection
from llmgen.llm.schemas import ParsedInstance, ParsedObject, ParsedPrompt


def parsed_from_instruction(instruction: Instruction) -> ParsedPrompt:
    """What must be looked for before an instruction can be carried out, as the parse call's answer.

    What is to be removed altogether is under `negative`, as SLD has it.
    """
    wanted: dict[str, list[ParsedInstance]] = {}
    negative: list[str] = []
    for command in instruction.commands:
        if (
            isinstance(command, Remove)
            and command.what.every
            and not command.what.attributes
            and not (command.what.besides or command.what.anchor or command.what.count or command.what.which)
        ):
            negative.append(command.what.noun)
        for selection in _selections(command):
            one = ParsedInstance(attributes=list(selection.attributes))
            wanted.setdefault(selection.noun, [])
            if one not in wanted[selection.noun]:
                wanted[selection.noun].append(one)
        if isinstance(command, Add | Replace | Count | Prefer):
            new = command.by if isinstance(command, Replace) else command.what
            wanted.setdefault(new.noun, []).append(ParsedInstance(attributes=[]))
    kept = {noun: some for noun, some in wanted.items() if noun not in negative}
    return ParsedPrompt(
        reasoning=f"{len(instruction.commands)} things are to be done.",
        objects=[ParsedObject(noun=noun, instances=some) for noun, some in kept.items()],
        background=instruction.background or DEFAULT_BACKGROUND,
        negative=list(dict.fromkeys(negative)),
    )


def _selections(command: Command) -> tuple[Selection, ...]:
    """The selections of a command, with what they lie by and what they leave out; "everything" names nothing to look for."""
    found = list(_direct_selections(command))
    for one in found:
        found += [*one.besides, *((one.anchor,) if one.anchor is not None else ())]
    return tuple(one for one in found if one.noun != ANYTHING)


def _direct_selections(command: Command) -> tuple[Selection, ...]:
    match command:
        case Swap(first, second):
            return (first, second)
        case Add(_, to) | Count(_, to):
            return to.anchors if to is not None else ()
        case Prefer():
            return ()
        case Duplicate(what, _, to):
            return (what, *(to.anchors if to is not None else ()))
        case Resize(what, _, than):
            return (what, than) if than is not None else (what,)
        case Move(what, to):
            return (what, *to.anchors)
        case Keep(what):
            return (what,) if what is not None else ()
        case _:
            return (command.what,)
