"""The pictures that a record names."""

from llmgen.artifacts.image import ImageRef
from llmgen.artifacts.record import Record


def image_refs(record: Record) -> list[ImageRef]:
    """All pictures that a record names."""
    refs = [record.image] if record.image is not None else []
    for entry in record.history:
        refs.append(entry.image)
        if entry.region is not None:
            refs.append(entry.region)
        for outcome in entry.outcomes or ():
            refs += [ref for ref in (outcome.before, outcome.after) if ref is not None]
    return [*refs, *(sample.image for sample in record.samples)]
