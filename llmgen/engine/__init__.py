"""How stages are run: batches, seeds, the per-record error boundary, journal and resume."""
