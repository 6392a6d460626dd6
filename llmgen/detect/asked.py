"""What a record asks a detector for, and the picture it is to look at."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from llmgen.artifacts import Layout, Record
from llmgen.detect.merging import Demand, join_demands
from llmgen.errors import InputError
from llmgen.llm.english.grammar import head_noun, read_prompt
from llmgen.llm.english.words import singularize

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext
    from llmgen.llm.schemas import ParsedPrompt


def picture_of(record: Record, context: "StageContext") -> Image.Image:
    """The picture of a record.

    Raises:
        InputError: If it has none, or it cannot be read.
    """
    if record.image is None:
        raise InputError(f"record {record.id!r} has no picture to look at; run `llmgen generate` first")
    return context.images.load(record.image)


def nouns_of(record: Record) -> tuple[str, ...]:
    """The nouns that a record asks for, in the singular, each once: of its layout, else what rules read in its prompt.

    What must be absent is asked for as well, see `absent_of`.
    """
    if record.layout is not None:
        found = [instance.noun or head_noun(instance.phrase) for instance in record.layout.instances]
    else:
        found = [wanted.noun for wanted in read_prompt(record.prompt).objects]
    return tuple(dict.fromkeys([*found, *absent_of(record)]))


def absent_of(record: Record) -> tuple[str, ...]:
    """The nouns that a record's layout has as absent, in the singular: somebody must look whether they are."""
    return () if record.layout is None else tuple(dict.fromkeys(map(singularize, record.layout.absent)))


def demands_of_layout(layout: Layout) -> tuple[Demand, ...]:
    """What to look for to check a layout: its instances, then what must be absent.

    Args:
        layout: The plan.

    Returns:
        One demand a noun; empty for a bare background.
    """
    wanted = [
        Demand(instance.noun or head_noun(instance.phrase), (instance.attributes,)) for instance in layout.instances
    ]
    return _with_absent(wanted, layout.absent)


def demands_of_parsed_prompt(parsed: "ParsedPrompt") -> tuple[Demand, ...]:
    """What to look for to check a prompt that a planner took apart."""
    wanted = [
        Demand(group.noun, tuple(tuple(instance.attributes) for instance in group.instances))
        for group in parsed.objects
        if group.instances
    ]
    return _with_absent(wanted, parsed.negative)


def _with_absent(wanted: Sequence[Demand], absent: Sequence[str]) -> tuple[Demand, ...]:
    known = {demand.noun for demand in wanted}
    nouns = dict.fromkeys(singularize(noun) for noun in absent)
    return join_demands([*wanted, *(Demand(noun) for noun in nouns if noun not in known)])
