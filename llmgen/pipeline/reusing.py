"""Drawing again from the noise of pictures that are there: what changes is then what was changed."""

from collections.abc import Sequence

from llmgen.artifacts import Record, RecordError
from llmgen.formats.foreign import read_any


def with_noise_of(records: Sequence[Record], source: str) -> list[Record]:
    """Give records the seeds of other records.

    Args:
        records: What will be drawn.
        source: Path of an artifact whose records were drawn: the seed of the same id counts, that of a single record for all.

    Returns:
        The records; one that finds no seed carries `error`.

    Raises:
        InputError: If the artifact cannot be read.
    """
    drawn = [record for record in read_any(source).records if record.seed is not None]
    seeds = {record.id: record.seed for record in drawn}
    reseeded = []
    for record in records:
        seed = drawn[0].seed if len(drawn) == 1 else seeds.get(record.id)
        if seed is None and record.error is None:
            message = f"{source} has no record {record.id!r} with a seed, whose noise could be used again"
            record = record.grown(error=RecordError(stage="generate", type="InputError", message=message))
        reseeded.append(record if seed is None else record.grown(seed=seed))
    return reseeded
