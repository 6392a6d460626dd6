"""Drawing again from the noise of pictures that are there: what changes is then what was changed."""

from collections.abc import Callable

from llmgen.artifacts import Record, RecordError
from llmgen.formats.foreign import read_any


def noise_of(source: str) -> Callable[[Record], Record]:
    """What gives records the seeds of other records.

    Args:
        source: Path of an artifact whose records were drawn: the seed of the same id counts, that of a single record for all.

    Returns:
        Takes a record that will be drawn and gives it back with its seed; one that finds no seed carries `error`.

    Raises:
        InputError: If the artifact cannot be read.
    """
    drawn = [record for record in read_any(source).records if record.seed is not None]
    seeds = {record.id: record.seed for record in drawn}
    seed_of_all = drawn[0].seed if len(drawn) == 1 else None

    def reseeded(record: Record) -> Record:
        seed = seeds.get(record.id) if seed_of_all is None else seed_of_all
        if seed is None and record.error is None:
            message = f"{source} has no record {record.id!r} with a seed, whose noise could be used again"
            record = record.grown(error=RecordError(stage="generate", type="InputError", message=message))
        return record if seed is None else record.grown(seed=seed)

    return reseeded
