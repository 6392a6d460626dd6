"""Seeds that depend on the run and the record, never on order, workers or neighbours."""

import hashlib


def derive_seed(run_seed: int, record_id: str, index: int = 0) -> int:
    """The seed of one sample of one record.

    Args:
        run_seed: Seed of the run.
        record_id: Id of the record.
        index: Number of the sample, from 0.

    Returns:
        An integer in [0, 2**31), well mixed: neighbouring runs, ids or indices give unrelated seeds.
    """
    text = f"{run_seed}\0{record_id}\0{index}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
